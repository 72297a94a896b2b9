//! Running `import_driver.py` with the prefix's interpreter.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use vocab::Event;

use super::attempt::{AttemptEnd, ImportAttempt};
use super::kept::KeptFolders;
use super::order::{ImportOrder, package_of, packages_of};
use super::{IMPORT_LIMIT, ImportCheck, ImportCheckErrorKind, hooks, opened};
use crate::emulator::{Machine, gap_in, with_cause};
use process::Invocation;
use store::Context;

/// Modules → files that they may be imported from, below the prefix.
pub(crate) type ModuleFiles<'a> = BTreeMap<&'a str, BTreeSet<String>>;

/// Source of the Python program that imports the modules. It reads a job in JSON and appends one line of JSON per
/// attempt.
pub(crate) const DRIVER: &str = include_str!("import_driver.py");

#[derive(Serialize)]
struct DriverJob<'a> {
    mode: &'static str,
    modules: &'a [&'a str],
    jobs: usize,
    /// In seconds.
    limit: f64,
    results: &'a Path,
    scratch: &'a Path,
    /// Words before the name of a program that is to be started.
    launcher: &'a [PathBuf],
    #[serde(flatten)]
    fast: Option<&'a FastWay>,
}

/// Settings of the fast way only.
#[derive(Debug, Serialize)]
pub(crate) struct FastWay {
    #[serde(flatten)]
    pub order: ImportOrder,
    #[serde(flatten)]
    pub kept: KeptFolders,
}

#[derive(Deserialize)]
struct DriverRow {
    module: String,
    #[serde(flatten)]
    attempt: ImportAttempt,
}

/// Results of all attempts.
pub(crate) struct ImportResults {
    pub attempts: BTreeMap<String, ImportAttempt>,
    /// What the interpreter wrote to standard error before any module was tried.
    pub said: String,
}

/// Imports every module; each has a row in the result, unless the driver was killed.
///
/// First the fast way: by `fork`, or, without it, as one process for each top-level package in an emulator, where
/// starting one takes seconds. Whatever does not succeed there is tried in a fresh interpreter, and that result counts.
pub(crate) fn import(
    context: &Context,
    check: &ImportCheck<'_>,
    modules: &[&str],
    files: &ModuleFiles<'_>,
    fast: &FastWay,
) -> Result<ImportResults, ImportCheckErrorKind> {
    let work = context.store.root().join("tmp");
    let scratch = context.store.scratch_dir("import-check-");
    let scratch = scratch.map_err(|source| ImportCheckErrorKind::Disk { path: work, source })?;
    let machine = Machine::enter(context, check.emulator, scratch.path()).map_err(ImportCheckErrorKind::Emulator)?;
    let session = ImportSession {
        context,
        check,
        machine,
        scratch: scratch.path(),
        total: modules.len(),
        said: Mutex::default(),
    };
    session.set_up()?;
    let mut attempts = BTreeMap::new();
    if session.machine.forks() {
        attempts = session.run("fork", modules, 0, Some(fast))?;
        session.try_exits(&mut attempts)?;
    } else if check.emulator.is_some() {
        attempts = session.run("group", modules, 0, None)?;
    }
    let lacking = |attempts: &BTreeMap<String, ImportAttempt>| -> Vec<&str> {
        modules.iter().copied().filter(|module| !attempts.contains_key(*module)).collect()
    };
    // If a package fails, all of its modules do, with the same error: one attempt serves for them.
    let packages = failing_packages(&lacking(&attempts), &attempts);
    let by_package = session.run("spawn", &packages, attempts.len(), None)?;
    for module in lacking(&attempts) {
        let package = package_of(module);
        let answers_for_all = |attempt: &&ImportAttempt| {
            let gap = check.emulator.and_then(|emulator| gap_in(emulator.kind(), &attempt.error));
            attempt.ended == AttemptEnd::Error || gap.is_some() || module == package
        };
        if let Some(attempt) = by_package.get(package).filter(answers_for_all) {
            attempts.insert(module.to_owned(), attempt.clone());
        }
    }
    let fresh = session.run("spawn", &lacking(&attempts), attempts.len(), None)?;
    if session.machine.forks() && fresh.values().any(|attempt| attempt.ended == AttemptEnd::Imported) {
        fast.kept.forget(context);
    }
    attempts.extend(fresh);
    let packages = session.import_packages(&mut attempts, by_package, files)?;
    find_who_tried(&mut attempts, &packages, files);
    opened::find(check, &mut attempts);
    let said = session.said.into_inner().unwrap_or_else(PoisonError::into_inner);
    Ok(ImportResults { attempts, said })
}

