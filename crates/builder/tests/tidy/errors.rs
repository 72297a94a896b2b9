//! `docs/errors.md` has every code of the sources, with the exit codes that the sources give it.
//!
//! Codes are the string literals of that form. Exit codes are read from `#[fault(…)]` of types that derive `Fault`, and
//! where one type has both `fn code` and `fn exit`, each a constant or a `match` over variants. What asks another error
//! says nothing here, since that error is read where it is declared.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use syn::visit::{self, Visit};

use super::{root, sources};

const PAGE: &str = "docs/errors.md";

/// What the sources say about one code.
#[derive(Default)]
struct Code {
    exits: BTreeSet<u8>,
    /// Whether every place where it stands shows its exit codes.
    is_plain: bool,
    /// The texts of the variants that have it, for a new row.
    messages: BTreeSet<String>,
    hints: BTreeSet<String>,
}

#[test]
fn every_code_of_the_sources_has_a_row_with_its_exit_codes() {
    let page = fs::read_to_string(root().join(PAGE)).expect("it is there");
    let (rows, codes) = (rows(&page), codes());
    assert!(codes.len() > 200, "the sources have codes");
    let mut wrong = Vec::new();
    for (code, it) in &codes {
        let exits = joined(&it.exits, ", ");
        match rows.get(code) {
            None => wrong.push(format!(
                "{PAGE} lacks\n| `{code}` | {exits} | {} | {} |",
                joined(&it.messages, "; "),
                joined(&it.hints, "; ")
            )),
            Some(told) if code.starts_with("W_") && !told.is_empty() => wrong.push(format!("{code} is a warning")),
            Some(told) if code.starts_with("E_") && told.is_empty() => wrong.push(format!("{code}: no exit code")),
            Some(told) if it.exits.difference(told).count() > 0 || it.is_plain && *told != it.exits => {
                wrong.push(format!("{code}: {PAGE} says {told:?}, the sources say {exits}"));
            }
            Some(_) => {}
        }
    }
    wrong.extend(rows.keys().filter(|code| !codes.contains_key(*code)).map(|code| format!("no source has {code}")));
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

fn joined(texts: &BTreeSet<impl ToString>, between: &str) -> String {
    texts.iter().map(ToString::to_string).collect::<Vec<_>>().join(between)
}

/// Each code's row, with its exit codes.
fn rows(page: &str) -> BTreeMap<String, BTreeSet<u8>> {
    let mut rows = BTreeMap::new();
    for line in page.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [code, exits, meaning, remedy] = cells[..] else { panic!("four cells are expected: {line}") };
        assert!(!meaning.is_empty() && !remedy.is_empty(), "an empty cell: {line}");
        let exits = exits.split(',').map(str::trim).filter(|exit| !exit.is_empty());
        let exits = exits.map(|exit| exit.parse().expect("an exit code")).collect();
        assert!(rows.insert(code.trim_matches('`').to_owned(), exits).is_none(), "{code} has two rows");
    }
    rows
}

