//! What people read of an error of installed runtimes, sources, extensions, operators and their distributions stands in a
//! test: what happened, and what to do. A text that no test shows may say anything, or never be shown.
//!
//! Of each message and each hint, the longest part between two values has to be in a literal of a test.

use std::fs;

use syn::visit::Visit;

use super::errors::{found, texts_in};
use super::{root, sources};

const CRATES: [&str; 4] = ["extension/", "installer/", "loader/", "operator-server/"];

#[test]
fn every_text_of_an_error_stands_in_a_test() {
    let tests = literals_of_tests();
    let mut lacking = Vec::new();
    let mut count = 0;
    for (name, text) in sources() {
        if !CRATES.iter().any(|owner| name.starts_with(owner)) {
            continue;
        }
        let file = syn::parse_file(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        for item in &file.items {
            let (of_type, variants): (_, Vec<&[syn::Attribute]>) = match item {
                syn::Item::Enum(it) => (&it.attrs, it.variants.iter().map(|variant| &variant.attrs[..]).collect()),
                syn::Item::Struct(it) => (&it.attrs, vec![&it.attrs[..]]),
                _ => continue,
            };
            let shared = attribute(of_type, "fault");
            for attributes in variants {
                let own = attribute(attributes, "fault");
                let codes = if own.codes.is_empty() { &shared.codes } else { &own.codes };
                let Some(code) = codes.first().filter(|_| !own.is_transparent) else { continue };
                let message = attribute(attributes, "error").sentences.into_iter().next();
                let texts = message.into_iter().chain(own.sentences).chain([code.clone()]);
                count += 1;
                let parts = texts.map(|text| longest_part(&text)).filter(|part| part.len() > 3);
                lacking.extend(
                    parts.filter(|part| !tests.contains(part.as_str())).map(|part| format!("{name}: {code}: {part}")),
                );
            }
        }
    }
    assert!(count > 130, "{count} errors");
    assert!(lacking.is_empty(), "no test shows these:\n{}", lacking.join("\n"));
}

fn attribute(attributes: &[syn::Attribute], name: &str) -> super::errors::Finder {
    found(|finder| attributes.iter().filter(|it| it.path().is_ident(name)).for_each(|it| finder.visit_attribute(it)))
}

/// Between values in braces, without blanks around it.
fn longest_part(text: &str) -> String {
    let parts = text.split('{').enumerate().map(|(at, part)| match part.split_once('}') {
        Some((_, rest)) if at > 0 => rest,
        _ => part,
    });
    parts.map(str::trim).max_by_key(|part| part.len()).unwrap_or_default().to_owned()
}

/// Of the crates' folders `tests`, and of the tests in their sources.
fn literals_of_tests() -> String {
    let mut literals = Literals::default();
    for entry in CRATES.iter().flat_map(|owner| walkdir::WalkDir::new(root().join("crates").join(owner))) {
        let path = entry.expect("the repository can be read").into_path();
        if path.extension().is_none_or(|extension| extension != "rs") {
            continue;
        }
        let text = fs::read_to_string(&path).expect("a text file");
        let file = syn::parse_file(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let is_source =
            path.strip_prefix(root().join("crates")).is_ok_and(|path| path.iter().any(|part| part == "src"));
        if is_source {
            file.items.iter().filter(|item| is_test(item)).for_each(|item| literals.visit_item(item));
        } else {
            literals.visit_file(&file);
        }
    }
    literals.0
}

fn is_test(item: &syn::Item) -> bool {
    let syn::Item::Mod(item) = item else { return false };
    item.attrs.iter().any(|attribute| {
        attribute.path().is_ident("cfg") && attribute.parse_args::<syn::Ident>().is_ok_and(|word| word == "test")
    })
}

/// Texts, each on lines of its own.
#[derive(Default)]
struct Literals(String);

impl Literals {
    fn add(&mut self, text: &str) {
        self.0.push_str(text);
        self.0.push('\n');
    }
}

impl<'ast> Visit<'ast> for Literals {
    fn visit_lit_str(&mut self, literal: &'ast syn::LitStr) {
        self.add(&literal.value());
    }

    fn visit_token_stream(&mut self, tokens: &'ast proc_macro2::TokenStream) {
        texts_in(tokens, &mut |text| self.add(&text));
    }
}
