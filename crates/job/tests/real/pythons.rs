//! The same job on several Pythons, and the examples of the documentation.

use super::*;

#[test]
fn klio_50_setup_files_that_import_distutils_first_work_on_every_python() {
    for (python, warned) in [("3.8", false), ("3.10", false), ("3.12", true), ("3.13", true)] {
        let job = Job::j2();
        let (folder, request, report, place) = job.checked_so(python, |_| ());
        let expected: &[&str] = if warned {
            &["w setup.py:3 KJ047", "w setup.py KJ052", "w setup.py KJ058"]
        } else {
            &["w setup.py KJ052", "w setup.py KJ058"]
        };
        assert_eq!(told(&report), expected, "on {python}");
        let out = tempfile::tempdir().expect("temporary folders can be made");
        let place = place.expect("setup.py was asked");
        assert_eq!(place.python.minor_version(), python);
        let staged = stage(&CONTEXT, &folder, &report, &place, &request, &PackageSettings::default(), out.path());
        assert_eq!(staged.expect("it is staged").top, "my_example_job-0.0.1", "on {python}");
    }
}

#[test]
fn klio_47_and_54_hold_on_an_old_python() {
    let job = Job::new(
        &J1.replace("version=", "python_requires='>=3.9', version=")
            .replace("\"transforms\"]", "\"transforms\", \"json\"]"),
    );
    job.write("json.py", "x = 1\n");
    let (_, _, report, _) = job.checked_so("3.8", |_| ());
    assert_eq!(told(&report), ["e setup.py KJ048", "w setup.py KJ080"]);
    assert_eq!(report.findings[0].message, "the job requires Python >=3.9; the target is 3.8");
}

/// The Python of docs/job.md, in order.
fn examples() -> Vec<String> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/job.md");
    let page = fs::read_to_string(page).expect("the page is there");
    page.split("```python\n").skip(1).map(|rest| rest.split("```").next().unwrap_or_default().to_owned()).collect()
}

#[test]
fn the_examples_of_the_page_are_checked_as_it_says() {
    let examples = examples();
    let [minimal, commands] = examples.as_slice() else { panic!("{} examples", examples.len()) };
    let job = Job::new(minimal);
    let (folder, request, report, place) = job.checked_so("3.12", |_| ());
    assert_eq!(told(&report), ["w setup.py KJ063"]);
    let out = tempfile::tempdir().expect("temporary folders can be made");
    let place = place.expect("setup.py was asked");
    stage(&CONTEXT, &folder, &report, &place, &request, &PackageSettings::default(), out.path()).expect("it is staged");
    let names = names(&out.path().join("staged/workflow.tar.gz"));
    assert!(names.contains(&"my_example_job-0.0.1/my-model.h5".to_owned()), "{names:?}");

    let job = Job::new(commands);
    job.write("job-requirements.txt", "tinydep==1.0\n").write("MANIFEST.in", "include job-requirements.txt\n");
    let (_, _, report, _) = job.checked_so("3.12", |_| ());
    assert_eq!(
        told(&report),
        ["w setup.py:4 KJ047", "w setup.py KJ052", "e setup.py KJ053", "w setup.py KJ058", "w setup.py KJ063"]
    );
    assert_eq!(report.commands.system_packages[0].name, "libsndfile1");
    assert_eq!(report.commands.pip[0].files, ["job-requirements.txt"]);
}
