//! Protects what the interpreter brought: no wheel may replace a name that starts it, a module that would be imported
//! instead of its library, or a file of a distribution that came with it, unless another version of that very
//! distribution is installed.

use std::collections::{BTreeSet, HashMap, HashSet};

use archive::NameRules;
use vocab::{DistributionName, ModuleFolder, TreeLayout, TreePath};

use super::former::FormerDistribution;
use super::former_owner::FormerOwner;
use super::install_error::InstallErrorKind;

/// What happens to a file that a wheel wants to install.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum GuardJudgement {
    Free,
    /// The interpreter's own stays, and nothing is lost.
    KeepsOwn,
}

pub(super) struct PrefixGuard {
    layout: TreeLayout,
    rules: NameRules,
    /// Files and links, keyed by folded path.
    files: HashMap<String, FormerOwner>,
    /// Folded.
    folders: HashSet<String>,
    /// Folded.
    modules: HashMap<(ModuleFolder, String), FormerOwner>,
}

impl PrefixGuard {
    /// `base` are the files and links of the interpreter, `formers` the distributions among them. Those replaced by one
    /// of `names` are not protected.
    pub(super) fn new(
        layout: TreeLayout,
        base: &BTreeSet<TreePath>,
        formers: &[FormerDistribution],
        names: &BTreeSet<&DistributionName>,
    ) -> Self {
        let mut owners: HashMap<&TreePath, &FormerDistribution> = HashMap::new();
        for former in formers {
            owners.extend(former.files.iter().map(|path| (path, former)));
        }
        let owner_of = |path: &TreePath| {
            owners.get(path).copied().or_else(|| formers.iter().find(|former| path.starts_with(&former.dist_info)))
        };
        let rules = NameRules::of_platform(layout.platform);
        let (files, folders) = (HashMap::with_capacity(base.len()), HashSet::new());
        let mut guard = Self { layout, rules, files, folders, modules: HashMap::new() };
        // Python trusts byte code there before the source that it was made from.
        let byte_code = (ModuleFolder::StandardLibrary, "__pycache__".to_owned());
        guard.modules.insert(byte_code, FormerOwner::Interpreter);
        for path in base {
            let owner = match owner_of(path) {
                Some(former) if names.contains(&former.name) => continue,
                Some(former) => FormerOwner::Distribution(former.name.clone()),
                None => FormerOwner::Interpreter,
            };
            guard.add(path, owner);
        }
        guard
    }

    fn add(&mut self, path: &TreePath, owner: FormerOwner) {
        if let Some((folder, module)) = self.layout.top_level_module(path) {
            // A note such as `site-packages/README.txt` is not a module.
            let is_module = folder == ModuleFolder::StandardLibrary || owner != FormerOwner::Interpreter;
            if is_module && module != "site-packages" {
                self.modules.insert((folder, self.rules.key(module).into_owned()), owner.clone());
            }
        }
        let mut parent = path.parent();
        while let Some(folder) = parent.filter(|folder| !folder.is_root()) {
            parent = folder.parent();
            if !self.folders.insert(self.rules.key(folder.as_str()).into_owned()) {
                break;
            }
        }
        self.files.insert(self.rules.key(path.as_str()).into_owned(), owner);
    }

    /// Judges a file that a wheel would install at `path`, whether or not one exists there.
    pub(super) fn judge(&self, path: &TreePath) -> Result<GuardJudgement, InstallErrorKind> {
        let refuse =
            |how, owner: &FormerOwner| Err(InstallErrorKind::Owned { path: path.clone(), how, owner: owner.clone() });
        if let Some(owner) = self.files.get(&*self.rules.key(path.as_str())) {
            if *owner == FormerOwner::Interpreter && self.is_c_runtime(path) {
                return Ok(GuardJudgement::KeepsOwn);
            }
            return refuse("replace a file of", owner);
        }
        if self.layout.starts_interpreter(path) {
            return refuse("take the place of", &FormerOwner::Interpreter);
        }
        if let Some((folder, module)) = self.layout.top_level_module(path)
            && let Some(owner) = self.modules.get(&(folder, self.rules.key(module).into_owned()))
        {
            return refuse("stand among or before the modules of", owner);
        }
        if self.folders.contains(&*self.rules.key(path.as_str())) {
            return refuse("be a file where there is a folder of", &FormerOwner::Interpreter);
        }
        let mut parent = path.parent();
        while let Some(folder) = parent.filter(|folder| !folder.is_root()) {
            let folded = self.rules.key(folder.as_str());
            if self.folders.contains(&*folded) {
                break;
            }
            // A link to a folder counts as a file, and leads elsewhere.
            if let Some(owner) = self.files.get(&*folded) {
                return refuse("need a folder where there is a file of", owner);
            }
            parent = folder.parent();
        }
        Ok(GuardJudgement::Free)
    }

    /// A library of Microsoft's compiler, compatible with every older one of its name. The interpreter was tested with
    /// its own.
    fn is_c_runtime(&self, path: &TreePath) -> bool {
        let name = path.file_name().to_ascii_lowercase();
        self.layout.platform.is_windows() && name.starts_with("vcruntime140") && name.ends_with(".dll")
    }
}

