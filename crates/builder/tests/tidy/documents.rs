//! What documents, help texts and hints name is there: options, files, variables, codes, numbers of formats. A sentence
//! that nobody can follow is a fault like any other.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{root, sources};

pub const PROGRAMS: [&str; 6] = ["builder", "publisher", "archive", "pydist", "config-merger", "etl-runtime"];

/// Options of other programs that documents and messages name.
const OTHERS_OPTIONS: [(&str, &[&str]); 10] = [
    ("pip", &["--default-timeout", "--find-links", "--no-index", "--pre", "--requirement"]),
    ("apt-get", &["--assume-yes"]),
    (
        "cargo, npm and pnpm",
        &[
            "--package-lock-only",
            "--release",
            "--package",
            "--workspace",
            "--test",
            "--bin",
            "--example",
            "--unit-graph",
            "--path",
            "--all-targets",
            "--filter",
        ],
    ),
    (
        "our scripts",
        &[
            "--list",
            "--quick",
            "--runs",
            "--rounds",
            "--scale",
            "--import",
            "--warm-runs",
            "--no-write",
            "--profile",
            "--copies",
            "--levels",
            "--check",
            "--scope",
            "--variants",
            "--packages",
            "--count",
            "--module",
        ],
    ),
    (
        "python3, pip and uv",
        &[
            "--directory",
            "--bind",
            "--python-downloads-json-url",
            "--require-hashes",
            "--offline",
            "--no-index",
            "--find-links",
        ],
    ),
    ("tar, zstd, sha256sum, openssl", &["--strip-components", "--zstd", "--ignore-missing"]),
    (
        "build back ends, pnpm, codesign and notarytool",
        &[
            "--hdf5",
            "--build-option",
            "--static",
            "--filter",
            "--force",
            "--sign",
            "--timestamp",
            "--options",
            "--entitlements",
            "--keychain-profile",
            "--wait",
        ],
    ),
    ("a line that is refused", &["--hash"]),
    (
        "uvicorn and gunicorn",
        &[
            "--host",
            "--port",
            "--workers",
            "--log-level",
            "--ws-max-size",
            "--ws-ping-interval",
            "--ws-ping-timeout",
            "--no-access-log",
            "--bind",
        ],
    ),
    ("apk and apt-get", &["--no-cache", "--no-install-recommends"]),
];

/// A document's name and text.
pub fn documents() -> Vec<(String, String)> {
    let top = ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md"].map(PathBuf::from);
    let docs = walkdir::WalkDir::new(root().join("docs")).sort_by_file_name().into_iter();
    let docs = docs.map(|entry| entry.expect("the repository can be read").into_path());
    let docs = docs.filter(|path| path.extension().is_some_and(|extension| extension == "md"));
    let docs = docs.map(|path| path.strip_prefix(root()).expect("found below it").to_owned());
    let read = |path: PathBuf| {
        let text = fs::read_to_string(root().join(&path)).expect("a text file");
        (path.to_string_lossy().replace('\\', "/"), text)
    };
    top.into_iter().chain(docs).map(read).collect()
}

/// The text in single backticks of a line, and whole lines of fenced blocks.
pub fn code_of(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut fenced = false;
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        } else if fenced {
            found.push(line.trim_start_matches("$ ").to_owned());
        } else {
            found.extend(line.split('`').skip(1).step_by(2).map(str::to_owned));
        }
    }
    found
}

/// `--like-this`, without what is given to it.
pub fn options_in(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (at, _) in text.match_indices("--") {
        let before = text[..at].chars().next_back();
        let rest = &text[at + 2..];
        let name: String =
            rest.chars().take_while(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || *c == '-').collect();
        let starts = name.chars().next().is_some_and(|first| first.is_ascii_lowercase());
        if starts && before.is_none_or(|before| !before.is_alphanumeric() && before != '-') {
            found.insert(format!("--{}", name.trim_end_matches('-')));
        }
    }
    found
}