/// Finds for each failed import a module that tried it and went on: one of its packages, or any other.
fn find_who_tried(
    attempts: &mut BTreeMap<String, ImportAttempt>,
    packages: &BTreeMap<String, ImportAttempt>,
    files: &ModuleFiles<'_>,
) {
    let who_tried = |module: &str| {
        let own = files.get(module)?;
        packages.iter().chain(&*attempts).find(|(_, other)| other.does_without(own)).map(|(name, _)| name.clone())
    };
    let failed = attempts.iter().filter(|(_, attempt)| !attempt.is_fine()).map(|(module, _)| module);
    let found: Vec<(String, String)> = failed.filter_map(|it| Some((it.clone(), who_tried(it)?))).collect();
    for (module, who) in found {
        attempts.entry(module).and_modify(|attempt| attempt.tried_by = Some(who));
    }
}

/// Top-level packages of which nothing has been imported so far and several modules wait.
fn failing_packages<'a>(lacking: &[&'a str], attempts: &BTreeMap<String, ImportAttempt>) -> Vec<&'a str> {
    let working: BTreeSet<&str> = attempts.keys().map(|module| package_of(module)).collect();
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for module in lacking {
        *counts.entry(package_of(module)).or_default() += 1;
    }
    counts
        .into_iter()
        .filter(|(package, count)| *count > 1 && !working.contains(package))
        .map(|(name, _)| name)
        .collect()
}

struct ImportSession<'a> {
    context: &'a Context,
    check: &'a ImportCheck<'a>,
    machine: Machine<'a>,
    /// Removed at the end, with everything that modules write into what they take for their home.
    scratch: &'a Path,
    /// Modules in all, for progress.
    total: usize,
    /// What the interpreter has said at its start.
    said: Mutex<String>,
}

/// What a program needs to start; nothing else of the user's environment is seen by the imports.
const KEPT_VARIABLES: [&str; 6] = ["PATH", "SYSTEMROOT", "WINDIR", "COMSPEC", "PATHEXT", "NUMBER_OF_PROCESSORS"];

/// Each import is one process of many, and a thread pool that is only created costs time and memory.
const ONE_THREAD: [&str; 6] = [
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "POLARS_MAX_THREADS",
];

