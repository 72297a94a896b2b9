//! `builder job bake`, `package`, `verify` and `image`; which function does a subcommand of `builder job`.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use cli::{BaseOptions, Printer};
use job::{
    BakeRequest, Baked, BaseImage, CheckReport, Finding, IndexStrategy, JobError, JobManifest, LayerCompression,
    PackageSettings, VerifyOutcome, VerifyReport, WorkerImage, WrittenImage,
};
use serde_json::json;
use store::{Context, FileLock};
use vocab::{Environment, Exit, Fault, PlatformKey};

use crate::arguments::GlobalArguments;
use crate::job_arguments::{JobBakeArguments, JobCommand, JobImageArguments, JobPackageArguments, JobVerifyArguments};
use crate::job_commands::{self, checked, exit, out_of, show};
use crate::session::UsageError;

/// The image's layout, in the folder for results.
const WORKER_IMAGE: &str = "worker-image";

/// What a command did, for its last lines.
struct Shown<'a> {
    report: &'a CheckReport,
    baked: Option<&'a Baked>,
    image: Option<&'a WrittenImage>,
    verified: Option<&'a VerifyReport>,
}

impl Shown<'_> {
    fn tell(&self, printer: &Printer, json: bool) {
        if json {
            let baked = self.baked.map(|it| json!({"archive": it.archive, "manifest": it.manifest}));
            printer.json(
                "baked",
                &json!({"report": self.report, "baked": baked, "image": self.image, "verified": self.verified}),
            );
            return;
        }
        show(self.report, printer, false);
        for line in self.verified.iter().flat_map(|it| it.lines()) {
            printer.say(&vocab::foreign_text::printable(&line));
        }
        if let Some(image) = self.image {
            tell_layers(image, printer);
            printer.say(&format!("{WORKER_IMAGE} is sha256:{}", image.digest));
        }
        if let Some(baked) = self.baked {
            printer.data(&format!("{}\n", baked.archive.display()));
        }
    }
}

/// Runs the chosen subcommand of `builder job`.
pub fn run(
    command: &JobCommand,
    global: &GlobalArguments,
    environment: &Environment,
    printer: &Arc<Printer>,
    cancelled: &Arc<AtomicBool>,
) -> Result<Exit, Box<dyn Fault>> {
    let context = || job_commands::context(global, environment, printer, cancelled);
    let json = global.show.json;
    match command {
        JobCommand::Bake(arguments) => bake(&context()?, arguments, printer, json),
        JobCommand::Package(arguments) => package(&context()?, arguments, printer, json),
        JobCommand::Verify(arguments) => verify(&context()?, arguments, printer, json),
        JobCommand::Image(arguments) => image(&context()?, arguments, printer, json),
        JobCommand::Check(arguments) => job_commands::check(&context()?, arguments, printer, json),
        JobCommand::Stage(arguments) => job_commands::stage(&context()?, arguments, printer, json),
        JobCommand::Explain { code } => job_commands::explain(code, printer, json),
    }
}

fn bake(
    context: &Context,
    arguments: &JobBakeArguments,
    printer: &Printer,
    json: bool,
) -> Result<Exit, Box<dyn Fault>> {
    let (report, baked, _held) = baked(context, arguments)?;
    let image = image_beside(context, arguments, baked.as_ref())?;
    Shown { report: &report, baked: baked.as_ref(), image: image.as_ref(), verified: None }.tell(printer, json);
    Ok(exit(&report))
}

fn package(
    context: &Context,
    arguments: &JobPackageArguments,
    printer: &Printer,
    json: bool,
) -> Result<Exit, Box<dyn Fault>> {
    let (mut report, mut baked, _held) = baked(context, &arguments.bake)?;
    let mut verified = None;
    if let Some(baked) = baked.as_mut().filter(|_| !arguments.no_verify) {
        let (made, findings) = job::verify(context, &baked.archive, &baked.manifest, &arguments.verify.skip_module)?;
        let strict = arguments.bake.check.strict;
        report.findings = job::judged(report.findings.into_iter().chain(findings).collect(), strict, &[]);
        job::keep_verified(baked, &made, &report.findings)?;
        verified = Some(made);
    }
    let passed = verified.as_ref().is_none_or(|it| it.outcome != VerifyOutcome::Failed);
    let image = image_beside(context, &arguments.bake, baked.as_ref().filter(|_| passed))?;
    let shown = Shown { report: &report, baked: baked.as_ref(), image: image.as_ref(), verified: verified.as_ref() };
    shown.tell(printer, json);
    Ok(with_verified(exit(&report), verified.as_ref()))
}

fn verify(
    context: &Context,
    arguments: &JobVerifyArguments,
    printer: &Printer,
    json: bool,
) -> Result<Exit, Box<dyn Fault>> {
    let manifest = JobManifest::beside(&arguments.archive)?;
    let (verified, findings) = job::verify(context, &arguments.archive, &manifest, &arguments.verify.skip_module)?;
    if json {
        printer.json("verified", &json!({"verified": verified, "findings": findings}));
    } else {
        printer.data(&lines(&findings, &verified));
    }
    Ok(with_verified(Exit::Done, Some(&verified)))
}

