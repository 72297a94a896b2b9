//! Small wheels (PEP 427), valid unless a fault is asked for; the same input gives the same bytes.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{Cursor, Write as _};

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use vocab::{Digest, DistributionName};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

use crate::FixtureFile;

/// Something wrong in `RECORD`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RecordFault {
    /// The digest of this file is another file's.
    WrongDigest(String),
    /// The size of this file is one byte too large.
    WrongSize(String),
    /// This file of the wheel is not listed.
    NotListed(String),
    /// This file is listed as if the wheel's root were the machine's.
    Absolute(String),
    /// The digest of this file is an MD5.
    Md5(String),
    /// The digest of this file is in hexadecimal.
    Hex(String),
    /// This path is listed but not in the wheel.
    NotThere(String),
    /// There is no `RECORD`.
    Missing,
}

/// A wheel that is being put together; each method adds to it.
#[derive(Clone, Debug)]
pub struct WheelBuilder {
    name: String,
    version: String,
    tag: String,
    /// Path → content and whether it is executable.
    files: BTreeMap<String, (Vec<u8>, bool)>,
    /// Group → `name = object` lines.
    entry_points: BTreeMap<String, Vec<String>>,
    headers: Vec<(String, String)>,
    requires_python: Option<String>,
    record_faults: Vec<RecordFault>,
}

impl WheelBuilder {
    /// A pure wheel (`py3-none-any`). Without files of its own it holds a package of its name with
    /// `__version__`.
    pub fn new(name: &str, version: &str) -> Self {
        Self {
            name: name.to_owned(),
            version: version.to_owned(),
            tag: "py3-none-any".to_owned(),
            files: BTreeMap::new(),
            entry_points: BTreeMap::new(),
            headers: Vec::new(),
            requires_python: None,
            record_faults: Vec::new(),
        }
    }

    /// For instance `cp312-cp312-manylinux_2_17_x86_64`; compressed sets (`py2.py3-none-any`) are written out in
    /// `WHEEL`.
    #[must_use]
    pub fn tag(mut self, tag: &str) -> Self {
        tag.clone_into(&mut self.tag);
        self
    }

    /// `path` from the root of the wheel; `{data}` and `{dist-info}` stand for the two folders of that kind.
    #[must_use]
    pub fn file(mut self, path: &str, content: impl Into<Vec<u8>>) -> Self {
        let path = self.expand(path);
        self.files.insert(path, (content.into(), false));
        self
    }

    /// Like [`Self::file`], with the executable bit.
    #[must_use]
    pub fn executable(mut self, path: &str, content: impl Into<Vec<u8>>) -> Self {
        let path = self.expand(path);
        self.files.insert(path, (content.into(), true));
        self
    }

    /// An entry point in the group `console_scripts`.
    #[must_use]
    pub fn console_script(self, name: &str, object: &str) -> Self {
        self.entry_point("console_scripts", name, object)
    }

    /// An entry point of any group.
    #[must_use]
    pub fn entry_point(mut self, group: &str, name: &str, object: &str) -> Self {
        self.entry_points.entry(group.to_owned()).or_default().push(format!("{name} = {object}"));
        self
    }

    /// A requirement, `numpy>=2 ; sys_platform == "linux"`.
    #[must_use]
    pub fn requires(self, requirement: &str) -> Self {
        self.metadata("Requires-Dist", requirement)
    }

    /// `Requires-Python`, in the metadata and for the index.
    #[must_use]
    pub fn requires_python(mut self, specifier: &str) -> Self {
        self.requires_python = Some(specifier.to_owned());
        self.metadata("Requires-Python", specifier)
    }

    /// One more header of `METADATA`.
    #[must_use]
    pub fn metadata(mut self, header: &str, value: &str) -> Self {
        self.headers.push((header.to_owned(), value.to_owned()));
        self
    }

    /// One more fault in `RECORD`; they add up.
    #[must_use]
    pub fn record_fault(mut self, fault: RecordFault) -> Self {
        self.record_faults.push(fault);
        self
    }

    /// The wheel; equal bytes for equal calls.
    pub fn build(self) -> FixtureFile {
        let file_name = format!("{}-{}-{}.whl", self.escaped_name(), self.version, self.tag);
        let requires_python = self.requires_python.clone();
        let dist_info = self.dist_info();
        let mut files = self.files.clone();
        if files.is_empty() {
            let module = format!("__version__ = \"{}\"\n", self.version);
            files.insert(format!("{}/__init__.py", self.escaped_name()), (module.into_bytes(), false));
        }
        files.insert(format!("{dist_info}/METADATA"), (self.metadata_text().into_bytes(), false));
        files.insert(format!("{dist_info}/WHEEL"), (self.wheel_text().into_bytes(), false));
        if !self.entry_points.is_empty() {
            let text = self.entry_points_text().into_bytes();
            files.insert(format!("{dist_info}/entry_points.txt"), (text, false));
        }
        let record = (!self.record_faults.contains(&RecordFault::Missing)).then(|| self.record(&files));
        let bytes = pack(&files, record.map(|text| (format!("{dist_info}/RECORD"), text)));
        FixtureFile { file_name, bytes, requires_python }
    }

    fn escaped_name(&self) -> String {
        let name: DistributionName = self.name.parse().expect("a distribution name");
        name.escaped()
    }

    fn dist_info(&self) -> String {
        format!("{}-{}.dist-info", self.escaped_name(), self.version)
    }

    fn expand(&self, path: &str) -> String {
        let data = format!("{}-{}.data", self.escaped_name(), self.version);
        path.replace("{data}", &data).replace("{dist-info}", &self.dist_info())
    }

