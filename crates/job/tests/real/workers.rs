//! Whole starts of workers, without a cloud: Beam's own boot program and its Prism runner, on loopback.
//!
//! `PYDIST_BEAM_BOOT` and `PYDIST_BEAM_PRISM` name the two programs, `PYDIST_BEAM_RUNTIME` a plain prefix with
//! apache-beam 2.77.0, setuptools and wheel; docs/job.md says how each is made. Without them these tests are left out. Boot makes
//! its environments below `/opt/apache`. Baked jobs take apache-beam and pandas from the index that uv is set up with.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use super::bake::Bench;
use super::{J2, Job};

pub(super) struct Programs {
    boot: PathBuf,
    prism: PathBuf,
    runtime: PathBuf,
}

pub(super) fn programs() -> Option<Programs> {
    let named = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|it| !it.as_os_str().is_empty());
    let (boot, prism) = (named("PYDIST_BEAM_BOOT")?, named("PYDIST_BEAM_PRISM")?);
    Some(Programs { boot, prism, runtime: named("PYDIST_BEAM_RUNTIME")? })
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

/// What it gives to each element lives in the main module alone.
const MAIN_DRIVER: &str = r#"
import sys
import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions
job, out = sys.argv[1:3]
sys.path.insert(0, job)
import transforms

class Label:
    def __init__(self, text):
        self.text = text

LABEL = Label("of the driver")

def labelled(row):
    return (LABEL.text, isinstance(LABEL, Label)) + row

with beam.Pipeline(options=PipelineOptions(sys.argv[3:])) as pipeline:
    rows = pipeline | beam.Create([1, 2, 3]) | beam.Map(transforms.size) | beam.Map(labelled)
    rows | beam.Map(transforms.record, out)
"#;

/// Finds its model as docs/job.md recommends, and imports what the job depends on.
const TRANSFORMS: &str = r#"import importlib.metadata
import os
import sys


def size(element):
    import iniconfig

    files = importlib.metadata.files("my-example-job")
    model = next(file for file in files if file.name == "my-model.h5")
    return element, len(model.locate().read_bytes())


def record(row, path):
    with open(path, "a") as file:
        file.write("%r in %s by %d\n" % (row, sys.prefix, os.getpid()))
"#;

/// The runner and the driver, both ended when the script ends: it is the first process of its namespace, or the driver ends it.
const RUN: &str = r#"set -e
# port, then the driver with its arguments
port=$1; shift
"$PRISM" --serve_http=false --idle_shutdown_timeout=5m --job_port "$port" >prism.log 2>&1 &
trap 'kill %1; wait' EXIT
tries=0
until (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do
    tries=$((tries + 1)); [ "$tries" -lt 1200 ] || { echo "the runner does not listen"; exit 1; }
    sleep 0.05
done
timeout 500 "$@"
"#;

/// Where the script is the first process of a namespace that has its own loopback and no other interface, and in which the runtime
/// cannot be written.
const ALONE: &str = r#"set -e
"$RUNTIME/bin/python3" -c '
import fcntl, socket, struct
fcntl.ioctl(socket.socket(), 0x8914, struct.pack("16sh", b"lo", 0x41))'
mount --bind "$RUNTIME" "$RUNTIME"
mount -o remount,bind,ro "$RUNTIME"
! touch "$RUNTIME/bin/new" 2>/dev/null
"#;

/// Written by each Python that starts: how it was called.
const STARTS: &str = "import os, sys\nwith open(os.environ['STARTS'], 'a') as file:\n    file.write(' '.join(sys.orig_argv[1:]).replace('\\n', ';') + '\\n')\n";

/// How workers are started.
#[derive(Clone, Copy)]
pub(super) struct Start<'a> {
    /// The driver's, too.
    pub(super) runtime: &'a Path,
    /// Workers run in it, not in an environment of boot's.
    pub(super) in_runtime: bool,
    /// There is no network, and nothing of the runtime can be changed.
    pub(super) alone: bool,
    pub(super) driver: &'a str,
    /// Of the pipeline, after those that say where it runs.
    pub(super) options: &'a [String],
}

impl<'a> Start<'a> {
    fn baked(runtime: &'a Path) -> Self {
        Self { runtime, in_runtime: true, alone: true, driver: DRIVER, options: &[] }
    }
}