#[cfg(test)]
mod tests {
    use vocab::PlatformKey;

    use super::*;

    fn path(text: &str) -> TreePath {
        text.parse().unwrap()
    }

    fn judged(platform: PlatformKey, replaced: &[&str], file: &str) -> String {
        let layout = TreeLayout { platform, python: "3.12.10".parse().unwrap() };
        let (library, dynamic) =
            if platform.is_windows() { ("Lib", "python312.dll") } else { ("lib/python3.12", "lib/libpython3.12.so") };
        let pip = format!("{library}/site-packages/pip/__init__.py");
        let mut base: BTreeSet<TreePath> =
            ["bin/python3.12", "bin/pip3", "bin/2to3", "vcruntime140.dll", "lib64", dynamic, &pip].map(path).into();
        base.extend(
            ["json/__init__.py", "os.py", "site-packages/pip-26.dist-info/RECORD", "site-packages/README.txt"]
                .map(|name| path(&format!("{library}/{name}"))),
        );
        let former = FormerDistribution {
            name: "pip".parse().unwrap(),
            dist_info: path(&format!("{library}/site-packages/pip-26.dist-info")),
            files: vec![path("bin/pip3"), path(&pip)],
        };
        let replaced: Vec<DistributionName> = replaced.iter().map(|name| name.parse().unwrap()).collect();
        let guard = PrefixGuard::new(layout, &base, &[former], &replaced.iter().collect());
        match guard.judge(&path(file)) {
            Ok(GuardJudgement::Free) => "free".to_owned(),
            Ok(GuardJudgement::KeepsOwn) => "stays".to_owned(),
            Err(InstallErrorKind::Owned { owner: FormerOwner::Distribution(name), .. }) => name.to_string(),
            Err(InstallErrorKind::Owned { .. }) => "interpreter".to_owned(),
            Err(error) => panic!("{error}"),
        }
    }

    #[test]
    fn attack_8_nothing_stands_in_for_the_library_or_the_interpreter() {
        let cases = [
            // (file, on Linux, on macOS)
            ("bin/python", "interpreter", "interpreter"),
            ("bin/2to3", "interpreter", "interpreter"),
            ("bin/2To3", "free", "interpreter"),
            ("bin/tool", "free", "free"),
            ("lib/libpython3.12.so", "interpreter", "interpreter"),
            ("lib/python3.12/json/__init__.py", "interpreter", "interpreter"),
            ("lib/python3.12/json/more.py", "interpreter", "interpreter"),
            ("lib/python3.12/os.abi3.so", "interpreter", "interpreter"),
            ("lib/python3.12/__pycache__/os.cpython-312.pyc", "interpreter", "interpreter"),
            ("lib/python312.zip", "interpreter", "interpreter"),
            ("pyvenv.cfg", "interpreter", "interpreter"),
            ("lib64/python3.12/os.py", "interpreter", "interpreter"),
            ("lib/python3.12", "interpreter", "interpreter"),
            ("lib/python3.12/site-packages/README.md", "free", "free"),
            ("lib/python3.12/site-packages/json.py", "free", "free"),
            ("lib/python3.12/site-packages/pip/__init__.py", "pip", "pip"),
            ("lib/python3.12/site-packages/PIP/__init__.py", "free", "pip"),
            ("lib/python3.12/site-packages/pip/__pycache__/__init__.cpython-312.pyc", "pip", "pip"),
            ("lib/python3.12/site-packages/pip.py", "pip", "pip"),
            ("bin/pip3", "pip", "pip"),
        ];
        for (file, linux, macos) in cases {
            assert_eq!(judged(PlatformKey::LinuxX64, &[], file), linux, "for {file} on Linux");
            assert_eq!(judged(PlatformKey::MacosxAarch64, &[], file), macos, "for {file} on macOS");
        }
    }

    #[test]
    fn pip_is_replaced_by_pip_alone() {
        for file in
            ["bin/pip3", "lib/python3.12/site-packages/pip/__init__.py", "lib/python3.12/site-packages/pip/new.py"]
        {
            assert_eq!(judged(PlatformKey::LinuxX64, &["pip"], file), "free", "for {file}");
            assert_eq!(judged(PlatformKey::LinuxX64, &["demo"], file), "pip", "for {file}");
        }
        assert_eq!(judged(PlatformKey::LinuxX64, &["pip"], "bin/python3"), "interpreter");
    }

    #[test]
    fn on_windows_the_interpreters_own_libraries_stay() {
        let cases = [
            ("python312.dll", "interpreter"),
            ("VCRuntime140.dll", "stays"),
            ("vcruntime140_1.dll", "free"),
            ("DLLs/json.pyd", "interpreter"),
            ("Lib/JSON.py", "interpreter"),
            ("Lib/cmake/x.cmake", "free"),
            ("bin/python.bat", "interpreter"),
            ("Scripts/python3.exe", "interpreter"),
            ("msvcp140.dll", "free"),
        ];
        for (file, expected) in cases {
            assert_eq!(judged(PlatformKey::WindowsX64, &[], file), expected, "for {file}");
        }
    }
}
