//! Writes a few small valid inputs for each target: `cargo run --example seeds -- FOLDER`.

use std::fs;
use std::path::Path;

use archive::{TreeEntry, NoCache, PackOptions, PartSource};
use pydist_fuzz::{Wrapping, ZipKind, ZipPlan, ZipRow, repair_checksums, with_seek_table};
use vocab::ArtifactFormat;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = std::env::args().nth(1).ok_or("which folder?")?;
    let folder = Path::new(&folder);
    for (target, name, bytes) in seeds()? {
        fs::create_dir_all(folder.join(target))?;
        fs::write(folder.join(target).join(name), bytes)?;
    }
    Ok(())
}

type Seed = (&'static str, String, Vec<u8>);

/// Rules of extraction, as [`pydist_fuzz::Arena`] reads them; from 32 on digests are asked for.
const CHOICES: [u8; 10] = [0, 1, 2, 12, 18, 32, 33, 34, 48, 50];

fn seeds() -> Result<Vec<Seed>, Box<dyn std::error::Error>> {
    let mut seeds = Vec::new();
    for (name, tar) in [("usual", usual()?), ("long", long()?), ("links", links()?), ("odd", odd())] {
        for wrapping in 0..4 {
            for choice in CHOICES {
                seeds.push(("extract_tar", format!("{name}-{wrapping}-{choice}"), input(wrapping, choice, &tar)));
            }
        }
        // Packed already: what is mutated are the containers themselves.
        for wrapping in 1..4 {
            let packed = Wrapping::of(wrapping).wrap(&tar);
            seeds.push(("extract_tar", format!("{name}-packed-{wrapping}"), input(4, 0, &packed)));
        }
    }
    for (name, zip) in [("stored", stored_zip()), ("empty", [b"PK\x05\x06".to_vec(), vec![0; 18]].concat())] {
        for choice in CHOICES {
            seeds.push(("extract_zip", format!("{name}-{choice}"), input(0, choice, &zip)));
        }
    }
    // Any bytes are a plan; these give rows of several kinds.
    for seed in 0..16u8 {
        let plan: Vec<u8> = (0..400u16).map(|at| (at as u8).wrapping_mul(seed | 1).rotate_left(3) & 0x7F).collect();
        for choice in [0, 32] {
            seeds.push(("extract_zip", format!("plan-{seed}-{choice}"), input(1, choice, &plan)));
        }
    }
    for (name, frames) in [("none", &[][..]), ("two", &[(2, 9), (1, 0)][..])] {
        let packed: u32 = frames.iter().map(|(packed, _)| packed).sum();
        seeds.push(("seek_table", name.to_owned(), with_seek_table(vec![0; packed as usize], frames)));
    }
    for format in ["format-1", "format-2"] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../fixtures/manifest/{format}.json"));
        let text = fs::read_to_string(&path)?;
        // Without blanks it is short enough to be mutated as a whole.
        let dense = text.lines().map(|line| line.trim().replacen(": ", ":", 1)).collect::<String>();
        seeds.push(("manifest", format!("{format}-dense"), dense.into_bytes()));
        seeds.push(("manifest", format.to_owned(), text.into_bytes()));
    }
    seeds.extend(extension_seeds());
    seeds.extend(frame_seeds()?);
    Ok(seeds)
}

const DESCRIPTOR: &str = r#"{"extension":{"name":"Demo","namespace":"demo","version":"1.0","module":"demo",
"environment":"dep::base","dependencies":[{"name":"base","min_version":"1.0"}],"sdk_version":"1.0"},
"operators":{"run":{"name":"Run","parameters":[{"type":"integer","name":"a","default":1,"optional":true},
{"type":"category","name":"b","categories":["x"],"conditions":[["==","a",1]]}],
"inputs":[{"name":"t","type":"table"}],"outputs":[{"name":"o"}]}}}"#;

const BUILD_INPUT: &str = "[extension]\nname = 'Demo'\nnamespace = 'demo'\nversion = '1.0'\nmodule = 'demo'\n\
    [operator.run]\nname = 'Run'\n[operators.go]\noutputs = ['a']\n[[dependencies]]\nname = 'base'\n";

fn extension_seeds() -> Vec<Seed> {
    let zip = |descriptor: &[u8]| {
        let row = |name: &str, content: &[u8]| ZipRow::new(name, content, ZipKind::File);
        let rows = vec![row("demo/__init__.py", b""), row("demo.json", descriptor), row("env.yaml", b"name: x\r\n")];
        ZipPlan { rows, patches: Vec::new(), comment: Vec::new() }.bytes()
    };
    let first = |first: u8, rest: &[u8]| [&[first], rest].concat();
    let seed = |target, name: &str, bytes| (target, name.to_owned(), bytes);
    vec![
        seed("descriptor", "json", first(0, DESCRIPTOR.as_bytes())),
        seed("descriptor", "toml", first(1, BUILD_INPUT.as_bytes())),
        seed("extension_zip", "zip", first(0, &zip(DESCRIPTOR.as_bytes()))),
        seed("extension_zip", "plan", first(1, &[0x55; 300])),
        seed("extension_zip", "descriptor", first(2, DESCRIPTOR.as_bytes())),
    ]
}

