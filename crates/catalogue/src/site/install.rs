//! Commands to copy: one for each way of fetching.

use maud::{Markup, html};
use vocab::{ArtifactFormat, PlatformKey};

use super::SiteSettings;
use super::builds::{SiteBuild, SiteRuntime};
use super::words;
use crate::downloads::list_of;
use crate::{CatalogueRow, Channel, object_keys};

/// Placeholder for the destination's URL; the script replaces it by the real one.
const PLACEHOLDER: &str = "CATALOGUE-URL";

pub(super) fn base(settings: &SiteSettings) -> String {
    settings.base_url.as_deref().unwrap_or(PLACEHOLDER).trim_end_matches('/').to_owned()
}

pub(super) fn get(version: &str, settings: &SiteSettings) -> String {
    format!("pydist get {version} --from {}", base(settings))
}

/// A block of lines with a button to copy it, which the script adds.
pub(super) fn command(lines: &str, title: &str) -> Markup {
    html! {
        figure class="command" {
            figcaption { (title) }
            pre tabindex="0" aria-label=(title) { code { (lines) } }
        }
    }
}

pub(super) fn section(runtime: &SiteRuntime<'_>, settings: &SiteSettings) -> Markup {
    let version = runtime.version.to_string();
    let channel = match runtime.channel() {
        Channel::Stable => "",
        Channel::Candidate => " --channel candidate",
    };
    html! {
        section id="install" {
            h2 { "Install" }
            (command(&format!("{}{channel}", get(&version, settings)), "On any platform, with pydist"))
            @if let Some(lines) = uv(runtime, settings) { (command(&lines, "On any platform listed for uv, with uv")) }
            div class="platforms" {
                @for (index, (platform, build)) in runtime.current().enumerate() {
                    (by_platform(platform, build, settings, index == 0))
                }
            }
        }
    }
}

/// Absent if uv's lists are not written.
fn uv(runtime: &SiteRuntime<'_>, settings: &SiteSettings) -> Option<String> {
    settings.base_url.as_ref()?;
    let stable = runtime.current().flat_map(|(_, build)| &build.formats).filter(|row| row.channel == Channel::Stable);
    let (row, list) = stable.filter_map(|row| Some((*row, list_of(row)?))).next()?;
    Some(format!("uv python install {} --python-downloads-json-url {}/{list}", row.python.actual, base(settings)))
}

fn by_platform(platform: PlatformKey, build: &SiteBuild<'_>, settings: &SiteSettings, open: bool) -> Markup {
    let (system, processor) = words::platform(platform);
    html! {
        details id=(platform) open[open] {
            summary {
                span { (system) " " span class="quiet" { (processor) } }
                code { (platform) }
            }
            (command(&fetch(build.row, settings), "By parts, with archive: what is here already is not fetched again"))
            (command(&by_hand(platform, build.row, settings), "By hand: fetch, compare, unpack"))
        }
    }
}

fn fetch(row: &CatalogueRow, settings: &SiteSettings) -> String {
    let url = object_keys::url(&base(settings), &row.artifact.key);
    format!("archive fetch {url} \\\n  --manifest-sha256 {} \\\n  --to {}", row.manifest.sha256, folder(row))
}

fn folder(row: &CatalogueRow) -> String {
    format!("python-{}", row.runtime)
}

fn by_hand(platform: PlatformKey, row: &CatalogueRow, settings: &SiteSettings) -> String {
    let url = object_keys::url(&base(settings), &row.artifact.key);
    let (file, sha256, folder) = (&row.artifact.file, &row.artifact.sha256, folder(row));
    let mut lines = vec![format!("{} -fLO {url}", if platform.is_windows() { "curl.exe" } else { "curl" })];
    lines.push(match platform.os() {
        vocab::Os::Linux => format!("echo \"{sha256}  {file}\" | sha256sum --check"),
        vocab::Os::Macos => format!("echo \"{sha256}  {file}\" | shasum -a 256 --check"),
        vocab::Os::Windows => format!("(Get-FileHash {file}).Hash -eq \"{sha256}\""),
    });
    if let Some(signatures) = &row.signatures {
        let signature = object_keys::url(&base(settings), &signatures.artifact.key);
        lines.push(format!("{} -fLO {signature}", if platform.is_windows() { "curl.exe" } else { "curl" }));
        lines.push(format!("minisign -V -m {file} -P {}", signatures.public_key));
    }
    lines.push(unpack(platform, row.artifact.format, file, &folder));
    lines.join("\n")
}

fn unpack(platform: PlatformKey, format: ArtifactFormat, file: &str, folder: &str) -> String {
    match (format, platform.is_windows()) {
        (ArtifactFormat::Zip, false) => format!("unzip -q {file} -d {folder}"),
        (ArtifactFormat::Zip, true) => format!("Expand-Archive {file} {folder}"),
        (_, true) => format!("mkdir {folder}; tar -xf {file} -C {folder}"),
        (_, false) => format!("mkdir {folder} && tar -xf {file} -C {folder}"),
    }
}
