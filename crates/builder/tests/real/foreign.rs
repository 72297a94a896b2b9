//! Prefixes for every platform from one machine: where files lie, what scripts are, and equal bytes.

use std::fs;
use std::path::Path;

use serde_json::json;
use testkit::WheelBuilder;
use vocab::{Digest, PlatformKey};

use crate::support::{self, Bench, PYTHON, Run};

fn bench() -> Bench {
    let tool = WheelBuilder::new("tool", "1.0")
        .file("tool/__init__.py", "def main():\n    print('the tool runs')\n")
        .file("{data}/scripts/old-style", "#!python\nimport tool\ntool.main()\n")
        .file("{data}/data/share/tool.txt", "")
        .console_script("tool", "tool:main")
        .entry_point("gui_scripts", "tool-window", "tool:main");
    let tags =
        ["manylinux_2_28_x86_64", "manylinux_2_28_aarch64", "macosx_11_0_x86_64", "macosx_11_0_arm64", "win_amd64"];
    let tagged = tags.map(|tag| {
        WheelBuilder::new("tagged", "1.0")
            .tag(&format!("cp314-cp314-{tag}"))
            .file(&format!("tagged/{tag}.txt"), "")
            .build()
    });
    Bench::of(json!({ "dependencies": ["tool", "tagged"] }), tagged.into_iter().chain([tool.build()]))
}

/// Paths of what the two wheels brought, with what a script begins with.
fn listed(prefix: &Path) -> String {
    let mut lines = Vec::new();
    for entry in walkdir::WalkDir::new(prefix).sort_by_file_name() {
        let entry = entry.unwrap();
        let path = entry.path().strip_prefix(prefix).unwrap().display().to_string();
        let own = ["tool", "tagged", "old-style"].iter().any(|name| path.contains(name));
        let others = ["tools", "tooltip", "/pip/"].iter().any(|name| path.contains(name)) || path.contains("/test");
        let is_program = path.starts_with("bin/") || path.starts_with("Scripts/");
        let in_site = path.contains("site-packages/") || is_program || path.starts_with("share/");
        if !entry.file_type().is_file() || !own || others || !in_site {
            continue;
        }
        let bytes = fs::read(entry.path()).unwrap();
        let start = String::from_utf8_lossy(&bytes[..bytes.len().min(2)]).into_owned();
        lines.push(if is_program { format!("{path}  {start}") } else { path });
    }
    lines.join("\n")
}

/// Digest of each artifact, in the order of the platforms.
fn digests(run: &Run) -> Vec<Digest> {
    let artifacts = run.lines.iter().filter_map(|line| line["artifacts"][0].as_str());
    artifacts.map(|path| Digest::of(fs::read(path).unwrap())).collect()
}

#[test]
fn every_platform_has_its_own_places_and_scripts_and_the_same_bytes_again() {
    let bench = bench();
    let first = bench.build_with(&["--platform", "all"]);
    let listings = PlatformKey::ALL.map(|platform| {
        let prefix = bench.repository.at(&format!("python-{PYTHON}/pydist/{platform}"));
        format!("{platform}\n{}\n", listed(&prefix))
    });
    insta::assert_snapshot!(listings.join("\n"));

    // Again in another store that packs everything itself; two platforms stand for the kinds of trees.
    bench.make_store("other");
    let parts = bench.path("other/parts");
    fs::remove_file(&parts).unwrap();
    fs::create_dir(&parts).unwrap();
    let out = bench.path("again");
    let mut command = bench.command(&[PYTHON, "--platform", "macosx-aarch64", "--platform", "windows-x64"]);
    command.arg("--out").arg(&out);
    let again = support::run(command.env("PYDIST_STORE", bench.path("other")));
    assert_eq!(again.code, 0, "{}", again.told());
    assert_eq!(digests(&again), digests(&first)[3..]);
}

#[test]
fn a_copied_file_that_windows_cannot_hold_is_refused_there_with_its_path() {
    let bench = Bench::of(json!({ "dependencies": [], "copyFiles": [{ "from": "aux.txt", "to": "share/" }] }), []);
    bench.repository.file(&format!("python-{PYTHON}/aux.txt"), "");
    let run = bench.fail(&["--platform", "windows-x64"], 1);
    assert_eq!(run.error()["code"], "E_NAME", "{}", run.told());
    let prefix = bench.repository.at(&format!("python-{PYTHON}/pydist/windows-x64"));
    assert!(!prefix.exists());
}
