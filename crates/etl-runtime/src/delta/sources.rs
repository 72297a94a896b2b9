//! A wheel of a distribution that has none for this machine: uv builds it from its sdist, which runs the sdist's code.

use std::fs;
use std::path::Path;

use process::{Invocation, run_telling, shortened, words_of};
use resolve::Uv;
use resolve::uv_settings::{self, SettingsHandover};
use store::Context;
use vocab::{Digest, DistributionName, FileName, with_causes};
use wheel::WheelFileName;

use super::DeltaFile;

/// A source archive in the store.
pub(super) struct Sdist<'a> {
    pub name: &'a DistributionName,
    /// Its ending decides the format.
    pub file_name: &'a str,
    /// Its digest was checked.
    pub path: &'a Path,
}

/// Builds it and puts the wheel into the store; the error is the reason in words. What the build requires comes from where
/// uv finds it, with the settings and variables of the user.
pub(super) fn build(sdist: &Sdist<'_>, uv: &Uv, context: &Context) -> Result<DeltaFile, String> {
    let failed = |reason: String| format!("{} cannot be built from its source: {reason}", sdist.name);
    context.note(format!("{} has no wheel for this machine and is built from its source", sdist.name));
    let scratch = context.store.scratch_dir("sdist-").map_err(|error| failed(with_causes(&error)))?;
    let (source, output) = (scratch.path().join(sdist.file_name), scratch.path().join("wheel"));
    fs::copy(sdist.path, &source).map_err(|error| failed(with_causes(&error)))?;
    let settings = SettingsHandover::new(&uv_settings::all_settings(context), scratch.path());
    let settings = settings.map_err(|error| failed(with_causes(&error)))?;
    let words = ["build", "--wheel", "--color", "never", "--no-progress", "--no-python-downloads", "--python"];
    let mut invocation = Invocation::new(uv.program(), scratch.path())
        .args(settings.arguments())
        .args(words)
        .arg(uv.python())
        .arg("--out-dir")
        .arg(&output)
        .arg(&source)
        .timeout(context.timeout);
    (invocation.clear_environment, invocation.environment) = (true, uv_settings::whole_environment(context));
    invocation.stdin.clone_from(&settings.stdin);
    let finished = run_telling(context, &invocation, "uv").map_err(|error| failed(with_causes(&error)))?;
    if !finished.succeeded() {
        return Err(failed(shortened(&words_of(&finished.stderr_text()))));
    }
    keep(sdist.name, &output, context).map_err(failed)
}

/// Puts the only wheel of the folder into the store.
fn keep(name: &DistributionName, folder: &Path, context: &Context) -> Result<DeltaFile, String> {
    let wheels = fs::read_dir(folder).map_err(|error| with_causes(&error))?;
    let mut wheels = wheels.filter_map(|entry| Some(entry.ok()?.path()));
    let wheel = wheels.find(|path| path.extension().is_some_and(|extension| extension == "whl"));
    let wheel = wheel.ok_or_else(|| "the build made no wheel".to_owned())?;
    let file_name = wheel.file_name().unwrap_or_default().to_string_lossy().into_owned();
    if !file_name.parse::<WheelFileName>().is_ok_and(|parsed| parsed.name == *name) {
        return Err(format!("the build made `{file_name}`"));
    }
    let file = fs::File::open(&wheel).and_then(Digest::of_reader);
    let (sha256, size) = file.map_err(|error| format!("`{file_name}`: {error}"))?;
    let staged = context.store.stage_file().map_err(|error| with_causes(&error))?;
    disk::rename(&wheel, staged.path()).map_err(|error| with_causes(&error))?;
    context.store.publish_file(staged, &context.store.blob(&sha256)).map_err(|error| with_causes(&error))?;
    let name = file_name.parse::<FileName>().map_err(|error| with_causes(&error))?;
    Ok(DeltaFile { name, size, sha256, byte_code: None })
}
