//! The repository keeps its own rules: which crate may depend on which, and what no source file may hold.

mod circles;
mod defaults;
mod documents;
mod error_texts;
mod errors;
mod numbers;
mod rule_places;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use cargo_metadata::{DependencyKind, MetadataCommand};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().expect("the crate lies in the repository")
}

#[test]
fn crates_depend_only_as_the_architecture_says() {
    // Normal and build dependencies, among the crates of this workspace.
    let allowed: BTreeMap<&str, &[&str]> = [
        ("fault-derive", &[][..]),
        ("vocab", &["fault-derive"]),
        ("disk", &[]),
        ("web", &[]),
        ("aistore-client", &["web"]),
        ("aistore-python", &["aistore-client"]),
        ("archive", &["disk", "vocab"]),
        ("fetch", &["aistore-client", "archive", "disk", "objects", "vocab", "web"]),
        ("tree-table", &["archive", "vocab"]),
        ("image", &["archive", "disk", "process", "vocab"]),
        ("archive-tool", &["archive", "cli", "fetch", "vocab"]),
        ("extension", &["archive", "vocab"]),
        ("process", &["vocab"]),
        ("operator-server", &["disk", "process", "vocab"]),
        ("config-merger", &["cli", "vocab"]),
        ("catalogue", &["vocab"]),
        ("npm-packages", &["vocab"]),
        ("cli", &["vocab"]),
        ("objects", &["aistore-client", "disk", "vocab", "web"]),
        ("objects-aistore", &["aistore-client", "objects", "vocab"]),
        ("objects-aws", &["objects", "vocab", "web"]),
        ("store", &["archive", "disk", "objects", "objects-aistore", "process", "vocab", "web"]),
        ("wheel", &["archive", "disk", "store", "vocab"]),
        ("static-checks", &["archive", "vocab"]),
        ("resolve", &["config-merger", "disk", "process", "store", "vocab", "wheel"]),
        ("interpreter", &["archive", "config-merger", "disk", "process", "static-checks", "store", "vocab", "wheel"]),
        ("source-build", &["archive", "disk", "process", "resolve", "store", "vocab", "wheel"]),
        ("import-check", &["disk", "process", "static-checks", "store", "vocab"]),
        (
            "pipeline",
            &[
                "archive",
                "config-merger",
                "disk",
                "import-check",
                "interpreter",
                "resolve",
                "source-build",
                "static-checks",
                "store",
                "tree-table",
                "vocab",
                "wheel",
            ],
        ),
        (
            "job",
            &[
                "archive",
                "config-merger",
                "disk",
                "image",
                "interpreter",
                "pipeline",
                "process",
                "resolve",
                "source-build",
                "static-checks",
                "store",
                "vocab",
                "wheel",
            ],
        ),
        (
            "store-upkeep",
            &["archive", "disk", "interpreter", "pipeline", "resolve", "source-build", "store", "vocab", "wheel"],
        ),
        ("export", &["config-merger", "interpreter", "pipeline", "resolve", "source-build", "store", "vocab", "wheel"]),
        (
            "survey",
            &[
                "archive",
                "catalogue",
                "config-merger",
                "disk",
                "fetch",
                "interpreter",
                "npm-packages",
                "pipeline",
                "resolve",
                "static-checks",
                "store",
                "vocab",
            ],
        ),
        (
            "builder",
            &[
                "archive",
                "cli",
                "config-merger",
                "export",
                "job",
                "npm-packages",
                "pipeline",
                "resolve",
                "store",
                "store-upkeep",
                "survey",
                "vocab",
            ],
        ),
        (
            "publisher",
            &[
                "archive",
                "catalogue",
                "cli",
                "config-merger",
                "disk",
                "npm-packages",
                "objects",
                "objects-aistore",
                "objects-aws",
                "store",
                "vocab",
                "web",
            ],
        ),
        ("installer", &["archive", "catalogue", "disk", "fetch", "tree-table", "vocab"]),
        (
            "loader",
            &[
                "archive",
                "catalogue",
                "cli",
                "disk",
                "extension",
                "fetch",
                "installer",
                "operator-server",
                "process",
                "tree-table",
                "vocab",
            ],
        ),
        (
            "etl-runtime",
            &[
                "archive",
                "cli",
                "config-merger",
                "disk",
                "image",
                "objects",
                "process",
                "resolve",
                "store",
                "vocab",
                "wheel",
            ],
        ),
        ("testkit", &["archive", "catalogue", "objects", "store", "vocab", "wheel"]),
    ]
    .into();
    let metadata = MetadataCommand::new().current_dir(root()).no_deps().exec().expect("cargo metadata runs");
    let members: BTreeSet<String> = metadata.packages.iter().map(|package| package.name.to_string()).collect();
    assert_eq!(members, allowed.keys().map(ToString::to_string).collect(), "a crate without a row here");
    for package in &metadata.packages {
        let allowed = allowed[package.name.as_str()];
        for dependency in package.dependencies.iter().filter(|it| members.contains(&it.name)) {
            let name = dependency.name.as_str();
            if dependency.kind == DependencyKind::Development {
                // What the builder made is shown to be of use to who fetches it.
                let whole_way = (package.name.as_str(), name) == ("builder", "catalogue");
                // A real cluster is started and asked whether it is ready.
                let cluster = (package.name.as_str(), name) == ("publisher", "aistore-client");
                // Read-only trees are removed.
                let disk = name == "disk";
                let expected = name == "testkit" || disk || whole_way || cluster || allowed.contains(&name);
                assert!(expected, "{} tests with {name}", package.name);
            } else {
                assert!(allowed.contains(&name), "{} depends on {name}", package.name);
            }
        }
    }
}

