//! Scripts in `bin/` that find their interpreter beside themselves.

use std::path::Path;

use super::disk::{CopiedLinks, Result, at, entries, name_of, read, remove, symlink, write};
use super::paths_in_text::OldPrefix;
use vocab::{TreeLayout, TreePath};

/// The first lines of a Python script that runs the interpreter lying beside it, also when it is called through a
/// symbolic link. For `sh` they are a command, for Python a string. `realpath` is in coreutils, busybox and macOS 13.
pub(super) fn launcher(interpreter: &str) -> String {
    format!("#!/bin/sh\n'''exec' \"$(dirname -- \"$(realpath -- \"$0\")\")\"/'{interpreter}' \"$0\" \"$@\"\n' '''\n")
}

/// Makes every script of `bin/` independent of its place, gives the interpreter its usual names, and takes out what
/// no longer works: scripts of modules that the tree lacks, dangling links, helpers of a debugger. `links` are those
/// that this system cannot make.
pub(super) fn settle_scripts(
    tree: &Path,
    layout: TreeLayout,
    old_prefixes: &[OldPrefix],
    links: &mut CopiedLinks,
) -> Result<()> {
    let interpreter = format!("python{}", layout.python.minor_version());
    let bin = tree.join("bin");
    for path in entries(&bin)? {
        let name = name_of(&path);
        if name.ends_with("-gdb.py") || lacks_its_module(&name, tree, layout) {
            remove(&path)?;
        }
    }
    for path in entries(&bin)? {
        let is_link = path.symlink_metadata().map_err(at("look at", &path))?.is_symlink();
        if !is_link && path.is_file() {
            settle_script(&path, &interpreter, old_prefixes)?;
        }
    }
    for name in ["python", "python3"] {
        let place = bin.join(name);
        remove(&place)?;
        symlink(&interpreter, &place)?;
        if cfg!(not(unix)) {
            let path: TreePath = format!("bin/{name}").parse().expect("a literal path inside the tree");
            links.retain(|(other, _)| *other != path);
            links.push((path, interpreter.clone()));
        }
    }
    for path in entries(&bin)? {
        if !path.exists() {
            remove(&path)?;
        }
    }
    Ok(())
}

fn lacks_its_module(script: &str, tree: &Path, layout: TreeLayout) -> bool {
    let module = match script.trim_end_matches(|c: char| c.is_ascii_digit() || matches!(c, '.' | '-')) {
        "idle" => "idlelib",
        "2to" => "lib2to3",
        "pip" | "easy_install" => return !has_distribution(script, tree, layout),
        _ => return false,
    };
    !layout.stdlib().below(tree).join(module).is_dir()
}

fn has_distribution(script: &str, tree: &Path, layout: TreeLayout) -> bool {
    let package = if script.starts_with("pip") { "pip" } else { "setuptools" };
    layout.site_packages().below(tree).join(package).is_dir()
}

fn settle_script(path: &Path, interpreter: &str, old_prefixes: &[OldPrefix]) -> Result<()> {
    let bytes = read(path)?;
    if !bytes.starts_with(b"#!") {
        return Ok(());
    }
    let Ok(text) = String::from_utf8(bytes) else { return Ok(()) };
    let settled = if name_of(path).ends_with("-config") && text.contains("installed_prefix") {
        settle_config_script(&text, old_prefixes)
    } else {
        with_launcher(&text, interpreter)
    };
    if settled != text { write(path, settled) } else { Ok(()) }
}

/// Replaces a first line that names a Python by path; others, such as ours, stay.
fn with_launcher(text: &str, interpreter: &str) -> String {
    let (first, rest) = text.split_once('\n').unwrap_or((text, ""));
    let program = first.trim_start_matches("#!").split_whitespace().next().unwrap_or_default();
    let is_python = program.rsplit('/').next().is_some_and(|name| name.starts_with("python"));
    if is_python { format!("{}{rest}", launcher(interpreter)) } else { text.to_owned() }
}

/// `python3.X-config` (the shell form) finds its own place already and then maps the configured prefix onto it; with
/// the found one written in from the start nothing is left to map. Its way of finding it breaks at a blank.
fn settle_config_script(text: &str, old_prefixes: &[OldPrefix]) -> String {
    let text = text.replace(
        "prefix_real=$(installed_prefix \"$0\")",
        "prefix_real=$(dirname -- \"$(dirname -- \"$(realpath -- \"$0\")\")\")",
    );
    old_prefixes.iter().fold(text, |text, old| old.replace_in(&old.drop_flags_in(&text), "${prefix_real}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_python_by_path_becomes_the_one_beside_the_script() {
        let text = "#!/old/place/bin/python3.12\nimport pydoc\n";
        let expected = format!("{}import pydoc\n", launcher("python3.12"));
        assert_eq!(with_launcher(text, "python3.12"), expected);
        assert_eq!(with_launcher(&expected, "python3.12"), expected);
        assert_eq!(with_launcher("#!/bin/sh\nexit\n", "python3.12"), "#!/bin/sh\nexit\n");
    }

    #[test]
    fn the_config_script_uses_the_place_it_finds() {
        let text = "prefix_real=$(installed_prefix \"$0\")\nprefix=\"/home/x/py\"\nLIBS=\" -ldl -L/home/x/py/lib -lm\"\n\
                    libdir=$(echo \"/home/x/py/lib\" | sed \"s#$prefix#$prefix_real#\")\n";
        let settled = settle_config_script(text, &[OldPrefix::new("/home/x/py")]);
        assert!(settled.contains("prefix=\"${prefix_real}\""), "{settled}");
        assert!(settled.contains("LIBS=\" -ldl -lm\""), "{settled}");
        assert!(settled.contains("echo \"${prefix_real}/lib\""), "{settled}");
    }
}
