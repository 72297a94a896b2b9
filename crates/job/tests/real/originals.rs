//! Our archive beside those of others from the same job: `python -m build`, Beam's own stager, and pip as its reader.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{CONTEXT, Duration, J1, Job, PackageSettings, stage};

const J3: &str = r#"from setuptools import setup
setup(
    name="my-example-job", version="0.0.1", install_requires=["apache-beam==2.77.0"],
    packages=["pkg"], include_package_data=True, py_modules=["run"],
)
"#;
const J5: &str = r#"import setuptools
setuptools.setup(
    name="my-example-job", version="0.0.1", install_requires=["apache-beam==2.77.0"],
    data_files=[
        ("models", ["assets/m.bin"]), ("share/cfg", ["conf/s.json"]),
        ("bin", ["tool.sh"]), ("share/links", ["linked.bin"]), ("share/names", ["données.txt"]),
    ],
    py_modules=["run", "transforms", "helper"],
)
"#;

pub(super) fn j3() -> Job {
    let job = Job::new(J3);
    job.write(
        "pyproject.toml",
        "[build-system]\nrequires = [\"setuptools\"]\nbuild-backend = \"setuptools.build_meta\"\n",
    );
    job.write("MANIFEST.in", "include pkg/schema.json\n").remove("transforms.py").remove("my-model.h5");
    job.write("run.py", "import pkg\n\n\ndef run(pcoll, config):\n    return pkg.x\n");
    job.write("pkg/__init__.py", "x = 1\n").write("pkg/schema.json", "{}\n");
    job
}

fn j4() -> Job {
    let job = Job::new(&J1.replace("\"klio-job.yaml\", ", ""));
    job.write(
        "klio-job-staging.yaml",
        "job_name: j1-job\npipeline_options:\n  setup_file: setup.py\njob_config:\n  stage: ${env}\n",
    );
    job
}

pub(super) fn j5() -> Job {
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    let job = Job::new(J5);
    job.remove("my-model.h5")
        .write("helper.py", "y = 2\n")
        .write("conf/s.json", "{}\n")
        .write("tool.sh", "#!/bin/sh\n");
    job.write("assets/m.bin", &"0123456789abcdef".repeat(2 << 16)).write("données.txt", "été\n");
    job.write("transforms.py", "import helper\n\nx = helper.y\n");
    fs::set_permissions(job.at("tool.sh"), fs::Permissions::from_mode(0o755)).expect("modes can be set");
    symlink("assets/m.bin", job.at("linked.bin")).expect("links can be made");
    job
}

fn jobs() -> [(&'static str, Job); 5] {
    [("J1", Job::new(J1)), ("J2", Job::j2()), ("J3", j3()), ("J4", j4()), ("J5", j5())]
}

/// A virtual environment with these distributions, made once.
fn environment(name: &str, minor: &str, distributions: &[&str]) -> PathBuf {
    let place = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("environment-{name}"));
    let program = place.join("bin/python");
    if !place.join("complete").exists() {
        uv(&["venv", "--quiet", "--clear", "--no-project", "--python", &python(minor), &place.display().to_string()]);
        let to = program.display().to_string();
        uv(&[&["pip", "install", "--quiet", "--python", &to], distributions].concat());
        fs::write(place.join("complete"), "").expect("files can be written");
    }
    program
}

/// Of pyenv, whose shims do not start without its settings, or else what uv finds.
fn python(minor: &str) -> String {
    let root = std::env::var_os("PYENV_ROOT").map(PathBuf::from);
    let root = root.or_else(|| Some(std::env::home_dir()?.join(".pyenv"))).unwrap_or_default();
    let versions = fs::read_dir(root.join("versions")).into_iter().flatten().flatten();
    let of_minor = |name: &std::ffi::OsStr| name.to_string_lossy().starts_with(&format!("{minor}."));
    let mut programs = versions.filter(|it| of_minor(&it.file_name())).map(|it| it.path().join("bin/python3"));
    programs.find(|it| it.exists()).map_or(minor.to_owned(), |it| it.display().to_string())
}

fn uv(arguments: &[&str]) {
    let mut command = Command::new("uv");
    run(command.args(arguments).env("UV_PYTHON_DOWNLOADS", "never").env_remove("VIRTUAL_ENV"));
}

