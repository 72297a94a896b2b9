//! The plan, as `--dry-run` prints it.

use super::ScriptPod;

#[test]
fn a_dry_run_says_where_each_package_comes_from_and_starts_nothing() {
    let pod = ScriptPod::new()
        .set("PACKAGES", "six>=1,six<1.17,numpy[x]>=2, pywin32; sys_platform == 'win32'")
        .set("OS_PACKAGES", "ffmpeg")
        .set("ETL_FQN_ROOTS", "/ais")
        .with("apt-get", "")
        .with("uv", "");
    let run = pod.run(&["run", "--dry-run"]);
    assert_eq!((run.code, run.calls.len()), (Some(0), 0), "{}", run.stderr);
    let root = pod.root().display().to_string();
    let lines: Vec<String> = run.stdout.lines().map(|line| line.replace(&root, "ROOT")).collect();
    let overlay = lines.iter().position(|line| line.starts_with("overlay: ROOT/work/overlay-")).unwrap();
    assert_eq!(
        lines[..overlay],
        [
            "runtime: Python 3.12 at ROOT/runtime/bin/python3",
            "run: ROOT/path/apt-get update",
            "run: ROOT/path/apt-get install -y --no-install-recommends ffmpeg",
            "package six>=1: 1.17.0 is in the runtime",
            "package six<1.17: from the index, since the runtime has 1.17.0",
            "package numpy[x]>=2: from the index",
            "package pywin32: does not apply to this Python and platform",
        ]
    );
    assert_eq!(lines[overlay + 1], "objects are read below: /ais");
}

#[test]
fn a_dry_run_is_data_with_json() {
    let run = ScriptPod::new().set("PACKAGES", "six,numpy").run(&["--dry-run", "--json"]);
    let plan: serde_json::Value = serde_json::from_str(run.stdout.trim()).unwrap();
    assert_eq!(plan["event"], "plan");
    assert_eq!(plan["packages"][0]["source"]["runtime"], "1.17.0");
    assert_eq!(plan["packages"][1]["source"]["index"], serde_json::json!({}));
    assert_eq!(plan["server"]["workers"], 4);
}
