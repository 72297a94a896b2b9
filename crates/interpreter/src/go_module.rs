//! Source `go-module`: python-build-standalone trees inside a Go module, fetched with the user's own `go`.
//!
//! The module `github.com/kluctl/go-embed-python` carries trimmed trees of all five platforms. `go` brings the
//! user's module proxy, checksum database and credentials with it. Each version used here is pinned by the checksum
//! of its content, computed here again from the file that `go` names, so neither the proxy nor a changed module
//! cache has to be trusted.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use config_merger::BaseSource;
use serde::Deserialize;
use vocab::{Digest, PlatformKey, PythonVersion};

use super::base_identity::identity;
use super::disk::{CopiedLinks, Result};
use super::error::BaseErrorKind;
use super::go_modules::GoModules;
use super::probe::{recall_unreachable, remember_unreachable};
use super::request::{BaseRequest, BaseSupply};
use super::shared_tree::is_at_hand;
use super::source_answer::{SourceAnswer, nearest_stand_in};
use super::{go_tree, go_zip, pip};
use process::{Invocation, run};
use store::Context;
use vocab::TreeLayout;

const MODULE: &str = "github.com/kluctl/go-embed-python";

/// `go` itself tries the network for half a minute; a list that takes longer than this will not come.
const LIST_LIMIT: Duration = Duration::from_secs(20);

/// Python release, module version, Go checksum. Seen complete for all five platforms; a version that is not here
/// has no checksum to compare with and is not used.
const RELEASES: [(&str, &str, &str); 3] = [
    ("3.10.16", "v0.0.0-3.10.16-20241219-1", "h1:bfJRrtWlbdrPtwXXXZzA95yj2Pr9AvSbxDEm8YvbaP0="),
    ("3.11.11", "v0.0.0-3.11.11-20241219-1", "h1:yVXFTxa6cvhLC6TwkDEHmNaiWlDyaFEGiXd1DQdoeOU="),
    ("3.14.6", "v0.0.0-3.14.6-20260610-1", "h1:oGUS7++Wm3LgxUfD6AmJgKbKQD2wdQFO9PzyJv6T+E4="),
];

#[derive(Clone, Debug, PartialEq, Eq)]
struct GoRelease {
    python: PythonVersion,
    /// Version of the module.
    version: String,
    sum: Digest,
}

fn releases() -> Vec<GoRelease> {
    let row = |(python, version, sum): &(&str, &str, &str)| {
        Some(GoRelease { python: python.parse().ok()?, version: (*version).to_owned(), sum: go_zip::parse_sum(sum)? })
    };
    RELEASES.iter().filter_map(row).collect()
}

/// Checksum that the module with exactly this release must have.
pub(super) fn sum_of(python: PythonVersion) -> Option<Digest> {
    releases().into_iter().find(|release| release.python == python).map(|release| release.sum)
}

pub(super) fn ask(context: &Context, request: &BaseRequest) -> SourceAnswer {
    let pinned = releases();
    let Some(python) = nearest_stand_in(request.python, pinned.iter().map(|release| release.python)) else {
        let known: Vec<String> = pinned.iter().map(|release| release.python.to_string()).collect();
        return SourceAnswer::Lacks(format!("has no {}, only {}", request.python.minor_version(), known.join(", ")));
    };
    let Some(release) = pinned.into_iter().find(|release| release.python == python) else {
        return SourceAnswer::Lacks(format!("has no {}", request.python.minor_version()));
    };
    let available =
        is_here(context, &release, request.platform).map_or_else(|| is_listed(context, request, &release), Ok);
    match available {
        Ok(()) => SourceAnswer::Has {
            version: release.python,
            origin: format!("{MODULE}@{}", release.version),
            supply: BaseSupply::GoModule { version: release.version, sum: release.sum },
        },
        Err(reason) => SourceAnswer::Lacks(reason),
    }
}

/// The finished tree is in the store, so nothing need be asked.
fn is_here(context: &Context, release: &GoRelease, platform: PlatformKey) -> Option<()> {
    is_at_hand(context, &identity(BaseSource::GoModule, &release.sum, platform)).then_some(())
}

/// Whether the user's module proxy (offline: Go's own cache) has it; the reason if not.
fn is_listed(context: &Context, request: &BaseRequest, release: &GoRelease) -> std::result::Result<(), String> {
    let place = format!("go list {MODULE}");
    if !context.offline
        && let Some(reason) = recall_unreachable(context, &place)
    {
        return Err(format!("`go` could not list the module: {reason}"));
    }
    if context.offline {
        // A list needs the proxy; whether the cache has this version is what `download` can say.
        return download(context, &release.version)
            .map(drop)
            .map_err(|_| "the build is offline and Go's module cache does not have it".to_owned());
    }
    let mut known = request.go_modules.known();
    let listed = match &known.versions {
        Some(versions) => Ok(versions.clone()),
        None => go(context, &["list", "-m", "-versions", MODULE], Some(LIST_LIMIT)),
    };
    let listed = match listed {
        Ok(listed) => known.versions.insert(listed),
        Err(BaseErrorKind::Go { reason, program_ran: true, .. }) if !context.is_cancelled() => {
            let reason = remember_unreachable(context, &place, reason);
            return Err(format!("`go` could not list the module: {reason}"));
        }
        Err(error) => return Err(error.to_string()),
    };
    if listed.split_whitespace().any(|version| version == release.version) {
        Ok(())
    } else {
        Err(format!("the module proxy does not have {}", release.version))
    }
}