fn run(command: &mut Command) -> String {
    let ended = command.output().expect("the program is there");
    let text = format!("{}{}", String::from_utf8_lossy(&ended.stdout), String::from_utf8_lossy(&ended.stderr));
    assert!(ended.status.success(), "{command:?}\n{text}");
    text
}

/// What an archive says of a member beside its name and its bytes.
#[derive(Debug, PartialEq, Eq)]
struct Metadata {
    mode: u32,
    mtime: u64,
    owner: (u64, u64, String),
}

/// Content of files, `None` for folders; what links show is that of their target.
type Members = BTreeMap<String, Option<Vec<u8>>>;

fn members(archive: &Path) -> (Members, BTreeMap<String, Metadata>) {
    let (mut found, mut metadata, mut links) = (Members::new(), BTreeMap::new(), Vec::new());
    let mut archive =
        tar::Archive::new(flate2::read::MultiGzDecoder::new(fs::File::open(archive).expect("it was written")));
    for entry in archive.entries().expect("a tar") {
        let mut entry = entry.expect("a sound tar");
        let name = entry.path().expect("a path").display().to_string().trim_end_matches('/').to_owned();
        let header = entry.header();
        let owner = header.username().ok().flatten().unwrap_or_default().to_owned();
        let said = Metadata {
            mode: header.mode().expect("a number"),
            mtime: header.mtime().expect("a number"),
            owner: (header.uid().expect("a number"), header.gid().expect("a number"), owner),
        };
        metadata.insert(name.clone(), said);
        if let Some(target) = entry.link_name().expect("a name") {
            let beside = name.rsplit_once('/').filter(|_| entry.header().entry_type().is_symlink());
            let folder = beside.map(|(folder, _)| format!("{folder}/")).unwrap_or_default();
            links.push((name, format!("{folder}{}", target.display())));
            continue;
        }
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).expect("a sound tar");
        found.insert(name, entry.header().entry_type().is_file().then_some(bytes));
    }
    for (name, target) in links {
        let content = found.get(&target).unwrap_or_else(|| panic!("{name} links to {target}")).clone();
        found.insert(name, content);
    }
    (found, metadata)
}

/// Our archive of the job, as a path in a folder that has to be kept.
fn ours(job: &Job, python: &str) -> (tempfile::TempDir, PathBuf) {
    let out = tempfile::tempdir().expect("temporary folders can be made");
    let (folder, request, report, place) = job.checked(python, Duration::from_secs(60));
    let place = place.expect("setup.py was asked");
    let staged = stage(&CONTEXT, &folder, &report, &place, &request, &PackageSettings::default(), out.path())
        .expect("it is staged");
    let path = staged.folder.join("workflow.tar.gz");
    (out, path)
}

/// A copy, since back ends write into the job folder.
fn copied(job: &Job) -> tempfile::TempDir {
    let copy = tempfile::tempdir().expect("temporary folders can be made");
    run(Command::new("cp").arg("-a").arg(format!("{}/.", job.0.path().display())).arg(copy.path()));
    copy
}

fn same(case: &str, ours: &Path, theirs: &Path) {
    let ((our_files, our_metadata), (their_files, their_metadata)) = (members(ours), members(theirs));
    let names = |files: &Members| files.keys().cloned().collect::<BTreeSet<_>>();
    assert_eq!(names(&our_files), names(&their_files), "{case}: the same members");
    for (name, content) in &our_files {
        assert!(their_files[name] == *content, "{case}: {name} differs");
    }
    // All that differs: owner, time, and the bits of a mode that the umask and the executable bit of the owner decide.
    for (name, said) in &our_metadata {
        assert_eq!((said.owner.clone(), said.mtime), ((0, 0, String::new()), 315_532_800), "{case}: {name}");
        let is_open = our_files[name].is_none() || (their_metadata[name].mode & 0o100 != 0);
        // A link has a mode of its own, which says nothing.
        let is_link = their_metadata[name].mode == 0o777;
        assert!(is_link || said.mode == if is_open { 0o755 } else { 0o644 }, "{case}: {name} {said:?}");
    }
}

