//! Small sdists (PEP 517) with a build backend of their own inside, so that building them needs no network, and
//! with the ways in which a build can go wrong.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::json;
use vocab::DistributionName;

use crate::FixtureFile;

/// The backend; it reads `fixture.json` beside it and uses the standard library only.
const BACKEND: &str = include_str!("sdist_backend.py");

/// How the build goes wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SdistStumble {
    /// Prints 300 numbered lines and `message`, and ends with an error.
    Fail { message: String },
    /// Starts a child, writes both process ids to `pids`, one per line, and never ends.
    Hang { pids: PathBuf },
}

/// An sdist that is being put together; each method adds to it.
#[derive(Clone, Debug)]
pub struct SdistBuilder {
    name: String,
    version: String,
    files: BTreeMap<String, Vec<u8>>,
    requires: Vec<String>,
    build_requires: Vec<String>,
    native: bool,
    stumble: Option<SdistStumble>,
    dynamic: bool,
    runs: String,
}

impl SdistBuilder {
    /// Its wheel holds a package of its name: `__init__.py` with `__version__`, and `build.json` with what the
    /// backend was given: `{"settings": {…}, "distributions": […], "source_date_epoch": "…"}`.
    pub fn new(name: &str, version: &str) -> Self {
        Self {
            name: name.to_owned(),
            version: version.to_owned(),
            files: BTreeMap::new(),
            requires: Vec::new(),
            build_requires: Vec::new(),
            native: false,
            stumble: None,
            dynamic: false,
            runs: String::new(),
        }
    }

    /// One more file, relative to the sdist's folder; those below the package's folder get into the wheel.
    #[must_use]
    pub fn file(mut self, path: &str, content: impl Into<Vec<u8>>) -> Self {
        self.files.insert(path.to_owned(), content.into());
        self
    }

    /// A requirement of the wheel (`Requires-Dist`).
    #[must_use]
    pub fn requires(mut self, requirement: &str) -> Self {
        self.requires.push(requirement.to_owned());
        self
    }

    /// A build requirement; the front end has to provide it.
    #[must_use]
    pub fn build_requires(mut self, requirement: &str) -> Self {
        self.build_requires.push(requirement.to_owned());
        self
    }

    /// Adds a C file, compiled by the machine's `cc` to the module `<package>._native` (`answer()` is 42); the
    /// file name of the wheel carries the platform.
    #[must_use]
    pub fn native(mut self) -> Self {
        self.native = true;
        self
    }

    /// Makes the build go wrong in this way.
    #[must_use]
    pub fn stumble(mut self, stumble: SdistStumble) -> Self {
        self.stumble = Some(stumble);
        self
    }

    /// Leaves its requirements out of the metadata: only the backend knows them.
    #[must_use]
    pub fn dynamic(mut self) -> Self {
        self.dynamic = true;
        self
    }

    /// Python that runs whenever the backend is loaded.
    #[must_use]
    pub fn runs(mut self, code: &str) -> Self {
        self.runs.push_str(code);
        self.runs.push('\n');
        self
    }

    /// Like [`Self::runs`]: appends a line to `marks` each time.
    #[must_use]
    pub fn marks(self, marks: &Path) -> Self {
        let code = format!("with open({}, 'a') as marks: marks.write('ran\\n')", json!(marks));
        self.runs(&code)
    }

    /// `name-version.tar.gz`, equal bytes each time.
    pub fn build(&self) -> FixtureFile {
        let folder = format!("{}-{}", self.package(), self.version);
        let gzip = GzEncoder::new(Vec::new(), Compression::fast());
        let mut archive = tar::Builder::new(gzip);
        for (path, content) in self.content() {
            let mut header = tar::Header::new_ustar();
            header.set_size(content.len() as u64);
            header.set_mode(0o644);
            header.set_mtime(315_532_800);
            archive
                .append_data(&mut header, format!("{folder}/{path}"), content.as_slice())
                .expect("memory can be written");
        }
        let mut gzip = archive.into_inner().expect("memory can be written");
        gzip.flush().expect("memory can be written");
        FixtureFile::new(format!("{folder}.tar.gz"), gzip.finish().expect("memory can be written"))
    }

