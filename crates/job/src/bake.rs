//! A runtime with the job in it: its wheel, made of the staged archive, and all that the job requires.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use archive::pieces::StagingFolder;
use store::{Context, Scrutiny};
use vocab::{Fault, Manifest, manifest_beside};
use wheel::{UnpackedWheel, WheelTarget};

use crate::bake_outputs;
use crate::bake_request::BakeRequest;
use crate::check::{CheckReport, CheckRequest};
use crate::code;
use crate::effective_config::EffectiveConfig;
use crate::finding::{Finding, judged};
use crate::job_error::JobError;
use crate::job_folder::inside;
use crate::job_indexes::JobIndexes;
use crate::job_manifest::{
    ArchiveRow, CommandRow, ConfigRow, DataFileRow, DependencyRow, FindingRow, JOB_MANIFEST_FORMAT, JobManifest,
    JobRow, PythonRow, WorkflowRow,
};
use crate::job_requirements::{self, JobRequirements};
use crate::job_runtime::{self, JOB_LOCK, JobRuntime};
use crate::job_wheel::{self, JobWheel};
use crate::secrets::{shown_index, without_secrets};
use crate::stage::{Staged, WORKFLOW};
use crate::verify_report::VerifyReport;
use crate::workplace::Workplace;

/// A baked job.
#[derive(Debug)]
pub struct Baked {
    /// The runtime, a `.tar.zst`.
    pub archive: PathBuf,
    pub manifest: JobManifest,
    /// The runtime's own manifest, which lies beside it.
    pub runtime: Manifest,
}

/// Bakes the staged job into `out`. The findings are those of the report and what was found on the way; with errors among
/// them nothing was baked, and what was there before stays.
pub fn bake(
    context: &Context,
    (report, request): (&CheckReport, &CheckRequest),
    place: &Workplace,
    staged: &Staged,
    bake: &BakeRequest,
    out: &Path,
) -> Result<(Option<Baked>, Vec<Finding>), Box<dyn Fault>> {
    let config = report.configs.first();
    let judge = |more: Vec<Finding>| {
        let own = config.and_then(extra_packages);
        judged(report.findings.iter().cloned().chain(own).chain(more).collect(), request.strict, &request.allowed)
    };
    let target = WheelTarget::new(bake.platform, place.python);
    let workflow = staged.folder.join(WORKFLOW);
    let wheel = job_wheel::build(context, place, (&workflow, &staged.top), request.commands, &target, request.limit)?;
    let wheel = match wheel {
        Ok(wheel) => wheel,
        Err(findings) => return Ok((None, judge(findings))),
    };
    let unpacked = wheel::unpack(context, &wheel.blob, Scrutiny::Glance)?;
    let copy = place.copy();
    let file = config.and_then(|it| it.packaging.requirements_file.as_deref()).and_then(inside);
    let file = file.as_deref().map(|file| (copy.as_path(), file));
    let mut requirements =
        job_requirements::collect(&unpacked.contents.metadata.requires, &wheel.plan, &wheel.source, file, &target);
    for url in requirements.index.iter_mut().chain(&mut requirements.extra_indexes) {
        *url = job_runtime::index_without_secrets(url);
    }
    for line in requirements.idle_constraints.iter().map(|line| without_secrets(line)) {
        context.note(format!("the constraint `{line}` is not used: it binds only what is required by name"));
    }
    if !requirements.findings.is_empty() {
        return Ok((None, judge(requirements.findings)));
    }
    let has_beam = |runtime: &Manifest| runtime.distributions.iter().any(|it| it.name.as_str() == "apache-beam");
    let job_name = config.map(|it| it.job_name.as_str()).unwrap_or_default();
    let runtime = JobRuntime {
        version: job_runtime::version_of(place.python, job_name),
        platform: bake.platform,
        requirements: &requirements,
        wheel: &wheel,
        configs: &report.configs,
        request: bake,
        indexes: &request.indexes,
    };
    let staging = StagingFolder::beside(&out.join(JOB_LOCK)).map_err(JobError::disk("write", out))?;
    let made_in = staging.tree();
    fs::create_dir(&made_in).map_err(JobError::disk("make", &made_in))?;
    let product = match runtime.build(context, &made_in, &out.join(JOB_LOCK))? {
        Ok(product) => product,
        Err(more) => return Ok((None, judge(more))),
    };
    let mut findings = judge(Vec::new());
    // The check goes by setup() alone: Beam may come with something else.
    if has_beam(&product.manifest) {
        findings.retain(|it| it.code != code::KJ063);
    } else if !findings.iter().any(|it| it.code == code::KJ063) {
        findings = judge(vec![Finding::new(code::KJ063, [])]);
    }
    if crate::finding::has_errors(&findings) {
        return Ok((None, findings));
    }
    let (name, version) =
        report.facts.as_ref().and_then(|it| it.setup.as_ref()).map(crate::SetupCall::identity).unwrap_or_default();
    let file = job_runtime::artifact_name(job_name, &version, product.manifest.base.actual, bake.platform);
    let archive = out.join(&file);
    let mut manifest = product.manifest;
    let ours = Described {
        report,
        indexes: &request.indexes,
        staged,
        wheel: &wheel,
        unpacked: &unpacked,
        requirements: &requirements,
    };
    let mut own = ours.manifest(&name, &version, &manifest, &findings);
    if let Some(artifact) = &mut manifest.artifact {
        artifact.file = file.display().to_string();
        own.archive = ArchiveRow { file: artifact.file.clone(), sha256: artifact.sha256, size: artifact.size };
    }
    let made = product.artifacts.first().expect("one for each format");
    disk::rename(made, &archive).map_err(JobError::disk("write", &archive))?;
    archive::save_manifest(&manifest_beside(&archive), &manifest)?;
    bake_outputs::write(out, &own, report.configs.first(), bake)?;
    Ok((Some(Baked { archive, manifest: own, runtime: manifest }), findings))
}

