//! What the interpreter notes about its own build: sysconfig's data, the Makefile, pkg-config files, build details.
//!
//! Afterwards they name the place where the tree is, wherever that is, and compilers that other machines have.

use std::path::Path;

use super::disk::{Result, entries, name_of, read, write};
use super::error::BaseErrorKind;
use super::paths_in_text::OldPrefix;
use super::request::SystemPython;
use vocab::TreeLayout;

/// Absolute folders that the tree's text files still name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct BuildPaths {
    /// Longest first, where one holds another.
    pub(super) prefixes: Vec<OldPrefix>,
    /// Where it was compiled.
    pub(super) compiled_in: Vec<OldPrefix>,
}

impl BuildPaths {
    /// Paths in every tree of python-build-standalone.
    pub(super) fn standalone() -> Self {
        Self { prefixes: vec![OldPrefix::new("/install")], compiled_in: Vec::new() }
    }

    pub(super) fn of(python: &SystemPython) -> Self {
        let mut prefixes = vec![python.prefix.to_string_lossy().into_owned(), python.built_for.clone()];
        prefixes.sort_by_key(|prefix| std::cmp::Reverse(prefix.len()));
        prefixes.dedup();
        Self {
            prefixes: prefixes.iter().map(|prefix| OldPrefix::new(prefix)).collect(),
            compiled_in: python.built_in.iter().map(|folder| OldPrefix::new(folder)).collect(),
        }
    }
}

/// Stands for the prefix in `_sysconfigdata` until the module is imported.
const PLACEHOLDER: &str = "@PYDIST_PREFIX@";

/// What a file says instead of the folders the interpreter was compiled in; there is nothing in them.
const NEUTRAL: &str = "/build";

/// What a file that cannot compute says instead of the prefix: python-build-standalone's own, for all alike.
const NEUTRAL_PREFIX: &str = "/install";

/// Appended to `_sysconfigdata`; `@` is where the data's folder is below the prefix, one `dirname` each.
const SUBSTITUTION: &str = r#"

def _pydist_settle(variables):
    """Added by pydist: paths follow the tree to wherever it stands."""
    from os.path import abspath, dirname
    prefix = dirname(dirname(dirname(abspath(__file__))))
    for name, value in variables.items():
        if isinstance(value, str) and "@PYDIST_PREFIX@" in value:
            variables[name] = value.replace("@PYDIST_PREFIX@", prefix)


_pydist_settle(build_time_vars)
del _pydist_settle
"#;

/// Does nothing for Windows, which has none of these files.
pub(super) fn settle_build_settings(tree: &Path, layout: TreeLayout, paths: &BuildPaths) -> Result<()> {
    let stdlib = layout.stdlib().below(tree);
    for path in entries(&stdlib)? {
        let name = name_of(&path);
        if name.starts_with("_sysconfigdata") && name.ends_with(".py") {
            edit(&path, |text| settle_data(text, paths))?;
        } else if name.starts_with("_sysconfig_vars") && name.ends_with(".json") {
            edit(&path, |text| with_prefix(&portable_compilers(text), paths, NEUTRAL_PREFIX))?;
        } else if name == "build-details.json" {
            edit(&path, |text| settle_details(text, paths))?;
        } else if name.starts_with("config-") && path.is_dir() {
            settle_config_folder(&path, paths)?;
        }
    }
    for path in entries(&tree.join("lib").join("pkgconfig"))? {
        if name_of(&path).ends_with(".pc") && path.is_file() {
            edit(&path, |text| settle_pkg_config(text, paths))?;
        }
    }
    Ok(())
}

fn edit(path: &Path, change: impl FnOnce(&str) -> String) -> Result<()> {
    let text = String::from_utf8(read(path)?).map_err(|_| BaseErrorKind::Disk {
        action: "read as UTF-8",
        path: path.to_owned(),
        source: std::io::ErrorKind::InvalidData.into(),
    })?;
    let changed = change(&text);
    if changed != text { write(path, changed) } else { Ok(()) }
}

/// The prefix becomes `new`, compile-time folders become a neutral one, flags for both go.
fn with_prefix(text: &str, paths: &BuildPaths, new: &str) -> String {
    let mut text = text.to_owned();
    for folder in &paths.compiled_in {
        text = folder.replace_in(&folder.drop_flags_in(&text), NEUTRAL);
    }
    for prefix in &paths.prefixes {
        text = prefix.replace_in(&prefix.drop_flags_in(&text), new);
    }
    text
}