fn codes() -> BTreeMap<String, Code> {
    let mut codes = BTreeMap::new();
    for (name, text) in sources().into_iter().filter(|(name, _)| !name.starts_with("testkit/")) {
        let mut file = syn::parse_file(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        without_tests(&mut file.items);
        read(&file, &mut codes);
    }
    codes
}

fn read(file: &syn::File, codes: &mut BTreeMap<String, Code>) {
    let mut shown: Vec<String> = Vec::new();
    for item in &file.items {
        let item = match item {
            syn::Item::Impl(item) => item,
            syn::Item::Enum(it) => {
                let variants: Vec<&[syn::Attribute]> = it.variants.iter().map(|variant| &variant.attrs[..]).collect();
                shown.extend(derived(&it.attrs, &variants, codes));
                continue;
            }
            syn::Item::Struct(it) => {
                shown.extend(derived(&it.attrs, &[&it.attrs[..]], codes));
                continue;
            }
            _ => continue,
        };
        let (Some(code), Some(exit)) = (function(item, "code"), function(item, "exit")) else { continue };
        let (by_code, by_exit) = (arms(code), arms(exit));
        let hints = function(item, "hint").map(arms).unwrap_or_default();
        for arm in &by_code {
            for code in &arm.found.codes {
                shown.push(code.clone());
                let it = codes.entry(code.clone()).or_insert_with(|| Code { is_plain: true, ..Code::default() });
                it.exits.extend(applying(arm, &by_code, &by_exit).iter().flat_map(|arm| &arm.found.exits));
                it.messages.extend(messages(&file.items, arm));
                it.hints.extend(applying(arm, &by_code, &hints).iter().flat_map(|arm| arm.found.sentences.clone()));
            }
        }
    }
    // The same code may also stand where no exit code can be read.
    for code in found(|finder| finder.visit_file(file)).codes {
        match shown.iter().position(|it| *it == code) {
            Some(at) => drop(shown.swap_remove(at)),
            None => codes.entry(code).or_default().is_plain = false,
        }
    }
}

/// Reads `#[fault(…)]` of a type and its variants, or of a struct as the only variant of itself. Gives each literal that
/// is a code, once.
fn derived(
    of_type: &[syn::Attribute],
    of_variants: &[&[syn::Attribute]],
    codes: &mut BTreeMap<String, Code>,
) -> Vec<String> {
    let named = |attributes: &[syn::Attribute], name: &str| {
        found(|finder| {
            attributes.iter().filter(|it| it.path().is_ident(name)).for_each(|it| finder.visit_attribute(it));
        })
    };
    let shared = named(of_type, "fault");
    let mut literals = shared.codes.clone();
    for attributes in of_variants {
        let (own, message) = (named(attributes, "fault"), named(attributes, "error"));
        if !std::ptr::eq(*attributes, of_type) {
            literals.extend(own.codes.clone());
        }
        let Some(code) = own.codes.first().or(shared.codes.first()) else { continue };
        if own.is_transparent {
            continue;
        }
        let exits = if own.exits.is_empty() { &shared.exits } else { &own.exits };
        let it = codes.entry(code.clone()).or_insert_with(|| Code { is_plain: true, ..Code::default() });
        it.exits.extend(exits);
        it.messages.extend(message.sentences);
        it.hints.extend(if own.sentences.is_empty() { shared.sentences.clone() } else { own.sentences });
    }
    literals
}

#[test]
fn exit_codes_are_read_by_variant() {
    let file = syn::parse_str(
        r#"
        impl Fault for Error {
            fn code(&self) -> &'static str {
                match self.kind {
                    Kind::Read { .. } | Kind::Inner(_) => "E_READ",
                    Kind::Other(error) => error.code(),
                    _ => "E_REST",
                }
            }
            fn exit(&self) -> Exit {
                match self.kind {
                    Kind::Inner(Inner::Changed { .. }) | Kind::Digest => Exit::Trust,
                    Kind::Inner(_) => Exit::Check,
                    Kind::Other(error) => error.exit(),
                    _ => Exit::Build,
                }
            }
        }
        fn warn() { tell!("W_TOLD", "a sentence") }
        fn elsewhere() -> &'static str { "E_REST" }
        #[derive(Fault)]
        #[fault("E_SHARED", Usage)]
        enum Derived {
            #[error("it is wrong")]
            #[fault(hint("make it right"))]
            Shared,
            #[error("it changed")]
            #[fault(Trust)]
            Changed,
            #[fault("E_OWN", Build)]
            Own,
            #[fault(transparent)]
            Inner(Error),
        }
        #[derive(Fault)]
        #[error("it is a struct")]
        #[fault("E_STRUCT", Interrupted)]
        struct Struct;
        "#,
    )
    .expect("it is Rust");
    let mut codes = BTreeMap::new();
    read(&file, &mut codes);
    let told = codes.iter().map(|(code, it)| (code.as_str(), Vec::from_iter(it.exits.iter().copied()), it.is_plain));
    assert_eq!(
        Vec::from_iter(told),
        [
            ("E_OWN", vec![1], true),
            ("E_READ", vec![1, 3, 4], true),
            ("E_REST", vec![1, 4], false),
            ("E_SHARED", vec![2, 4], true),
            ("E_STRUCT", vec![130], true),
            ("W_TOLD", vec![], false),
        ]
    );
    let shared = &codes["E_SHARED"];
    assert_eq!(Vec::from_iter(&shared.messages), ["it changed", "it is wrong"]);
    assert_eq!(Vec::from_iter(&shared.hints), ["make it right"]);
}