/// All that a program says of itself: its man pages, or its help. The programs lie beside the builder that the tests run.
pub fn pages_of(name: &'static str) -> String {
    let folder = Path::new(env!("CARGO_BIN_EXE_builder")).parent().expect("a program lies in a folder");
    let program = folder.join(format!("{name}{}", std::env::consts::EXE_SUFFIX));
    if !program.is_file() {
        let built = Command::new(env!("CARGO")).args(["build", "--bin", name]).current_dir(root()).status();
        assert!(built.is_ok_and(|status| status.success()), "{name} does not compile");
    }
    let told = |words: &[&str]| {
        let output = Command::new(&program).args(words).output().expect("it was built");
        // Man pages escape their dashes and say where a font begins.
        let text = String::from_utf8_lossy(&output.stdout).replace(r"\-", "-");
        [r"\fB", r"\fI", r"\fR"].iter().fold(text, |text, font| text.replace(font, " "))
    };
    told(&["man-page", "--list"]).lines().map(|page| told(&["man-page", page])).collect()
}

/// By program.
fn options() -> BTreeMap<&'static str, BTreeSet<String>> {
    let of = |name: &'static str| {
        let options = options_in(&pages_of(name));
        assert!(options.contains("--help"), "{name} names its options");
        (name, options)
    };
    PROGRAMS.map(of).into()
}

fn others() -> BTreeSet<String> {
    OTHERS_OPTIONS.iter().flat_map(|(_, options)| options.iter().map(ToString::to_string)).collect()
}

