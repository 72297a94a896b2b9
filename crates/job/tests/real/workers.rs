//! Whole starts of workers, without a cloud: Beam's own boot program and its Prism runner, on loopback.
//!
//! `PYDIST_BEAM_BOOT` and `PYDIST_BEAM_PRISM` name the two programs, `PYDIST_BEAM_RUNTIME` a plain prefix with
//! apache-beam 2.77.0, setuptools and wheel; docs/job.md says how each is made. Without them these tests are left out. Boot makes
//! its environments below `/opt/apache`.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::{J2, Job};

struct Programs {
    boot: PathBuf,
    prism: PathBuf,
    runtime: PathBuf,
}

fn programs() -> Option<Programs> {
    let named = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|it| !it.as_os_str().is_empty());
    let (boot, prism) = (named("PYDIST_BEAM_BOOT")?, named("PYDIST_BEAM_PRISM")?);
    Some(Programs { boot, prism, runtime: named("PYDIST_BEAM_RUNTIME")? })
}

/// The runner. Dropped, it is ended.
struct Prism(Child, u16);

impl Prism {
    fn start(program: &Path, log: &Path) -> Self {
        let free = TcpListener::bind("127.0.0.1:0").and_then(|it| it.local_addr()).expect("a port is free");
        let log = fs::File::create(log).expect("files can be written");
        let mut command = Command::new(program);
        command.args(["--serve_http=false", "--idle_shutdown_timeout=5m", "--job_port", &free.port().to_string()]);
        command.stdout(log.try_clone().expect("files can be shared")).stderr(log).stdin(Stdio::null());
        // As in an image: modules are compiled once.
        let child = command.env_remove("PYTHONDONTWRITEBYTECODE").spawn();
        let prism = Self(child.expect("the program is there"), free.port());
        let begun = Instant::now();
        while TcpStream::connect(("127.0.0.1", prism.1)).is_err() {
            assert!(begun.elapsed() < Duration::from_secs(60), "it does not listen");
            std::thread::sleep(Duration::from_millis(50));
        }
        prism
    }
}

impl Drop for Prism {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

const DRIVER: &str = r#"
import sys
import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions
job, out = sys.argv[1:3]
sys.path.insert(0, job)
import transforms
with beam.Pipeline(options=PipelineOptions(sys.argv[3:])) as pipeline:
    pipeline | beam.Create([1, 2, 3]) | beam.Map(transforms.size) | beam.Map(transforms.record, out)
"#;

/// Finds its model as docs/job.md recommends, and imports what the job depends on.
const TRANSFORMS: &str = r#"import importlib.metadata
import sys


def size(element):
    import iniconfig

    files = importlib.metadata.files("my-example-job")
    model = next(file for file in files if file.name == "my-model.h5")
    return element, len(model.locate().read_bytes())


def record(row, path):
    with open(path, "a") as file:
        file.write("%r in %s\n" % (row, sys.prefix))
"#;

/// One at a time: Prism gives up on a worker that does not connect within a minute.
static TURN: Mutex<()> = Mutex::new(());

/// What three elements became, each with the prefix of the interpreter that did it.
fn rows(programs: &Programs, job: &Path, with_setup_file: bool, variables: &str) -> Vec<String> {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let work = tempfile::tempdir().expect("temporary folders can be made");
    let at = |name: &str| work.path().join(name);
    let (boot, bin) = (programs.boot.display(), programs.runtime.join("bin"));
    // Prism passes quotes with the arguments; a container's start would take them off.
    let script = format!(
        "#!/bin/bash\nexport PATH='{}':$PATH {variables}\nwords=()\nfor word in \"$@\"; do words+=(\"${{word//\\'/}}\"); done\n\
         exec '{boot}' \"${{words[@]}}\" --semi_persist_dir='{}' >>'{}' 2>&1\n",
        bin.display(),
        at("semi").display(),
        at("boot.log").display(),
    );
    fs::write(at("start"), script).expect("files can be written");
    fs::set_permissions(at("start"), fs::Permissions::from_mode(0o755)).expect("modes can be set");
    let prism = Prism::start(&programs.prism, &at("prism.log"));
    let mut driver = Command::new("timeout");
    driver.arg("300").arg(bin.join("python3")).args(["-c", DRIVER]).arg(job).arg(at("out"));
    driver.args(["--runner=PortableRunner", "--environment_type=PROCESS"]);
    driver.arg(format!("--job_endpoint=localhost:{}", prism.1));
    driver.arg(format!("--environment_config={{\"command\":\"{}\"}}", at("start").display()));
    if with_setup_file {
        driver.arg(format!("--setup_file={}", job.join("setup.py").display()));
    }
    let ended =
        driver.env_remove("PYTHONPATH").env_remove("PYTHONDONTWRITEBYTECODE").output().expect("the program is there");
    drop(prism);
    let log = |name: &str| fs::read_to_string(at(name)).unwrap_or_default();
    let said = String::from_utf8_lossy(&ended.stderr).into_owned() + &log("boot.log");
    assert!(ended.status.success(), "{said}\n{}", log("prism.log"));
    let mut rows: Vec<String> = log("out").lines().map(str::to_owned).collect();
    rows.sort();
    rows
}

fn job(setup: &str) -> Job {
    let job = Job::new(setup);
    job.write("transforms.py", TRANSFORMS);
    job
}

const SETUP: &str = r#"import setuptools
setuptools.setup(
    name="my-example-job", version="0.0.1", install_requires=["iniconfig==2.0.0"],
    data_files=[(".", ["klio-job.yaml", "my-model.h5"])], py_modules=["run", "transforms"],
)
"#;

#[test]
fn klio_w2_beams_boot_program_installs_the_job_and_finds_its_model() {
    let Some(programs) = programs() else { return };
    let job = job(SETUP);
    let rows = rows(&programs, job.0.path(), true, "");
    assert_eq!(rows.len(), 3, "{rows:?}");
    assert!(rows[1].starts_with("(2, 5) in /opt/apache/beam-venv/"), "{rows:?}");
}

/// Its dependency is installed by a command of setup.py alone.
#[test]
fn klio_w5_beams_boot_program_runs_pip_in_commands_since_2_77() {
    let Some(programs) = programs() else { return };
    let apt = r#"    ["apt-get", "update"],
    ["apt-get", "install", "--assume-yes", "libsndfile1"],
"#;
    assert!(J2.contains(apt), "nothing is installed on this machine");
    let setup = J2.replace(apt, "").replace("\"--extra-index-url\", \"https://index.example/simple\", ", "");
    let job = job(&setup.replace("[\"apache-beam==2.35.0\"]", "[]"));
    job.write("job-requirements.txt", "iniconfig==2.0.0\n").write("MANIFEST.in", "include job-requirements.txt\n");
    let rows = rows(&programs, job.0.path(), true, "");
    assert!(rows.len() == 3 && rows[1].starts_with("(2, 5) in /opt/apache/beam-venv/"), "{rows:?}");
}