    fn metadata_text(&self) -> String {
        let mut text = format!("Metadata-Version: 2.1\nName: {}\nVersion: {}\n", self.name, self.version);
        for (header, value) in &self.headers {
            let _ = writeln!(text, "{header}: {value}");
        }
        text
    }

    fn wheel_text(&self) -> String {
        let pure = self.tag.ends_with("-none-any");
        let mut text = format!("Wheel-Version: 1.0\nGenerator: pydist-testkit\nRoot-Is-Purelib: {pure}\n");
        let parts: Vec<Vec<&str>> = self.tag.split('-').map(|part| part.split('.').collect()).collect();
        let [pythons, abis, platforms] = parts.as_slice() else { panic!("`{}` is not a wheel tag", self.tag) };
        for python in pythons {
            for abi in abis {
                for platform in platforms {
                    let _ = writeln!(text, "Tag: {python}-{abi}-{platform}");
                }
            }
        }
        text
    }

    fn entry_points_text(&self) -> String {
        let mut text = String::new();
        for (group, lines) in &self.entry_points {
            let _ = writeln!(text, "[{group}]\n{}\n", lines.join("\n"));
        }
        text
    }

    fn record(&self, files: &BTreeMap<String, (Vec<u8>, bool)>) -> String {
        let has = |fault: RecordFault| self.record_faults.contains(&fault);
        let mut text = String::new();
        for (path, (content, _)) in files {
            if has(RecordFault::NotListed(path.clone())) {
                continue;
            }
            let digested: &[u8] =
                if has(RecordFault::WrongDigest(path.clone())) { b"another file" } else { content.as_slice() };
            let size = content.len() + usize::from(has(RecordFault::WrongSize(path.clone())));
            let digest = if has(RecordFault::Md5(path.clone())) {
                "md5=1B2M2Y8AsgTpgAmY7PhCfg".to_owned()
            } else if has(RecordFault::Hex(path.clone())) {
                format!("sha256={}", Digest::of(digested))
            } else {
                format!("sha256={}", record_digest(digested))
            };
            let root = if has(RecordFault::Absolute(path.clone())) { "/" } else { "" };
            let _ = writeln!(text, "{root}{path},{digest},{size}");
        }
        for fault in &self.record_faults {
            if let RecordFault::NotThere(path) = fault {
                let _ = writeln!(text, "{path},sha256={},5", record_digest(b"ghost"));
            }
        }
        let _ = writeln!(text, "{}/RECORD,,", self.dist_info());
        text
    }
}

fn record_digest(content: &[u8]) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(Digest::of(content).as_bytes())
}

/// `RECORD` comes last, as the format recommends.
fn pack(files: &BTreeMap<String, (Vec<u8>, bool)>, record: Option<(String, String)>) -> Vec<u8> {
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    let mut add = |path: &str, content: &[u8], executable: bool| {
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Deflated)
            .last_modified_time(DateTime::default())
            .unix_permissions(if executable { 0o755 } else { 0o644 });
        archive.start_file(path, options).expect("the path fits into a zip");
        archive.write_all(content).expect("memory can be written");
    };
    for (path, (content, executable)) in files {
        add(path, content, *executable);
    }
    if let Some((path, text)) = record {
        add(&path, text.as_bytes(), false);
    }
    archive.finish().expect("memory can be written").into_inner()
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    fn content(wheel: &FixtureFile, path: &str) -> String {
        let mut archive = zip::ZipArchive::new(Cursor::new(&wheel.bytes)).unwrap();
        let mut text = String::new();
        archive.by_name(path).unwrap().read_to_string(&mut text).unwrap();
        text
    }

    #[test]
    fn a_wheel_has_its_name_its_tags_and_a_record_of_every_file() {
        let wheel = WheelBuilder::new("Demo.Pkg", "1.0")
            .tag("py2.py3-none-any")
            .executable("{data}/scripts/run", "#!python\n")
            .console_script("demo", "demo_pkg:main")
            .build();
        assert_eq!(wheel.file_name, "demo_pkg-1.0-py2.py3-none-any.whl");
        assert!(content(&wheel, "demo_pkg-1.0.dist-info/WHEEL").ends_with("Tag: py2-none-any\nTag: py3-none-any\n"));
        let record = content(&wheel, "demo_pkg-1.0.dist-info/RECORD");
        let listed: Vec<&str> = record.lines().map(|line| line.split(',').next().unwrap()).collect();
        let archive = zip::ZipArchive::new(Cursor::new(&wheel.bytes)).unwrap();
        let packed: Vec<_> = archive.file_names().map(|name| name.unwrap().into_owned()).collect();
        assert_eq!(listed, packed);
    }

    #[test]
    fn equal_input_gives_equal_bytes() {
        let build = || WheelBuilder::new("demo", "1.0").requires("a").file("demo.py", "x = 1\n").build();
        assert_eq!(build(), build());
    }

    #[test]
    fn faults_are_only_where_they_were_asked_for() {
        let wheel = WheelBuilder::new("demo", "1.0")
            .file("a.py", "a")
            .file("b.py", "b")
            .record_fault(RecordFault::NotListed("a.py".into()))
            .record_fault(RecordFault::NotThere("c.py".into()))
            .build();
        let record = content(&wheel, "demo-1.0.dist-info/RECORD");
        let has = |path: &str| record.lines().any(|line| line.starts_with(path));
        assert_eq!((has("a.py"), has("b.py"), has("c.py")), (false, true, true));
    }
}