/// What came of it.
pub(super) struct Ran {
    /// What each element became, with the prefix and the process of the interpreter that did it.
    pub(super) rows: Vec<String>,
    /// How each Python was called.
    starts: Vec<String>,
    /// What the driver printed.
    pub(super) printed: String,
}

/// One at a time: Prism gives up on a worker that does not connect within a minute.
static TURN: Mutex<()> = Mutex::new(());

pub(super) fn turn() -> MutexGuard<'static, ()> {
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs the job, in one worker unless the driver submits it more than once. A machine that is busy with other work is given
/// more than one chance.
pub(super) fn ran(programs: &Programs, job: &Path, start: Start<'_>) -> Ran {
    let gave_up = |said: &str| said.contains("didn't get control connection");
    let mut last = String::new();
    for _ in 0..3 {
        match tried(programs, job, start) {
            Ok(ran) => return ran,
            Err(said) if gave_up(&said) => last = said,
            Err(said) => panic!("{said}"),
        }
    }
    panic!("{last}");
}

fn tried(programs: &Programs, job: &Path, start: Start<'_>) -> Result<Ran, String> {
    let work = tempfile::tempdir().expect("temporary folders can be made");
    let at = |name: &str| work.path().join(name);
    let write = |name: &str, text: &str| fs::write(at(name), text).expect("files can be written");
    let (boot, bin) = (programs.boot.display(), start.runtime.join("bin"));
    let default = if start.in_runtime { "export RUN_PYTHON_SDK_IN_DEFAULT_ENVIRONMENT=1\n" } else { "" };
    // Prism passes quotes with the arguments; a container's start would take them off.
    let script = format!(
        "#!/bin/bash\nexport PATH='{}':$PATH\n{default}words=()\nfor word in \"$@\"; do words+=(\"${{word//\\'/}}\"); done\n\
         exec '{boot}' \"${{words[@]}}\" --semi_persist_dir=\"$(mktemp -d '{}/semi.XXXXXX')\" >>'{}' 2>&1\n",
        bin.display(),
        work.path().display(),
        at("boot.log").display(),
    );
    write("start", &script);
    write("run", &if start.alone { format!("{ALONE}{RUN}") } else { RUN.to_owned() });
    fs::set_permissions(at("start"), std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("modes can be set");
    fs::create_dir(at("audit")).expect("folders can be made");
    write("audit/sitecustomize.py", STARTS);
    let free = TcpListener::bind("127.0.0.1:0").and_then(|it| it.local_addr()).expect("a port is free").port();
    let mut driver = Command::new(if start.alone { "unshare" } else { "bash" });
    if start.alone {
        driver.args(["--user", "--map-root-user", "--net", "--mount", "--pid", "--fork", "--kill-child", "bash"]);
    }
    driver
        .arg(at("run"))
        .arg(free.to_string())
        .arg(bin.join("python3"))
        .args(["-c", start.driver])
        .arg(job)
        .arg(at("out"));
    driver.args(["--runner=PortableRunner", "--environment_type=PROCESS"]);
    driver.arg(format!("--job_endpoint=localhost:{free}"));
    driver.arg(format!("--environment_config={{\"command\":\"{}\"}}", at("start").display()));
    driver.args(start.options);
    driver.env("PRISM", &programs.prism).env("RUNTIME", start.runtime).env("STARTS", at("starts"));
    // As in an image: modules are compiled once.
    driver.env("PYTHONPATH", at("audit")).env_remove("PYTHONDONTWRITEBYTECODE").current_dir(work.path());
    let ended = driver.output().expect("the program is there");
    let log = |name: &str| fs::read_to_string(at(name)).unwrap_or_default();
    let said = String::from_utf8_lossy(&ended.stderr).into_owned() + &log("boot.log");
    if !ended.status.success() {
        return Err(format!("{said}\n{}", log("prism.log")));
    }
    let lines = |name: &str| log(name).lines().map(str::to_owned).collect::<Vec<_>>();
    let mut rows = lines("out");
    rows.sort();
    Ok(Ran { rows, starts: lines("starts"), printed: String::from_utf8_lossy(&ended.stdout).into_owned() })
}

/// With a setup file, in an environment that boot makes: the rows.
fn installed(programs: &Programs, job: &Job) -> Vec<String> {
    let _turn = turn();
    let options = [format!("--setup_file={}", job.at("setup.py").display())];
    let runtime = &programs.runtime;
    let start = Start { runtime, in_runtime: false, alone: false, driver: DRIVER, options: &options };
    ran(programs, job.0.path(), start).rows
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
    let rows = installed(&programs, &job);
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
    let rows = installed(&programs, &job);
    assert!(rows.len() == 3 && rows[1].starts_with("(2, 5) in /opt/apache/beam-venv/"), "{rows:?}");
}

/// A job with apache-beam and pandas, baked: its runtime, unpacked, and its folder.
pub(super) struct BakedJob {
    pub(super) job: Job,
    pub(super) prefix: PathBuf,
}

pub(super) static BAKED: LazyLock<BakedJob> = LazyLock::new(|| {
    let place = Path::new(env!("CARGO_TARGET_TMPDIR")).join("baked-for-workers");
    if place.exists() {
        disk::remove_tree(&place).expect("it is ours");
    }
    let requires = "[\"apache-beam==2.77.0\", \"iniconfig==2.0.0\", \"pandas==2.2.3\"]";
    let job = job(&SETUP.replace("[\"iniconfig==2.0.0\"]", requires));
    job.replace("transforms.py", "    import iniconfig\n", "    import iniconfig\n    import pandas\n");
    let bench = Bench::of_this_machine("3.12");
    let baked = bench.baked(&job);
    let prefix = place.join("runtime");
    archive::extract(&baked.archive, &prefix, &archive::ExtractOptions::default()).expect("it is an artifact");
    // As an image has them compiled: later nothing of it can be written.
    for words in [["-c", "import apache_beam.runners.worker.sdk_worker_main, pandas"], ["-m", "pip"]] {
        let compiled = Command::new(prefix.join("bin/python3")).arg("-I").args(words).output();
        assert!(compiled.is_ok_and(|it| it.status.success()), "its modules can be imported");
    }
    BakedJob { job, prefix }
});

/// What pip was asked for, but for questions: boot and the driver list what is installed.
fn calls_of_pip(ran: &Ran) -> Vec<&str> {
    let asked = ran.starts.iter().filter_map(|start| start.split_once("-m pip ")).map(|(_, words)| words);
    asked.filter(|words| !words.starts_with("show ") && !words.starts_with("freeze")).collect()
}

#[test]
fn klio_w3_and_w4_a_baked_job_starts_without_pip_or_network_wherever_it_lies_and_changes_nothing() {
    let Some(programs) = programs() else { return };
    let (baked, _turn) = (&*BAKED, turn());
    let other = baked.prefix.with_file_name("moved to another path");
    for prefix in [&baked.prefix, &other] {
        if prefix == &other {
            fs::rename(&baked.prefix, &other).expect("it can be moved");
        }
        let ran = ran(&programs, baked.job.0.path(), Start::baked(prefix));
        if prefix == &other {
            fs::rename(&other, &baked.prefix).expect("it can be moved");
        }
        assert_eq!(ran.rows.len(), 3, "{:?}", ran.rows);
        assert!(ran.rows[1].starts_with(&format!("(2, 5) in {} by ", prefix.display())), "{:?}", ran.rows);
        assert!(ran.starts.iter().any(|it| it.contains("sdk_worker_main")), "{:?}", ran.starts);
        assert_eq!(calls_of_pip(&ran), [""; 0], "{:?}", ran.starts);
    }
}

/// They are pickled with the pipeline: the runtime that driver and workers share is all that they need.
#[test]
fn klio_w9_objects_of_the_main_session_reach_a_baked_worker_without_being_baked() {
    let Some(programs) = programs() else { return };
    let (baked, _turn) = (&*BAKED, turn());
    let options = ["--save_main_session".to_owned()];
    let start = Start { driver: MAIN_DRIVER, options: &options, ..Start::baked(&baked.prefix) };
    let ran = ran(&programs, baked.job.0.path(), start);
    let expected = format!("('of the driver', True, 2, 5) in {} by ", baked.prefix.display());
    assert!(ran.rows.len() == 3 && ran.rows[1].starts_with(&expected), "{:?}", ran.rows);
    let known = walkdir::WalkDir::new(&baked.prefix).into_iter().flatten();
    let session = known.filter(|it| it.file_name().to_string_lossy().contains("main_session"));
    assert_eq!(session.count(), 0, "nothing of the session is kept in the runtime");
}
