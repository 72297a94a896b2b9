//! What is staged beside the archive: distributions of a requirements file, and files at addresses.

use std::fs;
use std::path::Path;

use job::{IndexStrategy, JobIndexes, Staged};
use testkit::{FixtureIndex, SdistBuilder, WheelBuilder};
use vocab::Fault;

use super::{CONTEXT, Duration, J1, Job, PackageSettings, stage};

fn staged(job: &Job, packages: &PackageSettings, out: &Path) -> Result<Staged, Box<dyn Fault>> {
    let (folder, request, report, place) = job.checked("3.12", Duration::from_secs(60));
    stage(&CONTEXT, &folder, &report, &place.expect("setup.py was asked"), &request, packages, out)
}

fn names(staged: &Staged) -> Vec<&str> {
    staged.files.iter().map(|it| it.name.as_str()).collect()
}

fn with_requirements(text: &str, more: &str) -> Job {
    let job = Job::new(J1);
    job.write("job-requirements.txt", text);
    job.replace("klio-job.yaml", "job_config", &format!("  requirements_file: job-requirements.txt\n{more}job_config"));
    job
}

fn index(files: &[testkit::FixtureFile]) -> FixtureIndex {
    let mut index = FixtureIndex::new();
    for file in files {
        index.add(file.clone());
    }
    index
}

#[test]
fn klio_19_distributions_of_a_requirements_file_are_staged_as_beam_does() {
    let far = WheelBuilder::new("farther", "1.0").build();
    let served = index(&[
        WheelBuilder::new("tinydep", "1.0").requires("farther").build(),
        WheelBuilder::new("tinydep", "2.0").build(),
        WheelBuilder::new("native", "1.0").tag("cp312-cp312-manylinux_2_17_x86_64").build(),
        WheelBuilder::new("native", "1.0").tag("cp312-cp312-win_amd64").build(),
        SdistBuilder::new("onlysource", "1.0").build(),
        far.clone(),
    ])
    .serve();
    let addressed = served.file_url(&far.file_name);
    let more =
        format!("  extra_packages: ['{addressed}', 'gs://bucket/y-1.0.tar.gz']\n  files_to_stage: [notes.txt]\n");
    let text =
        "# those of the job\ntinydep==1.0\napache-beam[gcp]==2.77.0\nnative\nonlysource\n./own-1.0-py3-none-any.whl\n";
    let job = with_requirements(text, &more);
    job.write("own-1.0-py3-none-any.whl", "own").write("notes.txt", "notes");
    let indexes = JobIndexes { default: Some(served.simple_url()), ..JobIndexes::default() };
    let packages = PackageSettings { indexes, ..PackageSettings::default() };
    let out = tempfile::tempdir().expect("temporary folders can be made");
    let found = staged(&job, &packages, out.path()).expect("it is staged");
    let expected = [
        "requirements.txt",
        "native-1.0-cp312-cp312-manylinux_2_17_x86_64.whl",
        "onlysource-1.0.tar.gz",
        "tinydep-1.0-py3-none-any.whl",
        "workflow.tar.gz",
        "notes.txt",
        "farther-1.0-py3-none-any.whl",
        "own-1.0-py3-none-any.whl",
        "extra_packages.txt",
    ];
    assert_eq!(names(&found), expected);
    assert_eq!(found.left_out, ["gs://bucket/y-1.0.tar.gz"], "Beam fetches it with the user's credentials");
    let read = |name: &str| fs::read_to_string(found.folder.join(name)).expect("it was written");
    assert_eq!(
        read("requirements.txt"),
        "# those of the job\ntinydep==1.0\napache-beam[gcp]==2.77.0\nnative\nonlysource"
    );
    assert_eq!(read("extra_packages.txt"), "farther-1.0-py3-none-any.whl\nown-1.0-py3-none-any.whl\n");
    assert_eq!(fs::read(found.folder.join(&far.file_name)).expect("it was written"), far.bytes);
    assert_eq!(read("SHA256SUMS").lines().count(), expected.len());
}

/// The internal index is the first; the public one has a higher version.
#[test]
fn klio_49_the_first_index_answers_unless_the_best_is_asked_for() {
    let own = index(&[WheelBuilder::new("secretlib", "1.0").build()]).serve();
    let public = index(&[WheelBuilder::new("secretlib", "9.0").build()]).serve();
    let job = with_requirements("secretlib\n", "");
    for (strategy, expected) in [(IndexStrategy::First, "secretlib-1.0"), (IndexStrategy::Best, "secretlib-9.0")] {
        let additional = vec![public.simple_url()];
        let indexes = JobIndexes { default: Some(own.simple_url()), additional, find_links: Vec::new() };
        let packages = PackageSettings { indexes, strategy, ..PackageSettings::default() };
        let out = tempfile::tempdir().expect("temporary folders can be made");
        let found = staged(&job, &packages, out.path()).expect("it is staged");
        assert!(names(&found)[1].starts_with(expected), "{strategy:?}: {:?}", names(&found));
    }
}

#[test]
fn packages_come_from_a_folder_and_what_nobody_has_is_an_error() {
    let links = tempfile::tempdir().expect("temporary folders can be made");
    WheelBuilder::new("tinydep", "1.0").build().write_to(links.path());
    let empty = index(&[WheelBuilder::new("other", "1.0").build()]).serve();
    let indexes = JobIndexes {
        default: Some(empty.simple_url()),
        find_links: vec![links.path().display().to_string()],
        ..JobIndexes::default()
    };
    let packages = PackageSettings { indexes, ..PackageSettings::default() };
    let out = tempfile::tempdir().expect("temporary folders can be made");
    let found = staged(&with_requirements("tinydep\n", ""), &packages, out.path()).expect("it is staged");
    assert_eq!(names(&found), ["requirements.txt", "tinydep-1.0-py3-none-any.whl", "workflow.tar.gz"]);
    let before = fs::read(found.folder.join("SHA256SUMS")).expect("it was written");
    let refused = staged(&with_requirements("tinydep==7\n", ""), &packages, out.path()).expect_err("nobody has it");
    assert!(["E_RESOLVE", "E_NO_WHEEL", "E_STRICT_MISSING"].contains(&refused.code()), "{}: {refused}", refused.code());
    assert_eq!(fs::read(found.folder.join("SHA256SUMS")).ok(), Some(before), "what was staged before stays");
}
