//! What `#[fault(…)]` says.

use proc_macro2::TokenStream;
use syn::ext::IdentExt as _;
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::{Attribute, Expr, Ident, LitStr, Member, Path, Token, parenthesized};

/// One attribute's words; absent is what it does not mention.
#[derive(Clone, Default)]
pub(crate) struct Told {
    pub code: Option<LitStr>,
    pub exit: Option<Ident>,
    pub hint: Option<Hint>,
    pub transparent: Option<Transparent>,
    pub another_machine: bool,
}

#[derive(Clone)]
pub(crate) enum Hint {
    /// Text and arguments of `format!`.
    Text { text: LitStr, arguments: Vec<Expr> },
    /// A function of the whole error.
    With(Path),
}

#[derive(Clone)]
pub(crate) struct Transparent {
    pub word: Ident,
    /// Absent: the only field.
    pub field: Option<Member>,
}

impl Told {
    /// Adds up several attributes; the same thing said twice is an error.
    pub(crate) fn read(attributes: &[Attribute]) -> syn::Result<Self> {
        let mut told = Self::default();
        for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("fault")) {
            let words = attribute.parse_args_with(Punctuated::<Word, Token![,]>::parse_terminated)?;
            for word in words {
                told.add(word)?;
            }
        }
        Ok(told)
    }

    fn add(&mut self, word: Word) -> syn::Result<()> {
        match word {
            Word::Code(code) => once(&mut self.code, code),
            Word::Exit(exit) => once(&mut self.exit, exit),
            Word::Hint(at, hint) if self.hint.is_some() => {
                drop(hint);
                Err(syn::Error::new(at.span(), "a second hint"))
            }
            Word::Hint(_, hint) => {
                self.hint = Some(hint);
                Ok(())
            }
            Word::Transparent(it) => {
                self.transparent = Some(it);
                Ok(())
            }
            Word::AnotherMachine => {
                self.another_machine = true;
                Ok(())
            }
        }
    }
}

fn once<T: quote::ToTokens>(place: &mut Option<T>, value: T) -> syn::Result<()> {
    if place.is_some() {
        return Err(syn::Error::new_spanned(value, "this was said before"));
    }
    *place = Some(value);
    Ok(())
}

enum Word {
    Code(LitStr),
    Exit(Ident),
    Hint(Ident, Hint),
    Transparent(Transparent),
    AnotherMachine,
}

impl Parse for Word {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        if input.peek(LitStr) {
            return Ok(Self::Code(input.parse()?));
        }
        let word = input.call(Ident::parse_any)?;
        match word.to_string().as_str() {
            "hint" => {
                let inner;
                parenthesized!(inner in input);
                let text = inner.parse()?;
                let _: Option<Token![,]> = inner.parse()?;
                let arguments = Punctuated::<Expr, Token![,]>::parse_terminated(&inner)?.into_iter().collect();
                Ok(Self::Hint(word, Hint::Text { text, arguments }))
            }
            "hint_with" => {
                let _: Token![=] = input.parse()?;
                Ok(Self::Hint(word, Hint::With(input.parse()?)))
            }
            "transparent" => {
                let equals: Option<Token![=]> = input.parse()?;
                let field = equals.map(|_| input.parse()).transpose()?;
                Ok(Self::Transparent(Transparent { word, field }))
            }
            "another_machine" => Ok(Self::AnotherMachine),
            name if name.starts_with(|first: char| first.is_ascii_uppercase()) => Ok(Self::Exit(word)),
            _ => Err(syn::Error::new_spanned(
                word,
                "expected a code, an exit code, `hint`, `hint_with`, `transparent` or `another_machine`",
            )),
        }
    }
}

impl Hint {
    /// An expression of type `Option<String>`, where the fields are variables.
    pub(crate) fn expression(&self) -> TokenStream {
        match self {
            Self::With(path) => quote::quote!(#path(self)),
            Self::Text { text, arguments } if arguments.is_empty() && !text.value().contains(['{', '}']) => {
                quote::quote!(::core::option::Option::Some(::std::string::String::from(#text)))
            }
            Self::Text { text, arguments } => {
                quote::quote!(::core::option::Option::Some(::std::format!(#text #(, #arguments)*)))
            }
        }
    }
}
