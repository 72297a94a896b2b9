//! Numbers that are part of keys: who changes what the same input gives has to raise them, or stores and lock files give
//! the former result for ever.

use std::collections::BTreeMap;
use std::fs;

use vocab::Digest;

use super::{root, sources};

/// Number, the file that has it, and files and folders (with `/` at the end) that decide what comes out.
const NUMBERS: [(&str, &str, &[&str]); 6] = [
    (
        "RESOLUTION_FORMAT",
        "resolve/src/request.rs",
        &[
            "resolve/src/dependants.rs",
            "resolve/src/each.rs",
            "resolve/src/leave_out.rs",
            "resolve/src/lib.rs",
            "resolve/src/overlap.rs",
            "resolve/src/request.rs",
            "resolve/src/requires_python.rs",
            "resolve/src/settle.rs",
            "resolve/src/shelf.rs",
            "resolve/src/unavailable.rs",
            "resolve/src/without_wheel.rs",
            "wheel/src/tags.rs",
        ],
    ),
    (
        "BASE_FORMAT",
        "interpreter/src/base_identity.rs",
        &[
            "interpreter/src/build_settings.rs",
            "interpreter/src/certificates.rs",
            "interpreter/src/go_tree.rs",
            "interpreter/src/libraries.rs",
            "interpreter/src/mach_o.rs",
            "interpreter/src/normalise.rs",
            "interpreter/src/paths_in_text.rs",
            "interpreter/src/pip.rs",
            "interpreter/src/records.rs",
            "interpreter/src/scripts.rs",
            "interpreter/src/system_copy.rs",
            "interpreter/src/system_files.rs",
            "interpreter/src/unpack.rs",
            "interpreter/src/windows.rs",
        ],
    ),
    ("UNPACKED_FORMAT", "wheel/src/unpacked.rs", &["wheel/src/unpack.rs", "wheel/src/unpacked.rs"]),
    (
        "BUILT_WHEEL_FORMAT",
        "source-build/src/key.rs",
        &[
            "source-build/src/back_end.rs",
            "source-build/src/compile.rs",
            "source-build/src/repair.rs",
            "source-build/src/uv_runner.rs",
        ],
    ),
    (
        "RUNTIME_FORMAT",
        "pipeline/src/build_key.rs",
        &[
            "pipeline/src/assemble.rs",
            "pipeline/src/copy_files/",
            "pipeline/src/overlay.rs",
            "pipeline/src/parts.rs",
            "wheel/src/entry_points.rs",
            "wheel/src/install.rs",
            "wheel/src/install_request.rs",
            "wheel/src/placement.rs",
            "wheel/src/script.rs",
            "wheel/src/windows_launcher.rs",
        ],
    ),
    (
        "PART_FORMAT",
        "archive/src/part_cache.rs",
        &[
            "archive/src/codec.rs",
            "archive/src/deflate.rs",
            "archive/src/frames.rs",
            "archive/src/identity.rs",
            "archive/src/tar_header.rs",
        ],
    ),
];

const RECORD: &str = "crates/builder/tests/tidy/numbers.txt";

/// Digest of what the compiler reads: without comments, blanks and tests.
fn digest_of(files: &BTreeMap<String, String>, names: &[&str]) -> Digest {
    let mut code = String::new();
    for name in names {
        let of_name = |path: &str| if name.ends_with('/') { path.starts_with(name) } else { path == *name };
        let mut found = files.iter().filter(|(path, _)| of_name(path)).peekable();
        assert!(found.peek().is_some(), "`crates/{name}` is not there");
        for (path, text) in found {
            let text = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
            let lines = text.lines().filter(|line| !line.trim_start().starts_with("//"));
            let tokens: proc_macro2::TokenStream =
                lines.collect::<Vec<_>>().join("\n").parse().unwrap_or_else(|error| panic!("{path}: {error}"));
            code += &format!("{path}\n{tokens}\n");
        }
    }
    Digest::of(code)
}

#[test]
fn whoever_changes_what_comes_out_is_reminded_of_the_number() {
    let files: BTreeMap<String, String> = sources().into_iter().collect();
    let record = fs::read_to_string(root().join(RECORD)).expect("the record of the numbers");
    let mut news = Vec::new();
    for (name, home, decided_by) in NUMBERS {
        let declared = format!("const {name}: u32 = ");
        let value = files.get(home).and_then(|text| text.split_once(&declared)).map(|(_, rest)| rest);
        let value = value.and_then(|rest| rest.split(';').next()).unwrap_or_else(|| panic!("{name} is not in {home}"));
        let line = format!("{name} {value} {}", digest_of(&files, decided_by).short());
        if !record.lines().any(|known| known == line) {
            news.push(format!("{line}   (crates/{home})"));
        }
    }
    assert!(
        news.is_empty(),
        "what decides these results was changed. If an input can give another result than before, raise the number. Then \
         write its line into {RECORD}:\n{}",
        news.join("\n")
    );
}
