//! `builder job` where no code of a job runs: the folder has no setup file, or the command line is wrong.

use std::path::Path;
use std::process::{Command, Output};

const CONFIG: &str = "job_name: ${NAME}\npipeline_options:\n  runner: direct\n  streaming: no\n  setup_file: setup.py\n\
                      job_config:\n  events:\n    inputs:\n    - {type: file, name: main, location: a}\n";

fn job(words: &[&str], folder: &Path) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_builder"));
    command.args(["job", "check"]).args(words).current_dir(folder).env("PYDIST_STORE", folder.join("store"));
    command.output().unwrap()
}

fn folder(config: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("audio")).unwrap();
    std::fs::write(folder.path().join("audio/klio-job.yaml"), config).unwrap();
    folder
}

fn texts(output: &Output) -> (String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (text(&output.stdout), text(&output.stderr))
}

#[test]
fn klio_26_to_30_values_of_the_command_line_reach_the_configuration() {
    let folder = folder(CONFIG);
    let words = [
        "audio",
        "--json",
        "-T",
        "NAME=a-b",
        "-O",
        "job_config.events.inputs.main.location=b=c",
        "--set-json",
        "pipeline_options.experiments=[\"x\"]",
    ];
    let output = job(&words, folder.path());
    assert_eq!(output.status.code(), Some(1), "the setup file is missing");
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let config = &report["configs"][0];
    assert_eq!((&config["job_name"], &config["pipeline_options"]["streaming"]), (&"a-b".into(), &false.into()));
    assert_eq!(config["job_config"]["events"]["inputs"]["main"]["location"], "b=c");
    assert_eq!(config["pipeline_options"]["experiments"], serde_json::json!(["x"]));
    let finding = &report["findings"][0];
    assert_eq!((&finding["code"], &finding["line"]), (&"KJ021".into(), &5.into()));
    let (stdout, stderr) = texts(&job(&["audio"], folder.path()));
    assert!(
        stdout.contains("error[KJ007]: klio-job.yaml:1: template variable `NAME` has no value\n  help: pass -T NAME=…")
    );
    assert!(stderr.contains("job checked, 1 error"), "{stderr}");
}

#[test]
fn klio_28_and_58_wrong_command_lines_end_with_exit_code_2() {
    let folder = folder(&CONFIG.replace("${NAME}", "x"));
    for (words, told) in [
        (&["audio", "-O", "x"][..], "error[KJ008]: `x` is not of the form key=value"),
        (&["audio", "--system-packages", "deb=folder"], "possible values: record, error"),
        (&["audio", "--commands", "run"], "possible values: translate, record, deny"),
        (&["audio", "--fnapi-conflict", "no"], "possible values: error, warn"),
        (&["audio", "--offline", "--index-url", "https://x.example"], "cannot be used with"),
        (&["audio", "--offline", "--extra-index-url", "https://x.example"], "cannot be used with"),
        (&["audio", "--allow", "KJ021"], "KJ021 cannot be allowed"),
        (&["audio", "--allow", "KJ999"], "`KJ999` is not a code"),
        (&["audio", "--python", "2.7"], "Python 2.7 is not supported"),
        (&["audio", "--python", "new"], "`new` is not a version of Python"),
        (&["nowhere"], "cannot read the job folder `nowhere`"),
        (&["audio", "--with", "nowhere"], "cannot read the job folder `nowhere`"),
    ] {
        let output = job(words, folder.path());
        let (stdout, stderr) = texts(&output);
        assert_eq!(output.status.code(), Some(2), "{words:?}: {stdout}{stderr}");
        assert!(stdout.contains(told) || stderr.contains(told), "{words:?}: {stdout}{stderr}");
    }
}

#[test]
fn klio_16_and_44_rules_change_levels_and_no_stream_shows_a_password() {
    let folder = folder(&CONFIG.replace("${NAME}", "x").replace("streaming: no", "experiments: [beam_fn_api]"));
    let level = |words: &[&str]| {
        let (stdout, _) = texts(&job(words, folder.path()));
        stdout.lines().find(|line| line.contains("KJ024")).and_then(|line| line.split('[').next().map(str::to_owned))
    };
    assert_eq!(level(&["audio"]).as_deref(), Some("error"));
    assert_eq!(level(&["audio", "--fnapi-conflict", "warn"]).as_deref(), Some("warning"));
    assert_eq!(level(&["audio", "--fnapi-conflict", "warn", "--strict"]).as_deref(), Some("error"));
    assert_eq!(level(&["audio", "--allow", "KJ024", "--strict"]).as_deref(), Some("note"));

    let secret = "https://ada:hunter2@index.example/simple";
    let long = format!("pipeline_options.extra_packages=[\"{secret}/x.tar.gz\"]");
    let value = format!("job_config.x={secret}");
    for flag in ["--json", "--verbose"] {
        let words =
            ["audio", flag, "--index-url", secret, "--extra-index-url", secret, "--set-json", &long, "-O", &value];
        let output = job(&[&words[..], &["-T", "ada:hunter2@index.example"]].concat(), folder.path());
        let (stdout, stderr) = texts(&output);
        assert!(stdout.contains("KJ055"), "{stdout}");
        assert!(!format!("{stdout}{stderr}").contains("hunter2"), "{stdout}{stderr}");
    }
}