/// Rust sources of all crates, without tests' own folders.
fn sources() -> Vec<(String, String)> {
    let crates = root().join("crates");
    let walk = walkdir::WalkDir::new(&crates).sort_by_file_name();
    walk.into_iter()
        .map(|entry| entry.expect("the repository can be read"))
        .filter(|entry| entry.path().extension().is_some_and(|extension| extension == "rs"))
        .map(|entry| {
            let name = entry.path().strip_prefix(&crates).expect("found below it").to_string_lossy().replace('\\', "/");
            (name, fs::read_to_string(entry.path()).expect("a text file"))
        })
        .filter(|(name, _)| !name.contains("/tests/"))
        .collect()
}

/// Lines that are neither blank nor a comment, without a file's own tests.
fn lines_of_code(text: &str) -> usize {
    let code = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
    code.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("//")).count()
}

#[test]
fn no_crate_has_two_ideas() {
    let mut sizes: BTreeMap<String, usize> = BTreeMap::new();
    for (name, text) in sources() {
        let owner = name.split('/').next().unwrap_or_default().to_owned();
        *sizes.entry(owner).or_default() += lines_of_code(&text);
    }
    let whole: usize = sizes.values().sum();
    for (name, size) in &sizes {
        assert!(*size <= 6000, "`{name}` has {size} lines of code: which two crates is it?");
        assert!(size * 100 < whole * 15, "`{name}` has {size} of {whole} lines of code");
    }
}

#[test]
fn side_effects_stay_where_the_architecture_puts_them() {
    let rules: [(&str, &[&str]); 5] = [
        // (what is looked for, where it may stand)
        // In `command_pages.rs` it is clap's, a description that starts nothing.
        ("Command::new(", &["process/src/", "cli/src/command_pages.rs", "testkit/"]),
        ("env::var(", &["cli/build.rs", "testkit/"]),
        ("env::var_os(", &["testkit/"]),
        ("env::vars_os", &["cli/src/program.rs", "testkit/"]),
        // An sdist keeps its files' times: a build by make looks at which file is older.
        ("tar::Archive", &["archive/", "job/src/stage.rs", "source-build/src/source.rs", "testkit/"]),
    ];
    for (name, text) in sources() {
        // Unit tests may look at anything.
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        for (needle, places) in rules {
            let allowed = places.iter().any(|place| name.starts_with(place));
            assert!(allowed || !code.contains(needle), "{name} holds `{needle}`");
        }
    }
}

/// `serde_json`'s messages speak of sequences, maps and structs of Rust, and say nothing of pointers.
#[test]
fn what_of_json_does_not_fit_is_said_by_typed_json() {
    // They depend on `web` alone.
    let without_vocab = ["aistore-client/", "aistore-python/", "testkit/"];
    let elsewhere = |name: &str| without_vocab.iter().chain(&["vocab/"]).any(|owner| name.starts_with(owner));
    for (name, text) in sources().into_iter().filter(|(name, _)| !elsewhere(name)) {
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        assert!(!code.contains("serde_json::Error"), "{name}: read with `vocab::typed_json`");
        for call in code.split("serde_json::from_").skip(1) {
            let statement = call.split(';').next().unwrap_or_default();
            assert!(!statement.contains("map_err(|error|"), "{name}: read with `vocab::typed_json`: {statement}");
        }
    }
}

#[test]
fn nothing_is_switched_off_or_left_for_later() {
    for (name, text) in sources() {
        for needle in
            [concat!("to", "do!("), concat!("unimpl", "emented!("), concat!("#[ig", "nore"), concat!("```ig", "nore")]
        {
            assert!(!text.contains(needle), "{name} holds `{needle}`");
        }
    }
}

/// Examples, and what a manifest says `test = false` of, are compiled without their tests.
#[test]
fn nothing_that_is_not_run_has_tests() {
    let metadata = MetadataCommand::new().current_dir(root()).no_deps().exec().expect("cargo metadata runs");
    let untested = metadata.packages.iter().flat_map(|package| &package.targets).filter(|target| !target.test);
    let places: Vec<_> = untested
        .map(|target| target.src_path.as_std_path())
        // All of a library; a program may have one beside it.
        .map(|file| if file.ends_with("lib.rs") { file.parent().expect("it lies in a folder") } else { file })
        .collect();
    assert!(places.iter().any(|place| place.ends_with("src")) && places.iter().any(|place| place.ends_with("site.rs")));
    for entry in places.iter().flat_map(walkdir::WalkDir::new) {
        let path = entry.expect("the repository can be read").into_path();
        let text = if path.is_file() { fs::read_to_string(&path).expect("a text file") } else { continue };
        assert!(!text.contains("#[test]"), "{} has tests that are never run", path.display());
    }
}
