//! One fault at a time, with its text and its place.

use super::*;

/// Each row: the case, what is done to the job, and the findings that are then there.
#[test]
fn klio_8_to_45_each_fault_is_named_with_its_place() {
    type Change = fn(&Job);
    let j1: [(&str, Change, &[&str]); 22] = [
        (
            "34 link",
            |job| {
                job.remove("my-model.h5");
                std::os::unix::fs::symlink("nowhere", job.at("my-model.h5")).expect("links can be made");
            },
            &["e setup.py KJ036"],
        ),
        (
            "12",
            |job| {
                job.remove("setup.py");
            },
            &["e klio-job.yaml:5 KJ021"],
        ),
        (
            "34 missing",
            |job| {
                job.remove("my-model.h5");
            },
            &["e setup.py KJ036"],
        ),
        (
            "34 pattern",
            |job| {
                job.replace("setup.py", "my-model.h5", "*.h5");
            },
            &["e setup.py KJ036"],
        ),
        (
            "34 folder",
            |job| {
                job.remove("my-model.h5").write("my-model.h5/x", "");
            },
            &["e setup.py KJ036"],
        ),
        (
            "35",
            |job| {
                job.replace("setup.py", "my-model.h5", "../x.h5");
            },
            &["e setup.py KJ037"],
        ),
        (
            "35 link",
            |job| {
                job.remove("my-model.h5");
                let outside = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
                std::os::unix::fs::symlink(outside, job.at("my-model.h5")).expect("links can be made");
            },
            &["e setup.py KJ037"],
        ),
        (
            "36 absolute",
            |job| {
                job.replace("setup.py", "(\".\"", "(\"/opt/abs\"");
            },
            &["w setup.py KJ038"],
        ),
        (
            "36 up",
            |job| {
                job.replace("setup.py", "(\".\"", "(\"../up\"");
            },
            &["e setup.py KJ038"],
        ),
        (
            "37 data",
            |job| {
                job.write("MANIFEST.in", "# x\nexclude my-model.h5\n");
            },
            &["e MANIFEST.in:2 KJ039"],
        ),
        (
            "37 setup.py",
            |job| {
                job.write("MANIFEST.in", "exclude setup.py\n");
            },
            &["e MANIFEST.in:1 KJ043"],
        ),
        (
            "37 Include",
            |job| {
                job.write("MANIFEST.in", "\nInclude x\n");
            },
            &["w MANIFEST.in:2 KJ042"],
        ),
        (
            "38 deleted",
            |job| {
                job.remove("transforms.py");
            },
            &["e setup.py KJ032"],
        ),
        (
            "38 large",
            |job| {
                job.write("transforms.py", &format!("x = 1\n# {}\n", "large ".repeat(1 << 19)));
            },
            &[],
        ),
        (
            "38 helper",
            |job| {
                job.write("helper.py", "").write("transforms.py", "import os\nimport helper\n");
            },
            &["e transforms.py:2 KJ035"],
        ),
        (
            "38 run",
            |job| {
                job.replace("setup.py", "\"run\", ", "");
            },
            &["e setup.py KJ034"],
        ),
        (
            "39",
            |job| {
                job.replace("setup.py", "py_modules=[\"run\", \"transforms\"],", "");
            },
            &["e setup.py KJ033"],
        ),
        (
            "40 syntax",
            |job| {
                job.write("setup.py", "x = 1\nx = (\n");
            },
            &["e setup.py:2 KJ030"],
        ),
        (
            "40 raises",
            |job| {
                job.write("setup.py", "\nraise ValueError('no')\n");
            },
            &["e setup.py:2 KJ030"],
        ),
        (
            "40 no call",
            |job| {
                job.write("setup.py", "import sys\n");
            },
            &["e setup.py KJ031"],
        ),
        (
            "47",
            |job| {
                job.replace("setup.py", "version=", "python_requires='<3.9', version=");
            },
            &["e setup.py KJ048"],
        ),
        (
            "53",
            |job| {
                job.write("transforms.py", "x = 1\ny = '/usr/local/my-model.h5'\n");
            },
            &["w transforms.py:2 KJ073"],
        ),
    ];
    let mut texts = String::new();
    let mut add = |case: &str, report: &CheckReport| {
        for finding in report.findings.iter().filter(|it| it.code != job::code::KJ056) {
            texts.push_str(&format!("{case}: {finding}\n"));
        }
    };
    for (case, change, expected) in j1 {
        let job = Job::new(J1);
        change(&job);
        let report = job.checked("3.12", Duration::from_secs(60)).2;
        assert_eq!(told(&report), expected, "case {case}");
        add(case, &report);
    }
    let j2: [(&str, Change, &str); 9] = [
        (
            "8",
            |job| {
                job.remove("MANIFEST.in");
            },
            "e setup.py KJ041",
        ),
        (
            "9",
            |job| {
                job.write("MANIFEST.in", "include my-model.h5\n");
            },
            "e setup.py KJ040",
        ),
        (
            "9 nested",
            |job| {
                job.write("job-requirements.txt", "-r more.txt\n").write("more.txt", "tinydep==1.0\n");
            },
            "e setup.py KJ040",
        ),
        (
            "10",
            |job| {
                job.remove("MANIFEST.in").write("x.egg-info/SOURCES.txt", "job-requirements.txt\n");
            },
            "e setup.py KJ041",
        ),
        (
            "42 class",
            |job| {
                job.replace("setup.py", ", \"CustomCommands\": CustomCommands", "");
            },
            "e setup.py KJ046",
        ),
        (
            "42 sub",
            |job| {
                job.replace("setup.py", " + [(\"CustomCommands\", None)]", "");
            },
            "w setup.py KJ045",
        ),
        (
            "43",
            |job| {
                job.replace("setup.py", "--default-timeout=120", "--target=x");
            },
            "e setup.py KJ051",
        ),
        (
            "44 scheme",
            |job| {
                job.replace("setup.py", "https://index.example/simple", "index.example");
            },
            "e setup.py KJ053",
        ),
        (
            "44 http",
            |job| {
                job.replace("setup.py", "https://index", "http://index");
            },
            "w setup.py KJ054",
        ),
    ];
    for (case, change, expected) in j2 {
        let job = Job::j2();
        change(&job);
        let report = job.checked("3.12", Duration::from_secs(60)).2;
        let findings = told(&report);
        assert!(findings.iter().any(|it| it == expected), "case {case}: {findings:?}");
        add(case, &report);
    }
    assert!(texts == include_str!("texts.txt"), "texts.txt should be:\n{texts}");
}
