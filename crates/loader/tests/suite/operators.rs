//! `pydist extension run`: an extension zip on a distribution that is the Python of this machine.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::json;

use crate::site::{Site, assert_refused};

const MODULE: &str = r#"
import io, logging, pathlib
from pydist_operator import UserError, progress
from helper import greeting

def count(path: pathlib.Path, factor: int = 1):
    logging.info("counting")
    progress(1.0, "done")
    words = path.read_text().split()
    if not words:
        raise UserError("the text is empty")
    out = pathlib.Path("count.txt")
    out.write_text(f"{greeting()} {len(words) * factor}")
    return out, io.BytesIO(b"raw")

def fails():
    {}["missing"]

def keeps():
    return object()

def logs_in(db):
    print("as", db)
    return io.BytesIO(db["auth.password"].encode())

def refuses(db):
    raise RuntimeError("cannot log in with " + db["auth.password"])

def tagged(word: str, tag, own: str = "mine", shown: str = "shown"):
    return io.BytesIO(f"{word} {tag} {own} {shown}".encode())
"#;

/// Two extensions, one of which needs the other, and a distribution in the folder for them.
pub fn site() -> Site {
    site_in(Site::new())
}

fn site_in(site: Site) -> Site {
    // What is on PATH may be a script that needs more of the environment than servers get.
    let python = Command::new("python3").args(["-c", "import sys; print(sys.executable, end='')"]).output().unwrap();
    let python = String::from_utf8(python.stdout).unwrap();
    let script = format!("#!/bin/sh\nexec '{python}' \"$@\"\n");
    let program = site.write("dists/custom-1.0.0/bin/python3", script);
    assert!(Command::new("chmod").arg("+x").arg(program).status().unwrap().success());
    let head = |namespace: &str, module: &str, dependencies: &[&str]| {
        json!({
            "name": namespace, "namespace": namespace, "version": "1.0.0", "module": module, "environment": "custom:1.0.0",
            "dependencies": dependencies.iter().map(|name| json!({ "name": name })).collect::<Vec<_>>(),
        })
    };
    let operators = json!({
        "count": {
            "parameters": [{ "name": "factor", "type": "integer", "default": 1 }],
            "inputs": [{ "name": "path", "type": "pathlib.Path" }],
            "outputs": [{ "name": "file" }, { "name": "raw" }],
        },
        "fails": {}, "keeps": { "outputs": [{ "name": "kept" }] },
        "logs_in": { "inputs": [{ "name": "db" }], "outputs": [{ "name": "raw" }] },
        "refuses": { "inputs": [{ "name": "db" }] },
        "tagged": {
            "parameters": [
                { "name": "word", "type": "string", "pattern": "[a-z]+", "max_length": 5 },
                { "name": "tag", "type": "string", "optional": true },
                { "name": "own", "type": "string", "optional": true },
                { "name": "shown", "type": "string", "conditions": [["==", "word", "show"]] },
            ],
            "outputs": [{ "name": "raw" }],
        },
    });
    let words = json!({ "extension": head("words", "words_module", &["helping"]), "operators": operators });
    let helping = json!({ "extension": head("helping", "helper", &[]), "operators": {} });
    site.zip(
        "ext/words.zip",
        &[("extension.json", words.to_string().as_bytes()), ("words_module/__init__.py", MODULE.as_bytes())],
    );
    let helper = b"def greeting():\n    return 'so many:'\n";
    site.zip("ext/helping.zip", &[("extension.json", helping.to_string().as_bytes()), ("helper/__init__.py", helper)]);
    site
}

