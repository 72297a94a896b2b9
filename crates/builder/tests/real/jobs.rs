//! `builder job` as users start it, on a job with a setup file: the image of its workers, a machine without a sandbox, a large job.
//! An index is expected that has setuptools.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Instant;

use serde_json::json;
use testkit::images::{config_of, printed_by, system_libraries, unpack_with_umoci};
use testkit::{FixtureIndex, WheelBuilder};

const CONFIG: &str = "job_name: j1-job\npipeline_options:\n  runner: DirectRunner\n  streaming: false\n  setup_file: setup.py\njob_config: {}\n";
const SETUP: &str = r#"import setuptools
setuptools.setup(
    name="my-example-job", version="0.0.1", install_requires=["apache-beam", "tinydep"],
    data_files=[(".", ["klio-job.yaml", "my-model.h5"])], py_modules=["run", "transforms"],
)
"#;

/// A job in a folder of its own, and a folder for everything else.
struct JobBench {
    folder: tempfile::TempDir,
}

impl JobBench {
    fn new() -> Self {
        let bench = Self { folder: tempfile::tempdir().unwrap() };
        for (name, text) in [
            ("klio-job.yaml", CONFIG),
            ("setup.py", SETUP),
            (
                "run.py",
                "import tinydep\nimport transforms\n\n\ndef run(pcoll, config):\n    return transforms.x, tinydep.version\n",
            ),
            ("transforms.py", "x = 1\n"),
            ("my-model.h5", "model"),
        ] {
            bench.write(name, text);
        }
        bench
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A file of the job.
    fn write(&self, name: &str, text: &str) {
        let path = self.path("job").join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// `builder job SUBCOMMAND JOB` with these further arguments. All tests share a store: the environment of jobs is made once.
    fn command(&self, subcommand: &str, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_builder"));
        command.args(["job", subcommand]).arg(self.path("job")).args(["--python", "3.12"]).args(words);
        command.env("PYDIST_STORE", store()).current_dir(self.folder.path()).stdin(Stdio::null());
        command
    }

    /// An index with what the job requires; its Beam has the name alone.
    fn index(&self) -> String {
        let mut index = FixtureIndex::new();
        index.add(WheelBuilder::new("apache-beam", "2.77.0").file("apache_beam/__init__.py", "").build());
        index.add(WheelBuilder::new("tinydep", "1.0").file("tinydep.py", "version = '1.0'\n").build());
        index.write_to(&self.path("index"));
        format!("file://{}", self.path("index/simple").display())
    }

    /// The layout of an image with these files, each at its path; what links lead to. Made by tar and umoci.
    fn base(&self, name: &str, files: &[(&Path, &str)]) -> String {
        let (layout, tree, layer) =
            (self.path(name), self.path(&format!("{name}-tree")), self.path(&format!("{name}.tar")));
        for (from, to) in files {
            let to = tree.join(to.trim_start_matches('/'));
            fs::create_dir_all(to.parent().unwrap()).unwrap();
            fs::copy(from, to).unwrap();
        }
        let image = format!("{}:base", layout.display());
        printed_by(Command::new("tar").arg("-cf").arg(&layer).arg("-C").arg(&tree).args([
            "--owner=0",
            "--group=0",
            ".",
        ]));
        printed_by(Command::new("umoci").args(["init", "--layout"]).arg(&layout));
        printed_by(Command::new("umoci").args(["new", "--image", &image]));
        printed_by(Command::new("umoci").args(["raw", "add-layer", "--image", &image]).arg(&layer));
        layout.display().to_string()
    }
}

fn store() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("store-of-jobs")
}

fn texts(output: &Output) -> (String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (text(&output.stdout), text(&output.stderr))
}

/// Starts Python as Beam's boot program does: whichever comes first on PATH.
const BOOT: &str = "#!/bin/sh\nexec python -c 'import run, sys; print(run.run(None, None), open(sys.prefix + \"/my-model.h5\").read(), \
                    run.__cached__)'\n";

#[test]
fn the_image_of_a_baked_job_starts_its_base_s_boot_program_on_the_job_s_runtime() {
    if ["umoci", "skopeo", "namespaces"].into_iter().any(testkit::is_left_out) {
        return;
    }
    let bench = JobBench::new();
    let index = bench.index();
    let out = bench.path("out").display().to_string();
    let arguments = |base: &str| {
        let words = ["--extra-index-url", &index, "--out", &out, "--gzip", "--base", base];
        bench.command("bake", &words).output().unwrap()
    };
    fs::write(bench.path("boot"), BOOT).unwrap();
    fs::set_permissions(bench.path("boot"), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();

    // Nothing is baked onto a base without it.
    let without = arguments(&bench.base("without", &[(&bench.path("boot"), "/opt/apache/beam/other")]));
    let (stdout, stderr) = texts(&without);
    assert_eq!(without.status.code(), Some(1), "{stdout}{stderr}");
    let lacking = format!(
        "error[KJ075]: the base {} has no /opt/apache/beam/boot, which starts workers",
        bench.path("without").display()
    );
    assert!(stdout.contains(&lacking) && !bench.path("out/manifest.json").exists(), "{stdout}");

    // The libraries of this system, as far as the shell and the runtime need them.
    let baked = bench.command("bake", &["--extra-index-url", &index, "--out", &out]).output().unwrap();
    let (stdout, stderr) = texts(&baked);
    assert_eq!(baked.status.code(), Some(0), "{stdout}{stderr}");
    let prefix = bench.path("prefix");
    let archive = Path::new(stdout.lines().last().unwrap());
    archive::extract(archive, &prefix, &archive::ExtractOptions::default()).unwrap();
    let mut programs: Vec<PathBuf> = vec!["/bin/sh".into(), prefix.join("bin/python3.12")];
    programs
        .extend(testkit::files_below(&prefix).into_iter().filter(|it| it.ends_with(".so")).map(|it| prefix.join(it)));
    let libraries = system_libraries(&programs, &prefix);
    let boot = bench.path("boot");
    let mut files: Vec<(&Path, &str)> = vec![(Path::new("/bin/sh"), "/bin/sh"), (&boot, "/opt/apache/beam/boot")];
    files.extend(libraries.iter().map(|it| (it.as_path(), it.to_str().unwrap())));
    let base = bench.base("base", &files);
    let mut digests = Vec::new();
    for transforms in ["x = 1\n", "x = 2\n", "x = 1\n"] {
        bench.write("transforms.py", transforms);
        let baked = arguments(&base);
        let (stdout, stderr) = texts(&baked);
        assert_eq!(baked.status.code(), Some(0), "{stdout}{stderr}");
        let line = stderr.lines().find_map(|line| line.strip_prefix("worker-image is ")).unwrap_or_default();
        digests.push(line.to_owned());
    }
    assert!(digests[0] == digests[2] && digests[0] != digests[1] && digests[0].starts_with("sha256:"), "{digests:?}");

    let layout = bench.path("out/worker-image");
    let config = config_of(&format!("oci:{}:0.0.1", layout.display()));
    assert_eq!(config["Entrypoint"], json!(["/opt/apache/beam/boot"]));
    let root = bench.path("root");
    fs::create_dir(&root).unwrap();
    unpack_with_umoci(&layout, "0.0.1", &root);
    let variables = config["Env"].as_array().unwrap().iter().filter_map(|it| it.as_str()?.split_once('='));
    let variables: Vec<(&str, &str)> = variables.collect();
    let environment = ("RUN_PYTHON_SDK_IN_DEFAULT_ENVIRONMENT", "1");
    assert!(variables.contains(&environment), "{variables:?}");
    let words: Vec<String> = variables.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let start = format!("#!/bin/sh\nexport {}\nexec /opt/apache/beam/boot\n", words.join(" "));
    fs::write(root.join("start"), start).unwrap();
    // As in every container; the loader learns there where a program lies, whose libraries lie beside it.
    fs::create_dir_all(root.join("proc")).unwrap();
    let mut start = Command::new("unshare");
    start.args(["--map-root-user", "--mount", "sh", "-c"]);
    start.arg("mount --rbind /proc \"$1/proc\" && exec chroot \"$1\" /bin/sh /start").arg("sh").arg(&root).env_clear();
    // The PATH of the image is for what is started in it; these programs are found by this machine's.
    let printed = printed_by(start.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin"));
    assert!(printed.starts_with("(1, '1.0') model /opt/pydist/python/lib/python3.12/"), "{printed}");
}

/// Among lines of JSON.
fn report_in(stdout: &str) -> serde_json::Value {
    let mut lines = stdout.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    lines.find(|line| line.get("findings").is_some()).unwrap_or_else(|| panic!("{stdout}"))
}

/// As where an administrator allows no user namespaces.
#[cfg(target_os = "linux")]
#[test]
fn without_namespaces_a_job_is_checked_with_the_user_s_rights_and_that_is_said() {
    if testkit::is_left_out("namespaces") {
        return;
    }
    let bench = JobBench::new();
    let checked = bench.command("check", &["--json"]);
    let mut alone = Command::new("unshare");
    alone.args([
        "--user",
        "--map-root-user",
        "sh",
        "-c",
        "echo 0 >/proc/sys/user/max_user_namespaces && exec \"$@\"",
        "sh",
    ]);
    alone.arg(checked.get_program()).args(checked.get_args()).current_dir(bench.folder.path());
    let output = alone.env("PYDIST_STORE", store()).output().unwrap();
    let (stdout, stderr) = texts(&output);
    assert_eq!(output.status.code(), Some(0), "{stdout}{stderr}");
    let report = report_in(&stdout);
    assert_eq!(report["sandboxed"], false);
    let findings: Vec<_> = report["findings"].as_array().unwrap().iter().map(|it| &it["message"]).collect();
    assert_eq!(findings, ["no sandbox available; setup.py ran with your rights"]);
    let (stdout, _) = texts(&bench.command("check", &["--json"]).output().unwrap());
    let report = report_in(&stdout);
    assert_eq!((&report["sandboxed"], &report["findings"]), (&json!(true), &json!([])));
}

/// What the builder may take, in bytes.
#[cfg(target_os = "linux")]
const LARGEST: u64 = 256 << 20;

/// So many small files, and a rule for them and for `large.bin`.
#[cfg(target_os = "linux")]
fn large_job(bench: &JobBench, files: usize) {
    for number in 0..files {
        bench.write(&format!("many/d{}/f{number}.txt", number % (files / 100)), &format!("{number}\n"));
    }
    bench.write("MANIFEST.in", "graft many\ninclude large.bin\n");
}

/// Stages the job. The most memory that the builder had, in bytes.
#[cfg(target_os = "linux")]
fn staged_peak(bench: &JobBench) -> u64 {
    let mut child = bench.command("stage", &["--out", &bench.path("out").display().to_string()]).spawn().unwrap();
    let mut peak = 0;
    let status = loop {
        let text = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default();
        peak = line.trim().trim_end_matches(" kB").parse::<u64>().map_or(peak, |kib| peak.max(kib << 10));
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    };
    assert!(status.success());
    peak
}

/// The members of what was staged.
#[cfg(target_os = "linux")]
fn listed(bench: &JobBench) -> impl Iterator<Item = String> + use<> {
    let file = fs::File::open(bench.path("out/staged/workflow.tar.gz")).unwrap();
    let listed = printed_by(Command::new("tar").arg("-tz").stdin(file));
    listed.lines().map(str::to_owned).collect::<Vec<_>>().into_iter()
}

/// One of its files alone is larger than the builder may become.
#[cfg(target_os = "linux")]
#[test]
fn klio_w12_a_large_job_is_staged_in_little_memory() {
    let bench = JobBench::new();
    large_job(&bench, 5000);
    let large = fs::File::create(bench.path("job/large.bin")).unwrap();
    large.set_len(LARGEST + (64 << 20)).unwrap();
    let peak = staged_peak(&bench);
    assert!(peak > 0 && peak < LARGEST, "{} MiB", peak >> 20);
    let names: Vec<String> = listed(&bench).collect();
    assert_eq!(names.iter().filter(|it| it.contains("/many/") && it.ends_with(".txt")).count(), 5000);
    assert!(names.iter().any(|it| it == "my_example_job-0.0.1/large.bin"), "it is in the archive");
}

/// Of the size that docs/job.md names, where PYDIST_LARGE_JOB says so: it takes minutes and 10 GB of disk.
#[cfg(target_os = "linux")]
#[test]
fn klio_w12_a_job_of_100_000_files_and_one_of_2_gib_is_staged_in_little_memory() {
    use std::io::Write as _;
    if std::env::var_os("PYDIST_LARGE_JOB").is_none_or(|it| it.is_empty()) {
        return;
    }
    let bench = JobBench::new();
    large_job(&bench, 100_000);
    let mut noise = fs::File::create(bench.path("job/large.bin")).unwrap();
    let (mut state, mut block) = (1_u64, vec![0; 1 << 20]);
    for _ in 0..2 << 10 {
        // Half of it can be compressed.
        for bytes in block.chunks_exact_mut(16) {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            bytes[..8].copy_from_slice(&(state >> 5).to_le_bytes());
        }
        noise.write_all(&block).unwrap();
    }
    let begun = Instant::now();
    let peak = staged_peak(&bench);
    eprintln!("staged in {:.0} s, at most {} MiB", begun.elapsed().as_secs_f64(), peak >> 20);
    assert!(peak > 0 && peak < LARGEST, "{} MiB", peak >> 20);
    assert_eq!(listed(&bench).filter(|it| it.contains("/many/") && it.ends_with(".txt")).count(), 100_000);
}

/// Its manifest, which lies in the folder for results.
fn manifest(bench: &JobBench) -> serde_json::Value {
    serde_json::from_slice(&fs::read(bench.path("out/manifest.json")).unwrap()).unwrap()
}

#[test]
fn klio_1_51_and_52_a_package_is_verified_and_says_so() {
    let bench = JobBench::new();
    let (index, out) = (bench.index(), bench.path("out").display().to_string());
    let package = |words: &[&str]| {
        let words = [&["--extra-index-url", &index, "--out", &out], words].concat();
        let output = bench.command("package", &words).output().unwrap();
        (output.status.code(), texts(&output).0)
    };
    let (code, stdout) = package(&[]);
    assert_eq!(code, Some(0), "{stdout}");
    let archive = stdout.lines().last().unwrap().to_owned();
    assert!(
        archive.ends_with("/out/j1-job-0.0.1-py312-linux-x64.tar.zst") || !cfg!(target_arch = "x86_64"),
        "{archive}"
    );
    assert_eq!(manifest(&bench)["verified"]["outcome"], "passed");
    let verify = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_builder"));
        command.args(["job", "verify", &archive]).env("PYDIST_STORE", store()).output().unwrap()
    };
    assert_eq!(verify().status.code(), Some(0));

    bench.write("run.py", "import transforms\n\n\ndef start():\n    pass\n");
    bench.write("transforms.py", "raise ValueError('no model')\n");
    let (code, stdout) = package(&[]);
    assert_eq!(code, Some(3), "{stdout}");
    assert!(
        stdout.contains("error[KJ070]: import of `transforms` failed in the baked runtime: ValueError: no model"),
        "{stdout}"
    );
    assert_eq!(manifest(&bench)["verified"]["outcome"], "failed", "the archive says that it does not pass");
    assert_eq!(verify().status.code(), Some(3));
    let (code, stdout) = package(&["--no-verify"]);
    assert_eq!(code, Some(0), "{stdout}");
    assert!(manifest(&bench)["verified"].is_null());
}

#[test]
fn klio_w11_41_and_56_faults_end_with_the_exit_codes_of_the_page() {
    let (bench, other) = (JobBench::new(), JobBench::new());
    let (index, out) = (bench.index(), bench.path("out").display().to_string());
    other.write("setup.py", &SETUP.replace("my-example-job", "other-job"));
    other.write("transforms.py", "x = 2\n");
    let with = bench.command("check", &["--with", &other.path("job").display().to_string()]).output().unwrap();
    let (stdout, stderr) = texts(&with);
    assert_eq!(with.status.code(), Some(1), "{stdout}{stderr}");
    let twice = "error[KJ080]: `my-example-job` and `other-job` both install transforms.py\n";
    assert!(stdout.contains(twice), "{stdout}");

    let bake = |words: &[&str]| {
        let words = [&["--extra-index-url", &index, "--out", &out], words].concat();
        let output = bench.command("bake", &words).output().unwrap();
        (output.status.code(), texts(&output).0)
    };
    let (code, stdout) = bake(&[]);
    assert_eq!(code, Some(0), "{stdout}");
    bench.write("setup.py", &SETUP.replace("\"tinydep\"", "\"tinydep==9\""));
    let (code, stdout) = bake(&[]);
    assert!(code == Some(1) && stdout.contains("error[KJ060]: no solution for tinydep==9 (setup.py): "), "{stdout}");
    bench.write("setup.py", SETUP);
    let lock = fs::read_to_string(bench.path("out/job.lock")).unwrap();
    let place = lock.find("\"sha256\": \"").unwrap() + 11;
    fs::write(bench.path("other.lock"), lock[..place].to_owned() + &"0".repeat(64) + &lock[place + 64..]).unwrap();
    let (code, stdout) = bake(&["--lock", "other.lock"]);
    assert!(code == Some(4) && stdout.contains("error[KJ064]: "), "{code:?} {stdout}");
    let command = "import subprocess\nimport setuptools\nfrom setuptools.command.build_py import build_py\n\n\nclass Own(build_py):\n    \
                   def run(self):\n        subprocess.check_call(['sh', '-c', 'echo boom; exit 7'])\n        super().run()\n\n\n";
    let setup =
        SETUP.replace("import setuptools\n", command).replace("data_files=", "cmdclass={'build_py': Own}, data_files=");
    bench.write("setup.py", &setup);
    let (code, stdout) = bake(&[]);
    assert!(code == Some(3) && stdout.contains("failed with exit code 7: boom"), "{code:?} {stdout}");
    let (code, stdout) = bake(&["--commands", "record"]);
    assert_eq!(code, Some(0), "{stdout}");
}

/// Another path, another folder to work in, another umask and time zone; the clock has gone on, too.
#[test]
fn klio_2_a_baked_job_has_the_same_bytes_wherever_it_is_baked() {
    // An index of its own beside the default one is named in the lock.
    let first = JobBench::new();
    let index = first.index();
    let sums = [("022", "UTC"), ("077", "Asia/Tokyo")].map(|(umask, zone)| {
        let bench = JobBench::new();
        let out = bench.path("out").display().to_string();
        let bake = bench.command("bake", &["--extra-index-url", &index, "--out", &out]);
        let mut command = Command::new("sh");
        command.args(["-c", "umask $UMASK && exec \"$@\"", "sh"]).arg(bake.get_program()).args(bake.get_args());
        command.env("UMASK", umask).env("PYDIST_STORE", store()).current_dir(bench.path("job"));
        command.env("TZ", zone).env_remove("SOURCE_DATE_EPOCH");
        let (stdout, stderr) = texts(&command.output().unwrap());
        assert!(stdout.contains(".tar.zst"), "{stdout}{stderr}");
        let read = |name: &str| fs::read_to_string(bench.path("out").join(name)).unwrap();
        read("SHA256SUMS") + &read("staged/SHA256SUMS")
    });
    assert_eq!(sums[0], sums[1]);
    assert!(sums[0].contains(".tar.zst") && sums[0].contains("workflow.tar.gz"), "{}", sums[0]);
}

/// Whenever it is killed: what lies in the folder for results is whole, nothing beside it stays, and the next one gives the same bytes.
#[cfg(unix)]
#[test]
fn a_killed_bake_leaves_nothing_that_the_next_one_does_not_take_away() {
    let bench = JobBench::new();
    let (index, out) = (bench.index(), bench.path("out"));
    let bake = || bench.command("bake", &["--extra-index-url", &index, "--out", &out.display().to_string()]);
    let sums = || fs::read_to_string(out.join("SHA256SUMS")).unwrap();
    assert!(bake().output().unwrap().status.success());
    let begun = Instant::now();
    assert!(bake().output().unwrap().status.success());
    let (whole, right) = (begun.elapsed(), sums());
    for part in 1..8 {
        let mut child = bake().stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(whole * part / 8);
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let (_, stderr) = texts(&bake().output().unwrap());
    assert_eq!(sums(), right, "{stderr}");
    let names = walkdir::WalkDir::new(&out).min_depth(1).into_iter().flatten();
    let names: Vec<_> = names.map(|it| it.file_name().to_string_lossy().into_owned()).collect();
    assert!(names.iter().all(|name| !name.starts_with('.')), "{names:?}");
}
