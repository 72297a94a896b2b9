//! The command line of what looks and changes nothing: `check`, `matrix`, `outdated`, `diff`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use survey::matrix::CiSystem;
use vocab::PlatformKey;

use crate::download_arguments::DownloadArguments;

/// Options of `check`. It reads the whole repository whatever is given.
#[derive(Args, Debug, Clone)]
pub struct CheckArguments {
    /// Version strings, or `all` (the default).
    #[arg(value_name = "VERSION")]
    pub versions: Vec<String>,
    /// Also ask the indexes which `skip` and `forceSource` rules are no longer needed.
    #[arg(long)]
    pub online: bool,
    /// Compare with what is published: a catalogue.json, or a folder with one or with the manifests of artifacts.
    #[arg(long, value_name = "FILE|DIR")]
    pub published: Option<PathBuf>,
    /// Exit with 3 if rules do nothing or locks lack rows.
    #[arg(long)]
    pub strict: bool,
    #[command(flatten)]
    pub downloads: DownloadArguments,
}

/// Options of `outdated`, which needs indexes.
#[derive(Args, Debug, Clone)]
pub struct OutdatedArguments {
    /// Version strings, or `all` (the default).
    #[arg(value_name = "VERSION")]
    pub versions: Vec<String>,
    /// Only these platforms of those that the locks have rows for.
    #[arg(long, value_name = "KEY", value_delimiter = ',')]
    pub platform: Vec<String>,
    #[command(flatten)]
    pub downloads: DownloadArguments,
}

/// Options of `diff`. A side is a version, a manifest or an artifact.
#[derive(Args, Debug, Clone)]
pub struct DiffArguments {
    /// A version string, a lock.json, a manifest, or an artifact with its manifest beside it.
    #[arg(value_name = "BEFORE")]
    pub before: String,
    /// The newer side, in the same forms.
    #[arg(value_name = "AFTER")]
    pub after: String,
    /// As Markdown, for a pull request.
    #[arg(long)]
    pub markdown: bool,
}

/// Options of `matrix`: which jobs, and for which CI system they are written.
#[derive(Args, Debug, Clone)]
pub struct MatrixArguments {
    /// Version strings, or `all` (the default).
    #[arg(value_name = "VERSION")]
    pub versions: Vec<String>,
    /// The CI system that runs the jobs.
    #[arg(long)]
    pub format: MatrixFormat,
    /// Only these platforms.
    #[arg(long, value_name = "KEY", value_delimiter = ',')]
    pub platform: Vec<String>,
    /// The runner of a platform's jobs: labels (github) or tags (gitlab), separated by commas, or an image
    /// (kubernetes). Overrides `runners` of shared-config.json.
    #[arg(long, value_name = "KEY=NAME", value_parser = runner)]
    pub runner: Vec<(PlatformKey, String)>,
    /// Create a job for each platform, on a machine of its own: to import the modules of all of them, and to sign between
    /// build and publishing.
    #[arg(long)]
    pub native: bool,
    /// Leave out what is published already: a catalogue.json, or a folder with one or with the manifests of artifacts.
    #[arg(long, value_name = "FILE|DIR")]
    pub published: Option<PathBuf>,
}

/// The CI systems that `matrix` writes for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum MatrixFormat {
    /// One line of JSON for `fromJSON`.
    Github,
    /// A child pipeline, YAML.
    Gitlab,
    /// Jobs for `kubectl apply`, YAML.
    Kubernetes,
}

impl From<MatrixFormat> for CiSystem {
    fn from(format: MatrixFormat) -> Self {
        match format {
            MatrixFormat::Github => Self::Github,
            MatrixFormat::Gitlab => Self::Gitlab,
            MatrixFormat::Kubernetes => Self::Kubernetes,
        }
    }
}

fn runner(text: &str) -> Result<(PlatformKey, String), String> {
    let (key, name) = text.split_once('=').ok_or("write KEY=NAME, for example linux-x64=ubuntu-24.04")?;
    let platform = key.trim().parse().map_err(|error: vocab::PlatformKeyError| error.to_string())?;
    let name = name.trim();
    if name.is_empty() { Err("the name of the runner is missing".to_owned()) } else { Ok((platform, name.to_owned())) }
}