    /// The same as a folder, for path and git sources.
    pub fn write_folder(&self, folder: &Path) {
        for (path, content) in self.content() {
            let path = folder.join(path);
            fs::create_dir_all(path.parent().expect("it lies in a folder")).expect("folders can be made");
            fs::write(path, content).expect("the fixture can be written");
        }
    }

    fn package(&self) -> String {
        let name: DistributionName = self.name.parse().expect("a distribution name");
        name.escaped()
    }

    fn content(&self) -> BTreeMap<String, Vec<u8>> {
        let (package, version) = (self.package(), &self.version);
        let mut files = BTreeMap::new();
        let pyproject = format!(
            "[build-system]\nrequires = {}\nbuild-backend = \"fixture_backend\"\nbackend-path = [\"backend\"]\n\n\
             [project]\nname = \"{}\"\nversion = \"{version}\"\n{}\n",
            json!(self.build_requires),
            self.name,
            if self.dynamic {
                "dynamic = [\"dependencies\"]".to_owned()
            } else {
                format!("dependencies = {}", json!(self.requires))
            },
        );
        files.insert("pyproject.toml".into(), pyproject.into_bytes());
        let package_info = self.metadata();
        // Only from 2.2 on does the file in an sdist bind its wheels.
        let told = if self.dynamic {
            format!("Metadata-Version: 2.1\nName: {}\nVersion: {version}\n", self.name)
        } else {
            package_info.clone()
        };
        files.insert("PKG-INFO".into(), told.into_bytes());
        files.insert("backend/fixture_backend.py".into(), format!("{}{BACKEND}", self.runs).into_bytes());
        let stumble = match &self.stumble {
            None => json!(null),
            Some(SdistStumble::Fail { message }) => json!({ "fail": message }),
            Some(SdistStumble::Hang { pids }) => json!({ "hang": pids }),
        };
        let fixture = json!({
            "package": package, "version": version, "metadata": package_info, "native": self.native,
            "stumble": stumble,
        });
        files.insert("backend/fixture.json".into(), fixture.to_string().into_bytes());
        files.insert(format!("{package}/__init__.py"), format!("__version__ = \"{version}\"\n").into_bytes());
        if self.native {
            files.insert(format!("{package}/_native.c"), NATIVE.into());
        }
        files.extend(self.files.clone());
        files
    }

    fn metadata(&self) -> String {
        let mut text = format!("Metadata-Version: 2.2\nName: {}\nVersion: {}\n", self.name, self.version);
        for requirement in &self.requires {
            text.push_str(&format!("Requires-Dist: {requirement}\n"));
        }
        text
    }
}

const NATIVE: &str = r#"#include <Python.h>
static PyObject *answer(PyObject *self, PyObject *none) { return PyLong_FromLong(42); }
static PyMethodDef methods[] = {{"answer", answer, METH_NOARGS, __FILE__}, {0}};
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "_native", 0, -1, methods};
PyMODINIT_FUNC PyInit__native(void) { return PyModule_Create(&module); }
"#;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_sdist_is_equal_each_time_and_lies_in_one_folder() {
        let sdist = SdistBuilder::new("Demo.Pkg", "1.0").native().build();
        assert_eq!(sdist, SdistBuilder::new("Demo.Pkg", "1.0").native().build());
        assert_eq!(sdist.file_name, "demo_pkg-1.0.tar.gz");
        let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(sdist.bytes.as_slice()));
        let mut paths: Vec<String> =
            archive.entries().unwrap().map(|entry| entry.unwrap().path().unwrap().display().to_string()).collect();
        paths.sort();
        assert!(paths.iter().all(|path| path.starts_with("demo_pkg-1.0/")), "{paths:?}");
        assert!(paths.contains(&"demo_pkg-1.0/demo_pkg/_native.c".to_owned()));
    }
}