#[test]
fn every_option_that_a_document_names_is_one() {
    let options = options();
    let all: BTreeSet<String> = options.values().flatten().cloned().chain(others()).collect();
    let mut wrong = Vec::new();
    for (name, text) in documents() {
        for code in code_of(&text) {
            let command = code.replace("cargo run --release -p ", "").replace("cargo run -p ", "").replace(" -- ", " ");
            let program = command.split_whitespace().next().and_then(|first| options.get(first));
            let known = program.unwrap_or(&all);
            // What follows a pipe, an `&&` or a comment belongs to another program.
            let own = command.split(['|', '&', '#', ';']).next().unwrap_or_default();
            let unknown = options_in(own).into_iter().filter(|option| !known.contains(option) && option != "--version");
            wrong.extend(unknown.map(|option| format!("{name}: `{option}` in `{code}`")));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A literal with a blank is a sentence: a hint, a message, a help text.
#[test]
fn every_option_that_a_message_names_is_one() {
    let all: BTreeSet<String> = options().into_values().flatten().chain(others()).collect();
    let mut wrong = Vec::new();
    for (name, text) in sources().into_iter().filter(|(name, _)| !name.starts_with("testkit/")) {
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        let lines =
            code.lines().filter(|line| !line.trim_start().starts_with("//") || line.trim_start().starts_with("///"));
        for line in lines {
            let literals = line.split('"').skip(1).step_by(2).filter(|literal| literal.trim().contains(' '));
            let unknown = literals.flat_map(options_in).filter(|option| !all.contains(option));
            wrong.extend(unknown.map(|option| format!("{name}: `{option}` in {}", line.trim())));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_file_that_a_document_names_is_there() {
    let roots = ["crates/", "docs/", "scripts/", "schemas/", "fixtures/", "checker/", ".github/", ".ci/"];
    let mut wrong = Vec::new();
    for (name, text) in documents() {
        let folder = root().join(&name).parent().expect("a file lies in a folder").to_owned();
        for code in code_of(&text) {
            let path = code.split_whitespace().next().unwrap_or_default();
            let is_pattern = path.contains(['<', '*', '$', '…']);
            if !is_pattern && roots.iter().any(|root| path.starts_with(root)) {
                let absent = expanded(path).into_iter().filter(|path| !root().join(path).exists());
                wrong.extend(absent.map(|path| format!("{name}: `{path}`")));
            }
        }
        for (at, _) in text.match_indices("](") {
            let link = text[at + 2..].split(')').next().unwrap_or_default();
            let path = link.split('#').next().unwrap_or_default();
            if !path.is_empty() && !path.contains(':') && !folder.join(path).exists() {
                wrong.push(format!("{name}: the link {link}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// `a/{b,c}.rs` is two paths.
pub fn expanded(path: &str) -> Vec<String> {
    match path.split_once('{').and_then(|(head, rest)| Some((head, rest.split_once('}')?))) {
        Some((head, (names, tail))) => names.split(',').map(|name| format!("{head}{name}{tail}")).collect(),
        None => vec![path.to_owned()],
    }
}

#[test]
fn every_variable_and_code_that_a_document_names_stands_in_the_sources() {
    let code: String = sources().into_iter().map(|(_, text)| text).collect();
    let scripts: String = ["scripts", ".github"]
        .iter()
        .flat_map(|folder| walkdir::WalkDir::new(root().join(folder)))
        .filter_map(|entry| fs::read_to_string(entry.expect("the repository can be read").path()).ok())
        .collect();
    let mut wrong = Vec::new();
    for (name, text) in documents() {
        let is_part =
            |character: char| character.is_ascii_uppercase() || character.is_ascii_digit() || character == '_';
        for word in text.split(|character| !is_part(character)) {
            let ours = ["E_", "W_", "PYDIST_"].iter().any(|start| word.starts_with(start) && word.len() > start.len());
            if ours && !word.ends_with('_') && !code.contains(word) && !scripts.contains(word) {
                wrong.push(format!("{name}: {word}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_table_of_formats_has_the_numbers_of_the_sources() {
    let architecture = fs::read_to_string(root().join("ARCHITECTURE.md")).expect("it is there");
    let formats = [
        // (the row's first cell, constant, file)
        ("`lock.json`", "LOCK_FORMAT", "resolve/src/lock.rs"),
        ("manifest", "MANIFEST_FORMAT", "vocab/src/manifest.rs"),
        ("artifact", "PART_FORMAT", "archive/src/part_cache.rs"),
        ("entry, retraction, promotion", "ENTRY_FORMAT", "catalogue/src/entry.rs"),
        ("`catalogue.json`", "CATALOGUE_FORMAT", "catalogue/src/catalogue.rs"),
        ("a destination's `settings.json`", "SETTINGS_FORMAT", "catalogue/src/settings.rs"),
    ];
    for (cell, constant, file) in formats {
        let source = fs::read_to_string(root().join("crates").join(file)).expect(file);
        let declared =
            source.lines().find_map(|line| line.trim_start().strip_prefix(&format!("pub const {constant}: u32 = ")));
        let number = declared.and_then(|rest| rest.strip_suffix(';')).expect(constant);
        let row = architecture.lines().find(|line| line.starts_with(&format!("| {cell} |"))).expect(cell);
        let told = row.split('|').nth(2).unwrap_or_default().trim();
        assert!(told.split([',', ' ']).next() == Some(number), "{cell}: ARCHITECTURE says {told}, {file} {number}");
    }
}

/// `m10_` begins the name of a test of case M10, `attack_3_` that of attack 3, `ais_16_and_17_` that of AIS 16 and 17.
#[test]
fn every_number_that_a_tests_name_begins_with_has_a_row() {
    let page = fs::read_to_string(root().join("docs/test-numbers.md")).expect("it is there");
    let is_number = |word: &&str| {
        let digits = word.strip_prefix(['m', 'b', 'p', 't', 'c', 'k', 'l']);
        digits.is_some_and(|digits| !digits.is_empty() && digits.chars().all(|digit| digit.is_ascii_digit()))
    };
    let mut lacking = BTreeSet::new();
    for entry in walkdir::WalkDir::new(root().join("crates")) {
        let path = entry.expect("the repository can be read").into_path();
        if path.extension().is_none_or(|extension| extension != "rs") {
            continue;
        }
        let text = fs::read_to_string(&path).expect("a text file");
        for name in text.lines().filter_map(|line| line.trim_start().strip_prefix("fn ")) {
            let attack = name.strip_prefix("attack_").and_then(|rest| rest.split('_').next());
            for (start, family) in [("ais_", "AIS"), ("pel_", "PEL"), ("klio_", "KLIO")] {
                let numbers = name.strip_prefix(start).into_iter().flat_map(|rest| {
                    let numbers = rest.split('_').filter(|word| *word != "and");
                    numbers.take_while(|word| word.trim_start_matches(['a', 'j', 'w']).parse::<u32>().is_ok())
                });
                lacking.extend(
                    numbers
                        .map(|number| format!("{family} {}", number.to_uppercase()))
                        .filter(|case| !page.contains(&format!("\n| {case} |"))),
                );
            }
            let cases = name.split('_').take_while(is_number).map(str::to_uppercase);
            let cases = cases.chain(attack.map(|number| format!("attack {number}")));
            lacking.extend(cases.filter(|case| !page.contains(&format!("\n| {case} |"))));
        }
    }
    assert!(lacking.is_empty(), "docs/test-numbers.md has no row for {lacking:?}");
}
