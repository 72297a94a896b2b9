//! The methods of `Fault`, each a `match` over the variants.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::spanned::Spanned as _;
use syn::{Data, DeriveInput, Fields, Ident, Member};

use crate::attribute::{Told, Transparent};

/// One variant, or the whole of a struct.
struct Case {
    /// Binds each field to a variable of its name, `_0` where it has none.
    pattern: TokenStream,
    code: TokenStream,
    exit: TokenStream,
    hint: Option<TokenStream>,
    in_full: Option<TokenStream>,
    another_machine: Option<TokenStream>,
}

pub(crate) fn expand(input: &DeriveInput) -> syn::Result<TokenStream> {
    let shared = Told::read(&input.attrs)?;
    let cases = match &input.data {
        Data::Struct(it) => vec![case(&shared, &Told::default(), &quote!(Self), &input.ident, &it.fields)?],
        Data::Enum(it) => {
            let variant = |variant: &syn::Variant| {
                let (told, name) = (Told::read(&variant.attrs)?, &variant.ident);
                case(&shared, &told, &quote!(Self::#name), name, &variant.fields)
            };
            it.variants.iter().map(variant).collect::<syn::Result<Vec<_>>>()?
        }
        Data::Union(it) => return Err(syn::Error::new(it.union_token.span(), "a union is not an error")),
    };
    let name = &input.ident;
    let code = method(&cases, &quote!(fn code(&self) -> &'static str), |case| Some(&case.code), &quote!(""));
    let exit = method(&cases, &quote!(fn exit(&self) -> ::vocab::Exit), |case| Some(&case.exit), &quote!());
    let hint = method(
        &cases,
        &quote!(fn hint(&self) -> ::core::option::Option<::std::string::String>),
        |case| case.hint.as_ref(),
        &quote!(::core::option::Option::None),
    );
    let in_full = method(
        &cases,
        &quote!(fn in_full(&self) -> ::core::option::Option<::std::string::String>),
        |case| case.in_full.as_ref(),
        &quote!(::core::option::Option::None),
    );
    let another_machine = method(
        &cases,
        &quote!(fn is_for_another_machine(&self) -> bool),
        |case| case.another_machine.as_ref(),
        &quote!(false),
    );
    Ok(quote! {
        #[automatically_derived]
        #[allow(unused_variables, reason = "a hint uses some of the fields")]
        impl ::vocab::Fault for #name {
            #code
            #exit
            #hint
            #in_full
            #another_machine
        }
    })
}

/// Empty where no case says anything: the trait's own method serves then.
fn method<'c>(
    cases: &'c [Case],
    signature: &TokenStream,
    body: impl Fn(&'c Case) -> Option<&'c TokenStream>,
    default: &TokenStream,
) -> TokenStream {
    if cases.iter().all(|case| body(case).is_none()) {
        return TokenStream::new();
    }
    let arms = cases.iter().map(|case| {
        let (pattern, body) = (&case.pattern, body(case).unwrap_or(default));
        quote!(#pattern => #body,)
    });
    quote! {
        #signature {
            use ::vocab::Fault as _;
            match self { #(#arms)* }
        }
    }
}

fn case(shared: &Told, own: &Told, path: &TokenStream, name: &Ident, fields: &Fields) -> syn::Result<Case> {
    let members = fields.members().map(|member| {
        let variable = variable(&member);
        match member {
            Member::Named(_) => quote!(#variable),
            Member::Unnamed(_) => quote!(#member: #variable),
        }
    });
    let pattern = quote!(#path { #(#members),* });
    let hint = own.hint.as_ref().or(shared.hint.as_ref()).map(crate::attribute::Hint::expression);
    if let Some(transparent) = own.transparent.as_ref().or(shared.transparent.as_ref()) {
        let inner = inner(transparent, fields)?;
        return Ok(Case {
            pattern,
            code: quote!(#inner.code()),
            exit: quote!(#inner.exit()),
            hint: Some(hint.unwrap_or_else(|| quote!(#inner.hint()))),
            in_full: Some(quote!(#inner.in_full())),
            another_machine: Some(quote!(#inner.is_for_another_machine())),
        });
    }
    let code = own.code.as_ref().or(shared.code.as_ref());
    let exit = own.exit.as_ref().or(shared.exit.as_ref());
    let (Some(code), Some(exit)) = (code, exit) else {
        let missing = if code.is_none() { "a code" } else { "an exit code" };
        return Err(syn::Error::new(name.span(), format!("`{name}` lacks {missing}: `#[fault(\"E_…\", Build)]`")));
    };
    if !code.value().starts_with("E_") {
        return Err(syn::Error::new(code.span(), "the code of an error begins with `E_`"));
    }
    let another_machine = (own.another_machine || shared.another_machine).then(|| quote!(true));
    Ok(Case { pattern, code: quote!(#code), exit: quote!(::vocab::Exit::#exit), hint, in_full: None, another_machine })
}

fn variable(member: &Member) -> Ident {
    match member {
        Member::Named(name) => name.clone(),
        Member::Unnamed(index) => format_ident!("_{}", index.index),
    }
}

/// The variable of the field that everything is asked of.
fn inner(transparent: &Transparent, fields: &Fields) -> syn::Result<Ident> {
    let members: Vec<Member> = fields.members().collect();
    let wanted = match (&transparent.field, &members[..]) {
        (Some(wanted), _) => members.iter().find(|member| *member == wanted),
        (None, [only]) => Some(only),
        (None, _) => None,
    };
    let none = || syn::Error::new(transparent.word.span(), "name one of the fields: `transparent = field`");
    wanted.map(variable).ok_or_else(none)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expanded(input: &str) -> Result<String, String> {
        let input = syn::parse_str(input).expect("it is Rust");
        expand(&input).map(|tokens| tokens.to_string()).map_err(|error| error.to_string())
    }

    #[test]
    fn a_variant_without_a_code_or_an_exit_code_does_not_compile() {
        let cases = [
            // (input, message)
            ("enum E { #[fault(Build)] A }", "`A` lacks a code: `#[fault(\"E_…\", Build)]`"),
            ("enum E { #[fault(\"E_A\")] A }", "`A` lacks an exit code: `#[fault(\"E_…\", Build)]`"),
            ("enum E { A }", "`A` lacks a code: `#[fault(\"E_…\", Build)]`"),
            ("struct E;", "`E` lacks a code: `#[fault(\"E_…\", Build)]`"),
            ("#[fault(\"W_A\", Build)] struct E;", "the code of an error begins with `E_`"),
            ("#[fault(\"E_A\", \"E_B\", Build)] struct E;", "this was said before"),
            ("#[fault(\"E_A\", Build, hint(\"a\"), hint(\"b\"))] struct E;", "a second hint"),
            ("#[fault(transparent)] struct E { a: A, b: B }", "name one of the fields: `transparent = field`"),
            ("#[fault(transparent = c)] struct E { a: A, b: B }", "name one of the fields: `transparent = field`"),
            (
                "#[fault(\"E_A\", Build, exit)] struct E;",
                "expected a code, an exit code, `hint`, `hint_with`, `transparent` or `another_machine`",
            ),
        ];
        for (input, message) in cases {
            assert_eq!(expanded(input), Err(message.to_owned()), "for {input}");
        }
    }

    #[test]
    fn what_no_variant_says_is_left_to_the_trait() {
        let text = expanded("#[fault(\"E_A\", Build)] enum E { A, #[fault(Usage)] B }").expect("it is complete");
        assert!(text.contains("fn code") && text.contains("fn exit"));
        assert!(!text.contains("fn hint") && !text.contains("fn is_for_another_machine"));
    }
}
