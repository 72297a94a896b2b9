//! Several configurations, rules of the command line, and what they make of findings.

use super::*;

/// The findings with this code, as they are shown.
fn shown(report: &CheckReport, code: &str) -> Vec<String> {
    report.findings.iter().filter(|it| it.code.to_string() == code).map(ToString::to_string).collect()
}

#[test]
fn klio_7_41_and_43_commands_are_recorded_or_refused() {
    let job = Job::j2();
    job.replace("setup.py", "COMMANDS = [", "COMMANDS = [\n    [\"sh\", \"-c\", \"echo boom; exit 7\"],");
    let (folder, request, report, place) = job.checked_so("3.12", |_| ());
    assert!(!report.has_errors(), "commands only run where the job is built: {:?}", report.findings);
    let out = tempfile::tempdir().expect("temporary folders can be made");
    let place = place.expect("setup.py was asked");
    stage(&CONTEXT, &folder, &report, &place, &request, &PackageSettings::default(), out.path())
        .expect("no command runs for the archive");

    let (_, _, report, _) = job.checked_so("3.12", |request| {
        request.refuse_system_packages = true;
        request.commands = CommandRule::Deny;
    });
    assert_eq!(
        shown(&report, "KJ052"),
        ["error[KJ052]: setup.py: the job wants OS packages libsndfile1; a portable runtime cannot contain them"]
    );
    assert_eq!(
        shown(&report, "KJ051"),
        [
            "error[KJ051]: setup.py: custom command `sh -c echo boom; exit 7` cannot be reproduced: --commands deny allows no \
          other programs"
        ]
    );
    job.replace("setup.py", "\"pip3\", \"install\",", "\"pip3\", \"uninstall\",");
    let (_, _, report, _) = job.checked_so("3.12", |request| request.allowed = vec![job::code::KJ052]);
    assert!(shown(&report, "KJ051")[0].ends_with("cannot be reproduced: `pip uninstall` is not an installation"));
    assert!(shown(&report, "KJ052")[0].starts_with("note["));
}

#[test]
fn klio_11_plugins_of_the_user_do_not_hide_a_missing_manifest() {
    let job = Job::j2();
    job.remove("MANIFEST.in");
    let plugins = tempfile::tempdir().expect("temporary folders can be made");
    let write = |name: &str, text: &str| {
        let path = plugins.path().join(name);
        fs::create_dir_all(path.parent().expect("it lies in a folder")).expect("folders can be made");
        fs::write(path, text).expect("files can be written");
    };
    write("finder.py", "def find(folder):\n    return ['job-requirements.txt', 'run.py']\n");
    write("finder-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: finder\nVersion: 1.0\n");
    write("finder-1.0.dist-info/entry_points.txt", "[setuptools.file_finders]\nvcs = finder:find\n");
    let mut variables: Vec<_> = std::env::vars_os().filter(|(name, _)| name != "PYTHONPATH").collect();
    variables.push(("PYTHONPATH".into(), plugins.path().into()));
    let context = CONTEXT.clone().in_environment(Environment::new(variables));
    let (folder, request, _, _) = job.checked_so("3.12", |_| ());
    let (report, _) = check(&context, &folder, &request).expect("the check can be made");
    assert_eq!(
        shown(&report, "KJ041"),
        ["error[KJ041]: setup.py: MANIFEST.in is missing while installing needs job-requirements.txt"]
    );
}

#[test]
fn klio_30_to_32_several_configurations_are_one_job() {
    let job = Job::new(&J1.replace("\"klio-job.yaml\", ", ""));
    let second = CONFIG
        .replace("j1-job", "j1-${env}")
        .replace("job_config: {}", "job_config:\n  events:\n    inputs:\n    - {type: file, name: main, location: a}");
    job.write("klio-job-staging.yaml", &second);
    let both = |request: &mut CheckRequest| {
        request.config.files = vec!["klio-job.yaml".into(), "klio-job-staging.yaml".into()];
        request.config.templates = vec!["env=x".to_owned()];
    };
    let (folder, request, report, place) = job.checked_so("3.12", both);
    assert_eq!(told(&report), [""; 0]);
    let names: Vec<_> = report.configs.iter().map(|it| it.job_name.as_str()).collect();
    assert_eq!(names, ["j1-job", "j1-x"]);
    let out = tempfile::tempdir().expect("temporary folders can be made");
    stage(
        &CONTEXT,
        &folder,
        &report,
        &place.expect("setup.py was asked"),
        &request,
        &PackageSettings::default(),
        out.path(),
    )
    .expect("it is staged");
    let text = |name: &str| fs::read_to_string(out.path().join("configs").join(name)).expect("it was written");
    assert!(text("klio-job.yaml").contains("job_name: j1-job\n"));
    assert!(text("klio-job-staging.yaml").contains("job_name: j1-x\n"));

    let (_, _, report, _) = job.checked_so("3.12", |request| {
        request.config.files = vec!["klio-job-staging.yaml".into()];
        request.config.templates = vec!["env=x".to_owned()];
        request.config.overrides = vec!["job_config.events.inputs.main.location=z".to_owned()];
    });
    assert_eq!(report.configs[0].job_config["events"]["inputs"]["main"]["location"], "z");

    job.write("setup.py", J1);
    let (_, _, report, _) = job.checked_so("3.12", |request| {
        request.config.files = vec!["klio-job-staging.yaml".into()];
        request.config.templates = vec!["env=x".to_owned()];
    });
    assert_eq!(
        shown(&report, "KJ029"),
        [
            "error[KJ029]: setup.py: setup.py ships klio-job.yaml but the job is configured by klio-job-staging.yaml; workers \
          would read the wrong file"
        ]
    );
    job.replace("klio-job-staging.yaml", "setup_file: setup.py", "setup_file: pyproject.toml");
    job.write("pyproject.toml", "");
    let (_, _, report, _) = job.checked_so("3.12", both);
    assert!(shown(&report, "KJ028")[0].ends_with("disagree on `setup_file`"), "{:?}", report.findings);
}