fn image(
    context: &Context,
    arguments: &JobImageArguments,
    printer: &Printer,
    json: bool,
) -> Result<Exit, Box<dyn Fault>> {
    let request = worker_image(context, &arguments.image.base, arguments.data_prefix_compat)?;
    if let Some(base) = &request.base {
        let findings = job::check_base(base, JobManifest::beside(&arguments.archive)?.python.platform)?;
        if job::has_errors(&findings) {
            job_commands::show_findings(&findings, printer, json);
            return Ok(Exit::Build);
        }
    }
    let written = job::write_image(context, &arguments.archive, &request, &arguments.image.to)?;
    if json {
        printer.json("image", &written);
        return Ok(Exit::Done);
    }
    tell_layers(&written, printer);
    printer.data(&format!("sha256:{}\n", written.digest));
    Ok(Exit::Done)
}

fn worker_image(
    context: &Context,
    options: &BaseOptions,
    data_prefix_compat: bool,
) -> Result<WorkerImage, vocab::EpochError> {
    let base = options.base.clone().map(|layout| BaseImage { layout, name: options.base_name.clone() });
    Ok(WorkerImage {
        base,
        byte_code: !options.without_byte_code,
        data_prefix_compat,
        compression: if options.gzip { LayerCompression::Gzip } else { LayerCompression::Zstd },
        epoch: epoch(context)?,
    })
}

/// The image that a bake was asked for, in place of the one that is there.
fn image_beside(
    context: &Context,
    arguments: &JobBakeArguments,
    baked: Option<&Baked>,
) -> Result<Option<WrittenImage>, Box<dyn Fault>> {
    let (Some(baked), Some(_)) = (baked, &arguments.image.base) else { return Ok(None) };
    let request = worker_image(context, &arguments.image, arguments.data_prefix_compat)?;
    let out = baked.archive.parent().unwrap_or(Path::new("."));
    job::write_image_anew(context, &baked.archive, &request, &out.join(WORKER_IMAGE)).map(Some)
}

fn tell_layers(written: &WrittenImage, printer: &Printer) {
    for layer in &written.layers {
        printer.say(&format!("layer {}: {}, {} bytes", layer.digest.short(), layer.content, layer.size));
    }
}

fn epoch(context: &Context) -> Result<u64, vocab::EpochError> {
    Ok(context.environment.source_date_epoch()?.unwrap_or(archive::DEFAULT_MTIME))
}

fn lines(findings: &[Finding], verified: &VerifyReport) -> String {
    let findings = findings.iter().map(|it| format!("{it}\n"));
    let lines: String = findings.chain(verified.lines().into_iter().map(|it| format!("{it}\n"))).collect();
    vocab::foreign_text::printable(&lines)
}

fn with_verified(exit: Exit, verified: Option<&VerifyReport>) -> Exit {
    match verified {
        Some(report) if report.outcome == VerifyOutcome::Failed => Exit::Check,
        _ => exit,
    }
}

/// What was found, what was baked, and the lock of the folder for results.
type HeldBake = (CheckReport, Option<Baked>, Option<FileLock>);

/// Checks, stages and bakes. The report has all findings. Until the lock goes, nobody else writes into the folder for results.
fn baked(context: &Context, arguments: &JobBakeArguments) -> Result<HeldBake, Box<dyn Fault>> {
    let request = request(context, arguments)?;
    let (folder, check, mut report, place) = checked(context, &arguments.check, arguments.out.as_ref())?;
    if let Some(base) = worker_image(context, &arguments.image, false)?.base {
        let findings = report.findings.into_iter().chain(job::check_base(&base, request.platform)?);
        report.findings = job::judged(findings.collect(), check.strict, &check.allowed);
    }
    let Some(place) = place.filter(|_| !report.has_errors()) else { return Ok((report, None, None)) };
    let out = out_of(&folder, &report, arguments.out.as_ref())?;
    let mut context = context.clone();
    context.work.offline = arguments.check.offline;
    context.default_index = check.indexes.default.clone();
    let packages = PackageSettings {
        platform: request.platform,
        indexes: check.indexes.clone(),
        strategy: IndexStrategy::default(),
    };
    let held = job::hold_results(&context, &out)?;
    let staged = job::stage(&context, &folder, &report, &place, &check, &packages, &out)?;
    let (baked, findings) = job::bake(&context, (&report, &check), &place, &staged, &request, &out)?;
    report.findings = findings;
    Ok((report, baked, Some(held)))
}

fn request(context: &Context, arguments: &JobBakeArguments) -> Result<BakeRequest, Box<dyn Fault>> {
    let platform = match &arguments.platform {
        Some(text) => text.parse::<PlatformKey>().map_err(UsageError::Platform)?,
        None => PlatformKey::host().ok_or(JobError::NoPlatform)?,
    };
    Ok(BakeRequest {
        platform,
        lock: arguments.lock.clone().map(|path: PathBuf| std::path::absolute(&path).unwrap_or(path)),
        update_lock: arguments.update_lock,
        epoch: epoch(context)?,
        data_prefix_compat: arguments.data_prefix_compat,
        today: jiff::Zoned::now().date(),
    })
}
