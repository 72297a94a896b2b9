//! Byte code in the base interpreter that tests share. Interpreters have none when they come into the store, so each program in
//! Python compiles its part of the library, which takes longer than the rest of most builds. Here the files of that part are
//! made once and entered into the table of the interpreter's files, as if it had come with them.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::support;

/// For the interpreters of a store that run here, unless they have it.
pub fn keep(store: &Path) {
    for table in tables(&store.join("bases")) {
        let tree = table.with_extension("");
        let python = tree.join("bin/python3.14");
        let has_it = rows(&read(&table)).iter().any(is_byte_code);
        let runs = Command::new(&python).args(["-I", "-B", "-c", ""]).output();
        if !has_it && runs.is_ok_and(|output| output.status.success()) {
            let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/real/byte_code.py");
            support::output(Command::new(python).args(["-I", "-B", script]).args([&tree, &table]));
        }
    }
}

/// Makes the interpreters in `bases`, a folder of one test alone, as they came into the store.
pub fn remove(bases: &Path) {
    for table in tables(bases) {
        let mut content = read(&table);
        for row in rows(&content).iter().filter(|row| is_byte_code(row)) {
            fs::remove_file(table.with_extension("").join(row["path"].as_str().unwrap())).unwrap();
        }
        content["files"].as_array_mut().unwrap().retain(|row| !is_byte_code(row));
        fs::write(&table, content.to_string()).unwrap();
        let folders = walkdir::WalkDir::new(table.with_extension("")).into_iter().map(Result::unwrap);
        let folders: Vec<_> = folders.filter(|entry| entry.file_name() == "__pycache__").collect();
        folders.iter().for_each(|folder| fs::remove_dir(folder.path()).unwrap());
    }
}

fn tables(bases: &Path) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(bases).unwrap().map(|entry| entry.unwrap().path());
    entries.filter(|path| path.extension().is_some_and(|extension| extension == "json")).collect()
}

fn read(table: &Path) -> Value {
    serde_json::from_slice(&fs::read(table).unwrap()).unwrap()
}

fn rows(table: &Value) -> &Vec<Value> {
    table["files"].as_array().unwrap()
}

fn is_byte_code(row: &Value) -> bool {
    row["path"].as_str().unwrap().contains("/__pycache__/")
}
