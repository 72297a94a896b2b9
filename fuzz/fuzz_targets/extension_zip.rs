//! An extension's zip. The first byte says what the rest is: a zip, the plan of one, or a descriptor that lies in a sound
//! zip beside its module.
#![no_main]

use std::cell::LazyCell;

use extension::read_extension;
use libfuzzer_sys::arbitrary::Unstructured;
use libfuzzer_sys::fuzz_target;
use pydist_fuzz::{ZipKind, ZipPlan, ZipRow};

thread_local! {
    static FOLDER: LazyCell<tempfile::TempDir> =
        LazyCell::new(|| tempfile::tempdir().expect("there is a folder for temporary files"));
}

fuzz_target!(|data: &[u8]| {
    let [form, rest @ ..] = data else { return };
    let zip = match form % 3 {
        0 => rest.to_vec(),
        1 => {
            let Ok(plan) = Unstructured::new(rest).arbitrary::<ZipPlan>() else { return };
            plan.bytes()
        }
        _ => {
            let rows = vec![
                ZipRow::new("demo/__init__.py", b"", ZipKind::File),
                ZipRow::new("extension.json", rest, ZipKind::File),
                ZipRow::new("env.yml", b"dependencies: []\n", ZipKind::File),
            ];
            ZipPlan { rows, patches: Vec::new(), comment: Vec::new() }.bytes()
        }
    };
    FOLDER.with(|folder| {
        let path = folder.path().join("demo.zip");
        std::fs::write(&path, &zip).expect("a file can be written there");
        match read_extension(&path) {
            Ok(extension) => {
                serde_json::to_value(&extension).expect("what was read can be written");
            }
            Err(error) => drop(error.to_string()),
        }
        let files = std::fs::read_dir(folder.path()).expect("the folder is there").count();
        assert_eq!(files, 1, "reading writes nothing");
    });
});
