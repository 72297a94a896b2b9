//! An interpreter of the store that runs on this machine, for commands that know of no version.

use std::path::PathBuf;

use process::Invocation;
use store::Context;
use vocab::PythonVersion;

use super::file_table::FileTable;

/// An interpreter's program, and what it says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptPython {
    pub program: PathBuf,
    pub version: PythonVersion,
}

/// Any interpreter in the store that runs here. `None` if there is none.
pub fn kept_python(context: &Context) -> Option<KeptPython> {
    let folder = context.store.root().join(store::EntryKind::Bases.as_str());
    let mut trees: Vec<PathBuf> = std::fs::read_dir(folder).ok()?.filter_map(|it| Some(it.ok()?.path())).collect();
    trees.retain(|path| path.is_dir());
    trees.sort();
    let program = |tree: &PathBuf| {
        let table = FileTable::read(&tree.with_extension("json")).ok()??;
        let python = table.programs().find(|path| is_python(path.as_str()))?;
        Some(python.below(tree))
    };
    trees.iter().filter_map(program).find_map(|program| {
        let words = ["-I", "-B", "-c", "import platform; print(platform.python_version())"];
        let finished = process::run(context, &Invocation::new(&program, context.store.root()).args(words)).ok()?;
        let version = finished.stdout_text().trim().parse().ok().filter(|_| finished.succeeded())?;
        Some(KeptPython { program, version })
    })
}

/// `bin/python3.12`, or `python.exe`.
fn is_python(path: &str) -> bool {
    let minor = path.strip_prefix("bin/python3.");
    path == "python.exe" || minor.is_some_and(|minor| minor.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interpreter_is_told_from_other_programs() {
        for (path, expected) in [
            ("bin/python3.12", true),
            ("python.exe", true),
            ("bin/python3.12-config", false),
            ("bin/python3", false),
            ("bin/pip3.12", false),
            ("pythonw.exe", false),
        ] {
            assert_eq!(is_python(path), expected, "for {path}");
        }
    }
}