#[test]
fn klio_33_the_configuration_of_a_run_is_written_into_the_archive() {
    let job = Job::new(&J1.replace("klio-job.yaml", "klio-job-run-effective.yaml"));
    let (folder, request, report, place) = job.checked_so("3.12", |_| ());
    assert_eq!(told(&report), [""; 0]);
    let out = tempfile::tempdir().expect("temporary folders can be made");
    let place = place.expect("setup.py was asked");
    stage(&CONTEXT, &folder, &report, &place, &request, &PackageSettings::default(), out.path()).expect("it is staged");
    let names = names(&out.path().join("staged/workflow.tar.gz"));
    assert!(names.contains(&"my_example_job-0.0.1/klio-job-run-effective.yaml".to_owned()), "{names:?}");
    assert!(!job.at("klio-job-run-effective.yaml").exists());
}

#[test]
fn klio_54_and_w11_modules_that_hide_others_are_named_before_anything_is_installed() {
    let job = Job::new(&J1.replace("\"transforms\"]", "\"transforms\", \"json\"]"));
    job.write("json.py", "x = 1\n");
    let (folder, _, report, _) = job.checked_so("3.12", |_| ());
    assert_eq!(
        shown(&report, "KJ080"),
        ["warning[KJ080]: setup.py: the job's module `json` hides one of the standard library"]
    );
    let other = Job::new(&J1.replace("my-example-job", "other-job"));
    other.write("transforms.py", "x = 2\n");
    let (other_folder, _, other_report, _) = other.checked_so("3.12", |_| ());
    let shared = job::shared_paths(&[(&folder, &report), (&other_folder, &other_report)]);
    let shared: Vec<_> = shared.iter().map(ToString::to_string).collect();
    assert_eq!(shared, ["error[KJ080]: `my-example-job` and `other-job` both install transforms.py"]);
}

/// Of the findings that no other test looks at, each with its text and place.
#[test]
fn klio_w8_and_others_are_found_by_a_whole_check() {
    let job =
        Job::new(&J1.replace("install_requires=[\"apache-beam==2.77.0\"]", "install_requires=[\"a==1\", \"a==2\"]"));
    job.write("Dockerfile", "FROM apache/beam_python3.8_sdk:2.35.0\n");
    job.write("run.py", "import transforms\n");
    let setup = fs::read_to_string(job.at("setup.py")).expect("it is there");
    job.write("setup.py", &setup.replace("name=\"my-example-job\", version=\"0.0.1\", ", ""));
    let (_, _, report, _) = job.checked_so("3.12", |request| request.strict = true);
    let lines: Vec<_> = report.findings.iter().map(ToString::to_string).collect();
    let expected = [
        "error[KJ044]: setup.py: setup() has no name; using unknown",
        "error[KJ044]: setup.py: setup() has no version; using 0.0.0",
        "error[KJ060]: setup.py: no solution for a==1 (setup.py), a==2 (setup.py): both cannot be installed",
        "error[KJ063]: setup.py: apache-beam is not among the dependencies; Beam workers refuse such an environment",
        "error[KJ065]: Dockerfile:1: Python is 3.8 for the image `apache/beam_python3.8_sdk:2.35.0`, but 3.12 for the target",
        "error[KJ071]: run.py: run.py defines neither run() nor run_basic()",
    ];
    let lines: Vec<_> = lines.iter().filter(|it| !it.contains("KJ056")).collect();
    assert_eq!(lines, expected);
}

#[test]
fn the_bytes_of_the_back_end_are_kept_on_request() {
    let job = Job::new(J1);
    let (folder, request, report, place) = job.checked_so("3.12", |request| request.raw_sdist = true);
    let out = tempfile::tempdir().expect("temporary folders can be made");
    let place = place.expect("setup.py was asked");
    let staged = stage(&CONTEXT, &folder, &report, &place, &request, &PackageSettings::default(), out.path())
        .expect("it is staged");
    assert_eq!(staged.top, "my_example_job-0.0.1");
    let file = fs::File::open(out.path().join("staged/workflow.tar.gz")).expect("it was written");
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(file));
    let times = archive.entries().expect("a tar").flatten().map(|it| it.header().mtime().expect("a time"));
    assert!(times.max() > Some(1_500_000_000), "the time is that of the build");
    let kept = place.keep();
    assert!(kept.join("job/setup.py").is_file());
    fs::remove_dir_all(kept).expect("it can be removed");
}
