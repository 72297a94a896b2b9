//! Jobs whose build back end is named in pyproject.toml (J3).

use super::*;

const PROJECT: &str = "name = \"my-example-job\"\nversion = \"0.0.1\"\nrequires-python = \">=3.8\"\ndependencies = [\"apache-beam==2.77.0\"]\n";

/// A job without setup.py, with the files of J1.
fn job(project: &str) -> Job {
    let job = Job::new("");
    job.remove("setup.py").write("pyproject.toml", project);
    job.replace("klio-job.yaml", "setup.py", "pyproject.toml");
    job
}

fn staged(job: &Job) -> (Vec<String>, CheckReport, Vec<String>) {
    let (folder, request, report, place) = job.checked_so("3.12", |_| ());
    let out = tempfile::tempdir().expect("temporary folders can be made");
    let place = place.expect("the back end was asked");
    stage(&CONTEXT, &folder, &report, &place, &request, &PackageSettings::default(), out.path()).expect("it is staged");
    let names = names(&out.path().join("staged/workflow.tar.gz"));
    (told(&report), report, names)
}

#[test]
fn j3_setuptools_alone_in_pyproject_toml() {
    let system = "[build-system]\nrequires = [\"setuptools>=61\"]\nbuild-backend = \"setuptools.build_meta\"\n";
    let tool = "[tool.setuptools]\npy-modules = [\"run\", \"transforms\"]\n[tool.setuptools.data-files]\n\".\" = [\"my-model.h5\"]\n";
    let job = job(&format!("{system}[project]\n{PROJECT}{tool}"));
    let (findings, report, names) = staged(&job);
    assert_eq!(findings, [""; 0]);
    assert_eq!((report.name.as_deref(), report.version.as_deref()), (Some("my-example-job"), Some("0.0.1")));
    for name in ["run.py", "transforms.py", "my-model.h5", "pyproject.toml"] {
        assert!(names.contains(&format!("my_example_job-0.0.1/{name}")), "{name} in {names:?}");
    }
    job.replace("pyproject.toml", "\"run\", ", "");
    let (_, _, report, _) = job.checked_so("3.12", |_| ());
    assert_eq!(told(&report), ["e pyproject.toml KJ034"]);
    assert_eq!(report.findings[0].help, "add \"run\" to py-modules");
}

#[test]
fn j3_a_setup_py_beside_pyproject_toml_runs_with_its_requirements() {
    let job = Job::new(&J1.replace("py_modules=[\"run\", \"transforms\"]", "packages=[\"pkg\"], py_modules=[\"run\"]"));
    job.write("pyproject.toml", "[build-system]\nrequires = [\"setuptools\", \"wheel\"]\n");
    job.write("pkg/__init__.py", "").write("pkg/schema.json", "{}").write("MANIFEST.in", "include pkg/schema.json\n");
    job.write("run.py", "import pkg\n\n\ndef run(pcoll, config):\n    return pkg\n");
    let (findings, _, names) = staged(&job);
    assert_eq!(findings, [""; 0]);
    assert!(names.contains(&"my_example_job-0.0.1/pkg/schema.json".to_owned()), "{names:?}");
}