#[test]
fn an_operator_runs_with_files_in_and_out_and_its_dependencies() {
    let site = site();
    let text = site.write("in/text.txt", "one two three");
    let (count, raw) = (site.path("out/count.txt"), site.path("out/raw.bin"));
    let words = |factor: &str| {
        let file = |port: &str, path: &Path| format!("{port}={}", path.display());
        let words = ["run", "words:count", "-p", factor, "--in", &file("path", &text), "--out", &file("file", &count)];
        let words: Vec<String> = words.into_iter().map(str::to_owned).collect();
        words
    };
    let first = words("factor=2");
    let (code, stdout, stderr) = site.run(&first.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(code, 0, "{stderr}");
    assert_eq!(fs::read_to_string(&count).unwrap(), "so many: 6");
    assert!(stdout.starts_with("file: file of 10 B, written to "), "{stdout}");
    assert!(stdout.ends_with("raw: bytes of 3 B, not kept; --out raw=FILE writes it"), "{stdout}");
    assert!(stderr.contains("INFO: [words:count] counting") && stderr.contains("[words:count] 100 % done"), "{stderr}");
    assert!(!raw.exists());
    // An empty text is the user's fault; nothing that was there is touched.
    fs::write(&text, "").unwrap();
    let again = words("factor=3");
    let refused = site.run(&again.iter().map(String::as_str).collect::<Vec<_>>());
    assert_refused(&refused, 2, &["E_OPERATOR_USER", "the text is empty"]);
    assert_eq!(fs::read_to_string(&count).unwrap(), "so many: 6");
    // Zips are unpacked once, by their digests.
    let folders = fs::read_dir(site.path("home/.local/share/pydist/loader/cache/ext")).unwrap().count();
    assert_eq!(folders, 2);
}

#[test]
fn limits_are_judged_before_python_and_what_is_left_out_is_what_the_function_says() {
    let site = site();
    for (word, said) in [
        ("Two words", "`word` is \"Two words\"; it takes a text, characters: at most 5"),
        ("Word", "`word` is \"Word\"; the whole text has to match the pattern `[a-z]+`"),
        ("show", "`shown` is missing; it takes a text"),
    ] {
        let refused = site.run(&["run", "words:tagged", "-p", &format!("word={word}")]);
        assert_refused(&refused, 2, &["E_PARAM", said]);
    }
    assert!(!site.path("home/.local/share/pydist/loader/cache").exists(), "no server was started");
    let out = format!("raw={}", site.path("raw.txt").display());
    let (code, _, stderr) = site.run(&["run", "words:tagged", "-p", "word=one", "--out", &out]);
    assert_eq!(code, 0, "{stderr}");
    // `tag` has no default, `own` and the hidden `shown` have one.
    assert_eq!(fs::read_to_string(site.path("raw.txt")).unwrap(), "one None mine shown");
}

#[test]
fn pel_65_a_base_path_of_250_characters_works() {
    // Its name has the most that a name may have, with what is added to it.
    let site = site_in(Site::in_folder(&"l".repeat(245)));
    assert!(site.path("").display().to_string().len() > 250);
    let text = site.write("in/text.txt", "one two three");
    let out = site.path("out/count.txt");
    let (input, kept) = (format!("path={}", text.display()), format!("file={}", out.display()));
    let (code, _, stderr) = site.run(&["run", "words:count", "--in", &input, "--out", &kept]);
    assert_eq!(code, 0, "{stderr}");
    assert_eq!(fs::read_to_string(&out).unwrap(), "so many: 3");
    // An archive is installed there, too.
    let os = if cfg!(target_os = "macos") { "macos" } else { "linux" };
    site.tar(&format!("res/pydist-k-1-{os}.tar"), &[("bin/python3", crate::site::PYTHON.as_bytes())]);
    let (code, stdout, stderr) = site.run(&["prepare", "k:1"]);
    assert_eq!((code, Path::new(&stdout)), (0, &*site.path("dists/k-1")), "{stderr}");
}

#[test]
fn pel_65_on_a_windows_without_long_paths_nothing_is_written() {
    use extension::{LoaderSettings, Machine, SettingSources, UserFolders};
    use vocab::{Environment, Fault as _, Work};

    let site = Site::in_folder(&"l".repeat(215));
    let python = "p".repeat(30);
    site.zip("res/pydist-k-1-windows.zip", &[("k-1/python.exe", b"MZ"), (&format!("k-1/lib/{python}"), b"x")]);
    let refused = |distributions: &Path| {
        let folder = |below: &str| site.path(below).display().to_string();
        let pairs = [
            ("pysdk.pel.distLoc", distributions.display().to_string()),
            ("pysdk.pel.resourceLoc", folder("res")),
            ("pysdk.pel.extLoc", folder("ext")),
        ];
        let settings = pairs.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
        let sources = SettingSources { settings, properties: Default::default(), environment: Environment::default() };
        let host = loader::ExtensionHost::open(loader::HostRequest {
            settings: LoaderSettings::read(&sources, UserFolders::default()).unwrap(),
            machine: Machine::of(vocab::PlatformKey::WindowsX64),
            more_folders: Vec::new(),
            runtimes: None,
            keys: Vec::new(),
        });
        let asked = host.find("k:1").unwrap();
        let engine = loader::distribution::NoEngine;
        let resolved = host.resolve(&asked, &engine).unwrap();
        host.prepare(&asked, &resolved, &engine, &Work::quiet()).unwrap_err()
    };
    let error = refused(&site.path("dists"));
    assert_eq!(error.code(), "E_PATH_TOO_LONG");
    let text = error.kind.to_string();
    let why = " characters, and Windows opens no path of 260 or more; nothing was extracted";
    assert!(text.contains(&python) && text.ends_with(why), "{text}");
    // 259 characters, less the file's, less the folder's, less two separators.
    let usable = 259 - "lib/".len() - 30 - "k-1".len() - 2;
    let hint = format!(
        "set pysdk.pel.distLoc to a folder whose path has at most {usable} characters, or enable long paths in Windows"
    );
    assert_eq!(error.hint().unwrap(), hint);
    let written = fs::read_dir(site.path("dists"))
        .map(|items| items.filter(|it| it.as_ref().unwrap().file_name() != ".locks").count());
    assert_eq!(written.unwrap_or_default(), 0, "nothing was written");
    // As long as it says is not too long: then it is the program that this machine does not run.
    let short = tempfile::tempdir().unwrap();
    let fill = usable - short.path().display().to_string().len() - 1;
    assert_ne!(refused(&short.path().join("d".repeat(fill))).code(), "E_PATH_TOO_LONG");
    assert_eq!(refused(&short.path().join("d".repeat(fill + 1))).code(), "E_PATH_TOO_LONG");
}

#[test]
fn pel_75_what_does_not_fit_is_told_before_python_starts() {
    let site = site();
    // Would be noticed: this Python cannot start.
    site.write("dists/custom-1.0.0/bin/python3", "not a program");
    let refused = site.run(&["run", "words:count", "-p", "factor=x", "-p", "factr=1"]);
    assert_refused(&refused, 2, &["E_PARAM", "`factor` is \"x\"; it takes a whole number", "did you mean `factor`?"]);
    let refused = site.run(&["run", "words:count", "--in", "text=/dev/null"]);
    assert_refused(&refused, 2, &["E_PORT", "it has no input `text`", "its input `path` is missing"]);
    let refused = site.run(&["run", "words:cuont"]);
    assert_refused(&refused, 2, &["E_OP_UNKNOWN", "it has count, fails, keeps, logs_in, refuses, tagged"]);
    assert_refused(&site.run(&["run", "nobody:count"]), 2, &["E_EXT_UNKNOWN"]);
    assert_refused(&site.run(&["run", "words"]), 2, &["NAMESPACE:FUNCTION is expected"]);
    let missing = format!("path={}", site.path("missing.txt").display());
    assert_refused(&site.run(&["run", "words:count", "--in", &missing]), 1, &["E_RUN_FILES", "missing.txt"]);
}

#[test]
fn an_exception_comes_with_its_lines_and_what_cannot_be_kept_is_said() {
    let site = site();
    let refused = site.run(&["run", "words:fails"]);
    assert_refused(
        &refused,
        1,
        &[
            "E_OPERATOR",
            "KeyError: 'missing' (words_module/__init__.py line 17)",
            "words_module/__init__.py line 17, in fails: {}[\"missing\"]",
        ],
    );
    let kept = site.run(&["run", "words:keeps", "--out", "kept=x.bin"]);
    assert_refused(&kept, 2, &["E_RUN_OUTPUT", "an object that stays in its server"]);
    let (code, stdout, _) = site.run(&["run", "words:keeps"]);
    assert_eq!((code, stdout.as_str()), (0, "kept: builtins.object (stays in the server)"));
}

#[test]
fn pel_66_a_connection_comes_from_a_file_and_shows_no_secret() {
    let site = site();
    let values = json!({ "values": { "auth.password": "s3cret-word", "host": "db" }, "secrets": ["auth.password"] });
    let file = site.write("db.json", values.to_string());
    let out = site.path("out.bin");
    let connection = format!("db={}", file.display());
    let kept = format!("raw={}", out.display());
    let (code, stdout, stderr) = site.run(&["run", "words:logs_in", "--connection", &connection, "--out", &kept]);
    assert_eq!(code, 0, "{stderr}");
    assert!(!format!("{stdout}{stderr}").contains("s3cret-word") && stderr.contains("****"), "{stderr}");
    assert_eq!(fs::read_to_string(out).unwrap(), "s3cret-word");
    // Nor does an exception, for people and as JSON.
    for (words, expected) in [(&["run", "words:logs_in"][..], 0), (&["run", "words:refuses"], 1)] {
        for form in [&[][..], &["--json"]] {
            let (code, stdout, stderr) = site.run(&[words, &["--connection", connection.as_str()], form].concat());
            assert_eq!(code, expected, "{stderr}");
            let told = format!("{stdout}{stderr}");
            assert!(!told.contains("s3cret-word") && told.contains("****"), "{told}");
        }
    }
}

const SOURCE: &str = r#"
"""Text tools."""
import enum, io, json as _json, pathlib
from typing import Annotated, Dict, List, Optional, Tuple

print("imported")

class Mode(enum.Enum):
    FAST = 1
    SLOW = 2

def count(path: pathlib.Path, factor: int = 2, mode: Mode = Mode.SLOW, ratio: Optional[float] = None, pair: Tuple[int, int] = (1, 2), word: str = "a") -> Tuple[io.BytesIO, str]:
    """Counts words.

    Args:
        path: The text.
        factor: Times this.
    """
    return io.BytesIO(str(len(path.read_text().split()) * factor).encode()), mode.name

def _hidden(a, /):
    pass
"#;
const TOML: &str = "[extension]\nname = 'Text tools'\nnamespace = 'text_tools'\nversion = '1.2.0'\nmodule = 'tools'\n\
                    environment = 'custom:1.0.0'\n[operator.count]\ngroup = 'text'\n";
const LIMITS: &str =
    "[operator.count.parameters.factor]\nmin = 1\n[operator.count.parameters.word]\npattern = '[a-z]'\n";

#[test]
fn l8_a_zip_is_built_from_a_folder_with_the_same_bytes_everywhere_and_runs() {
    let site = site();
    for folder in ["src", "other place"] {
        site.write(&format!("{folder}/tools/__init__.py"), SOURCE);
        site.write(&format!("{folder}/tools/data/words.txt"), "a b");
        site.write(&format!("{folder}/tools/__pycache__/x.pyc"), folder);
        site.write(&format!("{folder}/extension.toml"), format!("{TOML}{LIMITS}"));
        site.write(&format!("{folder}/notes.txt"), folder);
    }
    let built = |folder: &str, out: &str| {
        let (folder, out) = (site.path(folder).display().to_string(), site.path(out).display().to_string());
        site.run(&["build", &folder, "--out", &out])
    };
    let (code, stdout, stderr) = built("src", "ext");
    assert_eq!(code, 0, "{stderr}");
    assert!(stderr.contains("text_tools 1.2.0: 1 operators: count"), "{stderr}");
    let zip = site.path("ext/text_tools-1.2.0.zip");
    assert_eq!(stdout, zip.display().to_string());
    assert_eq!(built("other place", "again").0, 0);
    assert!(fs::read(&zip).unwrap() == fs::read(site.path("again/text_tools-1.2.0.zip")).unwrap(), "equal bytes");
    assert!(!site.path("src/tools/__pycache__/__init__.cpython-312.pyc").exists());

    let shown = site.run(&["inspect", zip.to_str().unwrap()]).1;
    for words in [
        "text_tools 1.2.0 (Text tools)",
        "factor: integer = 2, at least 1\n",
        "mode: category",
        "pair: tuple = [1,2], items: at least 2, items: at most 2\n",
        "word: string = \"a\", pattern `[a-z]`",
    ] {
        assert!(shown.contains(words), "no {words:?} in {shown}");
    }
    let text = site.write("text.txt", "one two three");
    let out = site.path("out.bin");
    let (input, kept) = (format!("path={}", text.display()), format!("result={}", out.display()));
    let (code, stdout, stderr) = site.run(&["run", "text_tools:count", "--in", &input, "--out", &kept]);
    assert_eq!((code, fs::read_to_string(&out).unwrap_or_default().as_str()), (0, "6"), "{stderr}");
    assert!(stdout.contains("result2: "), "{stdout}");
}

#[test]
fn what_cannot_be_built_is_named_with_its_place() {
    let site = site();
    let folder = site.path("src").display().to_string();
    let build = || site.run(&["build", &folder, "--out", site.path("out").to_str().unwrap()]);
    assert_refused(&build(), 2, &["E_EXT_BUILD_FILES", "extension.toml"]);
    site.write("src/extension.toml", TOML);
    assert_refused(&build(), 2, &["E_EXT_MODULE", "tools/__init__.py"]);
    site.write("src/tools/__init__.py", "import json\nimport no_such_module\n");
    assert_refused(&build(), 1, &["E_EXT_IMPORT", "no_such_module", "tools/__init__.py line 2"]);
    site.write("src/tools/__init__.py", "def count(*more: int):\n    pass\n");
    assert_refused(&build(), 2, &["E_EXT_FUNCTION", "`*more` cannot be passed by name"]);
    site.write("src/tools/__init__.py", "import os\nos._exit(3)\n");
    assert_refused(&build(), 1, &["E_EXT_IMPORT", "exit code 3"]);
    site.write("src/tools/__init__.py", "def count(a: int):\n    pass\n");
    std::os::unix::fs::symlink("/etc/hostname", site.path("src/tools/link.txt")).unwrap();
    assert_refused(&build(), 2, &["E_EXT_BUILD_FILES", "link.txt"]);
    fs::remove_file(site.path("src/tools/link.txt")).unwrap();
    let mut command = site.command(&["build", &folder, "--out", site.path("out").to_str().unwrap()]);
    let told = crate::site::told(&command.env("SOURCE_DATE_EPOCH", "soon").output().unwrap());
    assert_refused(&told, 2, &["E_ENVIRONMENT", "soon"]);
    assert!(!site.path("out").exists(), "nothing is left");
}

#[test]
fn results_and_what_was_said_are_lines_of_json() {
    let site = site();
    let text = site.write("text.txt", "a b");
    let lines = site.json(&["run", "words:count", "--in", &format!("path={}", text.display())]);
    let told: Vec<&serde_json::Value> =
        lines.iter().filter(|line| line["event"] == "output" || line.get("port").is_some()).collect();
    assert_eq!(told.len(), 2, "{lines:?}");
    assert!(lines.iter().any(|line| line["progress"] == json!(1.0)), "{lines:?}");
}