/// Writes what a verification found into the manifest of a baked job.
pub fn keep_verified(baked: &mut Baked, report: &VerifyReport, findings: &[Finding]) -> Result<(), JobError> {
    baked.manifest.verified = Some(report.clone());
    baked.manifest.findings = findings.iter().map(finding_row).collect();
    let out = baked.archive.parent().unwrap_or(Path::new("."));
    bake_outputs::write_manifest(out, &baked.manifest)
}

/// All that a manifest is written from.
struct Described<'a> {
    report: &'a CheckReport,
    indexes: &'a JobIndexes,
    staged: &'a Staged,
    wheel: &'a JobWheel,
    unpacked: &'a UnpackedWheel,
    requirements: &'a JobRequirements,
}

impl Described<'_> {
    fn manifest(&self, name: &str, version: &str, runtime: &Manifest, findings: &[Finding]) -> JobManifest {
        let setup = self.report.facts.as_ref().and_then(|it| it.setup.clone()).unwrap_or_default();
        let config = self.report.configs.first();
        let workflow = self.staged.files.iter().find(|it| it.name == WORKFLOW);
        let reasons = self.reasons(runtime);
        let own = self.wheel.blob.file_name.as_str();
        JobManifest {
            format: JOB_MANIFEST_FORMAT,
            builder: env!("CARGO_PKG_VERSION").to_owned(),
            job: JobRow {
                name: config.map(|it| it.job_name.clone()).unwrap_or_default(),
                package: name.to_owned(),
                version: version.to_owned(),
                setup_file: config
                    .and_then(|it| it.packaging.setup_file.clone())
                    .unwrap_or_else(|| "setup.py".to_owned()),
                py_modules: setup.py_modules,
                packages: setup.packages,
            },
            configs: self.configs(),
            python: PythonRow {
                version: runtime.base.actual,
                platform: runtime.platform,
                source: runtime.base.source.clone(),
                setuptools: self.report.facts.as_ref().and_then(|it| it.setuptools.clone()).unwrap_or_default(),
            },
            workflow: WorkflowRow {
                sha256: workflow.map_or_else(|| vocab::Digest::of(""), |it| it.sha256),
                size: workflow.map_or(0, |it| it.size),
                top: self.staged.top.clone(),
            },
            data_files: self.data_files(),
            dependencies: runtime
                .distributions
                .iter()
                .filter(|it| it.file != own)
                .map(|it| DependencyRow {
                    name: it.name.to_string(),
                    version: it.version.clone(),
                    file: it.file.clone(),
                    sha256: it.sha256,
                })
                .collect(),
            commands: self.wheel.calls.iter().map(command_row).collect(),
            system_packages: self.wheel.plan.system_packages.clone(),
            indexes: self.indexes(),
            findings: findings.iter().map(finding_row).collect(),
            reproducible: reasons.is_empty(),
            reasons,
            archive: ArchiveRow { file: String::new(), sha256: vocab::Digest::of(""), size: 0 },
            verified: None,
        }
    }

    fn configs(&self) -> Vec<ConfigRow> {
        let of = |config: &EffectiveConfig| ConfigRow {
            source: config.source.clone(),
            sha256: vocab::Digest::of(crate::config_text::to_yaml(config)),
            path: job_runtime::config_path(config),
        };
        self.report.configs.iter().map(of).collect()
    }

    fn data_files(&self) -> Vec<DataFileRow> {
        let contents = &self.unpacked.contents;
        let below = format!("{}.data/data/", contents.stem);
        let setup = self.report.facts.as_ref().and_then(|it| it.setup.as_ref());
        let named = setup.iter().flat_map(|it| &it.data_files).flat_map(|it| &it.sources);
        let mut sources: HashMap<&str, &String> = HashMap::new();
        for source in named {
            sources.entry(source.rsplit('/').next().unwrap_or_default()).or_insert(source);
        }
        let of = |entry: &wheel::WheelEntry| {
            let path = entry.path.as_str().strip_prefix(&below)?.to_owned();
            let base = path.rsplit('/').next().unwrap_or_default();
            let source = sources.get(base).map(|it| (*it).clone());
            Some(DataFileRow { source, path, sha256: entry.sha256, size: entry.size })
        };
        contents.entries.iter().filter_map(of).collect()
    }

    fn indexes(&self) -> Vec<String> {
        let (given, asked) = (self.indexes, self.requirements);
        let index = given.default.iter().chain(&asked.index).take(1);
        let all = index.chain(&given.additional).chain(&given.find_links).chain(&asked.extra_indexes);
        all.map(
            |url| if url.starts_with("file:") || !url.contains("://") { "file:".to_owned() } else { shown_index(url) },
        )
        .collect()
    }

    fn reasons(&self, runtime: &Manifest) -> Vec<String> {
        let ran = self.wheel.calls.iter().filter(|it| it.code.is_some());
        let ran = ran.map(|it| format!("the command `{}` ran", without_secrets(&it.argv.join(" "))));
        let built = runtime
            .distributions
            .iter()
            .filter(|it| matches!(it.origin, vocab::WheelOrigin::Sdist { .. } | vocab::WheelOrigin::Git { .. }));
        ran.chain(built.map(|it| format!("{} was built from its source", it.name))).collect()
    }
}

/// KJ069: no requirement of the wheel or of a file names them, so that nobody resolves what they require.
fn extra_packages(config: &EffectiveConfig) -> Option<Finding> {
    let list = config.packaging.extra_packages.join(", ");
    let finding = Finding::new(code::KJ069, [("list", list.as_str())]).in_file(config.source.clone());
    (!list.is_empty()).then_some(Finding { line: config.line_of_option("extra_packages"), ..finding })
}

fn command_row(call: &crate::CommandCall) -> CommandRow {
    let action = if call.code.is_some() { "ran" } else { "recorded" };
    CommandRow { argv: call.argv.iter().map(|it| without_secrets(it)).collect(), action: action.to_owned() }
}

pub(crate) fn finding_row(finding: &Finding) -> FindingRow {
    FindingRow {
        code: finding.code.to_string(),
        level: finding.level.to_string(),
        file: finding.file.clone(),
        line: finding.line,
        message: finding.message.clone(),
    }
}
