//! What people and hosts read when there is no distribution, no zip or no call: what happened, where, what was looked at, what
//! to do. A rule of the repository asks for every text of this crate that belongs to extensions in a test.

use std::fs::{self, File};
use std::process::Command;

use serde_json::{Value, json};

use crate::operators;
use crate::serve::{self, Served, run};
use crate::site::{PYTHON, Site};

fn os() -> &'static str {
    if cfg!(target_os = "macos") { "macos" } else { "linux" }
}

fn archive() -> String {
    format!("res/pydist-k-1-{}.tar", os())
}

/// The error that a command ends with, line by line, without the place of the site.
fn said(site: &Site, words: &[&str]) -> Vec<String> {
    said_by(site, &mut site.command(words))
}

fn said_by(site: &Site, command: &mut Command) -> Vec<String> {
    let (code, _, stderr) = crate::told(&command.output().unwrap());
    assert_ne!(code, 0, "{stderr}");
    let text = stderr.replace(&site.path("").display().to_string(), "SITE/");
    let lines = text.lines().skip_while(|line| !line.starts_with("error["));
    lines.map(|line| line.trim_start().to_owned()).collect()
}

/// `…` at the end of a line stands for more.
#[track_caller]
fn assert_said(found: &[String], expected: &[&str]) {
    assert_eq!(found.len(), expected.len(), "{found:#?}");
    for (line, wanted) in found.iter().zip(expected) {
        match wanted.strip_suffix('…') {
            Some(start) => assert!(line.starts_with(start), "{found:#?}"),
            None => assert_eq!(line, wanted, "{found:#?}"),
        }
    }
}

fn not_available(code: &str) -> String {
    format!("error[{code}]: the Python distribution k:1 is not available")
}

#[test]
fn a_distribution_that_is_nowhere_says_where_it_was_looked_for() {
    let site = Site::new();
    site.extension("a.zip", "a", "k:1", &[("env.yml", b"dependencies: [python]\n")]);
    site.extension("b.zip", "b", "k:1", &[]);
    let provide = "hint: put the archive or the folder at one of these places; `pydist extension doctor` says which";
    let air = said(&site, &["prepare", "a", "--set", "pysdk.pel.airGapped=true"]);
    let start =
        "cause: air-gapped, and there are no packages on disk, no archive and no folder; looked at `offline/channel/…";
    assert_said(&air, &[&not_available("E_DIST_AIRGAP"), start, provide]);
    assert!(air[1].contains(&format!("`SITE/res/pydist-channel-k-1-{}`", os())), "{air:?}");
    let off = said(&site, &["prepare", "a", "--set", "pysdk.pel.disableMiniforge=true"]);
    let start = "cause: environments are disabled, and there is no archive and no folder; looked at `SITE/res/…";
    assert_said(&off, &[&not_available("E_DIST_DISABLED"), start, provide]);
    let start = "cause: the extension has no env.yml, and there is no archive and no folder; looked at `…";
    assert_said(
        &said(&site, &["prepare", "other:1"]),
        &["error[E_DIST_NO_ENVYML]: the Python distribution other:1 is not available", start, provide],
    );
    for found in [&air, &off] {
        for place in [archive(), "dists/k-1".to_owned()] {
            assert!(found[1].contains(&format!("`SITE/{place}`")), "no {place}: {found:?}");
        }
    }
    assert_said(
        &said(&site, &["prepare", "a", "--set", "pysdk.pel.skipPythonDistRegistration=true"]),
        &[
            &not_available("E_DIST_SKIPPED"),
            "cause: distributions are not registered (pysdk.pel.skipPythonDistRegistration)",
            "hint: unset it where operators shall run",
        ],
    );
    assert_said(
        &said(&site, &["prepare", "a"]),
        &[
            &not_available("E_ENV_ENGINE"),
            "cause: k:1 is to be created from the env.yml in `SITE/ext/a.zip`, and this program creates no conda environments",
            "hint: set pysdk.pel.disableMiniforge and provide an archive or a folder; `pydist extension doctor` names them",
        ],
    );
    assert_said(
        &said(&site, &["verify", "a"]),
        &[
            "error[E_ENV_ENGINE]: k:1 is not a distribution that this program installs with these settings",
            "hint: `pydist extension resolve k:1 --explain` says why",
        ],
    );
}

