//! The host in Java of `examples/`, with the extensions there, beside what `pydist extension run` does.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};
use testkit::is_left_out;

use crate::examples::{Examples, root};

/// Compiled as for Java 11, without a warning. `None` where there is no compiler.
fn classes(folder: &Path) -> Option<PathBuf> {
    if is_left_out("javac") {
        return None;
    }
    let source = root().join("examples/java-host/PydistHost.java");
    let classes = folder.join("classes");
    let mut javac = Command::new("javac");
    javac.args(["--release", "11", "-Xlint:all", "-Werror", "-encoding", "UTF-8", "-d"]).arg(&classes).arg(source);
    let output = javac.output().expect("the test needs javac, or to be told that it is left out");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(classes)
}

fn host(classes: &Path, examples: &Examples, folder: &Path) -> Command {
    let mut command = Command::new("java");
    command.args(["-Xshare:auto", "-Dfile.encoding=UTF-8", "-cp"]).arg(classes).arg("PydistHost");
    command.arg(env!("CARGO_BIN_EXE_pydist")).arg(folder).args(examples.options());
    // Without it Java takes names of files for ASCII.
    command.env("LC_ALL", "C.UTF-8");
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn told(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{}\n{}", text(&output.stdout), text(&output.stderr));
    text(&output.stdout)
}

#[test]
fn l5_a_host_in_java_gives_what_our_own_gives_and_two_of_them_work_at_once() {
    let examples = Examples::new();
    // The launcher of Java finds no classes in a folder with such a name.
    let plain = tempfile::tempdir().unwrap();
    let Some(classes) = classes(plain.path()) else { return };
    let folders = ["one", "two"].map(|name| examples.path().join(name));
    let hosts = folders.each_ref().map(|folder| host(&classes, &examples, folder).spawn().unwrap());
    let said = hosts.map(|host| told(&host.wait_with_output().unwrap()));
    for (folder, said) in folders.iter().zip(&said) {
        let shown = folder.to_str().unwrap();
        let said = said.replace(shown, "FOLDER");
        let lines: Vec<&str> = said.lines().filter(|line| !line.starts_with("  `")).collect();
        let file = |name: &str, size: u64| json!({ "form": "file", "name": name, "size": size });
        let bytes = |size: u64| json!({ "form": "bytes", "size": size });
        let written = |mut value: Value, name: &str| {
            value["path"] = format!("FOLDER/{name}").into();
            value
        };
        let table = |rows: u64, columns: [(&str, &str); 2]| {
            let columns = columns.map(|(name, kind)| json!({ "name": name, "type": kind }));
            json!({ "form": "table", "rows": rows, "columns": columns })
        };
        let scaled = table(2, [("name", "nominal"), ("price", "real")]);
        let totals = table(1, [("column", "nominal"), ("sum", "real")]);
        let expected = [
            ("table_tools 1.0.0: ", json!("available")),
            ("text_tools 1.0.0: ", json!("available")),
            ("count_words: ", json!({ "counts": written(file("counts.csv", 24), "counts.csv") })),
            ("scale: ", json!({ "scaled": written(scaled, "scaled.arrow") })),
            ("total: ", json!({ "totals": written(totals, "totals.csv") })),
            ("divide: ", json!({ "result": written(bytes(3), "quotient.txt") })),
            (
                "divide by 0: ",
                json!(
                    "E_OPERATOR: ZeroDivisionError: float division by zero (table_tools/__init__.py line 37); the traceback"
                ),
            ),
            ("misspelt: ", json!("E_PARAM: `divide` cannot be run with these parameters:")),
            ("  round ", json!("1 of 3")),
            ("  round ", json!("2 of 3")),
            ("  round ", json!("3 of 3")),
            ("train: ", json!({ "result": bytes(7) })),
            ("count_words beside it: ", json!({ "counts": file("counts.csv", 37) })),
            ("cancelled: ", json!("E_INTERRUPTED: the call was cancelled")),
            ("end_python: ", json!("E_SERVER_CRASHED: the server ended during the call, with exit code 3")),
            ("divide after that: ", json!({ "result": bytes(4) })),
            ("closed", json!("")),
        ];
        assert_eq!(lines.len(), expected.len(), "{said}");
        for (line, (name, expected)) in lines.iter().zip(expected) {
            let rest = line.strip_prefix(name).unwrap_or_else(|| panic!("{line:?} is not of {name:?}"));
            match expected.as_str() {
                Some(text) => assert!(rest.starts_with(text), "{line:?} is not {text:?}"),
                None => assert_eq!(serde_json::from_str::<Value>(rest).unwrap(), expected, "{name}"),
            }
        }

        // The same operators by `pydist extension run`.
        let own = folder.join("own");
        let file = |name: &str| folder.join(name).display().to_string();
        let kept = |name: &str| own.join(name).display().to_string();
        fs::create_dir(&own).unwrap();
        let calls: [(&str, Vec<String>); 4] = [
            (
                "text_tools:count_words",
                vec![
                    "-p".into(),
                    "at_least=2".into(),
                    "--in".into(),
                    format!("texts={}", file("text.txt")),
                    "--out".into(),
                    format!("counts={}", kept("counts.csv")),
                ],
            ),
            (
                "table_tools:scale",
                vec![
                    "-p".into(),
                    "factor=10".into(),
                    "--in".into(),
                    format!("table={}", file("table.csv")),
                    "--out".into(),
                    format!("scaled={}", kept("scaled.arrow")),
                ],
            ),
            (
                "table_tools:total",
                vec![
                    "--in".into(),
                    format!("table={}", kept("scaled.arrow")),
                    "--out".into(),
                    format!("totals={}", kept("totals.csv")),
                ],
            ),
            (
                "table_tools:divide",
                vec![
                    "-p".into(),
                    "dividend=7".into(),
                    "-p".into(),
                    "divisor=2".into(),
                    "--out".into(),
                    format!("result={}", kept("quotient.txt")),
                ],
            ),
        ];
        for (operator, words) in calls {
            examples.run(operator, &words);
        }
        for name in ["counts.csv", "scaled.arrow", "totals.csv", "quotient.txt"] {
            assert!(fs::read(folder.join(name)).unwrap() == fs::read(own.join(name)).unwrap(), "{name} differs");
        }
        assert_eq!(fs::read_to_string(own.join("totals.csv")).unwrap().trim(), "column,sum\nprice,40.0");
        assert_eq!(
            fs::read_to_string(own.join("counts.csv")).unwrap().replace("\r\n", "\n"),
            "word,count\nbe,2\nto,2\n"
        );
    }
    assert_eq!(examples.servers(), [""; 0], "every server has ended with its host");
}