#[test]
fn klio_3_the_archive_holds_what_build_packs_with_the_same_setuptools() {
    if testkit::is_left_out("python-3.12") {
        return;
    }
    let python = environment("build", "3.12", &["setuptools==84.2.1", "build==1.6.1"]);
    for (case, job) in jobs() {
        let (_kept, our_archive) = ours(&job, "3.12");
        let (copy, made) = (copied(&job), tempfile::tempdir().expect("temporary folders can be made"));
        let mut build = Command::new(&python);
        run(build.args(["-m", "build", "--no-isolation", "--sdist", "--outdir"]).arg(made.path()).arg(copy.path()));
        let theirs = fs::read_dir(made.path()).expect("a folder").flatten().next().expect("it was made").path();
        same(case, &our_archive, &theirs);
    }
}

const STAGER: &str = r#"
import json, os, sys
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.portability.stager import Stager
job, out = sys.argv[1:]
options = PipelineOptions(["--sdk_location=container", "--setup_file", os.path.join(job, "setup.py")])
staged = Stager.extract_staging_tuple_iter(Stager.create_job_resources(options, out))
print("STAGED " + json.dumps([[row[0], row[1]] for row in staged]))
"#;

/// `PYDIST_BEAM_PYTHONS` names Pythons that have apache-beam, build, pip and our setuptools, between colons.
#[test]
fn klio_w1_the_archive_is_that_of_beams_stager() {
    let pythons = std::env::var("PYDIST_BEAM_PYTHONS").unwrap_or_default();
    for python in pythons.split(':').filter(|it| !it.is_empty()) {
        let said = run(Command::new(python).args(["-c", "import sys; print('%d.%d' % sys.version_info[:2])"]));
        let minor = said.trim();
        for (case, job) in jobs() {
            let (_kept, our_archive) = ours(&job, minor);
            let (copy, out) = (copied(&job), tempfile::tempdir().expect("temporary folders can be made"));
            let said = run(Command::new(python).args(["-c", STAGER]).arg(copy.path()).arg(out.path()));
            let row = said.lines().find_map(|line| line.strip_prefix("STAGED ")).expect("it printed what it staged");
            let rows: Vec<(String, String)> = serde_json::from_str(row).expect("JSON");
            // The list of the submitter's environment is made at submission; it is information only.
            let names: Vec<_> = rows.iter().filter(|it| it.1 != "submission_environment_dependencies.txt").collect();
            let [(theirs, name)] = names[..] else { panic!("{case} on {minor}: {names:?}") };
            assert_eq!(name, "workflow.tar.gz");
            same(&format!("{case} on {minor}"), &our_archive, Path::new(theirs));
        }
    }
}

/// Each in a clean environment of the Python whose venvs come with such a pip; the last row is the newest.
#[test]
fn klio_4_pips_of_all_kinds_install_the_archive_with_the_model_at_the_root() {
    let (_kept, archive) = ours(&Job::new(&J1.replace("\"apache-beam==2.77.0\"", "")), "3.12");
    for (row, minor, pip) in [
        ("23.0", "3.10", "pip==23.0"),
        ("23.2", "3.12", "pip==23.2"),
        ("25.3", "3.12", "pip==25.3"),
        ("newest", "3.12", "pip"),
    ] {
        if testkit::is_left_out(&format!("python-{minor}")) {
            continue;
        }
        let place = tempfile::tempdir().expect("temporary folders can be made");
        let root = place.path().join("venv");
        uv(&["venv", "--quiet", "--no-project", "--python", &python(minor), &root.display().to_string()]);
        let program = root.join("bin/python");
        uv(&["pip", "install", "--quiet", "--python", &program.display().to_string(), pip]);
        let mut install = Command::new(&program);
        let options = ["-m", "pip", "install", "--no-cache-dir", "--disable-pip-version-check"];
        // The modules of setuptools that nobody imports need no byte code.
        install.env_remove("PYTHONPATH").env("HOME", place.path()).env("PIP_NO_COMPILE", "1");
        run(install.args(options).arg(&archive));
        assert_eq!(fs::read(root.join("my-model.h5")).ok().as_deref(), Some(&b"model"[..]), "pip {row}");
        let found = "import importlib.metadata as m, transforms; print(m.version('my-example-job'), transforms.x)";
        assert_eq!(run(Command::new(&program).args(["-c", found])).trim(), "0.0.1 1", "pip {row}");
    }
}