fn settle_data(text: &str, paths: &BuildPaths) -> String {
    let text = with_prefix(&portable_compilers(text), paths, PLACEHOLDER);
    format!("{}\n{SUBSTITUTION}", text.trim_end())
}

/// Variables that name a program to compile or link with.
const PROGRAMS: [&str; 12] =
    ["AR", "BLDSHARED", "CC", "CPP", "CXX", "LDCXXSHARED", "LDSHARED", "LINKCC", "MAINCC", "NM", "RANLIB", "READELF"];

/// Programs of the build environment become those that every machine with a compiler has: `clang` becomes `cc`,
/// `/tools/llvm/bin/llvm-ar` becomes `ar`; a macOS SDK of the building machine is not asked for. uv does the same to
/// the trees it installs.
fn portable_compilers(text: &str) -> String {
    let text = drop_sysroot(text);
    let mut out = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        match variable_of(line) {
            Some(name) if PROGRAMS.contains(&name) => out.push_str(&portable_line(line)),
            _ => out.push_str(line),
        }
    }
    out
}

/// The variable that a line of `_sysconfigdata` or of its JSON form gives: `    "CC": "clang",`.
fn variable_of(line: &str) -> Option<&str> {
    let line = line.trim_start().trim_start_matches('{');
    let quote = line.chars().next().filter(|first| matches!(first, '"' | '\''))?;
    let (name, rest) = line[1..].split_once(quote)?;
    rest.starts_with(':').then_some(name)
}

fn portable_line(line: &str) -> String {
    let Some((name, value)) = line.split_once(':') else { return line.to_owned() };
    let words = value.split(' ').map(|word| {
        let core = word.trim_matches(|c: char| matches!(c, '"' | '\'' | ',' | '\n'));
        let program = core.rsplit('/').next().unwrap_or(core);
        let program =
            if core.starts_with("/tools/") { program.strip_prefix("llvm-").unwrap_or(program) } else { program };
        let portable = match program {
            "clang" => "cc",
            "clang++" => "c++",
            other if core.starts_with("/tools/") => other,
            _ => return word.to_owned(),
        };
        word.replacen(core, portable, 1)
    });
    format!("{name}:{}", words.collect::<Vec<_>>().join(" "))
}

fn drop_sysroot(text: &str) -> String {
    let mut text = text.to_owned();
    while let Some(at) = text.find("-isysroot") {
        let rest = &text[at + "-isysroot".len()..];
        let blanks = rest.len() - rest.trim_start_matches(' ').len();
        let path =
            rest[blanks..].find(|c: char| c.is_whitespace() || matches!(c, '"' | '\'')).unwrap_or(rest.len() - blanks);
        let mut end = at + "-isysroot".len() + blanks + path;
        if text[end..].starts_with(' ') {
            end += 1;
        }
        text.replace_range(at..end, "");
    }
    text
}

/// Paths below the prefix become relative to it, and the prefix to the file, as PEP 739 allows.
fn settle_details(text: &str, paths: &BuildPaths) -> String {
    let Ok(mut details) = serde_json::from_str::<serde_json::Value>(text) else { return text.to_owned() };
    settle_value(&mut details, paths);
    if let Some(base) = details.get_mut("base_prefix") {
        *base = "../..".into();
    }
    serde_json::to_string_pretty(&details).map_or_else(|_| text.to_owned(), |text| text + "\n")
}

fn settle_value(value: &mut serde_json::Value, paths: &BuildPaths) {
    match value {
        serde_json::Value::String(text) => {
            for prefix in &paths.prefixes {
                *text = prefix.replace_in(text, ".");
            }
        }
        serde_json::Value::Array(items) => items.iter_mut().for_each(|item| settle_value(item, paths)),
        serde_json::Value::Object(fields) => fields.values_mut().for_each(|field| settle_value(field, paths)),
        _ => {}
    }
}

fn settle_config_folder(folder: &Path, paths: &BuildPaths) -> Result<()> {
    for path in entries(folder)? {
        match name_of(&path).as_str() {
            "Makefile" => edit(&path, |text| settle_makefile(text, paths))?,
            // A copy of `pythonX.Y-config` in Python, started as `python python-config.py`.
            "python-config.py" => edit(&path, |text| {
                let rest = text.strip_prefix("#!").and_then(|text| text.split_once('\n')).map(|(_, rest)| rest);
                rest.map_or_else(|| text.to_owned(), |rest| format!("#!/usr/bin/env python3\n{rest}"))
            })?,
            _ => {}
        }
    }
    Ok(())
}

