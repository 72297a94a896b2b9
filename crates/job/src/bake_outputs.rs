//! What lies beside a baked runtime.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::Path;

use serde_json::Value;
use vocab::{Digest, manifest_name};

use crate::bake_request::BakeRequest;
use crate::effective_config::EffectiveConfig;
use crate::job_error::JobError;
use crate::job_manifest::{JOB_MANIFEST, JobManifest};
use crate::job_runtime::JOB_LOCK;
use crate::worker;

pub(crate) const SYSTEM_PACKAGES: &str = "system-packages.txt";
const BEAM_OPTIONS: &str = "beam-options.json";
const SUMS: &str = "SHA256SUMS";

/// Options that would make workers install again what is in the runtime. Extra packages and other files are not in it.
const OF_STAGING: [&str; 2] = ["setup_file", "requirements_file"];

/// Writes all of it, each file beside and then renamed.
pub(crate) fn write(
    out: &Path,
    manifest: &JobManifest,
    config: Option<&EffectiveConfig>,
    request: &BakeRequest,
) -> Result<(), JobError> {
    let packages: String = manifest.system_packages.iter().map(|it| format!("{}\n", it.name)).collect();
    put(out, SYSTEM_PACKAGES, &packages)?;
    let options = config.map(|it| it.pipeline_options.clone()).unwrap_or_default();
    let options: serde_json::Map<String, Value> =
        options.into_iter().filter(|(name, _)| !OF_STAGING.contains(&name.as_str())).collect();
    let text = serde_json::to_string_pretty(&options).expect("plain data with text keys");
    put(out, BEAM_OPTIONS, &format!("{text}\n"))?;
    put(out, worker::DOCKERFILE, &worker::dockerfile(manifest, request.data_prefix_compat))?;
    write_manifest(out, manifest)
}

/// The manifest, and the digests of all files.
pub(crate) fn write_manifest(out: &Path, manifest: &JobManifest) -> Result<(), JobError> {
    put(out, JOB_MANIFEST, &manifest.to_text())?;
    let mut names: Vec<String> =
        [JOB_LOCK, SYSTEM_PACKAGES, BEAM_OPTIONS, worker::DOCKERFILE, JOB_MANIFEST].map(str::to_owned).to_vec();
    names.extend([manifest.archive.file.clone(), manifest_name(&manifest.archive.file)]);
    names.extend(
        manifest.configs.iter().map(|it| format!("configs/{}", it.source.rsplit('/').next().unwrap_or_default())),
    );
    names.sort();
    let mut lines = String::new();
    for name in names {
        let path = out.join(&name);
        let read = || File::open(&path).and_then(Digest::of_reader).map(|(sha256, _)| sha256);
        // It was digested when it was packed, and is large.
        let is_archive = name == manifest.archive.file;
        let sha256 = if is_archive { Ok(manifest.archive.sha256) } else { read() };
        let sha256 = sha256.map_err(JobError::disk("read", &path))?;
        lines.push_str(&format!("{sha256}  {name}\n"));
    }
    put(out, SUMS, &lines)
}

fn put(out: &Path, name: &str, text: &str) -> Result<(), JobError> {
    let path = out.join(name);
    let write = || -> io::Result<()> {
        let beside = disk::FileBeside::beside(&path, ".baked-")?;
        beside.as_file().write_all(text.as_bytes())?;
        disk::share_file(beside.path())?;
        beside.replace(&path)
    };
    write().map_err(JobError::disk("write", &path))
}
