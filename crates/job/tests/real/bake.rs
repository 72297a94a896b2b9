//! Baked jobs: a real interpreter, a real back end and the pipeline; distributions come from an index in a folder.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use job::{
    BakeRequest, Baked, CommandRule, ConfigRequest, Finding, JobIndexes, LayerCompression, Level, PackageSettings,
    VerifyOutcome, WorkerImage, bake, stage, verify, write_image,
};
use store::Context;
use testkit::images::{config_of, unpack_with_tar};
use testkit::{FixtureIndex, WheelBuilder};
use vocab::{Digest, Fault, PlatformKey};

use super::{CONTEXT, J1, Job};

/// tinydep 1.0 and 2.0, and a Beam that has its name alone.
pub(super) fn index() -> FixtureIndex {
    let mut index = FixtureIndex::new();
    for version in ["1.0", "2.0"] {
        let module = format!("version = '{version}'\n");
        index.add(WheelBuilder::new("tinydep", version).file("tinydep.py", module).build());
    }
    index.add(WheelBuilder::new("apache-beam", "2.77.0").file("apache_beam/__init__.py", "").build());
    index
}

/// A folder for results, and one with an index.
pub(super) struct Bench {
    pub(super) context: Context,
    pub(super) folder: tempfile::TempDir,
    pub(super) request: BakeRequest,
    /// Of the target.
    pub(super) python: &'static str,
    /// In place of the default one.
    pub(super) config: ConfigRequest,
    pub(super) commands: CommandRule,
    pub(super) indexes: JobIndexes,
}

impl Bench {
    pub(super) fn new() -> Self {
        Self::with(&index())
    }

    pub(super) fn with(index: &FixtureIndex) -> Self {
        let folder = tempfile::tempdir().expect("temporary folders can be made");
        index.write_to(&folder.path().join("index"));
        let url = format!("file://{}", folder.path().join("index/simple").display());
        let request = BakeRequest {
            platform: PlatformKey::host().expect("a known platform"),
            lock: None,
            update_lock: false,
            epoch: archive::DEFAULT_MTIME,
            data_prefix_compat: false,
            today: jiff::civil::date(2026, 1, 1),
        };
        let indexes = JobIndexes { default: Some(url), ..JobIndexes::default() };
        let (python, config) = ("3.12", ConfigRequest::default());
        Self { context: CONTEXT.clone(), folder, request, python, config, commands: CommandRule::Translate, indexes }
    }

    /// With the index that uv is set up with, today.
    pub(super) fn of_this_machine(python: &'static str) -> Self {
        let bench = Self::with(&FixtureIndex::new());
        let request = BakeRequest { today: jiff::Zoned::now().date(), ..bench.request };
        Self { request, indexes: JobIndexes::default(), python, ..bench }
    }

    pub(super) fn out(&self) -> PathBuf {
        self.folder.path().join("out")
    }

    /// Its result, with the findings of the whole way.
    pub(super) fn tried(&self, job: &Job) -> Result<(Option<Baked>, Vec<Finding>), Box<dyn Fault>> {
        let before = job.tree();
        // The index of this machine has setuptools.
        let context = &self.context;
        let (folder, mut request, report, place) =
            job.checked_in(context, self.python, |it| it.config = self.config.clone());
        (request.commands, request.indexes) = (self.commands, self.indexes.clone());
        assert!(!report.has_errors(), "{:?}", super::told(&report));
        let place = place.expect("setup.py was asked");
        let packages = PackageSettings { indexes: self.indexes.clone(), ..PackageSettings::default() };
        let staged = stage(context, &folder, &report, &place, &request, &packages, &self.out()).expect("it is staged");
        let baked = bake(context, (&report, &request), &place, &staged, &self.request, &self.out());
        assert_eq!(job.tree(), before, "the job folder is only read");
        baked
    }

    pub(super) fn bake(&self, job: &Job) -> (Option<Baked>, Vec<Finding>) {
        self.tried(job).unwrap_or_else(|fault| panic!("{}", vocab::with_causes(fault.as_ref())))
    }

    pub(super) fn baked(&self, job: &Job) -> Baked {
        let (baked, findings) = self.bake(job);
        baked.unwrap_or_else(|| panic!("{findings:?}"))
    }

    /// The errors of a bake that makes nothing, as they are shown.
    pub(super) fn refused(&self, job: &Job) -> Vec<String> {
        let (baked, findings) = self.bake(job);
        assert!(baked.is_none() && !self.out().join("manifest.json").exists());
        let errors = findings.iter().filter(|it| it.level == Level::Error);
        errors.map(ToString::to_string).collect()
    }