fn frame_seeds() -> Result<Vec<Seed>, Box<dyn std::error::Error>> {
    let headers = [
        r#"{"t":"WELCOME","protocol":1,"pid":7,"python":"3.12.1","platform":"linux","codecs":["arrow"]}"#,
        r#"{"t":"LOADED","run":1,"ext":"e","file":null,"marks":2}"#,
        r#"{"t":"LOG","run":1,"level":20,"logger":"l","time":1.5,"text":"t"}"#,
        r#"{"t":"PROGRESS","run":1,"fraction":0.5,"text":""}"#,
        r#"{"t":"BODY","id":1,"part":0,"last":true}"#,
        r#"{"t":"RESULT","run":1,"outputs":[{"port":"o","form":"list","items":[{"port":"o","form":"table","body":1,"codec":"json","rows":1,"columns":[{"name":"a"}]}]}],"marks":2}"#,
        r#"{"t":"ERROR","run":null,"kind":"handle_lost","type":"T","message":"m","traceback":[{"file":"f","line":1,"function":"f","text":""}],"notes":["n"]}"#,
        r#"{"t":"BYE","reason":"idle"}"#,
    ];
    let mut seeds = Vec::new();
    let mut all = Vec::new();
    for (index, header) in headers.into_iter().enumerate() {
        let mut bytes = Vec::new();
        operator_server::frame::write_frame(&mut bytes, &serde_json::from_str(header)?, &[0; 9])?;
        all.extend(&bytes);
        seeds.push(("frames", index.to_string(), bytes));
    }
    seeds.push(("frames", "all".to_owned(), all));
    Ok(seeds)
}

fn input(first: u8, second: u8, rest: &[u8]) -> Vec<u8> {
    [&[first, second], rest].concat()
}

/// A tar as the packer writes it.
fn tar_of(entries: Vec<TreeEntry>) -> Result<Vec<u8>, Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("seed.tar");
    let options = PackOptions { format: ArtifactFormat::Tar, ..PackOptions::default() };
    archive::pack(&path, &[PartSource::new("seed", entries)], &options, &NoCache)?;
    Ok(fs::read(path)?)
}

fn usual() -> Result<Vec<u8>, Box<dyn std::error::Error>> {
    tar_of(vec![TreeEntry::bytes("bin/run".parse()?, *b"#!/bin/sh\n"), TreeEntry::bytes("lib/empty".parse()?, *b"")])
}

fn long() -> Result<Vec<u8>, Box<dyn std::error::Error>> {
    let name = format!("{}/\u{e9}", "n".repeat(250));
    tar_of(vec![TreeEntry::bytes(name.parse()?, *b"x")])
}

fn links() -> Result<Vec<u8>, Box<dyn std::error::Error>> {
    tar_of(vec![
        TreeEntry::bytes("a/file".parse()?, *b"content"),
        TreeEntry::symlink("a/link".parse()?, "file".to_owned()),
        TreeEntry::symlink("up".parse()?, "a/../a".to_owned()),
    ])
}

/// What other programs write: a GNU long name, a hard link.
fn odd() -> Vec<u8> {
    let mut tar = Vec::new();
    for (name, kind, link, content) in [
        ("././@LongLink", b'L', "", &b"long/name\0"[..]),
        ("short", b'0', "", b"content"),
        ("hard", b'1', "long/name", b""),
        ("folder/", b'5', "", b""),
    ] {
        let mut block = vec![0; 512];
        block[..name.len()].copy_from_slice(name.as_bytes());
        block[100..107].copy_from_slice(b"0000644");
        block[124..135].copy_from_slice(format!("{:011o}", content.len()).as_bytes());
        block[136..147].copy_from_slice(b"00000000001");
        block[156] = kind;
        block[157..157 + link.len()].copy_from_slice(link.as_bytes());
        block[257..265].copy_from_slice(b"ustar\x0000");
        tar.extend(block);
        tar.extend(content);
        tar.resize(tar.len().next_multiple_of(512), 0);
    }
    tar.resize(tar.len() + 1024, 0);
    repair_checksums(&mut tar);
    tar
}

fn stored_zip() -> Vec<u8> {
    let row = |name: &str, content: &[u8], deflated, kind| ZipRow { deflated, ..ZipRow::new(name, content, kind) };
    let rows = vec![
        row("bin/", b"", false, ZipKind::Folder),
        row("bin/run", b"#!/bin/sh\n", false, ZipKind::Program),
        row("lib/text", &b"text ".repeat(20), true, ZipKind::File),
        row("lib/link", b"text", false, ZipKind::Link),
    ];
    ZipPlan { rows, patches: Vec::new(), comment: Vec::new() }.bytes()
}