impl ImportSession<'_> {
    /// Imports the packages of modules that fail alone: first the outermost, then, if that has not loaded the module's
    /// file, the inner ones. Gives all of these imports.
    fn import_packages(
        &self,
        attempts: &mut BTreeMap<String, ImportAttempt>,
        mut packages: BTreeMap<String, ImportAttempt>,
        files: &ModuleFiles<'_>,
    ) -> Result<BTreeMap<String, ImportAttempt>, ImportCheckErrorKind> {
        let failed = |(module, attempt): &(&String, &ImportAttempt)| {
            attempt.ended != AttemptEnd::Imported && !attempt.is_no_module(module)
        };
        let mut open: Vec<String> = attempts.iter().filter(failed).map(|(module, _)| module.clone()).collect();
        for depth in [1, usize::MAX] {
            let around = open.iter().flat_map(|module| packages_of(module).take(depth));
            let unknown: BTreeSet<&str> = around.filter(|package| !packages.contains_key(*package)).collect();
            let unknown: Vec<&str> = unknown.into_iter().collect();
            packages.extend(self.run("spawn", &unknown, attempts.len(), None)?);
            open.retain(|module| {
                let Some(attempt) = attempts.get_mut(module) else { return false };
                let around: Vec<&ImportAttempt> =
                    packages_of(module).filter_map(|package| packages.get(package)).collect();
                let own = files.get(module.as_str());
                let loader = around.iter().find(|package| package.has_loaded(own));
                attempt.package = attempt.package_import(&around, own);
                attempt.asked.extend(around.iter().flat_map(|package| package.asked.iter().cloned()));
                if let Some(package) = loader {
                    attempt.loaded.clone_from(&package.loaded);
                    attempt.failed.clone_from(&package.failed);
                    attempt.outside.clone_from(&package.outside);
                }
                loader.is_none() && attempt.package.is_some()
            });
        }
        Ok(packages)
    }

    /// A process that was forked may end badly for that alone, so those that do are tried in a fresh interpreter.
    fn try_exits(&self, attempts: &mut BTreeMap<String, ImportAttempt>) -> Result<(), ImportCheckErrorKind> {
        let suspects = fs::read_to_string(self.scratch.join("suspects")).unwrap_or_default();
        let suspects: BTreeSet<&str> = suspects.lines().collect();
        let tried = self.run("exit", &Vec::from_iter(suspects), attempts.len(), None)?;
        for (module, attempt) in attempts {
            attempt.left = tried.get(package_of(module)).and_then(|package| package.left.clone());
        }
        Ok(())
    }

    fn set_up(&self) -> Result<(), ImportCheckErrorKind> {
        for name in ["home", "cache", "temporary"] {
            self.make(name, |path| fs::create_dir_all(path))?;
        }
        self.make("import_driver.py", |path| fs::write(path, DRIVER))
    }

    fn make(&self, name: &str, act: impl Fn(&Path) -> std::io::Result<()>) -> Result<(), ImportCheckErrorKind> {
        let path = self.scratch.join(name);
        act(&path).map_err(|source| ImportCheckErrorKind::Disk { path, source })
    }

    /// A place in the scratch folder, as the interpreter writes it.
    fn inside(&self, name: &str) -> PathBuf {
        self.machine.path(&self.scratch.join(name))
    }

    fn run(
        &self,
        mode: &'static str,
        modules: &[&str],
        done: usize,
        fast: Option<&FastWay>,
    ) -> Result<BTreeMap<String, ImportAttempt>, ImportCheckErrorKind> {
        if modules.is_empty() {
            return Ok(BTreeMap::new());
        }
        let limit = self.context.timeout.map_or(IMPORT_LIMIT, |timeout| timeout.min(IMPORT_LIMIT));
        let limit = limit * self.machine.slowness();
        let results = self.scratch.join("results.jsonl");
        self.make("results.jsonl", |path| fs::write(path, ""))?;
        let jobs = self.context.jobs.max(1);
        let launcher: Vec<PathBuf> = self.machine.launcher().into_iter().map(PathBuf::from).collect();
        let job = DriverJob {
            mode,
            modules,
            jobs,
            limit: limit.as_secs_f64(),
            results: &self.machine.path(&results),
            scratch: &self.machine.path(self.scratch),
            launcher: &launcher,
            fast,
        };
        self.make("job.json", |path| fs::write(path, serde_json::to_vec(&job)?))?;
        // The driver keeps the limit of each import; this one is only for a driver that hangs itself.
        let rounds = u32::try_from(modules.len() / jobs + 2).unwrap_or(u32::MAX);
        let invocation = self.invocation().timeout(limit.checked_mul(rounds));
        let finished = self.watched(&results, done, || process::run(self.context, &invocation));
        let finished = finished.map_err(ImportCheckErrorKind::Process)?;
        let is_done = fs::remove_file(self.scratch.join("done")).is_ok();
        if !finished.succeeded() || !is_done {
            self.find_ending_hook()?;
        }
        self.said.lock().unwrap_or_else(PoisonError::into_inner).push_str(&finished.stderr_text());
        if !finished.succeeded() {
            let code = finished.code.map_or("a signal".to_owned(), |code| format!("code {code}"));
            let stderr = finished.stderr_text().trim().to_owned();
            return Err(ImportCheckErrorKind::Driver { code, stderr });
        }
        let text = fs::read_to_string(&results)
            .map_err(|source| ImportCheckErrorKind::Disk { path: results.clone(), source })?;
        let rows = text.lines().filter_map(|line| serde_json::from_str::<DriverRow>(line).ok());
        let mut attempts: BTreeMap<String, ImportAttempt> = rows.map(|row| (row.module, row.attempt)).collect();
        if let Some(emulator) = self.check.emulator {
            let said = finished.stderr_text();
            let failed = attempts.values_mut().filter(|attempt| attempt.ended != AttemptEnd::Imported);
            failed.for_each(|attempt| attempt.error = with_cause(emulator.kind(), &attempt.error, &said));
        }
        for attempt in attempts.values_mut().filter(|attempt| !attempt.error.is_empty()) {
            attempt.error = self.below_prefix(&attempt.error);
        }
        Ok(attempts)
    }

    /// Strips the prefix from paths: an error is remembered for other runtimes and recorded in the manifest, and the
    /// prefix has another place in each.
    fn below_prefix(&self, error: &str) -> String {
        let separator = if self.check.layout.platform.is_windows() { '\\' } else { '/' };
        let inside = self.machine.path(self.check.prefix).display().to_string();
        // The real folder, where links lead to the prefix.
        let real = self.check.prefix.canonicalize().map(|path| self.machine.path(&path).display().to_string());
        [Some(inside), real.ok()].into_iter().flatten().fold(error.to_owned(), |text, prefix| {
            let written = prefix.replace('/', &separator.to_string());
            text.replace(&format!("{prefix}{separator}"), "").replace(&format!("{written}{separator}"), "")
        })
    }

    /// When the interpreter ends before it has done anything: which of the `.pth` files does that, if any.
    fn find_ending_hook(&self) -> Result<(), ImportCheckErrorKind> {
        for (distribution, file) in hooks::all(self.check) {
            let folder = self.machine.path(&self.check.layout.site_packages().below(self.check.prefix));
            let code = "import site, sys; sys.path.append(sys.argv[1]); site.addpackage(sys.argv[1], sys.argv[2], None); \
                        open(sys.argv[3], 'w').close()";
            let (_, mark) = (fs::remove_file(self.scratch.join("hook")), self.inside("hook"));
            let invocation = self.interpreter().args(["-S", "-c", code]).arg(folder).arg(file.file_name()).arg(mark);
            let finished = process::run(self.context, &invocation.timeout(Some(IMPORT_LIMIT)));
            let finished = finished.map_err(ImportCheckErrorKind::Process)?;
            if !self.scratch.join("hook").exists() {
                let code = finished.code.map_or("a signal".to_owned(), |code| format!("code {code}"));
                let (distribution, file) = (distribution.name.clone(), file.clone());
                return Err(ImportCheckErrorKind::Hook { distribution, file, code });
            }
        }
        Ok(())
    }

    fn invocation(&self) -> Invocation {
        self.interpreter().arg(self.inside("import_driver.py")).arg(self.inside("job.json"))
    }

    fn interpreter(&self) -> Invocation {
        let interpreter = self.check.layout.interpreter().below(self.check.prefix);
        let mut pycache = OsString::from("pycache_prefix=");
        pycache.push(self.inside("pycache"));
        let mut invocation = self
            .machine
            .invocation(&interpreter, self.scratch)
            // Isolated: no PYTHON* variables, no user site-packages, no working directory on the path.
            .args(["-I", "-X"])
            // Byte code goes there instead of beside the sources, so the prefix stays as it is.
            .arg(pycache);
        invocation.clear_environment = true;
        for name in KEPT_VARIABLES {
            if let Some(value) = self.context.environment.path(name) {
                invocation = invocation.env(name, value.as_os_str());
            }
        }
        // The emulator also reads these, as paths of this machine.
        invocation = invocation.env("HOME", self.scratch.join("home")).env("TMPDIR", self.scratch.join("temporary"));
        invocation = invocation.env("USERPROFILE", self.inside("home"));
        for name in ["XDG_CACHE_HOME", "NUMBA_CACHE_DIR", "MPLCONFIGDIR"] {
            invocation = invocation.env(name, self.inside("cache"));
        }
        for name in ["TEMP", "TMP"] {
            invocation = invocation.env(name, self.inside("temporary"));
        }
        for name in ONE_THREAD {
            invocation = invocation.env(name, "1");
        }
        if self.check.emulator.is_some() {
            // Compiling at import would take minutes, and show how fast the emulator is. What numba is made of is
            // imported all the same.
            invocation = invocation.env("NUMBA_DISABLE_JIT", "1");
        }
        // Without it macOS stops forked processes that touch its frameworks.
        invocation.env("OBJC_DISABLE_INITIALIZE_FORK_SAFETY", "YES").env("LC_ALL", "C.UTF-8")
    }

    /// Reports progress from the growing results file while `work` runs.
    fn watched<T>(&self, results: &Path, done: usize, work: impl FnOnce() -> T) -> T {
        let over = AtomicBool::new(false);
        thread::scope(|scope| {
            let watcher = scope.spawn(|| {
                let mut told = None;
                while !over.load(Ordering::Relaxed) {
                    thread::park_timeout(Duration::from_millis(250));
                    let lines =
                        fs::read(results).map_or(0, |bytes| bytes.iter().filter(|byte| **byte == b'\n').count());
                    let now = (done + lines).min(self.total);
                    if told.replace(now) != Some(now) {
                        self.context.tell(Event::Progress { step: "check", done: now, total: self.total });
                    }
                }
            });
            let _end = EndOnDrop { over: &over, watcher: watcher.thread() };
            work()
        })
    }
}

/// Ends the watcher however `work` is left: a panic there would otherwise wait for it for ever.
struct EndOnDrop<'a> {
    over: &'a AtomicBool,
    watcher: &'a thread::Thread,
}

impl Drop for EndOnDrop<'_> {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        self.watcher.unpark();
    }
}
