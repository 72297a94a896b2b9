//! Whether a baked runtime does what its workers need: unpacked at another path, in an empty folder, without environment or
//! network. Each module is imported by a process of its own.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use archive::ExtractOptions;
use pipeline::consistency::{self, InstalledMember};
use process::Invocation;
use serde::Deserialize;
use serde_json::{Value, json};
use static_checks::native_files::{NativePolicy, ReachEvidence, SystemCeilings, check_native_files};
use store::Context;
use vocab::{DistributionName, Fault, PlatformKey, TreeLayout};
use wheel::WheelTarget;

use crate::asked_python::{AskedPython, AskedScripts, Reply};
use crate::code;
use crate::finding::Finding;
use crate::job_error::JobError;
use crate::job_manifest::JobManifest;
use crate::verify_report::{VerifyOutcome, VerifyReport, VerifyStep};

/// For one import.
const IMPORT_LIMIT: Duration = Duration::from_secs(60);

/// Verifies the archive of a baked job. `skipped` are modules that are not imported.
///
/// # Errors
/// If that cannot be done; what is wrong with the runtime is in the report and the findings.
pub fn verify(
    context: &Context,
    archive: &Path,
    manifest: &JobManifest,
    skipped: &[String],
) -> Result<(VerifyReport, Vec<Finding>), Box<dyn Fault>> {
    let platform = manifest.python.platform;
    if PlatformKey::host() != Some(platform) {
        let name = platform.to_string();
        let note = Finding::new(code::KJ074, [("platform", name.as_str())]);
        return Ok((VerifyReport::default(), vec![note]));
    }
    let scratch = context.store.scratch_dir("verify-").map_err(JobError::disk("write", context.store.root()))?;
    let root = fs::canonicalize(scratch.path()).map_err(JobError::disk("read", scratch.path()))?;
    let (prefix, empty) = (root.join("moved runtime"), root.join("empty"));
    let expected = Some(manifest.archive.sha256);
    archive::extract(archive, &prefix, &ExtractOptions { expected, ..ExtractOptions::default() })?;
    for folder in [&empty, &root.join("home")] {
        fs::create_dir(folder).map_err(JobError::disk("make", folder))?;
    }
    let layout = TreeLayout { platform, python: manifest.python.version };
    let mut verification = Verification {
        scripts: AskedScripts::write(context)?,
        context,
        manifest,
        layout,
        python: layout.interpreter().below(&prefix),
        prefix,
        root,
        empty,
        sandboxed: true,
        steps: Vec::new(),
        findings: Vec::new(),
    };
    verification.run(skipped)?;
    let failed = verification.steps.iter().any(|step| !step.passed);
    let outcome = if failed { VerifyOutcome::Failed } else { VerifyOutcome::Passed };
    Ok((VerifyReport { outcome, steps: verification.steps }, verification.findings))
}

/// What the interpreter says is installed.
#[derive(Debug, Default, Deserialize)]
struct Installed {
    files: Vec<FoundFile>,
    distributions: Vec<FoundDistribution>,
}

#[derive(Debug, Deserialize)]
struct FoundFile {
    path: String,
    prefix: Option<String>,
    metadata: Option<String>,
}

#[derive(Debug, Deserialize)]
struct FoundDistribution {
    name: String,
    version: String,
    requires: Vec<String>,
}

struct Verification<'a> {
    scripts: AskedScripts,
    context: &'a Context,
    manifest: &'a JobManifest,
    layout: TreeLayout,
    python: PathBuf,
    prefix: PathBuf,
    root: PathBuf,
    empty: PathBuf,
    sandboxed: bool,
    steps: Vec<VerifyStep>,
    findings: Vec<Finding>,
}