/// For `make` the prefix is found from the Makefile's own place, `lib/pythonX.Y/config-…/Makefile`.
fn settle_makefile(text: &str, paths: &BuildPaths) -> String {
    let text = with_prefix(&portable_makefile(text), paths, "$(prefix)");
    let own_place = "$(abspath $(dir $(lastword $(MAKEFILE_LIST)))/../../..)";
    let mut out = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        match line.strip_prefix("prefix=") {
            Some(value) if value.trim() == "$(prefix)" => out.push_str(&format!("prefix:=\t{own_place}\n")),
            _ => out.push_str(line),
        }
    }
    out
}

fn portable_makefile(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for line in drop_sysroot(text).split_inclusive('\n') {
        match line.split_once('=') {
            Some((name, value)) if PROGRAMS.contains(&name.trim_end()) => {
                let value = value.replace('\t', " ");
                out.push_str(&portable_line(&format!("{name}:{value}")).replacen(':', "=", 1));
            }
            _ => out.push_str(line),
        }
    }
    out
}

fn settle_pkg_config(text: &str, paths: &BuildPaths) -> String {
    let text = with_prefix(text, paths, "${prefix}");
    let mut out = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        let own = line.strip_prefix("prefix=").is_some_and(|value| value.trim() == "${prefix}");
        out.push_str(if own { "prefix=${pcfiledir}/../..\n" } else { line });
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::paths_in_text::OldPrefix;
    use super::*;

    fn paths() -> BuildPaths {
        BuildPaths {
            prefixes: vec![OldPrefix::new("/home/x/py")],
            compiled_in: vec![OldPrefix::new("/tmp/b/Python-3")],
        }
    }

    #[test]
    fn sysconfig_data_computes_its_paths_and_names_common_compilers() {
        let text = "build_time_vars = {\n    \"AR\": \"/tools/llvm/bin/llvm-ar\",\n    \"CC\": \"clang -pthread\",\n    \
                    \"CXX\": \"clang++ -pthread\",\n 'LDSHARED': 'gcc -shared -L/home/x/py/lib '\n             \
                    '-Wl,-rpath,/home/x/py/lib',\n 'LIBDIR': '/home/x/py/lib',\n 'abs_srcdir': '/tmp/b/Python-3',\n}\n";
        let settled = settle_data(text, &paths());
        let (data, code) = settled.split_once("\n\n").unwrap();
        assert_eq!(
            data,
            "build_time_vars = {\n    \"AR\": \"ar\",\n    \"CC\": \"cc -pthread\",\n    \"CXX\": \"c++ -pthread\",\n \
             'LDSHARED': 'gcc -shared '\n             '',\n 'LIBDIR': '@PYDIST_PREFIX@/lib',\n 'abs_srcdir': '/build',\n}"
        );
        assert!(code.contains("_pydist_settle(build_time_vars)"));
    }

    #[test]
    fn a_macos_sdk_of_the_building_machine_is_not_asked_for() {
        let text = "'-isysroot /Applications/X.sdk -O2', '-O3 -isysroot /X.sdk'";
        assert_eq!(drop_sysroot(text), "'-O2', '-O3 '");
    }

    #[test]
    fn pkg_config_and_make_find_the_prefix_from_their_own_place() {
        let settled = settle_pkg_config(
            "prefix=/home/x/py\nlibdir=/home/x/py/lib\nLibs.private: -ldl -L/home/x/py/lib\n",
            &paths(),
        );
        assert_eq!(settled, "prefix=${pcfiledir}/../..\nlibdir=${prefix}/lib\nLibs.private: -ldl \n");
        let settled =
            settle_makefile("CC=\t\tclang -pthread\nprefix=\t\t/home/x/py\nLIBDIR=\t\t/home/x/py/lib\n", &paths());
        assert_eq!(
            settled,
            "CC=  cc -pthread\nprefix:=\t$(abspath $(dir $(lastword $(MAKEFILE_LIST)))/../../..)\nLIBDIR=\t\t$(prefix)/lib\n"
        );
    }

    #[test]
    fn build_details_are_relative() {
        let text = r#"{"base_prefix": "/home/x/py", "libpython": {"dynamic": "/home/x/py/lib/libpython3.14.so"}}"#;
        let details: serde_json::Value = serde_json::from_str(&settle_details(text, &paths())).unwrap();
        assert_eq!(
            details,
            serde_json::json!({"base_prefix": "../..", "libpython": {"dynamic": "./lib/libpython3.14.so"}})
        );
    }
}
