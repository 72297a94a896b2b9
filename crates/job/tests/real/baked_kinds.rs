//! Jobs of all kinds, baked and verified: several configurations, other layouts, other Pythons, another platform.

use std::fs;
use std::sync::{Arc, Mutex};

use archive::{NoCache, PartSource, TreeEntry};
use image::{BaseImage, ImageRequest};
use job::{VerifyOutcome, verify};
use testkit::{FixtureIndex, WheelBuilder};
use vocab::PlatformKey;

use super::bake::{Bench, index, j1, python};
use super::originals::{j3, j5};
use super::{CONFIG, CONTEXT, J1, Job};

/// Without a Beam that the index lacks.
fn of(setup: &str) -> String {
    setup.replace("apache-beam==2.77.0", "apache-beam").replace("apache-beam==2.35.0", "apache-beam")
}

#[track_caller]
fn passes(baked: &job::Baked) {
    let (report, findings) = verify(&CONTEXT, &baked.archive, &baked.manifest, &[]).expect("it can be verified");
    assert_eq!(report.outcome, VerifyOutcome::Passed, "{findings:?}");
}

#[test]
fn klio_30_a_runtime_has_all_configurations_of_a_job() {
    let job = Job::new(&of(J1).replace("\"klio-job.yaml\", ", ""));
    let second = CONFIG.replace("job_config: {}", "job_config:\n  stage: ${env}\n");
    job.write("klio-job-staging.yaml", &second);
    let mut bench = Bench::new();
    bench.config.files = vec!["klio-job.yaml".into(), "klio-job-staging.yaml".into()];
    bench.config.templates = vec!["env=x".to_owned()];
    let baked = bench.baked(&job);
    passes(&baked);
    let prefix = bench.unpacked(&baked);
    let text = |name: &str| fs::read_to_string(prefix.join("share/klio/j1-job").join(name)).unwrap();
    assert!(text("klio-job-staging.yaml").contains("stage: \"x\""), "{}", text("klio-job-staging.yaml"));
    assert!(!text("klio-job.yaml").contains("stage"), "{}", text("klio-job.yaml"));
    let paths: Vec<_> = baked.manifest.configs.iter().map(|it| it.path.as_str()).collect();
    assert_eq!(paths, ["share/klio/j1-job/klio-job.yaml", "share/klio/j1-job/klio-job-staging.yaml"]);
}

#[test]
fn klio_33_the_configuration_of_a_run_is_in_the_runtime_and_not_in_the_job() {
    let job = Job::new(&of(J1).replace("klio-job.yaml", "klio-job-run-effective.yaml"));
    let bench = Bench::new();
    let baked = bench.baked(&job);
    passes(&baked);
    let text = fs::read_to_string(bench.unpacked(&baked).join("klio-job-run-effective.yaml")).unwrap();
    assert!(text.starts_with("version: 2\njob_name: j1-job\n"), "{text}");
    assert!(!job.at("klio-job-run-effective.yaml").exists());
}

/// The default index is the internal one; the public one has a higher version.
#[test]
fn klio_49_a_baked_runtime_has_what_the_first_index_offers() {
    let mut own = index();
    own.add(WheelBuilder::new("secretlib", "1.0").build());
    let mut bench = Bench::with(&own);
    let mut public = FixtureIndex::new();
    public.add(WheelBuilder::new("secretlib", "9.0").build());
    public.write_to(&bench.folder.path().join("public"));
    bench.indexes.additional = vec![format!("file://{}", bench.folder.path().join("public/simple").display())];
    let job = j1();
    job.replace("setup.py", "\"tinydep\"", "\"tinydep\", \"secretlib\"");
    let baked = bench.baked(&job);
    let version = baked.manifest.dependencies.iter().find(|it| it.name == "secretlib").map(|it| it.version.clone());
    assert_eq!(version.as_deref(), Some("1.0"));
}