impl Verification<'_> {
    fn run(&mut self, skipped: &[String]) -> Result<(), Box<dyn Fault>> {
        let installed = self.installed()?;
        self.data_files(&installed);
        self.imports(skipped)?;
        self.requirements(&installed);
        self.beam()?;
        self.native()
    }

    fn step(&mut self, name: &str, wrong: Vec<String>, otherwise: String) {
        let passed = wrong.is_empty();
        let details = if passed { vec![otherwise] } else { wrong };
        self.steps.push(VerifyStep { name: name.to_owned(), passed, details });
    }

    fn environment(&self) -> Vec<(OsString, OsString)> {
        let home = self.root.join("home").into_os_string();
        ["HOME", "TMPDIR", "USERPROFILE", "TEMP"].map(|name| (name.into(), home.clone())).to_vec()
    }

    fn ask(&mut self, question: &Value) -> Result<Reply, JobError> {
        let environment = self.environment();
        let asked = AskedPython {
            python: &self.python,
            environment: &environment,
            kept: None,
            scripts: self.scripts.folder(),
            root: &self.root,
            folder: &self.empty,
            shielded: &[self.scripts.folder().to_owned()],
            server: None,
        };
        let with = |sandboxed: bool| {
            let mut question = question.clone();
            question["sandbox"] = json!(sandboxed);
            question
        };
        let reply = asked.ask(self.context, with(self.sandboxed), IMPORT_LIMIT)?;
        if !self.sandboxed || !AskedPython::has_no_sandbox(&reply) {
            return Ok(reply);
        }
        // A module can end so as well; without a sandbox it will again.
        let reply = asked.ask(self.context, with(false), IMPORT_LIMIT)?;
        self.sandboxed = AskedPython::has_no_sandbox(&reply);
        if !self.sandboxed && !self.findings.iter().any(|it| it.code == code::KJ056) {
            self.findings.push(Finding::new(code::KJ056, []));
        }
        Ok(reply)
    }

    fn installed(&mut self) -> Result<Installed, JobError> {
        let files: Vec<Value> = self.manifest.data_files.iter().map(|it| json!({"path": it.path})).collect();
        let question = json!({"ask": "metadata", "name": self.manifest.job.package, "data_files": files});
        let answered = match self.ask(&question)? {
            Reply::Answer(answer) => {
                vocab::typed_json::read(answer.to_string().as_bytes()).map_err(|error| error.to_string())
            }
            Reply::Ended { output, .. } => Err(output),
            Reply::TimedOut => Err("it did not end".to_owned()),
        };
        match answered {
            Ok(installed) => Ok(installed),
            Err(reason) => {
                self.step("the interpreter starts", vec![reason], String::new());
                Ok(Installed::default())
            }
        }
    }

    /// KJ072.
    fn data_files(&mut self, installed: &Installed) {
        let mut wrong = Vec::new();
        for file in &self.manifest.data_files {
            let found = installed.files.iter().find(|it| it.path == file.path);
            let expected = Some(file.sha256.to_string());
            let below = found.is_some_and(|it| it.prefix == expected);
            let listed = found.is_some_and(|it| it.metadata == expected);
            if !below || !listed {
                let way = if below { "by the distribution's metadata" } else { "below the prefix" };
                wrong.push(format!("{} was not found {way} with its content", file.path));
                self.findings.push(Finding::new(code::KJ072, [("path", file.path.as_str())]));
            }
        }
        let count = self.manifest.data_files.len();
        self.step("data files", wrong, format!("{count} found by prefix and by metadata"));
    }

    /// KJ070 and KJ071.
    fn imports(&mut self, skipped: &[String]) -> Result<(), JobError> {
        let job = &self.manifest.job;
        // Modules of Klio's jobs cannot be imported without.
        let is_klio = self.manifest.dependencies.iter().any(|it| it.name == "klio");
        let config = self.manifest.configs.first().filter(|_| is_klio).map(|it| &it.path);
        let modules: BTreeSet<&String> = job.py_modules.iter().chain(&job.packages).collect();
        let mut wrong = Vec::new();
        let mut without_entry = false;
        let mut count = 0;
        for module in modules.into_iter().filter(|it| !skipped.contains(it)) {
            count += 1;
            let failure = match self.ask(&json!({"ask": "import", "module": module, "config": config}))? {
                Reply::Answer(answer) => {
                    let failure = answer.get("failure").and_then(Value::as_str).map(str::to_owned);
                    without_entry |= module == "run" && failure.is_none() && answer["entry"] != json!(true);
                    failure
                }
                Reply::Ended { code, output } => {
                    let code = code.map_or("a signal".to_owned(), |code| format!("exit code {code}"));
                    Some(format!("it ended Python with {code} {}", output.lines().last().unwrap_or_default()))
                }
                Reply::TimedOut => Some(format!("it did not end within {} s", IMPORT_LIMIT.as_secs())),
            };
            if let Some(failure) = failure {
                let failure = failure.replace(&self.prefix.display().to_string(), "PREFIX");
                wrong.push(format!("{module}: {failure}"));
                self.findings
                    .push(Finding::new(code::KJ070, [("m", module.as_str()), ("exception", failure.as_str())]));
            }
        }
        self.step("imports", wrong, format!("{count} modules imported, each by a process of its own"));
        if without_entry {
            self.findings.push(Finding::new(code::KJ071, []).in_file("run.py"));
        }
        let wrong = if without_entry { vec!["neither run() nor run_basic()".to_owned()] } else { Vec::new() };
        self.step("entry", wrong, "run.py has what Klio calls, or is not imported".to_owned());
        Ok(())
    }

    /// As `pip check`.
    fn requirements(&mut self, installed: &Installed) {
        let names: Vec<(DistributionName, &FoundDistribution)> =
            installed.distributions.iter().filter_map(|it| Some((it.name.parse().ok()?, it))).collect();
        let members: Vec<InstalledMember<'_>> = names
            .iter()
            .map(|(name, it)| InstalledMember { name, version: &it.version, requires: &it.requires })
            .collect();
        let target = WheelTarget::new(self.layout.platform, self.layout.python);
        let unmet = consistency::unmet(&members, &BTreeSet::new(), &target, &BTreeSet::new());
        let wrong = unmet.iter().map(|it| {
            let now = it.installed.as_deref().unwrap_or("nothing");
            format!("{} requires {}, and {now} is installed", it.parent, it.requirement)
        });
        let wrong: Vec<String> = wrong.collect();
        let count = members.len();
        self.step("requirements", wrong, format!("those of {count} distributions are met"));
    }

    /// What boot programs ask before they start a worker.
    fn beam(&mut self) -> Result<(), JobError> {
        if !self.manifest.dependencies.iter().any(|it| it.name == "apache-beam") {
            self.step("apache-beam", Vec::new(), "not among the dependencies".to_owned());
            return Ok(());
        }
        let mut invocation = Invocation::new(&self.python, &self.empty)
            .args(["-I", "-B", "-m", "pip", "--disable-pip-version-check", "show", "apache-beam"])
            .timeout(Some(IMPORT_LIMIT));
        invocation.clear_environment = true;
        invocation.environment = self.environment();
        let finished = process::run(self.context, &invocation)?;
        let wrong = if finished.succeeded() { Vec::new() } else { vec![finished.stderr_text().trim().to_owned()] };
        self.step("apache-beam", wrong, "`pip show apache-beam` finds it".to_owned());
        Ok(())
    }

    /// Everything that native files are linked with is in the runtime or the system's.
    fn native(&mut self) -> Result<(), Box<dyn Fault>> {
        let platform = self.layout.platform;
        let system = WheelTarget::new(platform, self.layout.python).system;
        let is_system = self.manifest.python.source == "system";
        let excused = |_: &vocab::TreePath, _: Option<&DistributionName>| is_system;
        let policy = NativePolicy { ceilings: SystemCeilings::for_system(platform, system), excused: &excused };
        let mut report = check_native_files(&self.prefix, self.layout, &policy, &|_| None)?;
        report.weigh(&ReachEvidence { os: platform.os(), imported: None, is_portable: &|_| false });
        let wrong: Vec<String> = match report.verdict() {
            Ok(()) => Vec::new(),
            Err(faults) => vec![faults.to_string()],
        };
        self.step("native files", wrong, "all libraries they need are there or the system's".to_owned());
        Ok(())
    }
}
