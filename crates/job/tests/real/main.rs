//! Jobs whose setup.py runs, in a sandbox, on an interpreter of this machine, with the pinned setuptools: uv and an index are
//! expected. Numbers of cases are those of docs/test-numbers.md.
#![cfg(unix)]

mod back_ends;
mod bake;
mod baked_kinds;
mod configurations;
mod crowd;
mod faults;
mod hostile;
mod klio;
mod originals;
mod packages;
mod pythons;
mod remembered;
mod workers;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::time::Duration;

use job::{
    CheckReport, CheckRequest, CommandRule, ConfigRequest, JobFolder, JobIndexes, PackageSettings, Workplace, check,
    stage, target_python,
};
use store::{Context, Store};
use vocab::{Digest, Environment};

/// One store for all tests: the interpreter and setuptools are set up once.
static CONTEXT: LazyLock<Context> =
    LazyLock::new(|| context_in(Path::new(env!("CARGO_TARGET_TMPDIR")).join("store-of-jobs")));

fn context_in(root: PathBuf) -> Context {
    let mut context = Context::quiet(root.clone()).in_environment(Environment::new(std::env::vars_os()));
    context.work.offline = false;
    context.store = Store::open(root).expect("the store can be made");
    context
}

const CONFIG: &str = "job_name: j1-job\npipeline_options:\n  runner: DirectRunner\n  streaming: false\n  setup_file: \
                      setup.py\njob_config: {}\n";
const J1: &str = r#"import setuptools
setuptools.setup(
    name="my-example-job", version="0.0.1", install_requires=["apache-beam==2.77.0"],
    data_files=[(".", ["klio-job.yaml", "my-model.h5"])],
    include_package_data=True, py_modules=["run", "transforms"],
)
"#;
const J2: &str = r#"import subprocess
import setuptools
from distutils.command.build import build as _build

class build(_build):
    sub_commands = _build.sub_commands + [("CustomCommands", None)]

COMMANDS = [
    ["apt-get", "update"],
    ["apt-get", "install", "--assume-yes", "libsndfile1"],
    ["pip3", "install", "--default-timeout=120", "--extra-index-url", "https://index.example/simple", "-r", "job-requirements.txt"],
]

class CustomCommands(setuptools.Command):
    def initialize_options(self):
        pass

    def finalize_options(self):
        pass

    def run(self):
        for command in COMMANDS:
            p = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            stdout_data, _ = p.communicate()
            if p.returncode != 0:
                raise RuntimeError("failed")

setuptools.setup(
    name="my-example-job", version="0.0.1", install_requires=["apache-beam==2.35.0"],
    data_files=[(".", ["klio-job.yaml", "my-model.h5"])], py_modules=["run", "transforms"],
    cmdclass={"build": build, "CustomCommands": CustomCommands},
)
"#;

/// A job in a folder of its own.
struct Job(tempfile::TempDir);

impl Job {
    fn new(setup: &str) -> Self {
        let job = Self(tempfile::tempdir().expect("temporary folders can be made"));
        job.write("klio-job.yaml", CONFIG);
        job.write("setup.py", setup);
        job.write("run.py", "import transforms\n\n\ndef run(pcoll, config):\n    return transforms.x\n");
        job.write("transforms.py", "x = 1\n");
        job.write("my-model.h5", "model");
        job
    }

    fn j2() -> Self {
        let job = Self::new(J2);
        job.write("job-requirements.txt", "tinydep==1.0\n");
        job.write("MANIFEST.in", "include job-requirements.txt\n");
        job
    }

    fn at(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: &str) -> &Self {
        fs::create_dir_all(self.at(name).parent().expect("it lies in a folder")).expect("folders can be made");
        fs::write(self.at(name), text).expect("files can be written");
        self
    }

    fn remove(&self, name: &str) -> &Self {
        fs::remove_file(self.at(name)).expect("it is there");
        self
    }

    fn replace(&self, name: &str, from: &str, to: &str) -> &Self {
        let text = fs::read_to_string(self.at(name)).expect("it is there");
        assert!(text.contains(from), "{from}");
        self.write(name, &text.replace(from, to))
    }

    /// Every file with its digest.
    fn tree(&self) -> BTreeMap<String, String> {
        let walk = walkdir::WalkDir::new(self.0.path()).into_iter().flatten();
        let of = |entry: walkdir::DirEntry| {
            // A pipe has no end.
            let digest = vocab::read_regular(entry.path()).map(|it| Digest::of(it).to_string()).unwrap_or_default();
            (entry.path().display().to_string(), digest)
        };
        walk.map(of).collect()
    }

    fn checked(&self, python: &str, limit: Duration) -> (JobFolder, CheckRequest, CheckReport, Option<Workplace>) {
        self.checked_so(python, |request| request.limit = limit)
    }

    /// With a request of one's own.
    fn checked_so(
        &self,
        python: &str,
        change: impl FnOnce(&mut CheckRequest),
    ) -> (JobFolder, CheckRequest, CheckReport, Option<Workplace>) {
        self.checked_in(&CONTEXT, python, change)
    }

    fn checked_in(
        &self,
        context: &Context,
        python: &str,
        change: impl FnOnce(&mut CheckRequest),
    ) -> (JobFolder, CheckRequest, CheckReport, Option<Workplace>) {
        let before = self.tree();
        let folder = JobFolder::open(self.0.path(), None).expect("a folder");
        let mut request = CheckRequest {
            config: ConfigRequest::default(),
            python: target_python(Some(python), &folder).expect("a version"),
            allow_fnapi: false,
            refuse_system_packages: false,
            commands: CommandRule::Translate,
            indexes: JobIndexes::default(),
            strict: false,
            allowed: Vec::new(),
            limit: Duration::from_secs(60),
            raw_sdist: false,
        };
        change(&mut request);
        let (report, place) = check(context, &folder, &request).expect("the check can be made");
        assert_eq!(self.tree(), before, "the job folder is only read");
        (folder, request, report, place)
    }

