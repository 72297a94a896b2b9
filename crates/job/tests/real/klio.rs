//! A job of Klio itself: `klioexec` 22.3.0, which is for Python 3.8 at most, reads a file and writes one.
//!
//! PYDIST_KLIO says that it shall run: it takes minutes and some hundred MB from the index that uv is set up with.

use std::fs;
use std::path::Path;
use std::process::Command;

use job::{VerifyOutcome, verify};

use super::bake::Bench;
use super::{CONTEXT, Job};

const CONFIG: &str = "job_name: klio-read-file
pipeline_options:
  runner: DirectRunner
  project: not-a-real-project
  streaming: no
  setup_file: setup.py
job_config:
  allow_non_klio_messages: yes
  events:
    inputs:
      - type: file
        location: ./elements.txt
    outputs:
      - type: file
        location: ./said
";
/// Later releases of these do not go with Klio's last one; it needs pkg_resources.
const SETUP: &str = r#"import setuptools
setuptools.setup(
    name="klio-read-file", version="0.0.1", py_modules=["run", "transforms"], data_files=[(".", ["klio-job.yaml"])],
    install_requires=["klio-exec==22.3.0", "apache-beam[gcp]==2.35.0", "protobuf<3.21", "setuptools<66"],
)
"#;
const RUN: &str = "import apache_beam as beam\n\nimport transforms\n\n\ndef run(messages, config):\n    return messages | beam.ParDo(transforms.Louder())\n";
const TRANSFORMS: &str = r#"import apache_beam as beam
from klio.transforms import decorators


class Louder(beam.DoFn):
    @decorators.handle_klio
    def process(self, data):
        with open("said-aloud", "a") as file:
            file.write(data.element.decode("utf-8").upper() + "\n")
        yield data
"#;

fn klio_job() -> Job {
    let job = Job::new(SETUP);
    job.remove("my-model.h5").write("klio-job.yaml", CONFIG).write("elements.txt", "one\ntwo\nthree\n");
    job.write("run.py", RUN).write("transforms.py", TRANSFORMS);
    job
}

/// As the image of a job does: in a copy of its folder, which is on PYTHONPATH. What the transform and the pipeline wrote.
fn klioexec(prefix: &Path, job: &Job) -> Vec<String> {
    let copy = tempfile::tempdir().expect("temporary folders can be made");
    for name in ["klio-job.yaml", "setup.py", "run.py", "transforms.py", "elements.txt"] {
        fs::copy(job.at(name), copy.path().join(name)).expect("files can be copied");
    }
    let mut command = Command::new(prefix.join("bin/klioexec"));
    command.args(["run", "--config-file", "klio-job.yaml"]).current_dir(copy.path());
    command.env_clear().env("PYTHONPATH", copy.path()).env("HOME", copy.path()).env("PATH", "/usr/bin:/bin");
    let output = command.output().expect("it was installed");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let files = fs::read_dir(copy.path()).expect("a folder").flatten();
    let written = files.filter(|it| it.file_name().to_string_lossy().starts_with("said"));
    let texts = written.map(|it| fs::read_to_string(it.path()).expect("text"));
    let mut lines: Vec<String> = texts.flat_map(|it| it.lines().map(str::to_owned).collect::<Vec<_>>()).collect();
    lines.sort();
    lines
}

#[test]
fn klio_j6_klioexec_runs_a_job_that_reads_a_file_on_its_baked_runtime() {
    if std::env::var_os("PYDIST_KLIO").is_none_or(|it| it.is_empty()) {
        return;
    }
    let job = klio_job();
    let bench = Bench::of_this_machine("3.8");
    let baked = bench.baked(&job);
    let findings: Vec<_> = baked.manifest.findings.iter().filter(|it| it.code != "KJ056").collect();
    assert!(findings.is_empty(), "{findings:?}");
    for (name, version) in [("klio-exec", "22.3.0"), ("apache-beam", "2.35.0")] {
        let row = baked.manifest.dependencies.iter().find(|it| it.name == name);
        assert_eq!(row.map(|it| it.version.as_str()), Some(version), "{name}");
    }
    let (report, findings) = verify(&CONTEXT, &baked.archive, &baked.manifest, &[]).expect("it can be verified");
    assert_eq!(report.outcome, VerifyOutcome::Passed, "{findings:?}");
    assert_eq!(klioexec(&bench.unpacked(&baked), &job), ["ONE", "THREE", "TWO", "one", "three", "two"]);
}
