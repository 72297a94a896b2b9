//! The job's wheel, built from the unpacked source archive, as workers would build it: what the archive lacks fails here.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};
use store::Context;
use vocab::Digest;
use wheel::{WheelBlob, WheelFileName, WheelTarget};

use crate::asked_python::Reply;
use crate::code;
use crate::commands::{CommandPlan, CommandRule};
use crate::finding::Finding;
use crate::job_error::JobError;
use crate::secrets::without_secrets;
use crate::setup_facts::CommandCall;
use crate::workplace::Workplace;

/// A wheel with what its build asked for.
pub(crate) struct JobWheel {
    pub blob: WheelBlob,
    pub calls: Vec<CommandCall>,
    pub plan: CommandPlan,
    /// The unpacked source archive.
    pub source: PathBuf,
}

/// Builds it, or says what is wrong with the job.
pub(crate) fn build(
    context: &Context,
    place: &Workplace,
    (archive, top): (&Path, &str),
    rule: CommandRule,
    target: &WheelTarget,
    limit: Duration,
) -> Result<Result<JobWheel, Vec<Finding>>, JobError> {
    let (source, output) = (place.as_ref().join("source"), place.as_ref().join("wheel"));
    for folder in [&source, &output] {
        fs::create_dir(folder).map_err(JobError::disk("make", folder))?;
    }
    let archive = fs::canonicalize(archive).map_err(JobError::disk("read", archive))?;
    let question = json!({
        "ask": "wheel", "archive": archive, "source": source, "top": top, "output": output, "commands": rule.as_str(),
    });
    let failed = |reason: &str| JobError::Wheel { reason: without_secrets(reason) };
    let answer = match place.ask(context, &question, limit)? {
        Reply::Answer(answer) => answer,
        Reply::Ended { output, .. } => return Err(failed(&output)),
        Reply::TimedOut => return Err(failed(&format!("it did not end within {} s", limit.as_secs()))),
    };
    let calls = answer.get("calls").cloned().unwrap_or_default();
    let calls: Vec<CommandCall> =
        vocab::typed_json::read(calls.to_string().as_bytes()).map_err(|error| failed(&error.to_string()))?;
    let plan = CommandPlan::of(&calls);
    let mut findings = refused(&plan);
    if let Some(failure) = answer.get("failure").and_then(Value::as_str) {
        findings.extend(of_commands(&calls));
        if findings.is_empty() {
            let lines = answer.get("lines").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
            return Err(failed(&format!("{failure}\n{}", lines.collect::<Vec<_>>().join("\n"))));
        }
        return Ok(Err(findings));
    }
    let file = answer.get("file").and_then(Value::as_str).unwrap_or_default();
    let file_name: WheelFileName = file.parse().map_err(|_| failed(&format!("it made `{file}` instead of a wheel")))?;
    if target.rank(file).is_none() {
        let platform = target.platform.to_string();
        findings.push(Finding::new(code::KJ062, [("wheel", file), ("platform", platform.as_str())]));
    }
    if !findings.is_empty() {
        return Ok(Err(findings));
    }
    let path = output.join(file);
    let (sha256, _) = File::open(&path).and_then(Digest::of_reader).map_err(JobError::disk("read", &path))?;
    let source = source.join(top);
    Ok(Ok(JobWheel { blob: WheelBlob { path, sha256, file_name }, calls, plan, source }))
}

/// KJ051: what cannot be translated.
fn refused(plan: &CommandPlan) -> Vec<Finding> {
    let of = |(argv, reason): &(String, String)| {
        let (argv, reason) = (format!("`{}`", without_secrets(argv)), without_secrets(reason));
        Finding::new(code::KJ051, [("argv", argv.as_str()), ("reason", reason.as_str())]).in_file("setup.py")
    };
    plan.refused.iter().map(of).collect()
}

/// KJ050 and KJ051: the programs that ended the build.
fn of_commands(calls: &[CommandCall]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for call in calls {
        let argv = format!("`{}`", without_secrets(&call.argv.join(" ")));
        if call.denied {
            let values = [("argv", argv.as_str()), ("reason", "commands are not allowed here")];
            findings.push(Finding::new(code::KJ051, values).in_file("setup.py"));
        }
        if let Some(code) = call.code.filter(|code| *code != 0) {
            let output = without_secrets(call.output.as_deref().unwrap_or("nothing was printed"));
            let number = code.to_string();
            let values = [("argv", argv.as_str()), ("n", number.as_str()), ("output", output.as_str())];
            findings.push(Finding::new(code::KJ050, values).in_file("setup.py"));
        }
    }
    findings
}