#[test]
fn an_archive_that_cannot_be_used_says_why() {
    let python = ("bin/python3", PYTHON.as_bytes());
    let old = PYTHON.replace("3.12.1", "3.7.9");
    let zeros = "0".repeat(64);
    let checksum = format!("{zeros}  x\n");
    type Files<'a> = &'a [(&'a str, &'a [u8])];
    // (files, what stands beside it as .sha256, code, cause, hint)
    let cases: [(Files<'_>, &str, &str, &str, &str); 8] = [
        (
            &[("lib/a", b"x")],
            "",
            "E_DIST_NO_PYTHON",
            "no Python in `SITE/dists/.stage-…",
            "a distribution is a folder with a Python that runs from any place",
        ),
        (
            &[("bin/python3", b"#!/bin/sh\necho broken >&2; exit 3\n")],
            "",
            "E_DIST_NO_PYTHON",
            "the Python `SITE/dists/.stage-…",
            "start it by hand with `-I -c 1` to see why",
        ),
        (
            &[("bin/python3", old.as_bytes())],
            "",
            "E_DIST_PYTHON_VERSION",
            "Python 3.7.9 is too old; 3.8 or newer is needed",
            "",
        ),
        (
            &[python, ("pydist.json", br#"{"platform": "windows-x64"}"#)],
            "",
            "E_ARCHIVE_WRONG_PLATFORM",
            "`SITE/ARCHIVE` is for windows…",
            "provide the distribution for this machine",
        ),
        (
            &[python, ("pydist.json", br#"{"key": "other", "version": "2"}"#)],
            "",
            "E_ARCHIVE_WRONG_ID",
            "`SITE/ARCHIVE` says that it is other:2",
            "correct its name, or provide the archive that was asked for",
        ),
        (
            &[python],
            &checksum,
            "E_ARCHIVE_CHECKSUM",
            "the SHA-256 of `SITE/ARCHIVE` is …",
            "copy the archive again; nothing was installed",
        ),
        (
            &[python],
            "nothing",
            "E_ARCHIVE_CHECKSUM",
            "`SITE/ARCHIVE.sha256` does not hold a SHA-256",
            "it begins with 64 digits, as sha256sum writes it",
        ),
        (
            &[],
            "",
            "E_ARCHIVE_FORMAT",
            "`SITE/ARCHIVE` is not an archive, which its name does not say",
            "check that it was copied completely, and that it is not an error page",
        ),
    ];
    for (files, beside, code, cause, hint) in cases {
        let site = Site::new();
        match files {
            [] => drop(site.write(&archive(), "<html>")),
            files => drop(site.tar(&archive(), files)),
        }
        if !beside.is_empty() {
            site.write(&format!("{}.sha256", archive()), beside);
        }
        let found = said(&site, &["prepare", "k:1"]);
        let (cause, hint) = (format!("cause: {}", cause.replace("ARCHIVE", &archive())), format!("hint: {hint}"));
        let title = not_available(code);
        let whole = [&*title, &*cause, &*hint];
        assert_said(&found, if hint == "hint: " { &whole[..2] } else { &whole[..] });
        match code {
            "E_DIST_NO_PYTHON" if files[0].0 == "lib/a" => {
                assert!(
                    found[1].ends_with("none of bin/python3, bin/python, python/bin/python3 is there"),
                    "{found:?}"
                );
            }
            "E_DIST_NO_PYTHON" => assert!(found[1].ends_with("` does not run: it ended with 3: broken"), "{found:?}"),
            "E_ARCHIVE_WRONG_PLATFORM" => assert!(found[1].contains(", and this machine is "), "{found:?}"),
            "E_ARCHIVE_CHECKSUM" if beside != "nothing" => {
                assert!(found[1].ends_with(&format!(", the file `.sha256` beside it says {zeros}")), "{found:?}");
            }
            _ => {}
        }
    }
}

#[test]
fn a_folder_that_cannot_be_used_says_why() {
    let site = Site::new();
    site.tar(&archive(), &[("bin/python3", PYTHON.as_bytes()), ("lib/a.py", b"x = 1\n")]);
    fs::create_dir(site.path(&format!("{}.sha256", archive()))).unwrap();
    let cause = format!("cause: `SITE/{}.sha256` cannot be read: …", archive());
    assert_said(&said(&site, &["prepare", "k:1"]), &[&not_available("E_DIST_READ"), &cause]);
    fs::remove_dir(site.path(&format!("{}.sha256", archive()))).unwrap();
    fs::remove_dir_all(site.path("dists")).unwrap();
    site.write("dists", "a file");
    let cause = "cause: `SITE/dists/.locks/…";
    let found = said(&site, &["prepare", "k:1"]);
    assert_said(&found, &[&not_available("E_DIST_WRITE"), cause]);
    assert!(found[1].contains("` cannot be written: "), "{found:?}");
    fs::remove_file(site.path("dists")).unwrap();

    assert_eq!(site.run(&["prepare", "k:1"]).0, 0);
    let lock = File::options().write(true).open(site.path(&format!("dists/.locks/pydist-k-1-{}.lock", os()))).unwrap();
    lock.lock().unwrap();
    fs::remove_dir_all(site.path("dists/k-1")).unwrap();
    assert_said(
        &said(&site, &["prepare", "k:1", "--set", "loader.lockTimeout=1"]),
        &[
            &not_available("E_DIST_LOCKED"),
            "cause: another process has been installing it for 1 s",
            "hint: wait for it, or raise loader.lockTimeout",
        ],
    );
    drop(lock);

    assert_eq!(site.run(&["prepare", "k:1"]).0, 0);
    fs::remove_file(site.path(&archive())).unwrap();
    site.write("dists/k-1/lib/a.py", "changed");
    assert_said(
        &said(&site, &["prepare", "k:1"]),
        &[
            &not_available("E_DIST_DAMAGED"),
            "cause: `SITE/dists/k-1` has changed since it was installed, and cannot be repaired: `lib/a.py` has another size",
            "hint: remove the folder and provide its archive, in a place that can be written",
        ],
    );
    fs::remove_file(site.path("dists/k-1/.pydist-loader/install.json")).unwrap();
    assert_said(
        &said(&site, &["prepare", "k:1"]),
        &[
            &not_available("E_DIST_INCOMPLETE"),
            "cause: `SITE/dists/k-1` was not installed completely, and its archive is gone",
            "hint: remove the folder, or provide the archive again",
        ],
    );
}

#[test]
fn without_a_home_it_is_said_which_settings_are_missing() {
    let site = operators::site();
    let nowhere = |words: &[&str]| {
        let mut command = site.command(words);
        command.env_remove("HOME");
        said_by(&site, &mut command)
    };
    assert_said(
        &nowhere(&["run", "words:fails"]),
        &[
            "error[E_EXT_FOLDERS]: cannot determine a folder for unpacked extensions: no home folder is set",
            "hint: set loader.cacheDir",
        ],
    );
    let mut command = site.command(&["prepare", "k:1"]);
    command.env_remove("HOME").env_remove("PYSDK_PEL_DIST_LOC");
    assert_said(
        &said_by(&site, &mut command),
        &[
            "error[E_EXT_FOLDERS]: cannot determine the folders for distributions and archives: no home folder is set",
            "hint: set pysdk.pel.distLoc, pysdk.pel.resourceLoc and pysdk.pel.extLoc",
        ],
    );
}

#[test]
fn a_call_that_cannot_be_made_says_why() {
    let site = operators::site();
    let feather = site.write("table.arrow", "ARROW1 and more");
    let frame = json!({
        "extension": { "name": "F", "namespace": "frames", "version": "1", "module": "frames", "environment": "custom:1.0.0" },
        "operators": {
            "takes": { "inputs": [{ "name": "table", "type": "pandas.DataFrame" }], "outputs": [{ "name": "result" }] },
            "shines": { "parameters": [{ "name": "beam", "type": "hologram" }] },
        },
    });
    site.zip("ext/frames.zip", &[("extension.json", frame.to_string().as_bytes()), ("frames/__init__.py", b"")]);
    let input = |port: &str, file: &std::path::Path| format!("{port}={}", file.display());
    let missing = site.path("missing.txt");
    let twice = |option: &str, value: &str| {
        let words = ["words:count", option, value, option, value];
        words.into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    let cases: [(Vec<String>, &[&str]); 11] = [
        (
            twice("--in", "path=a"),
            &["error[E_PORT]: the input `path` is given twice", "hint: leave out one of them: a port has one file"],
        ),
        (
            twice("--out", "file=a"),
            &["error[E_PORT]: the output `file` is given twice", "hint: leave out one of them: a port has one file"],
        ),
        (
            twice("-p", "factor=1"),
            &[
                "error[E_PARAM]: `count` cannot be run with these parameters:",
                "`factor` is given twice",
                "hint: `pydist extension inspect ZIP` lists the parameters",
            ],
        ),
        (
            vec!["words:count".to_owned(), "--out".to_owned(), format!("file={}", site.path("ext").display())],
            &[
                "error[E_RUN_FILES]: cannot write `SITE/ext`: is a directory",
                "hint: check that it is there, and that this account may write it",
            ],
        ),
        (
            vec!["words:cuont".to_owned()],
            &[
                "error[E_OP_UNKNOWN]: `words` has no operator `cuont`; it has count, fails, keeps, logs_in, refuses, tagged",
                "hint: write NAMESPACE:FUNCTION; `pydist extension inspect ZIP` lists what a zip has",
            ],
        ),
        (
            vec!["nobody:count".to_owned()],
            &[
                "error[E_EXT_UNKNOWN]: `nobody` is not an available extension",
                "hint: `pydist extension list` shows the extensions, and why some are not available",
            ],
        ),
        (
            vec!["frames:shines".to_owned()],
            &[
                "error[E_OP_UNSUPPORTED]: `shines` cannot be run: its parameter `beam` has the unknown type `hologram`",
                "hint: the extension was made for a newer loader; update this program",
            ],
        ),
        (
            vec!["words:count".to_owned(), "--out".to_owned(), "x=y".to_owned()],
            &[
                "error[E_PORT]: `count` cannot be run: its input `path` is missing, it has no output `x`; its inputs are path, \
                 its outputs file, raw",
                "hint: give each input with --in PORT=FILE, and each output that is kept with --out PORT=FILE",
            ],
        ),
        (
            vec!["words:count".to_owned(), "--in".to_owned(), input("path", &missing)],
            &[
                "error[E_RUN_FILES]: cannot read `SITE/missing.txt`: …",
                "hint: check that it is there, and that this account may read it",
            ],
        ),
        (
            vec!["frames:takes".to_owned(), "--in".to_owned(), input("table", &feather)],
            &[
                "error[E_RUN_INPUT]: `SITE/table.arrow` is not an Arrow stream, it is an Arrow file (Feather)",
                "hint: the ending of a file's name says what it is: .arrow, .json.gz, .csv",
            ],
        ),
        (
            vec!["words:keeps".to_owned(), "--out".to_owned(), "kept=x.bin".to_owned()],
            &[
                "error[E_RUN_OUTPUT]: the output `kept` cannot be written as asked: it is an object that stays in its server",
                "hint: change --out kept=…, or leave it out",
            ],
        ),
    ];
    for (words, expected) in cases {
        let words: Vec<&str> = ["run"].into_iter().chain(words.iter().map(String::as_str)).collect();
        assert_said(&said(&site, &words), expected);
    }
}

#[test]
fn an_extension_that_cannot_be_built_says_why() {
    let site = operators::site();
    let folder = site.path("src").display().to_string();
    let build = || said(&site, &["build", &folder, "--out", site.path("out").to_str().unwrap()]);
    let toml =
        "[extension]\nname = 'T'\nnamespace = 't'\nversion = '1'\nmodule = 'tools'\nenvironment = 'custom:1.0.0'\n";
    assert_said(
        &build(),
        &[
            "error[E_EXT_BUILD_FILES]: `SITE/src` has no extension.toml",
            "hint: name the folder that holds extension.toml and the Python package",
        ],
    );
    fs::create_dir_all(site.path("src/extension.toml")).unwrap();
    assert_said(&build(), &["error[E_EXT_BUILD_FILES]: cannot read `SITE/src/extension.toml`: …"]);
    fs::remove_dir(site.path("src/extension.toml")).unwrap();
    site.write("src/extension.toml", toml);
    assert_said(
        &build(),
        &[
            "error[E_EXT_MODULE]: the module `tools` is missing: there is no `SITE/src/tools/__init__.py`",
            "hint: `module` in extension.toml is the folder of a Python package beside it",
        ],
    );
    site.write("src/tools/__init__.py", "import no_such_module\n");
    let found = build();
    assert!(found[0].starts_with("error[E_EXT_IMPORT]: the module `tools` does not import: "), "{found:?}");
    let hint = "hint: build with the distribution that the extension runs on, or name a Python with --python";
    assert_eq!(found.last().unwrap(), hint);
    site.write("src/tools/__init__.py", "import os\nos._exit(3)\n");
    let found = build();
    assert!(
        found[0].starts_with("error[E_EXT_IMPORT]: `SITE/dists/custom-1.0.0/bin/python3` ended with exit code 3"),
        "{found:?}"
    );
    site.write("src/tools/__init__.py", "def count(a: int):\n    pass\n");
    std::os::unix::fs::symlink("/etc/hostname", site.path("src/tools/link.txt")).unwrap();
    assert_said(
        &build(),
        &[
            "error[E_EXT_BUILD_FILES]: `SITE/src/tools/link.txt` is a link; links do not go into a zip",
            "hint: replace it by what it leads to",
        ],
    );
    fs::remove_file(site.path("src/tools/link.txt")).unwrap();
    // What a zip cannot hold is not left out in silence.
    std::os::unix::fs::symlink("nowhere", site.path("src/env.yml")).unwrap();
    assert_said(&build(), &["error[E_EXT_BUILD_FILES]: cannot read `SITE/src/env.yml`: …"]);
    fs::remove_file(site.path("src/env.yml")).unwrap();
    let socket = std::os::unix::net::UnixListener::bind(site.path("src/tools/socket")).unwrap();
    let expected = "error[E_EXT_BUILD_FILES]: cannot read `SITE/src/tools/socket`: it is not a regular file";
    assert_said(&build(), &[expected]);
    drop(socket);
    fs::remove_file(site.path("src/tools/socket")).unwrap();
    site.write("src/tools/aux.txt", "");
    assert_said(
        &build(),
        &[
            "error[E_EXT_BUILD_FILES]: the name of `tools/aux.txt` cannot be in a zip for all systems: `aux.txt` is not a file name on Windows",
            "hint: rename it",
        ],
    );
}

#[test]
fn a_bundle_that_cannot_be_made_says_why() {
    let site = Site::new();
    let folder = site.path("packages").display().to_string();
    let bundle = || said(&site, &["bundle", &folder, "--id", "k:1", "--os", "linux", "--out", "out"]);
    fs::create_dir(site.path("packages")).unwrap();
    assert_said(
        &bundle(),
        &[
            "error[E_BUNDLE_EMPTY]: `SITE/packages` has no packages for linux: none of channel/linux-64, …",
            "hint: put conda packages with their repodata.json into one of these folders",
        ],
    );
    site.write("packages/channel/linux-64/a-1-0.conda", "x");
    assert_said(&bundle(), &["error[E_BUNDLE_READ]: cannot read `SITE/packages/channel/linux-64/repodata.json`: …"]);
    let listed = |digest: &str| {
        let packages = json!({ "a-1-0.conda": { "name": "a", "sha256": digest } });
        site.write("packages/channel/linux-64/repodata.json", json!({ "packages.conda": packages }).to_string())
    };
    listed(&vocab::Digest::of("x").to_string());
    let wheel = site.write("packages/wheels/a-1.tar.gz", "x");
    assert_said(
        &bundle(),
        &[
            "error[E_BUNDLE_FILE]: `SITE/packages/wheels/a-1.tar.gz` does not end in `.whl`…",
            "hint: a bundle has packages that their repodata.json lists, wheels and lock files, and nothing else",
        ],
    );
    fs::remove_file(wheel).unwrap();
    let zeros = "0".repeat(64);
    listed(&zeros);
    let found = bundle();
    let start = "error[E_PACKAGE_CHECKSUM]: the SHA-256 of `SITE/packages/channel/linux-64/a-1-0.conda` is …";
    assert_said(&found, &[start, "hint: fetch the package again"]);
    assert!(found[0].ends_with(&format!(", its repodata.json says {zeros}")), "{found:?}");
}

/// Message, causes and hint of an answer.
fn told(site: &Site, answer: &Value) -> (String, String) {
    let error = &answer["error"];
    let causes: Vec<&str> = error["causes"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let text = [&[error["message"].as_str().unwrap_or_default()], &causes[..]].concat().join(": ");
    let text = text.replace(&site.path("").display().to_string(), "SITE/");
    (text, error["hint"].as_str().unwrap_or_default().to_owned())
}

#[test]
fn a_host_reads_what_is_wrong_with_its_requests() {
    let site = serve::site();
    let mut host = Served::start(&site, &[]);
    let one_object = "write one JSON object with `id` and `method` on each line";
    let members = "docs/formats/host-protocol.md lists the members of each request";
    host.send_line(b"{\"method\": \"list\"}");
    let no_id = told(&site, &host.answer(&Value::Null));
    assert_eq!((&*no_id.0, &*no_id.1), ("`id` is neither a text nor a number", one_object));
    host.send_line(b"hello?");
    let (text, hint) = told(&site, &host.answer(&Value::Null));
    assert!(text.starts_with("the line is not a request: ") && hint == one_object, "{text}");
    host.send_line(&vec![b'x'; 17 << 20]);
    let long = told(&site, &host.answer(&Value::Null));
    assert_eq!((&*long.0, &*long.1), ("the line is longer than 16 MiB", "give content by the path of a file"));
    let (text, _) = told(&site, &host.ask(&json!({ "id": 1, "method": "fly" })));
    assert!(text.starts_with("there is no method `fly`; there are hello, list"), "{text}");
    let (text, hint) = told(&site, &host.ask(&run(2, "words:count", json!({ "parameters": [] }))));
    let is_it = text.starts_with("`run` was asked for wrongly: ")
        && text.ends_with("/parameters: an object is expected, not a list");
    assert!(is_it && hint == members, "{text}");
    let (text, hint) = told(&site, &host.ask(&run(3, "words", json!({}))));
    assert!(text.starts_with("`run` was asked for wrongly: ") && hint == members, "{text}");
    let other = told(&site, &host.ask(&json!({ "id": 4, "method": "hello", "protocol": 2 })));
    let expected = ("this program speaks protocol 1, not 2", "use the pydist that the host was made for");
    assert_eq!((&*other.0, &*other.1), expected);
    assert!(host.ended());
}

#[test]
fn a_host_that_asks_too_much_at_once_is_told_to_wait() {
    let site = serve::site();
    let mut host = Served::start(&site, &[]);
    let naps = |id: u64| run(id, "more:naps", json!({ "parameters": { "seconds": 600.0 } }));
    for id in 0..64 {
        host.send(&naps(id));
    }
    let busy = host.ask(&json!({ "id": 65, "method": "servers" }));
    assert_eq!(busy["error"]["code"], "E_HOST_BUSY", "{busy}");
    let in_use = told(&site, &busy);
    assert_eq!((&*in_use.0, &*in_use.1), ("64 requests are not answered yet", "wait for answers before you ask more"));
    for id in 1..64 {
        // A cancellation is answered even then.
        host.ask(&json!({ "id": 100 + id, "method": "cancel", "request": id }));
    }
    host.send(&naps(0));
    let in_use = told(&site, &host.answer(&json!(0)));
    assert_eq!(
        (&*in_use.0, &*in_use.1),
        ("a request with this id is not answered yet", "give every request an id of its own")
    );
    assert!(host.ended());
}

#[test]
fn what_a_host_cannot_have_is_named() {
    let site = serve::site();
    let mut host = Served::start(&site, &[]);
    host.result(&site, 1, "more:pid", json!({}));
    fs::remove_file(site.path("ext/helping.zip")).unwrap();
    let (text, _) = told(&site, &host.run(2, "words:fails", json!({})));
    assert!(text.starts_with("cannot read `SITE/ext/helping.zip`: "), "{text}");
    let descriptor = json!({
        "extension": { "name": "O", "namespace": "other", "version": "1", "module": "more_module", "environment": "custom:1.0.0" },
        "operators": { "pid": { "outputs": [{ "name": "result" }] } },
    });
    let module = b"def pid():\n    return None\n";
    site.zip(
        "ext/other.zip",
        &[("extension.json", descriptor.to_string().as_bytes()), ("more_module/__init__.py", module)],
    );
    host.ask(&json!({ "id": 3, "method": "rescan" }));
    let clash = told(&site, &host.run(4, "other:pid", json!({})));
    let expected = (
        "`more` and `other` both have a module `more_module`, and one server cannot import both",
        "their authors have to rename one of the modules, or ask for another distribution",
    );
    assert_eq!((&*clash.0, &*clash.1), expected);
    assert!(host.ended());
}