pub(super) fn without_tests(items: &mut Vec<syn::Item>) {
    items.retain(|item| {
        let attributes = match item {
            syn::Item::Mod(item) => &item.attrs,
            syn::Item::Fn(item) => &item.attrs,
            syn::Item::Impl(item) => &item.attrs,
            _ => return true,
        };
        let is_test = |attribute: &syn::Attribute| {
            attribute.path().is_ident("cfg") && attribute.parse_args::<syn::Ident>().is_ok_and(|word| word == "test")
        };
        !attributes.iter().any(is_test)
    });
}

fn function<'i>(item: &'i syn::ItemImpl, name: &str) -> Option<&'i syn::Block> {
    item.items.iter().find_map(|it| match it {
        syn::ImplItem::Fn(function) if function.sig.ident == name => Some(&function.block),
        _ => None,
    })
}

/// One arm of a `match`, or a body without one.
struct Arm {
    /// The variants' names, and whether some of their values go on to a later arm. Empty for what applies to all others.
    variants: BTreeMap<String, bool>,
    found: Finder,
}

fn arms(body: &syn::Block) -> Vec<Arm> {
    let Some(it) = body.stmts.iter().find_map(outer_match) else {
        return vec![Arm { variants: BTreeMap::new(), found: found(|finder| finder.visit_block(body)) }];
    };
    let arm = |arm: &syn::Arm| {
        let (pattern, is_guarded) = match &arm.pat {
            syn::Pat::Guard(it) => (&*it.pat, true),
            pattern => (pattern, false),
        };
        let mut patterns = Vec::new();
        alternatives(pattern, &mut patterns);
        Arm {
            variants: patterns
                .iter()
                .filter_map(|pattern| Some((variant(pattern)?, is_guarded || looks_inside(pattern))))
                .collect(),
            found: found(|finder| finder.visit_expr(&arm.body)),
        }
    };
    it.arms.iter().map(arm).collect()
}

/// `match …`, `Some(match …)` and `let hint = match …`
fn outer_match(statement: &syn::Stmt) -> Option<&syn::ExprMatch> {
    let expression = match statement {
        syn::Stmt::Expr(expression, _) => expression,
        syn::Stmt::Local(local) => &local.init.as_ref()?.expr,
        _ => return None,
    };
    match expression {
        syn::Expr::Match(it) => Some(it),
        syn::Expr::Call(call) => match call.args.first()? {
            syn::Expr::Match(it) => Some(it),
            _ => None,
        },
        _ => None,
    }
}

fn alternatives<'p>(pattern: &'p syn::Pat, into: &mut Vec<&'p syn::Pat>) {
    match pattern {
        syn::Pat::Or(or) => or.cases.iter().for_each(|case| alternatives(case, into)),
        other => into.push(other),
    }
}

/// `Answer(Inner::Name { .. })`
fn looks_inside(pattern: &syn::Pat) -> bool {
    let syn::Pat::TupleStruct(it) = pattern else { return false };
    it.elems.iter().any(|it| matches!(it, syn::Pat::Struct(_) | syn::Pat::TupleStruct(_)))
}

fn variant(pattern: &syn::Pat) -> Option<String> {
    let path = match pattern {
        syn::Pat::Path(it) => &it.path,
        syn::Pat::Struct(it) => &it.path,
        syn::Pat::TupleStruct(it) => &it.path,
        _ => return None,
    };
    path.segments.last().map(|last| last.ident.to_string())
}

