//! Why a hard link is safe for most files: Python, pip and uv replace files, and never write into them.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use testkit::{WheelBuilder, is_left_out};
use vocab::Digest;

use super::of_pyenv;

fn digests(root: &Path) -> BTreeMap<String, Digest> {
    let files = testkit::files_below(root).into_iter();
    let regular = files.filter(|path| fs::symlink_metadata(root.join(path)).is_ok_and(|it| it.is_file()));
    regular.map(|path| (path.clone(), Digest::of(fs::read(root.join(&path)).unwrap()))).collect()
}

fn run(command: &mut Command) {
    let output = command.env_remove("PYTHONDONTWRITEBYTECODE").env("PIP_NO_CACHE_DIR", "1").output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn python_pip_and_uv_replace_files_and_never_write_into_them() {
    let Some(pyenv) = of_pyenv("3.12") else {
        assert!(is_left_out("python-3.12"), "pyenv has no 3.12");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let (one, other) = (folder.path().join("one"), folder.path().join("other"));
    run(Command::new(pyenv.join("bin/python3")).args(["-m", "venv"]).arg(&one));
    let wheel = |version: &str| {
        let builder = WheelBuilder::new("demo", version).file("demo/__init__.py", format!("VERSION = '{version}'\n"));
        let file = builder.console_script("demo", "demo:main").build();
        let path = folder.path().join(&file.file_name);
        fs::write(&path, &file.bytes).unwrap();
        path
    };
    let (first, second) = (wheel("1.0"), wheel("2.0"));
    let pip = |root: &Path, words: &[&str], wheel: &Path| {
        let mut command = Command::new(root.join("bin/python"));
        run(command.args(["-m", "pip", "--quiet", "--disable-pip-version-check"]).args(words).arg(wheel));
    };
    pip(&one, &["install", "--no-index"], &first);
    // Every file is one file of both, also those of which `pydist` makes copies.
    let copied = Command::new("cp").args(["-al"]).args([&one, &other]).status().unwrap();
    assert!(copied.success());
    let before = digests(&one);

    run(Command::new(other.join("bin/python")).args(["-m", "compileall", "-q", "-f"]).arg(other.join("lib")));
    pip(&other, &["install", "--no-index", "--force-reinstall"], &first);
    pip(&other, &["install", "--no-index"], &second);
    if which_uv() {
        for (words, wheel) in [(&["--reinstall"][..], &second), (&[][..], &first)] {
            let mut uv = Command::new("uv");
            uv.args(["pip", "install", "--quiet", "--offline", "--no-index", "--no-cache", "--python"]);
            run(uv.arg(other.join("bin/python")).args(words).arg(wheel));
        }
    } else {
        assert!(is_left_out("uv"), "there is no uv on PATH");
    }
    run(Command::new(other.join("bin/python")).args(["-m", "pip", "uninstall", "--quiet", "--yes", "demo"]));
    assert!(digests(&one) == before, "the tree that nobody worked on has changed");

    // What the comparison would find: a program that writes into a file changes both.
    let edited = "lib/python3.12/site-packages/pip/__init__.py";
    fs::write(other.join(edited), "edited in place").unwrap();
    let changed: Vec<_> = digests(&one).into_iter().filter(|(path, it)| before.get(path) != Some(it)).collect();
    assert_eq!(changed.iter().map(|(path, _)| path.as_str()).collect::<Vec<_>>(), [edited]);
}

fn which_uv() -> bool {
    Command::new("uv").arg("--version").output().is_ok_and(|output| output.status.success())
}