#[test]
fn klio_50_setup_files_that_import_distutils_first_are_baked_on_every_python() {
    for target in ["3.8", "3.10", "3.13"] {
        let job = Job::j2();
        job.replace("setup.py", "apache-beam==2.35.0", "apache-beam");
        job.replace("setup.py", "\"--extra-index-url\", \"https://index.example/simple\", ", "");
        let bench = Bench { python: target, ..Bench::new() };
        let baked = bench.baked(&job);
        passes(&baked);
        let script = "import sys, tinydep; print('%d.%d' % sys.version_info[:2], tinydep.version)";
        assert_eq!(python(&bench.unpacked(&baked), script), format!("{target} 1.0"));
        let codes: Vec<_> = baked.manifest.findings.iter().map(|it| it.code.as_str()).collect();
        let expected: &[&str] = if target == "3.13" { &["KJ047", "KJ052", "KJ058"] } else { &["KJ052", "KJ058"] };
        assert_eq!(codes, expected, "on {target}");
    }
}

#[test]
fn klio_55_package_data_folders_of_data_modes_and_links_are_in_the_runtime() {
    let job = j3();
    let setup = fs::read_to_string(job.at("setup.py")).unwrap();
    job.write("setup.py", &of(&setup));
    let bench = Bench::new();
    let baked = bench.baked(&job);
    passes(&baked);
    let script = "import pkg, os; print(open(os.path.dirname(pkg.__file__) + '/schema.json').read().strip())";
    assert_eq!(python(&bench.unpacked(&baked), script), "{}");

    let job = j5();
    let setup = fs::read_to_string(job.at("setup.py")).unwrap();
    job.write("setup.py", &of(&setup));
    let bench = Bench::new();
    let baked = bench.baked(&job);
    passes(&baked);
    let prefix = bench.unpacked(&baked);
    let bytes = |path: &str| fs::read(prefix.join(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
    assert_eq!(bytes("models/m.bin").len(), 2 << 20);
    assert_eq!(bytes("share/cfg/s.json"), b"{}\n");
    let paths: Vec<_> = baked.manifest.data_files.iter().map(|it| it.path.as_str()).collect();
    let place =
        |name: &str| *paths.iter().find(|it| it.ends_with(name)).unwrap_or_else(|| panic!("no {name} in {paths:?}"));
    assert_eq!(String::from_utf8(bytes(place("données.txt"))).unwrap(), "été\n");
    assert_eq!(bytes(place("linked.bin")).len(), 2 << 20, "what the link leads to");
    let mode =
        std::os::unix::fs::PermissionsExt::mode(&fs::metadata(prefix.join(place("tool.sh"))).unwrap().permissions());
    assert_eq!(mode & 0o111, 0o111);
}

/// Its interpreter is another platform's, and so is the wheel that it takes of a dependency.
#[test]
fn klio_60_a_runtime_for_another_platform_is_baked_and_not_verified() {
    let (platform, tag) = match PlatformKey::host() {
        Some(PlatformKey::LinuxAarch64) => (PlatformKey::LinuxX64, "manylinux_2_28_x86_64"),
        _ => (PlatformKey::LinuxAarch64, "manylinux_2_28_aarch64"),
    };
    let mut own = index();
    for tag in [tag, "win_amd64"] {
        let build = WheelBuilder::new("tagged", "1.0").tag(&format!("cp314-cp314-{tag}"));
        own.add(build.file("tagged.txt", tag).build());
    }
    let mut bench = Bench { python: "3.14.6", ..Bench::with(&own) };
    bench.request.platform = platform;
    let job = j1();
    job.replace("setup.py", "\"tinydep\"", "\"tinydep\", \"tagged\"");
    let baked = bench.baked(&job);
    let name = format!("j1-job-0.0.1-py314-{platform}.tar.zst");
    assert_eq!(baked.archive.file_name().unwrap().to_string_lossy(), name);
    let prefix = bench.unpacked(&baked);
    assert_eq!(fs::read_to_string(prefix.join("lib/python3.14/site-packages/tagged.txt")).unwrap(), tag);
    assert_eq!(fs::read_to_string(prefix.join("my-model.h5")).unwrap(), "model");
    // Two bytes that name the machine of an ELF file.
    let program = fs::read(prefix.join("bin/python3.14")).unwrap();
    let machine = if platform == PlatformKey::LinuxAarch64 { 183 } else { 62 };
    assert_eq!(program[18..20], [machine, 0]);
    let (report, findings) = verify(&CONTEXT, &baked.archive, &baked.manifest, &[]).expect("nothing is run");
    assert_eq!((report.outcome, findings[0].code), (VerifyOutcome::Skipped, job::code::KJ074));
}

#[test]
fn a_wheel_of_the_job_for_another_platform_is_refused() {
    let job = j1();
    job.replace("setup.py", "name=", "options={\"bdist_wheel\": {\"plat_name\": \"win_amd64\"}}, name=");
    let errors = Bench::new().refused(&job);
    assert!(errors.len() == 1 && errors[0].starts_with("error[KJ062]: "), "{errors:?}");
    let host = PlatformKey::host().expect("a known platform");
    let expected = format!("my_example_job-0.0.1-py3-none-win_amd64.whl does not fit {host}");
    assert!(errors[0].ends_with(&expected), "{errors:?}");
}

/// A command of setup.py names an index with a password. The job's own files keep it; nothing else has it.
#[test]
fn klio_44_a_password_is_in_no_file_of_a_baked_job() {
    let mut other = FixtureIndex::new();
    other.add(WheelBuilder::new("otherdep", "1.0").build());
    let served = other.serve();
    let address = served.simple_url().replace("://", "://ada:hunter2@");
    let job = Job::j2();
    job.replace("setup.py", "apache-beam==2.35.0", "apache-beam");
    job.replace("setup.py", "https://index.example/simple", &address);
    job.write("job-requirements.txt", "-c constraints.txt\ntinydep==1.0\notherdep\n");
    job.write("constraints.txt", "idle @ https://ada:hunter2@index.example/idle-1-py3-none-any.whl\n");
    job.write("MANIFEST.in", "include job-requirements.txt constraints.txt\n");
    let mut bench = Bench::new();
    let heard = Arc::new(Mutex::new(String::new()));
    let hears = Arc::clone(&heard);
    bench.context.work.listener = Arc::new(move |event| hears.lock().unwrap().push_str(&format!("{event:?}\n")));
    let baked = bench.baked(&job);
    assert!(baked.manifest.dependencies.iter().any(|it| it.name == "otherdep"), "the index was asked");
    let codes: Vec<_> = baked.manifest.findings.iter().map(|it| it.code.as_str()).collect();
    assert!(codes.contains(&"KJ055"), "{codes:?}");
    let request = job::WorkerImage {
        base: None,
        byte_code: false,
        data_prefix_compat: true,
        compression: job::LayerCompression::Gzip,
        epoch: archive::DEFAULT_MTIME,
    };
    job::write_image(&CONTEXT, &baked.archive, &request, &bench.out().join("image")).expect("it is written");
    let own = bench.folder.path().join("own");
    archive::extract_source(&bench.out().join("staged/workflow.tar.gz"), &own, archive::ExtractLimits::default())
        .expect("a source archive");
    let mut with_it = Vec::new();
    for folder in [bench.out(), bench.unpacked(&baked), own.clone()] {
        for entry in walkdir::WalkDir::new(folder).into_iter().map(|it| it.expect("folders can be read")) {
            let bytes = if entry.file_type().is_file() { fs::read(entry.path()).unwrap() } else { Vec::new() };
            if memchr::memmem::find(&bytes, b"hunter2").is_some() {
                with_it.push(entry.path().to_owned());
            }
        }
    }
    with_it.sort();
    assert_eq!(with_it, ["constraints.txt", "setup.py"].map(|name| own.join("my_example_job-0.0.1").join(name)));

    // What is said of an index that does not answer, or lacks what is asked for.
    for (from, to) in
        [("otherdep\n", "otherdep\nno-such-thing\n"), ("otherdep\nno-such-thing\n", "otherdep\nnothing-else\n")]
    {
        job.replace("job-requirements.txt", from, to);
        let said = match bench.tried(&job) {
            Ok((baked, findings)) => format!("{:?} {findings:?}", baked.map(|it| it.archive)),
            Err(fault) => format!("{} {fault:?} {:?}", vocab::with_causes(fault.as_ref()), fault.hint()),
        };
        assert!(said.contains("127.0.0.1") || said.contains("KJ060"), "{said}");
        assert!(!said.contains("hunter2"), "{said}");
        let setup = fs::read_to_string(job.at("setup.py")).unwrap();
        job.write("setup.py", &setup.replace(&address, "http://ada:hunter2@127.0.0.1:9/simple"));
    }
    let heard = heard.lock().unwrap();
    assert!(!heard.contains("hunter2") && heard.contains("W_REGISTRY_UNREACHABLE"), "{heard}");
}

#[test]
fn a_base_without_beams_boot_program_is_a_finding() {
    let folder = tempfile::tempdir().unwrap();
    for (file, expected) in [("opt/apache/beam/boot", 0), ("opt/apache/beam/boots", 1)] {
        let extra = vec![PartSource::new("beam", vec![TreeEntry::bytes(file.parse().unwrap(), *b"#!")])];
        let layout = folder.path().join(expected.to_string());
        let base = ImageRequest { extra, ..ImageRequest::new(PlatformKey::LinuxX64) };
        image::write(&layout, &base, &NoCache).expect("it is written");
        let found = job::check_base(&BaseImage { layout, name: None }, PlatformKey::LinuxX64).expect("it can be read");
        let shown: Vec<_> = found.iter().map(ToString::to_string).collect();
        let at = folder.path().join(expected.to_string());
        let text =
            format!("error[KJ075]: the base {} has no /opt/apache/beam/boot, which starts workers", at.display());
        assert_eq!(shown, vec![text; expected], "with {file}");
    }
}

/// Klio's decorators read the configuration when a module is imported, from the main session of the driver. A stand-in for Klio.
#[test]
fn klio_51_modules_of_klio_s_jobs_find_their_configuration_when_they_are_verified() {
    let core = "import __main__\n\n\nclass RunConfig:\n    @classmethod\n    def set(cls, config):\n        __main__.run_config = config\n\n    \
                @classmethod\n    def get(cls):\n        return __main__.run_config\n";
    let config = "class KlioConfig:\n    def __init__(self, values):\n        self.job_name = values['job_name']\n";
    let yaml = "def safe_load(file):\n    return dict(line.strip().split(': ', 1) for line in file if ': ' in line)\n";
    let mut own = index();
    let klio = WheelBuilder::new("klio", "22.3.0").file("klio/__init__.py", "").file("klio/transforms/__init__.py", "");
    own.add(klio.file("klio/transforms/core.py", core).requires("klio-core").requires("pyyaml").build());
    let klio_core = WheelBuilder::new("klio-core", "22.3.0").file("klio_core/__init__.py", "");
    own.add(klio_core.file("klio_core/config.py", config).build());
    own.add(WheelBuilder::new("pyyaml", "6.0").file("yaml.py", yaml).build());
    let bench = Bench::with(&own);
    let job = j1();
    job.replace("setup.py", "\"tinydep\"", "\"tinydep\", \"klio\"");
    job.write("transforms.py", "from klio.transforms import core\n\nx = len(core.RunConfig.get().job_name)\n");
    let baked = bench.baked(&job);
    passes(&baked);
    let mut other = baked.manifest.clone();
    other.configs.clear();
    let (report, _) = verify(&CONTEXT, &baked.archive, &other, &[]).expect("it can be verified");
    assert_eq!(report.outcome, VerifyOutcome::Failed, "without it they cannot be imported");
}
