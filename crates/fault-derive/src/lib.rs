//! Derives `vocab::Fault`: an error's code, exit code and hint stand beside its message.
//!
//! An example that runs is at `vocab::Fault`; this one has more of it.
//!
//! ```text
//! #[derive(Debug, thiserror::Error, Fault)]
//! #[error("cannot use the lock `{}`", path.display())]
//! #[fault(transparent = kind)]
//! pub struct LockError {
//!     pub path: PathBuf,
//!     #[source]
//!     pub kind: LockErrorKind,
//! }
//!
//! #[derive(Debug, thiserror::Error, Fault)]
//! #[fault(Usage)]
//! pub enum LockErrorKind {
//!     #[error("it cannot be read")]
//!     #[fault("E_LOCK_FILE", Build)]
//!     Read(#[source] io::Error),
//!     #[error("its format is {actual}, this builder reads 1 to {LOCK_FORMAT}")]
//!     #[fault("E_LOCK_FORMAT", hint("use the builder that wrote format {actual}, or run `builder lock`"))]
//!     Format { actual: u64 },
//! }
//! ```
//!
//! `#[fault(…)]` on a variant takes, in any order and separated by commas:
//!
//! - a string: the code;
//! - a name of `vocab::Exit`: the exit code;
//! - `hint("text", arguments)`: the hint, as `format!` takes it; fields are variables in it, as in `#[error]`;
//! - `hint_with = path`: a function that gets `&self` and returns the hint as an `Option<String>`;
//! - `another_machine`: `is_for_another_machine` says yes;
//! - `transparent`: everything is what the only field says. `transparent = field` names one of several. A hint beside
//!   it replaces the field's.
//!
//! On the type it gives code, exit code and hint to all variants that have none of their own. A variant that is left
//! without a code or an exit code does not compile.

mod attribute;
mod expansion;

/// See the crate's own page.
#[proc_macro_derive(Fault, attributes(fault))]
pub fn derive_fault(input: proc_macro::TokenStream) -> proc_macro::TokenStream {
    let input = syn::parse_macro_input!(input as syn::DeriveInput);
    expansion::expand(&input).unwrap_or_else(syn::Error::into_compile_error).into()
}