    pub(super) fn unpacked(&self, baked: &Baked) -> PathBuf {
        let target = self.folder.path().join("un packed");
        archive::extract(&baked.archive, &target, &archive::ExtractOptions::default()).expect("it is an artifact");
        target
    }
}

/// What a baked runtime's Python prints.
pub(super) fn python(prefix: &Path, script: &str) -> String {
    let output = Command::new(prefix.join("bin/python")).args(["-I", "-B", "-c", script]).env_clear().output();
    let output = output.expect("it starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

pub(super) fn j1() -> Job {
    let job = Job::new(&J1.replace("[\"apache-beam==2.77.0\"]", "[\"apache-beam\", \"tinydep\"]"));
    job.write("run.py", "import tinydep\nimport transforms\n\n\ndef run(pcoll, config):\n    return transforms.x\n");
    job
}

/// Whether its owner may change the job's folder and files.
fn writable(job: &Job, is: bool) {
    use std::os::unix::fs::PermissionsExt as _;
    for entry in fs::read_dir(job.0.path()).expect("a folder").flatten() {
        let mode = if is { 0o644 } else { 0o444 };
        fs::set_permissions(entry.path(), fs::Permissions::from_mode(mode)).expect("modes can be set");
    }
    let mode = if is { 0o755 } else { 0o555 };
    fs::set_permissions(job.0.path(), fs::Permissions::from_mode(mode)).expect("modes can be set");
}

#[test]
fn klio_1_2_5_and_57_a_baked_job_runs_anywhere_and_has_the_same_bytes_each_time() {
    let bench = Bench::new();
    let first = bench.baked(&j1());
    let manifest = &first.manifest;
    assert_eq!(first.archive.file_name().unwrap().to_string_lossy().split("-py").next(), Some("j1-job-0.0.1"));
    let names: Vec<_> = manifest.dependencies.iter().map(|it| format!("{} {}", it.name, it.version)).collect();
    assert_eq!(names, ["apache-beam 2.77.0", "tinydep 2.0"]);
    assert!(manifest.reproducible && manifest.findings.is_empty(), "{manifest:?}");
    let paths: Vec<_> = manifest.data_files.iter().map(|it| it.path.as_str()).collect();
    assert_eq!(paths, ["klio-job.yaml", "my-model.h5"]);
    let prefix = bench.unpacked(&first);
    assert_eq!(fs::read_to_string(prefix.join("my-model.h5")).unwrap(), "model");
    assert!(fs::read_to_string(prefix.join("share/klio/j1-job/klio-job.yaml")).unwrap().starts_with("version: 2"));
    assert!(prefix.join("bin/python").exists());
    let script = "import pip, run, sys; print(run.run(None, None), open(sys.prefix + '/my-model.h5').read())";
    assert_eq!(python(&prefix, script), "1 model");
    // The job comes last, in a part of its own.
    let artifact = first.runtime.artifact.as_ref().expect("it was packed");
    let parts: Vec<_> = artifact.parts.iter().map(|it| it.content.as_str()).collect();
    assert_eq!(parts[parts.len() - 3..], ["my_example_job-0.0.1-py3-none-any.whl", "copied-files", "metadata"]);

    let other = Bench::new();
    let job = j1();
    writable(&job, false);
    let second = other.baked(&job);
    writable(&job, true);
    assert_eq!(first.manifest.archive, second.manifest.archive);
    let sums = |bench: &Bench| fs::read_to_string(bench.out().join("SHA256SUMS")).unwrap();
    assert_eq!(sums(&bench), sums(&other));
    for line in sums(&bench).lines() {
        let (digest, name) = line.split_once("  ").unwrap();
        assert_eq!(digest, Digest::of(fs::read(bench.out().join(name)).unwrap()).to_string(), "{name}");
    }
    let text = fs::read_to_string(bench.out().join("manifest.json")).unwrap();
    assert!(!text.contains(&*bench.folder.path().to_string_lossy()), "no path of this machine is in it");

    let (report, findings) = verify(&CONTEXT, &first.archive, &first.manifest, &[]).expect("it can be verified");
    assert_eq!(report.outcome, VerifyOutcome::Passed, "{report:?} {findings:?}");
}

#[test]
fn klio_6_and_19_commands_and_requirements_files_become_requirements() {
    let bench = Bench::new();
    let job = Job::j2();
    job.replace("setup.py", "==2.35.0", "");
    job.replace("setup.py", "https://index.example/simple", bench.indexes.default.as_ref().unwrap());
    let baked = bench.baked(&job);
    let names: Vec<_> = baked.manifest.dependencies.iter().map(|it| format!("{} {}", it.name, it.version)).collect();
    assert_eq!(names, ["apache-beam 2.77.0", "tinydep 1.0"]);
    assert_eq!(fs::read_to_string(bench.out().join("system-packages.txt")).unwrap(), "libsndfile1\n");
    let codes: Vec<_> = baked.manifest.findings.iter().map(|it| it.code.as_str()).collect();
    assert_eq!(codes, ["KJ047", "KJ052", "KJ058"]);
    assert!(baked.manifest.commands.iter().all(|it| it.action == "recorded") && baked.manifest.reproducible);

    let job = j1();
    job.write("job-requirements.txt", "tinydep==1.0\n");
    job.replace("klio-job.yaml", "job_config", "  requirements_file: job-requirements.txt\njob_config");
    let bench = Bench::new();
    let baked = bench.baked(&job);
    assert!(baked.manifest.dependencies.iter().any(|it| it.name == "tinydep" && it.version == "1.0"));
    assert!(baked.manifest.findings.iter().any(|it| it.code == "KJ026"));
    let options = fs::read_to_string(bench.out().join("beam-options.json")).unwrap();
    assert!(!options.contains("setup_file") && !options.contains("requirements_file") && options.contains("runner"));
}

/// Workers install it at their start, as they would have without a baked runtime.
#[test]
fn extra_packages_stay_with_the_workers_and_are_named() {
    let job = j1();
    job.write("extra-1.0-py3-none-any.whl", "not opened");
    job.replace("klio-job.yaml", "job_config", "  extra_packages: [extra-1.0-py3-none-any.whl]\njob_config");
    let bench = Bench::new();
    let (baked, findings) = bench.bake(&job);
    let shown: Vec<_> = findings.iter().map(ToString::to_string).collect();
    assert_eq!(
        shown,
        [
            "warning[KJ069]: klio-job.yaml:6: extra-1.0-py3-none-any.whl of `extra_packages` is not in the baked runtime: each \
          worker installs it at its start"
        ]
    );
    assert!(baked.is_some_and(|it| it.manifest.findings.iter().any(|it| it.code == "KJ069")));
    let options = fs::read_to_string(bench.out().join("beam-options.json")).unwrap();
    assert!(options.contains("extra-1.0-py3-none-any.whl") && !options.contains("setup_file"), "{options}");
}

#[test]
fn klio_41_commands_that_fail_are_shown_with_their_output() {
    let job = Job::j2();
    job.replace("setup.py", "==2.35.0", "").replace(
        "setup.py",
        "\"--extra-index-url\", \"https://index.example/simple\", ",
        "",
    );
    job.replace("setup.py", "COMMANDS = [", "COMMANDS = [\n    [\"sh\", \"-c\", \"echo boom; exit 7\"],");
    let mut bench = Bench::new();
    let errors = bench.refused(&job);
    assert!(errors.len() == 1 && errors[0].starts_with("error[KJ050]: setup.py: custom command `sh -c"), "{errors:?}");
    assert!(errors[0].contains(" failed with exit code 7: boom"), "{errors:?}");
    bench.commands = CommandRule::Deny;
    let errors = bench.refused(&job);
    assert!(errors.len() == 1 && errors[0].starts_with("error[KJ051]: setup.py: custom command `sh -c"), "{errors:?}");
    bench.commands = CommandRule::Record;
    let baked = bench.baked(&job);
    assert_eq!(baked.manifest.dependencies.iter().filter(|it| it.version == "1.0").count(), 1);
    job.replace("setup.py", "exit 7", "exit 0");
    bench.commands = CommandRule::Translate;
    let baked = bench.baked(&job);
    assert!(
        !baked.manifest.reproducible && baked.manifest.reasons[0].contains("echo boom"),
        "{:?}",
        baked.manifest.reasons
    );
}

#[test]
fn klio_46_and_48_what_cannot_be_resolved_is_named_with_its_places() {
    let bench = Bench::new();
    let job = j1();
    job.replace("setup.py", "\"tinydep\"", "\"no-such-thing\"");
    let errors = bench.refused(&job);
    assert!(
        errors.len() == 1
            && errors[0].starts_with("error[KJ060]: no solution for ")
            && errors[0].contains("no-such-thing (setup.py)"),
        "{errors:?}"
    );

    let mut with_needy = index();
    with_needy.add(WheelBuilder::new("needy", "1.0").requires("tinydep==2.0").build());
    let bench = Bench::with(&with_needy);
    let job = j1();
    job.replace("setup.py", "\"tinydep\"", "\"needy\"").write("job-requirements.txt", "tinydep==1.0\n");
    job.replace("klio-job.yaml", "job_config", "  requirements_file: job-requirements.txt\njob_config");
    let errors = bench.refused(&job);
    assert!(errors.len() == 1 && errors[0].starts_with("error[KJ060]: no solution for "), "{errors:?}");
    for place in ["needy (setup.py)", "tinydep==1.0 (job-requirements.txt)"] {
        assert!(errors[0].contains(place), "{errors:?}");
    }

    let mut index = index();
    index.add(WheelBuilder::new("faraway", "1.0").tag("cp312-cp312-win_amd64").build());
    let job = j1();
    job.replace("setup.py", "\"tinydep\"", "\"tinydep\", \"faraway\"");
    let errors = Bench::with(&index).refused(&job);
    assert!(errors.len() == 1 && errors[0].starts_with("error[KJ061]: faraway==1.0 has no wheel for "), "{errors:?}");
}

#[test]
fn klio_54_and_w11_a_path_that_two_install_is_refused_before_anything_is_there() {
    let mut index = index();
    index.add(WheelBuilder::new("otherjob", "1.0").file("transforms.py", "x = 2\n").build());
    let job = j1();
    job.replace("setup.py", "\"tinydep\"", "\"tinydep\", \"otherjob\"");
    let errors = Bench::with(&index).refused(&job);
    assert!(
        errors.len() == 1 && errors[0].starts_with("error[KJ080]: `my-example-job` and `otherjob` both install "),
        "{errors:?}"
    );
    assert!(errors[0].contains("`my-example-job` and `otherjob` both install"), "{errors:?}");
}

#[test]
fn klio_51_and_52_faults_of_a_baked_runtime_are_found_by_verifying_it() {
    let bench = Bench::new();
    let job = j1();
    job.write("transforms.py", "raise ValueError('no model')\n");
    let baked = bench.baked(&job);
    let (report, findings) = verify(&CONTEXT, &baked.archive, &baked.manifest, &[]).expect("it can be verified");
    assert_eq!(report.outcome, VerifyOutcome::Failed);
    let messages: Vec<_> = findings.iter().map(|it| format!("{} {}", it.code, it.message)).collect();
    assert!(
        messages.iter().any(|it| it.starts_with("KJ070 import of `transforms` failed in the baked runtime: ")),
        "{messages:?}"
    );
    assert!(messages.iter().all(|it| it.contains("ValueError: no model")), "{messages:?}");
    let skipped = ["run".to_owned(), "transforms".to_owned()];
    let (report, _) = verify(&CONTEXT, &baked.archive, &baked.manifest, &skipped).expect("it can be verified");
    assert_eq!(report.outcome, VerifyOutcome::Passed);

    let job = j1();
    job.write("run.py", "def start():\n    pass\n").write("transforms.py", "import socket\nx = 1\n");
    let baked = bench.baked(&job);
    let (report, findings) = verify(&CONTEXT, &baked.archive, &baked.manifest, &[]).expect("it can be verified");
    assert_eq!(report.outcome, VerifyOutcome::Failed);
    assert!(findings.iter().any(|it| it.code == job::code::KJ071), "{findings:?}");
    let mut other = baked.manifest.clone();
    other.data_files[0].path = "elsewhere.yaml".to_owned();
    let (_, findings) = verify(&CONTEXT, &baked.archive, &other, &[]).expect("it can be verified");
    let lacking = "error[KJ072]: data file elsewhere.yaml is not in the baked runtime";
    assert!(findings.iter().any(|it| it.to_string() == lacking), "{findings:?}");
}

#[test]
fn klio_60_another_platform_is_baked_and_not_verified() {
    let bench = Bench::new();
    let baked = bench.baked(&j1());
    let mut other = baked.manifest.clone();
    other.python.platform = PlatformKey::ALL.into_iter().find(|it| Some(*it) != PlatformKey::host()).unwrap();
    let (report, findings) = verify(&CONTEXT, &baked.archive, &other, &[]).expect("nothing is run");
    let shown = format!("note[KJ074]: verification skipped: cannot run {} here", other.python.platform);
    assert_eq!((report.outcome, findings[0].to_string()), (VerifyOutcome::Skipped, shown));
}

#[test]
fn klio_56_and_w10_a_lock_binds_and_a_new_version_of_the_job_changes_its_part_alone() {
    let mut bench = Bench::new();
    let job = j1();
    let first = bench.baked(&job);
    let lock = fs::read(bench.out().join("job.lock")).unwrap();
    job.write("transforms.py", "x = 2\n").replace("setup.py", "0.0.1", "0.0.2");
    let second = bench.baked(&job);
    assert_eq!(lock, fs::read(bench.out().join("job.lock")).unwrap(), "the job is not in the lock");
    let parts = |baked: &Baked| baked.runtime.artifact.as_ref().unwrap().parts.clone();
    let known: Vec<_> = parts(&first).iter().map(|it| it.sha256).collect();
    let all = parts(&second);
    let changed: u64 = all.iter().filter(|it| !known.contains(&it.sha256)).map(|it| it.size).sum();
    let whole: u64 = all.iter().map(|it| it.size).sum();
    assert!(changed * 100 < whole, "{changed} of {whole} bytes");

    bench.request.lock = Some(bench.out().join("job.lock"));
    bench.baked(&job);
    fs::remove_file(bench.out().join("manifest.json")).unwrap();
    // The same version with other bytes.
    let mut index = index();
    index.add(WheelBuilder::new("tinydep", "2.0").file("tinydep.py", "version = 'evil'\n").build());
    index.write_to(&bench.folder.path().join("index"));
    let text = String::from_utf8(lock).unwrap();
    let place = text.find("\"sha256\": \"").unwrap() + 11;
    let own = fs::read_to_string(bench.out().join("job.lock")).unwrap();
    let other: String = own[..place].to_owned() + &"0".repeat(64) + &own[place + 64..];
    fs::write(bench.folder.path().join("other.lock"), other).unwrap();
    bench.request.lock = Some(bench.folder.path().join("other.lock"));
    let errors = bench.refused(&job);
    assert!(
        errors.len() == 1
            && errors[0].starts_with("error[KJ064]: ")
            && errors[0].ends_with(" hash differs from the lock"),
        "{errors:?}"
    );
}

#[test]
fn a_workers_image_has_the_job_and_starts_beams_boot_program() {
    if testkit::is_left_out("skopeo") {
        return;
    }
    let request = WorkerImage {
        base: None,
        byte_code: true,
        data_prefix_compat: true,
        compression: LayerCompression::Gzip,
        epoch: archive::DEFAULT_MTIME,
    };
    let image_of = |bench: &Bench, baked: &Baked, name: &str| {
        let layout = bench.folder.path().join(name);
        (write_image(&CONTEXT, &baked.archive, &request, &layout).expect("it is written"), layout)
    };
    let bench = Bench::new();
    let baked = bench.baked(&j1());
    let (written, layout) = image_of(&bench, &baked, "image");
    let contents: Vec<&str> = written.layers.iter().map(|layer| layer.content.as_str()).collect();
    let code = "byte code of the job";
    for layer in ["base", "byte code of the interpreter", "byte code of packages", code, "links to data files"] {
        assert!(contents.contains(&layer), "no {layer} in {contents:?}");
    }
    let elsewhere = Bench::new();
    let (equal, _) = image_of(&elsewhere, &elsewhere.baked(&j1()), "image");
    assert_eq!(written, equal, "the same image from two folders");

    // By tar, as any tool would.
    let root = bench.folder.path().join("root");
    fs::create_dir(&root).unwrap();
    unpack_with_tar(&layout, "0.0.1", &root);
    let prefix = root.join("opt/pydist/python");
    let script = "import run, sys; print(run.run(None, None), run.__cached__.endswith('.pyc'), sys.prefix)";
    let printed = python(&prefix, script);
    assert_eq!(printed, format!("1 True {}", prefix.display()));
    assert_eq!(fs::read_to_string(root.join("usr/local/my-model.h5")).unwrap(), "model");
    let config = config_of(&format!("oci:{}:0.0.1", layout.display()));
    assert_eq!(config["Entrypoint"], serde_json::json!(["/opt/apache/beam/boot"]));
    let environment = config["Env"].to_string();
    assert!(environment.contains("RUN_PYTHON_SDK_IN_DEFAULT_ENVIRONMENT=1"), "{environment}");
    assert!(environment.contains("PATH=/opt/pydist/python/bin:"), "{environment}");
    assert_eq!(config["Labels"]["org.opencontainers.image.version"], "0.0.1");

    let job = j1();
    job.write("transforms.py", "x = 1 + 1\n");
    let (again, _) = image_of(&bench, &bench.baked(&job), "again");
    let changed = std::iter::zip(&written.layers, &again.layers).filter(|(one, other)| one != other);
    let changed: Vec<&str> = changed.map(|(layer, _)| layer.content.as_str()).collect();
    assert_eq!(changed, ["metadata", code], "of {contents:?}");
}