#[test]
fn j3_other_back_ends_are_asked_by_what_they_build() {
    let include = "[\"run.py\", \"transforms.py\", \"klio-job.yaml\"]";
    let rows = [
        (
            "hatchling",
            format!(
                "[build-system]\nrequires = [\"hatchling\"]\nbuild-backend = \"hatchling.build\"\n[project]\n{PROJECT}\
                 [tool.hatch.build]\ninclude = {include}\n[tool.hatch.build.targets.sdist]\ninclude = [\"my-model.h5\", \"*.py\", \
                 \"klio-job.yaml\"]\n[tool.hatch.build.targets.wheel.shared-data]\n\"my-model.h5\" = \"my-model.h5\"\n"
            ),
        ),
        (
            "flit_core",
            format!(
                "[build-system]\nrequires = [\"flit_core\"]\nbuild-backend = \"flit_core.buildapi\"\n[project]\n{PROJECT}\
                 description = \"x\"\n[tool.flit.module]\nname = \"job_of_flit\"\n"
            ),
        ),
        (
            "poetry-core",
            "[build-system]\nrequires = [\"poetry-core\"]\nbuild-backend = \"poetry.core.masonry.api\"\n[tool.poetry]\nname = \
             \"my-example-job\"\nversion = \"0.0.1\"\ndescription = \"\"\nauthors = []\npackages = [{include = \"run.py\"}, \
             {include = \"transforms.py\"}]\n[tool.poetry.dependencies]\npython = \">=3.8\"\napache-beam = \"2.77.0\"\n"
                .to_owned(),
        ),
    ];
    for (back_end, project) in rows {
        let job = job(&project);
        // Flit packs one module or package.
        job.write("job_of_flit/__init__.py", "x = 1\n");
        let (findings, report, names) = staged(&job);
        let (name, version) = (report.name.as_deref(), report.version.as_deref());
        assert_eq!((name, version), (Some("my-example-job"), Some("0.0.1")), "{back_end}: {:?}", report.findings);
        let expected: &[&str] = if back_end == "flit_core" {
            &["e pyproject.toml KJ034", "w pyproject.toml KJ066"]
        } else {
            &["w pyproject.toml KJ066"]
        };
        assert_eq!(findings, expected, "{back_end}");
        assert!(names.iter().any(|it| it == "my_example_job-0.0.1/pyproject.toml"), "{back_end}: {names:?}");
        if back_end == "hatchling" {
            job.replace("pyproject.toml", "include = [\"my-model.h5\", ", "include = [");
            let (_, _, report, _) = job.checked_so("3.12", |_| ());
            assert_eq!(
                report.findings[0].to_string(),
                "error[KJ039]: pyproject.toml: my-model.h5 is a data file but the source archive lacks it"
            );
        }
        let message = &report.findings.iter().find(|it| it.code == job::code::KJ066).expect("it is there").message;
        let text =
            format!("Beam builds without isolation: {back_end} must be installed in the driver and on its workers");
        assert_eq!(*message, text);
    }
}

#[test]
fn j3_back_ends_that_fail_or_cannot_be_there_are_findings() {
    let broken = job("[build-system\n");
    assert_eq!(broken.findings(), ["e pyproject.toml KJ030"]);
    let absent =
        job("[build-system]\nrequires = [\"setuptools==0.0.999\"]\nbuild-backend = \"setuptools.build_meta\"\n");
    let (_, _, report, place) = absent.checked_so("3.12", |_| ());
    let shown = report.findings[0].to_string();
    assert!(shown.starts_with("error[KJ060]: pyproject.toml: no solution for setuptools==0.0.999: "), "{shown}");
    assert!(place.is_none());
    let own = "[build-system]\nrequires = []\nbuild-backend = \"own\"\nbackend-path = [\".\"]\n";
    let failing = job(own);
    failing.write("own.py", "def build_sdist(folder, settings=None):\n    raise ValueError('no')\n");
    let (_, _, report, _) = failing.checked_so("3.12", |_| ());
    assert_eq!(
        report.findings.iter().filter(|it| it.code == job::code::KJ030).map(ToString::to_string).collect::<Vec<_>>(),
        ["error[KJ030]: own.py:2: its build back end failed: ValueError: no"]
    );
    let old = job(&format!(
        "[build-system]\nrequires = [\"setuptools\"]\nbuild-backend = \"setuptools.build_meta\"\n[project]\n{}\
         [tool.setuptools]\npy-modules = [\"run\", \"transforms\"]\n",
        PROJECT.replace("2.77.0", "2.60.0")
    ));
    let (_, _, report, _) = old.checked_so("3.12", |_| ());
    assert_eq!(told(&report), ["e pyproject.toml KJ067"]);
    assert_eq!(report.findings[0].message, "Beam 2.60.0 does not take pyproject.toml as setup file");
}