    /// `e setup.py:1 KJ030`, for all but KJ056.
    fn findings(&self) -> Vec<String> {
        told(&self.checked("3.12", Duration::from_secs(60)).2)
    }
}

fn told(report: &CheckReport) -> Vec<String> {
    let of = |it: &job::Finding| {
        let place = it.file.clone().unwrap_or_default() + &it.line.map(|line| format!(":{line}")).unwrap_or_default();
        format!("{} {place} {}", &it.level.to_string()[..1], it.code)
    };
    report.findings.iter().filter(|it| it.code != job::code::KJ056).map(of).collect()
}

#[test]
fn klio_1_the_minimal_job_has_no_faults() {
    assert_eq!(Job::new(J1).findings(), [""; 0]);
}

#[test]
fn klio_6_commands_are_recorded_and_explained() {
    let (_, _, report, _) = Job::j2().checked("3.12", Duration::from_secs(60));
    assert_eq!(told(&report), ["w setup.py:3 KJ047", "w setup.py KJ052", "w setup.py KJ058"]);
    assert_eq!(report.commands.system_packages[0].name, "libsndfile1");
    assert_eq!(report.commands.pip[0].files, ["job-requirements.txt"]);
}

#[test]
fn klio_w5_and_w6_newer_beam_runs_pip_in_commands() {
    let job = Job::j2();
    job.replace("setup.py", "2.35.0", "2.77.0");
    assert!(job.findings().contains(&"n setup.py KJ058".to_owned()));
    job.replace("klio-job.yaml", "streaming: false", "experiments: [pip_use_build_isolation]");
    assert!(job.findings().contains(&"w setup.py KJ058".to_owned()));
}

#[test]
fn klio_44_a_password_is_in_no_report() {
    let job = Job::j2();
    job.replace("setup.py", "https://index", "https://ada:hunter2@index");
    let (_, _, report, _) = job.checked("3.12", Duration::from_secs(60));
    assert!(told(&report).contains(&"w setup.py KJ055".to_owned()));
    assert!(!serde_json::to_string(&report).expect("plain data").contains("hunter2"));
}

#[test]
fn klio_45_files_that_setup_py_reads_must_be_packed() {
    let job = Job::new(&J1.replace("[\"apache-beam==2.77.0\"]", "open('reqs.txt').read().split()"));
    job.write("reqs.txt", "apache-beam==2.77.0\n");
    assert_eq!(job.findings(), ["e setup.py KJ041"]);
}

#[test]
fn klio_2_the_archive_has_the_same_bytes_each_time() {
    let digests: Vec<_> = [J1, J1]
        .map(|setup| {
            let job = Job::new(setup);
            let out = tempfile::tempdir().expect("temporary folders can be made");
            let (folder, request, report, place) = job.checked("3.12", Duration::from_secs(60));
            let place = place.expect("setup.py was asked");
            let staged = stage(&CONTEXT, &folder, &report, &place, &request, &PackageSettings::default(), out.path())
                .expect("it is staged");
            assert_eq!(staged.top, "my_example_job-0.0.1");
            let names = names(&out.path().join("staged/workflow.tar.gz"));
            for name in ["klio-job.yaml", "my-model.h5", "run.py", "transforms.py", "setup.py", "PKG-INFO"] {
                assert!(names.contains(&format!("my_example_job-0.0.1/{name}")), "{name} in {names:?}");
            }
            let sums = fs::read_to_string(out.path().join("staged/SHA256SUMS")).expect("it was written");
            assert_eq!(sums, format!("{}  workflow.tar.gz\n", staged.files[0].sha256));
            assert!(staged.left_out.is_empty());
            staged.files[0].sha256
        })
        .to_vec();
    assert_eq!(digests[0], digests[1]);
}

/// Its archive says that it holds 100 GiB: it is refused at that, before anything of it is written.
#[test]
fn klio_w12_an_archive_that_would_fill_the_disk_is_refused() {
    let bomb = r#"
import gzip, os, tarfile
from setuptools.command.sdist import sdist

class Bomb(sdist):
    def run(self):
        member = tarfile.TarInfo("j-1/x")
        member.size = 100 << 30
        with gzip.open(os.path.join(self.dist_dir, "j-1.tar.gz"), "wb") as out:
            out.write(member.tobuf() + bytes(1024))

"#;
    let job = Job::new(&J1.replacen(
        "setuptools.setup(",
        &format!("{bomb}setuptools.setup(\n    cmdclass={{'sdist': Bomb}},"),
        1,
    ));
    let out = tempfile::tempdir().expect("temporary folders can be made");
    let (folder, request, report, place) = job.checked("3.12", Duration::from_secs(60));
    let place = place.expect("setup.py was asked");
    let refused = stage(&CONTEXT, &folder, &report, &place, &request, &PackageSettings::default(), out.path())
        .expect_err("it is refused");
    assert_eq!(refused.code(), "E_JOB_ARCHIVE");
    let text = refused.to_string();
    assert!(text.contains("`j-1.tar.gz` is refused: it holds more than 10737") && text.ends_with(" bytes"), "{text}");
    assert!(!out.path().join("staged").exists());
}

fn names(archive: &Path) -> Vec<String> {
    let file = fs::File::open(archive).expect("it was written");
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(file));
    let entries = archive.entries().expect("a tar").flatten();
    entries.map(|it| it.path().expect("a path").display().to_string()).collect()
}