/// The arms of another function that values of this arm of `fn code` come to.
fn applying<'a>(arm: &Arm, by_code: &[Arm], others: &'a [Arm]) -> Vec<&'a Arm> {
    if arm.variants.is_empty() {
        let named = |variant: &String| by_code.iter().any(|it| it.variants.contains_key(variant));
        return others.iter().filter(|it| it.variants.is_empty() || !it.variants.keys().all(named)).collect();
    }
    let mut applying = Vec::new();
    for variant in arm.variants.keys() {
        for other in others.iter().filter(|it| it.variants.is_empty() || it.variants.contains_key(variant)) {
            applying.push(other);
            if other.variants.get(variant) != Some(&true) {
                break;
            }
        }
    }
    applying
}

/// `#[error("…")]` of the variants, wherever in the file they are declared.
fn messages(items: &[syn::Item], arm: &Arm) -> Vec<String> {
    let variants = items.iter().filter_map(|item| match item {
        syn::Item::Enum(it) => Some(&it.variants),
        _ => None,
    });
    let variants = variants.flatten().filter(|variant| arm.variants.contains_key(&variant.ident.to_string()));
    let texts = variants.flat_map(|variant| &variant.attrs).filter(|attribute| attribute.path().is_ident("error"));
    texts.flat_map(|attribute| found(|finder| finder.visit_attribute(attribute)).sentences).collect()
}

/// What stands in a piece of source.
#[derive(Default)]
pub(super) struct Finder {
    pub(super) codes: Vec<String>,
    exits: BTreeSet<u8>,
    pub(super) sentences: Vec<String>,
    /// `#[fault(transparent)]`
    pub(super) is_transparent: bool,
}

pub(super) fn found(visit: impl FnOnce(&mut Finder)) -> Finder {
    let mut finder = Finder::default();
    visit(&mut finder);
    finder
}

impl Finder {
    fn literal(&mut self, text: String) {
        let is_part = |letter: char| letter.is_ascii_uppercase() || letter.is_ascii_digit() || letter == '_';
        let is_code = text.len() > 2 && text.chars().all(is_part) && ["E_", "W_"].iter().any(|it| text.starts_with(it));
        if is_code {
            self.codes.push(text);
        } else if text.contains(' ') {
            self.sentences.push(text);
        }
    }
}

impl<'ast> Visit<'ast> for Finder {
    /// Exit codes are bare names in `#[fault(…)]`.
    fn visit_attribute(&mut self, attribute: &'ast syn::Attribute) {
        if let syn::Meta::List(list) = &attribute.meta
            && list.path.is_ident("fault")
        {
            for token in list.tokens.clone() {
                let proc_macro2::TokenTree::Ident(name) = token else { continue };
                self.exits.extend(exit_code(&name.to_string()));
                self.is_transparent |= name == "transparent";
            }
        }
        visit::visit_attribute(self, attribute);
    }

    fn visit_lit_str(&mut self, literal: &'ast syn::LitStr) {
        self.literal(literal.value());
    }

    /// Also the arguments of macros and attributes, as far as they are literals.
    fn visit_token_stream(&mut self, tokens: &'ast proc_macro2::TokenStream) {
        texts_in(tokens, &mut |text| self.literal(text));
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let names: Vec<String> = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        if let [.., owner, name] = &names[..]
            && owner == "Exit"
        {
            self.exits.extend(exit_code(name));
        }
        visit::visit_path(self, path);
    }
}

/// The literal texts among tokens that nobody parses, as those of a macro.
pub(super) fn texts_in(tokens: &proc_macro2::TokenStream, take: &mut dyn FnMut(String)) {
    for token in tokens.clone() {
        match token {
            proc_macro2::TokenTree::Group(group) => texts_in(&group.stream(), take),
            proc_macro2::TokenTree::Literal(literal) => {
                if let Ok(literal) = syn::parse_str::<syn::LitStr>(&literal.to_string()) {
                    take(literal.value());
                }
            }
            _ => {}
        }
    }
}

fn exit_code(name: &str) -> Option<u8> {
    use vocab::Exit;
    let all = [Exit::Done, Exit::Build, Exit::Usage, Exit::Check, Exit::Trust, Exit::Partial, Exit::Interrupted];
    all.into_iter().find(|exit| format!("{exit:?}") == name).map(Exit::code)
}