/// What `go mod download -json` says. Source: `go help mod download`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct GoDownload {
    #[serde(default)]
    error: Option<String>,
    #[serde(default)]
    zip: Option<PathBuf>,
    #[serde(default)]
    sum: Option<String>,
}

/// Fetches the module into Go's cache, or finds it there. Gives the zip file and the checksum Go has for it.
fn download(context: &Context, version: &str) -> Result<(PathBuf, String)> {
    let module = format!("{MODULE}@{version}");
    let arguments = ["mod", "download", "-json", &module];
    let text = go(context, &arguments, context.timeout)?;
    let failed = |reason: String| BaseErrorKind::Go { arguments: arguments.join(" "), reason, program_ran: true };
    let downloaded: GoDownload =
        vocab::typed_json::read(text.as_bytes()).map_err(|error| failed(format!("its answer: {error}")))?;
    match downloaded {
        GoDownload { error: Some(error), .. } => Err(failed(error)),
        GoDownload { zip: Some(zip), sum: Some(sum), .. } => Ok((zip, sum)),
        _ => Err(failed("its answer names neither file nor checksum".to_owned())),
    }
}

/// Runs `go` in an empty folder, so that no surrounding module has an effect. Gives its output, for a failing
/// `mod download -json` as well, since the reason is in it.
fn go(context: &Context, arguments: &[&str], limit: Option<Duration>) -> Result<String> {
    let shown = arguments.join(" ");
    let failed = |reason: String, program_ran| BaseErrorKind::Go { arguments: shown.clone(), reason, program_ran };
    let program = which::which_in("go", context.environment.path("PATH").map(std::ffi::OsStr::new), ".")
        .map_err(|_| failed("the program `go` is not on PATH".to_owned(), false))?;
    let folder = context.store.stage_dir()?;
    let mut invocation =
        Invocation::new(program, folder.path()).args(arguments).env("GO111MODULE", "on").env("GOWORK", "off");
    if context.offline {
        invocation = invocation.env("GOPROXY", "off");
    }
    let finished = run(context, &invocation.timeout(limit)).map_err(|error| failed(whole_message(&error), true))?;
    let stdout = finished.stdout_text();
    if finished.succeeded() || (arguments.contains(&"-json") && stdout.trim_start().starts_with('{')) {
        return Ok(stdout);
    }
    let errors = finished.stderr_text();
    let last = errors.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("it gave no reason");
    Err(failed(last.trim().to_owned(), true))
}

fn whole_message(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(cause) => format!("{error}: {}", whole_message(cause)),
        None => error.to_string(),
    }
}

/// The module's file, whose content has the expected checksum.
fn verified(
    context: &Context,
    modules: &GoModules,
    (version, expected): (&str, &Digest),
) -> Result<Arc<go_zip::ModuleZip>> {
    let mut known = modules.known();
    if let Some(module) = known.verified.get(version) {
        return Ok(Arc::clone(module));
    }
    context.note(format!("fetching the Go module {MODULE}@{version} with `go` (70 to 110 MB when it is not cached)"));
    let (zip, sum) = download(context, version)?;
    let expected_sum = go_zip::show_sum(expected);
    if sum != expected_sum {
        return Err(BaseErrorKind::ModuleSum { expected: expected_sum, actual: sum });
    }
    let module = go_zip::ModuleZip::open(&zip, &format!("{MODULE}@{version}/"))?;
    let actual = module.sum(context)?;
    if actual != *expected {
        return Err(BaseErrorKind::ModuleSum { expected: expected_sum, actual: go_zip::show_sum(&actual) });
    }
    let module = Arc::new(module);
    known.verified.insert(version.to_owned(), Arc::clone(&module));
    Ok(module)
}

/// Fetches the module and lays its tree for the platform out in the empty folder `tree`, with pip.
pub(super) fn unpack(
    context: &Context,
    modules: &GoModules,
    release: (&str, &Digest),
    layout: TreeLayout,
    tree: &std::path::Path,
) -> Result<CopiedLinks> {
    let module = verified(context, modules, release)?;
    let links = go_tree::unpack(&module, &format!("python/internal/data/{}/", go_platform(layout.platform)), tree)?;
    let files = go_tree::files(&module, "pip/internal/data/")?;
    // The module was made from an installed pip: its scripts point into a folder of the machine it was made on.
    let unpacked = files.into_iter().filter(|(path, _)| path.segments().next() != Some("bin")).collect();
    pip::install(tree, layout, unpacked)?;
    pip::install_ensurepip(tree, layout)?;
    Ok(links)
}

fn go_platform(platform: PlatformKey) -> &'static str {
    match platform {
        PlatformKey::LinuxX64 => "linux-amd64",
        PlatformKey::LinuxAarch64 => "linux-arm64",
        PlatformKey::MacosxX64 => "darwin-amd64",
        PlatformKey::MacosxAarch64 => "darwin-arm64",
        PlatformKey::WindowsX64 => "windows-amd64",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pinned_release_has_a_version_and_a_checksum() {
        assert_eq!(releases().len(), RELEASES.len());
    }
}
