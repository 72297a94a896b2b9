//! Archives that are made to harm, and extensions from a later time.

use std::fs;
use std::path::Path;

use serde_json::json;

use crate::site::{PYTHON, Site, assert_refused};

const FILE: (&str, &[u8]) = ("bin/python3", PYTHON.as_bytes());

fn os() -> &'static str {
    if cfg!(target_os = "macos") { "macos" } else { "linux" }
}

#[test]
fn pel_34_a_relative_link_inside_is_kept() {
    let site = Site::new();
    let mut tar = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_size(PYTHON.len() as u64);
    header.set_mode(0o755);
    tar.append_data(&mut header, "bin/python3.12", PYTHON.as_bytes()).unwrap();
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(tar::EntryType::Symlink);
    header.set_size(0);
    tar.append_link(&mut header, "bin/python3", "python3.12").unwrap();
    site.write(&format!("res/pydist-k-1-{}.tar", os()), tar.into_inner().unwrap());
    let (code, stdout, stderr) = site.run(&["prepare", "k:1"]);
    assert_eq!(code, 0, "{stderr}");
    assert_eq!(fs::read_link(Path::new(&stdout).join("bin/python3")).unwrap(), Path::new("python3.12"));
    assert_eq!(site.run(&["verify", "k:1"]).0, 0, "and compared");
}

#[test]
fn pel_37_a_bomb_is_stopped_before_it_fills_the_disk() {
    let site = Site::new();
    // Deflated a thousandfold, and within every limit on sizes.
    site.zip(&format!("res/pydist-k-1-{}.zip", os()), &[FILE, ("lib/zeros", &vec![0; 40 << 20])]);
    assert_refused(&site.run(&["prepare", "k:1"]), 4, &["E_ARCHIVE_LIMIT", "as it is packed"]);
    site.tar(&format!("res/pydist-k-2-{}.tar.gz", os()), &[FILE, ("lib/large", &vec![7; 3 << 20])]);
    let limited = ["prepare", "k:2", "--set", "loader.maxExtractBytes=1000000"];
    assert_refused(&site.run(&limited), 4, &["E_ARCHIVE_LIMIT"]);
    assert!(!site.path("dists/k-1").exists() && !site.path("dists/k-2").exists());
    site.assert_tidy();
}

#[test]
fn pel_37_an_entry_that_is_longer_than_it_declares_is_refused() {
    let site = Site::new();
    let (content, shorter) = (vec![b'x'; 1000], 600_u32.to_le_bytes());
    let path = site.zip(&format!("res/pydist-k-1-{}.zip", os()), &[FILE, ("lib/long", &content)]);
    let mut zip = fs::read(&path).unwrap();
    let places: Vec<usize> = (0..zip.len() - 4).filter(|at| zip[*at..].starts_with(&1000_u32.to_le_bytes())).collect();
    assert_eq!(places.len(), 2, "one in each header");
    for place in places {
        zip[place..place + 4].copy_from_slice(&shorter);
    }
    fs::write(path, zip).unwrap();
    assert_refused(&site.run(&["prepare", "k:1"]), 4, &["E_ARCHIVE_", "lib/long"]);
    let path = site.tar(&format!("res/pydist-k-2-{}.tar", os()), &[("lib/long", &content), FILE]);
    let mut tar = fs::read(&path).unwrap();
    // 512 bytes: what is beyond them stands where the next header must be.
    tar[124..136].copy_from_slice(b"00000001000\0");
    tar[148..156].copy_from_slice(b"        ");
    let sum: u32 = tar[..512].iter().map(|byte| u32::from(*byte)).sum();
    tar[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    fs::write(path, tar).unwrap();
    assert_refused(&site.run(&["prepare", "k:2"]), 4, &["E_ARCHIVE_CORRUPT"]);
    assert!(!site.path("dists/k-1").exists() && !site.path("dists/k-2").exists());
    site.assert_tidy();
}

#[test]
fn pel_39_a_zip_that_readers_would_see_differently_is_refused() {
    let site = Site::new();
    let place = format!("res/pydist-k-1-{}.zip", os());
    let path = site.zip(&place, &[FILE, ("lib/aa.py", b"x")]);
    let sound = fs::read(&path).unwrap();
    let at = |wanted: &[u8], which: usize| {
        let found = (0..sound.len() - wanted.len()).filter(|at| sound[*at..].starts_with(wanted));
        found.clone().nth(which).unwrap_or_else(|| panic!("{} times", found.count()))
    };
    let mut renamed = sound.clone();
    let name = at(b"lib/aa.py", 0);
    renamed[name + 4] = b'b';
    fs::write(&path, renamed).unwrap();
    assert_refused(&site.run(&["prepare", "k:1"]), 4, &["E_ARCHIVE_"]);
    // The bit that says that the first entry is encrypted, in both of its headers.
    let mut encrypted = sound.clone();
    encrypted[at(b"PK\x03\x04", 0) + 6] |= 1;
    encrypted[at(b"PK\x01\x02", 0) + 8] |= 1;
    fs::write(&path, encrypted).unwrap();
    assert_refused(&site.run(&["prepare", "k:1"]), 4, &["E_ARCHIVE_", "encrypted"]);
    assert!(!site.path("dists/k-1").exists());
    site.assert_tidy();
    fs::write(&path, sound).unwrap();
    assert_eq!(site.run(&["prepare", "k:1"]).0, 0, "and only for that");
}

#[test]
fn an_operator_with_a_parameter_of_a_later_time_is_listed_and_does_not_run() {
    let site = Site::new();
    let descriptor = json!({
        "extension": { "name": "New", "namespace": "new", "version": "1", "module": "mod", "environment": "k:1" },
        "operators": { "shines": { "parameters": [{ "name": "beam", "type": "hologram" }] } },
    });
    let text = descriptor.to_string();
    site.zip("ext/new.zip", &[("extension.json", text.as_bytes()), ("mod/__init__.py", b"")]);
    assert_eq!(site.json(&["list"])[0]["operators"], json!(["new:shines"]));
    let (code, stdout, stderr) = site.run(&["run", "new:shines", "-p", "beam=x"]);
    assert!((code, &*stdout) == (2, "") && stderr.contains("E_OP_UNSUPPORTED"), "{code}: {stderr}");
    assert!(stderr.contains("beam") && stderr.contains("hologram"), "{stderr}");
    assert!(!site.path("dists").exists(), "nothing was prepared");
}
