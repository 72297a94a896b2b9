//! Commands under wine with a runtime's `bin` alone on PATH.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

/// Runs commands one after the other and writes down how each ended. Programs are looked for on PATH alone.
const DRIVER: &str = r#"
import json, os, platform, shutil, subprocess, sys

# wine starts services for it, which would keep the pipe of whoever is first.
platform.uname()
commands, results = sys.argv[1:]
with open(commands, encoding="utf-8") as file:
    commands = json.load(file)
ended = []
for words in commands:
    program = shutil.which(words[0]) or words[0]
    done = subprocess.run(
        [program, *words[1:]], input=b"", stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=180
    )
    ended.append([program, done.returncode, done.stdout.decode("utf-8", "replace")])
with open(results, "w", encoding="utf-8") as file:
    json.dump(ended, file)
"#;

/// What wine 8.0 has no answer to in a Python of today: `shutil` would use it.
const SITE: &str = "import _winapi\nif hasattr(_winapi, 'CopyFile2'):\n    del _winapi.CopyFile2\n";

/// A folder of wine's own. Dropped, it ends what runs in there.
pub struct Session {
    wine: PathBuf,
    server: PathBuf,
    folder: PathBuf,
}

impl Session {
    /// Takes wine and a C compiler for Windows; `scripts/test` leaves out what needs them where it cannot set them up.
    pub fn begin(folder: &Path) -> Self {
        let wine = program(&["wine64", "wine"]);
        let server = program(&["wineserver64", "wineserver"]);
        let compiler = program(&["x86_64-w64-mingw32-gcc"]);
        fs::create_dir(folder).unwrap();
        let session = Self { wine, server, folder: folder.to_owned() };
        let booted = session.command().args(["wineboot", "--init"]).status().unwrap();
        assert!(booted.success(), "wine cannot be set up");
        // Programs written in Rust need a library that wine 8.0 lacks.
        let library = folder.join("drive_c/windows/system32/bcryptprimitives.dll");
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/cross-files/bcryptprimitives.c");
        let mut compile = Command::new(compiler);
        compile.args(["-shared", "-o"]).arg(&library).arg(source).arg("-ladvapi32");
        assert!(compile.status().unwrap().success());
        fs::write(folder.join("driver.py"), DRIVER).unwrap();
        fs::write(folder.join("sitecustomize.py"), SITE).unwrap();
        session
    }

    /// Where uv keeps the interpreters that it installs.
    pub fn managed(&self) -> PathBuf {
        self.folder.join("managed")
    }

    /// `list` names commands, with the exit code of each and a part of what it says; all run in one go, and then are
    /// compared.
    pub fn run(&self, runtime: &Path, list: impl FnOnce(&mut dyn FnMut(&[&str], i64, &str))) {
        let (mut commands, mut expected) = (Vec::new(), Vec::new());
        list(&mut |words, code, says| {
            commands.push(json!(words));
            expected.push((code, says.to_owned()));
        });
        let (given, results) = (self.folder.join("commands.json"), self.folder.join("results.json"));
        let _ = fs::remove_file(&results);
        fs::write(&given, Value::from(commands.clone()).to_string()).unwrap();
        let mut driver = self.command();
        driver
            .arg(runtime.join("bin/python.exe"))
            .args([self.folder.join("driver.py"), given, results.clone()].map(|it| told(&it)));
        driver.env("WINEPATH", told(&runtime.join("bin")));
        // A pipe: in wine 8.0 a new Python cannot write to a file as its standard output.
        let driven = driver.stdout(Stdio::piped()).stderr(Stdio::piped()).output().unwrap();
        assert!(driven.status.success(), "{}: {}", driven.status, String::from_utf8_lossy(&driven.stderr));
        let ended: Vec<(String, i64, String)> = serde_json::from_slice(&fs::read(results).unwrap()).unwrap();
        for ((command, (code, says)), (program, ended, said)) in commands.iter().zip(expected).zip(ended) {
            assert_eq!(ended, code, "{command} ({program}): {said}");
            assert!(said.contains(&says), "{command} ({program}) does not say `{says}`: {said}");
        }
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.wine);
        command.env_clear().stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.env("PATH", env::var_os("PATH").unwrap_or_default());
        command.env("HOME", &self.folder).env("WINEPREFIX", &self.folder).env("WINEDEBUG", "-all");
        // No windows; and no `wbemprox`, which ends programs by a function that wine 8.0 lacks.
        command.env("WINEDLLOVERRIDES", "mscoree,mshtml=;winemenubuilder.exe,winedbg.exe=d;wbemprox=");
        command.env("PYTHONPATH", told(&self.folder)).env("UV_PYTHON_INSTALL_DIR", told(&self.managed()));
        command.env("UV_NO_CONFIG", "1").env("UV_LINK_MODE", "copy").env("NO_PROXY", "127.0.0.1");
        command
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let mut end = Command::new(&self.server);
        let _ = end.arg("-k").env("WINEPREFIX", &self.folder).stderr(Stdio::null()).status();
    }
}

/// A path of this machine as programs in wine see it.
pub fn told(path: &Path) -> String {
    format!("Z:{}", path.display()).replace('/', "\\")
}

fn program(names: &[&str]) -> PathBuf {
    let path = env::var_os("PATH").unwrap_or_default();
    let folders: Vec<PathBuf> = env::split_paths(&path).chain(["/usr/lib/wine".into()]).collect();
    let mut places = names.iter().flat_map(|name| folders.iter().map(move |folder| folder.join(name)));
    places.find(|place| place.is_file()).unwrap_or_else(|| panic!("{names:?} is not installed"))
}
