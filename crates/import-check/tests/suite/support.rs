//! A virtual environment in which small packages are installed by hand, and how reports are read.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::Command;
use std::sync::LazyLock;
use std::time::Duration;

use import_check::{CheckedDistribution, ImportCheck, ImportCheckError, ImportReport, check_imports};
use static_checks::native_files::NativeFault;
use static_checks::whitelist::Whitelist;
use store::Context;
use testkit::write;
use vocab::{Digest, Environment, Exit, Fault, NativeWarning, TreeLayout, TreePath};

/// The `python3` on PATH that virtual environments are made of, and its version. Asked once, not in each test.
static PYTHON: LazyLock<(PathBuf, String)> = LazyLock::new(|| {
    let python = which::which("python3").expect("these tests need a `python3` on PATH");
    let question = "import platform, sys; print(sys._base_executable, platform.python_version(), sep='\\n')";
    let answer = String::from_utf8(Command::new(python).args(["-c", question]).output().unwrap().stdout).unwrap();
    let (interpreter, version) = answer.trim().split_once('\n').unwrap();
    (PathBuf::from(interpreter).canonicalize().unwrap(), version.to_owned())
});

pub struct Runtime {
    pub root: tempfile::TempDir,
    pub layout: TreeLayout,
    pub distributions: Vec<CheckedDistribution>,
    pub beside: Vec<(Digest, Vec<TreePath>)>,
    pub whitelist: Whitelist,
    pub allowed_files: Vec<NativeFault>,
    pub strict: bool,
    pub timeout: Option<Duration>,
}

impl Runtime {
    pub fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let (interpreter, version) = &*PYTHON;
        let platform = vocab::PlatformKey::host().expect("a platform that has a key");
        let layout = TreeLayout { platform, python: version.parse().unwrap() };
        let program = layout.interpreter().below(&root.path().join("prefix"));
        fs::create_dir_all(program.parent().unwrap()).unwrap();
        symlink(interpreter, program).unwrap();
        let home = interpreter.parent().unwrap().display();
        fs::write(
            root.path().join("prefix/pyvenv.cfg"),
            format!("home = {home}\ninclude-system-site-packages = false\n"),
        )
        .unwrap();
        Self {
            root,
            layout,
            distributions: Vec::new(),
            beside: Vec::new(),
            whitelist: Whitelist::default(),
            allowed_files: Vec::new(),
            strict: false,
            timeout: None,
        }
    }

    pub fn prefix(&self) -> PathBuf {
        self.root.path().join("prefix")
    }

    /// Installs `files` (below site-packages) as `<name>-1.0-py3-none-any.whl`, all names importable.
    pub fn install(&mut self, name: &str, files: &[(&str, &[u8])]) {
        let site = self.layout.site_packages();
        let mut paths: Vec<TreePath> = Vec::new();
        let names: BTreeSet<&str> = files.iter().filter_map(|(path, _)| path.split(['/', '.']).next()).collect();
        let top_level = names.into_iter().collect::<Vec<_>>().join("\n");
        let info = format!("{name}-1.0.dist-info/top_level.txt");
        for (path, content) in files.iter().copied().chain([(info.as_str(), top_level.as_bytes())]) {
            let path = site.join(&path.parse().unwrap());
            write(&self.prefix(), path.as_str(), content);
            paths.push(path);
        }
        self.distributions.push(CheckedDistribution {
            name: name.parse().unwrap(),
            file: format!("{name}-1.0-py3-none-any.whl"),
            sha256: Digest::of(name),
            files: paths,
            requires: Vec::new(),
            requested: true,
            incomplete: None,
        });
    }

    pub fn allow(&mut self, text: &str) {
        self.whitelist = Whitelist::read(&write(self.root.path(), "whitelist.json", text)).unwrap();
    }

    pub fn check(&self) -> ImportReport {
        self.try_check().unwrap()
    }

    pub fn try_check(&self) -> Result<ImportReport, ImportCheckError> {
        let environment = Environment::new(std::env::vars_os());
        let mut context = Context::quiet(self.root.path().join("store")).in_environment(environment);
        context.work.timeout = self.timeout;
        let check = ImportCheck {
            prefix: &self.prefix(),
            layout: self.layout,
            distributions: &self.distributions,
            beside: &self.beside,
            whitelist: &self.whitelist,
            libraries: &BTreeSet::new(),
            allowed_files: &self.allowed_files,
            strict_whitelist: self.strict,
            python_identity: Digest::of("python"),
            emulator: None,
            today: "2026-06-15".parse().unwrap(),
        };
        check_imports(&context, &check)
    }

    pub fn listing(&self) -> BTreeSet<PathBuf> {
        walkdir::WalkDir::new(self.prefix()).into_iter().map(|entry| entry.unwrap().into_path()).collect()
    }
}

pub fn exit_of(report: &ImportReport) -> Exit {
    report.verdict().map_or_else(|error| error.exit(), |()| Exit::Done)
}

pub fn failures(report: &ImportReport) -> Vec<String> {
    report.failures.iter().map(ToString::to_string).collect()
}

/// An extension module of this machine's Python. `_json` imports in any package, `_zoneinfo` only with [`BROKEN`] undone.
pub fn extension(name: &str) -> Vec<u8> {
    fs::read(extension_path(name)).expect("this Python has it as a file")
}

pub fn extension_path(name: &str) -> PathBuf {
    let code = format!("import {name}; print({name}.__file__)");
    let answer = Command::new(which::which("python3").unwrap()).args(["-c", &code]).output().unwrap();
    String::from_utf8(answer.stdout).unwrap().trim().into()
}

pub fn warnings(report: &ImportReport) -> Vec<String> {
    report.warnings.iter().map(|failure| format!("{}: {}", failure.distribution, failure.module)).collect()
}

pub fn remarks(report: &ImportReport) -> Vec<String> {
    let owner = |it: &NativeWarning| it.distribution.as_ref().map(ToString::to_string).unwrap_or_default();
    report.remarks.iter().map(|it| format!("{}: {} {}", owner(it), it.subject, it.text)).collect()
}

/// The files below `imports/` of the store, by name.
pub fn kept_files(runtime: &Runtime, ending: &str) -> Vec<PathBuf> {
    let all = walkdir::WalkDir::new(runtime.root.path().join("store/imports")).into_iter().flatten();
    let files = all.filter(|entry| entry.file_type().is_file()).map(walkdir::DirEntry::into_path);
    files.filter(|path| path.to_string_lossy().ends_with(ending)).collect()
}

/// A package in which `_zoneinfo` is loaded and then fails.
pub const BROKEN: &[u8] = b"import sys\nsys.modules['zoneinfo'] = None\n";
