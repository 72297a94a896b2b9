//! What the program says where it cannot serve.
#![cfg(windows)]
#![expect(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

use std::process::Command;

#[test]
fn serving_and_baking_are_refused_with_what_to_use_instead() {
    let folder = tempfile::tempdir().unwrap();
    for words in [&["run"][..], &["run", "--dry-run"], &["bake", "--packages", "six", "--to", "deltas"]] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_etl-runtime"));
        command.args(words).current_dir(folder.path());
        command.env("ETL_CLASS_PAYLOAD", "aGVsbG8=").env("AIS_TARGET_URL", "http://target.example.com/v1");
        let output = command.output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains("error[E_ETL_RUNTIME]: ETL servers run on Linux and macOS only"), "{said}");
        assert!(said.contains("hint: use Linux, or a container"), "{said}");
    }
}
