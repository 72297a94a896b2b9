//! Whole starts of workers, without a cloud: Beam's own boot program and its Prism runner, on loopback.
//!
//! `PYDIST_BEAM_BOOT` and `PYDIST_BEAM_PRISM` name the two programs, `PYDIST_BEAM_RUNTIME` a plain prefix with
//! apache-beam 2.77.0, setuptools and wheel; docs/job.md says how each is made. Without them these tests are left out. Boot makes
//! its environments below `/opt/apache`. Baked jobs take apache-beam and pandas from the index that uv is set up with.

use std::collections::BTreeSet;
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use job::{BakeRequest, PackageSettings, bake, stage};
use vocab::PlatformKey;

use super::{CONTEXT, J2, Job};

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
timeout 300 "$@"
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
struct Start<'a> {
    /// The driver's, too.
    runtime: &'a Path,
    /// Workers run in it, not in an environment of boot's; there is no network, and nothing of it can be changed.
    alone: bool,
    setup_file: bool,
}

/// What came of it.
struct Ran {
    /// What each element became, with the prefix and the process of the interpreter that did it.
    rows: Vec<String>,
    /// How each Python was called.
    starts: Vec<String>,
}

/// One at a time: Prism gives up on a worker that does not connect within a minute.
static TURN: Mutex<()> = Mutex::new(());

fn turn() -> MutexGuard<'static, ()> {
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs the job in one worker.
fn ran(programs: &Programs, job: &Path, start: Start<'_>) -> Ran {
    let work = tempfile::tempdir().expect("temporary folders can be made");
    let at = |name: &str| work.path().join(name);
    let write = |name: &str, text: &str| fs::write(at(name), text).expect("files can be written");
    let (boot, bin) = (programs.boot.display(), start.runtime.join("bin"));
    let default = if start.alone { "export RUN_PYTHON_SDK_IN_DEFAULT_ENVIRONMENT=1\n" } else { "" };
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
    driver.arg(at("run")).arg(free.to_string()).arg(bin.join("python3")).args(["-c", DRIVER]).arg(job).arg(at("out"));
    driver.args(["--runner=PortableRunner", "--environment_type=PROCESS"]);
    driver.arg(format!("--job_endpoint=localhost:{free}"));
    driver.arg(format!("--environment_config={{\"command\":\"{}\"}}", at("start").display()));
    if start.setup_file {
        driver.arg(format!("--setup_file={}", job.join("setup.py").display()));
    }
    driver.env("PRISM", &programs.prism).env("RUNTIME", start.runtime).env("STARTS", at("starts"));
    // As in an image: modules are compiled once.
    driver.env("PYTHONPATH", at("audit")).env_remove("PYTHONDONTWRITEBYTECODE").current_dir(work.path());
    let ended = driver.output().expect("the program is there");
    let log = |name: &str| fs::read_to_string(at(name)).unwrap_or_default();
    let said = String::from_utf8_lossy(&ended.stderr).into_owned() + &log("boot.log");
    assert!(ended.status.success(), "{said}\n{}", log("prism.log"));
    let lines = |name: &str| log(name).lines().map(str::to_owned).collect::<Vec<_>>();
    let mut rows = lines("out");
    rows.sort();
    Ran { rows, starts: lines("starts") }
}

/// With a setup file, in an environment that boot makes: the rows.
fn installed(programs: &Programs, job: &Job) -> Vec<String> {
    let _turn = turn();
    let start = Start { runtime: &programs.runtime, alone: false, setup_file: true };
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
struct BakedJob {
    job: Job,
    prefix: PathBuf,
}

static BAKED: LazyLock<BakedJob> = LazyLock::new(|| {
    let place = Path::new(env!("CARGO_TARGET_TMPDIR")).join("baked-for-workers");
    if place.exists() {
        disk::remove_tree(&place).expect("it is ours");
    }
    let requires = "[\"apache-beam==2.77.0\", \"iniconfig==2.0.0\", \"pandas==2.2.3\"]";
    let job = job(&SETUP.replace("[\"iniconfig==2.0.0\"]", requires));
    job.replace("transforms.py", "    import iniconfig\n", "    import iniconfig\n    import pandas\n");
    let (folder, request, report, workplace) = job.checked("3.12", Duration::from_secs(60));
    let workplace = workplace.expect("setup.py was asked");
    let out = place.join("out");
    let staged = stage(&CONTEXT, &folder, &report, &workplace, &request, &PackageSettings::default(), &out);
    let baking = BakeRequest {
        platform: PlatformKey::host().expect("a known platform"),
        lock: None,
        update_lock: false,
        epoch: archive::DEFAULT_MTIME,
        data_prefix_compat: false,
        today: jiff::Zoned::now().date(),
    };
    let staged = staged.expect("it is staged");
    let (baked, findings) = bake(&CONTEXT, (&report, &request), &workplace, &staged, &baking, &out)
        .unwrap_or_else(|fault| panic!("{}", vocab::with_causes(fault.as_ref())));
    let baked = baked.unwrap_or_else(|| panic!("{findings:?}"));
    let prefix = place.join("runtime");
    archive::extract(&baked.archive, &prefix, &archive::ExtractOptions::default()).expect("it is an artifact");
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
        let start = Start { runtime: prefix, alone: true, setup_file: false };
        let ran = ran(&programs, baked.job.0.path(), start);
        if prefix == &other {
            fs::rename(&other, &baked.prefix).expect("it can be moved");
        }
        assert_eq!(ran.rows.len(), 3, "{:?}", ran.rows);
        assert!(ran.rows[1].starts_with(&format!("(2, 5) in {} by ", prefix.display())), "{:?}", ran.rows);
        assert!(ran.starts.iter().any(|it| it.contains("sdk_worker_main")), "{:?}", ran.starts);
        assert_eq!(calls_of_pip(&ran), [""; 0], "{:?}", ran.starts);
    }
}

/// What the Python of a worker imports before its first element; then which file pandas is.
const IMPORTS: &str = "import apache_beam.runners.worker.sdk_worker_main, os, pandas, run, sys
print(sys.prefix, os.stat(pandas.__file__).st_ino)";

/// Their Pythons, without boot and Prism, which gives up on workers that share processors and need more than a minute.
#[test]
fn klio_w7_twenty_workers_start_at_once_from_one_copy_on_disk() {
    if programs().is_none() {
        return;
    }
    let (baked, _turn) = (&*BAKED, turn());
    let imported = |count: usize| {
        let begun = Instant::now();
        let python = || {
            let mut python = Command::new(baked.prefix.join("bin/python3"));
            python.args(["-I", "-c", IMPORTS]).stdout(Stdio::piped()).spawn().expect("it starts")
        };
        let all: Vec<_> = (0..count).map(|_| python()).collect();
        let ended = all.into_iter().map(|it| it.wait_with_output().expect("it ends"));
        let texts: BTreeSet<String> = ended.map(|it| printed(&it)).collect();
        assert_eq!(texts.len(), 1, "one file for all: {texts:?}");
        begun.elapsed().as_secs_f64()
    };
    // The first fills caches.
    let [_, one, twenty] = [1, 1, 20].map(imported);
    eprintln!("one worker's imports {one:.1} s, twenty at once {twenty:.1} s");
}

fn printed(output: &std::process::Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}
