//! One runtime: what it is, how to install it, what it contains, how to verify it.

use maud::{Markup, html};
use vocab::TreePath;

use super::builds::{SiteBuild, SiteRuntime};
use super::index_page::{channel, stand_in, version};
use super::{SiteSettings, changes, frame, install, packages, picture, words};
use crate::{Catalogue, CatalogueRow, RetractedRow, object_keys};

pub(super) fn page(runtime: &SiteRuntime<'_>, catalogue: &Catalogue, settings: &SiteSettings) -> Markup {
    let first = runtime.first();
    let changes = changes::section(runtime);
    let rules = packages::rules(runtime);
    let size = first.entry.and_then(|entry| picture::section(&entry.content, first.row.platform.as_str()));
    let retracted: Vec<&RetractedRow> =
        catalogue.retracted.iter().filter(|row| row.entry.runtime == *runtime.version).collect();
    let content = html! {
        nav class="crumbs" aria-label="Place" { a href="../index.html" { "All runtimes" } }
        h1 class="version" { (version(runtime)) }
        p class="lead" {
            (channel(runtime.channel())) " "
            "CPython " (first.row.python.actual) " with " (words::counted(first.row.packages, "package")) " for "
            (words::counted(runtime.platforms.len() as u64, "platform")) "."
        }
        nav class="contents" aria-label="On this page" {
            a href="#install" { "Install" }
            a href="#platforms" { "Platforms" }
            @if size.is_some() { a href="#size" { "Size" } }
            a href="#packages" { "Packages" }
            @if rules.is_some() { a href="#rules" { "Rules" } }
            @if changes.is_some() { a href="#changes" { "Changes" } }
            a href="#verify" { "Verify" }
        }
        (install::section(runtime, settings))
        (platforms(runtime))
        @if let Some(size) = size { (size) }
        (packages::section(runtime))
        @if let Some(rules) = rules { (rules) }
        @if let Some(changes) = changes { (changes) }
        (verify(runtime))
        @if !retracted.is_empty() { (withdrawn(&retracted)) }
    };
    frame::page(&format!("{} – {}", runtime.version, settings.title), "../", settings, &content)
}

fn platforms(runtime: &SiteRuntime<'_>) -> Markup {
    html! {
        section id="platforms" {
            h2 { "Platforms" }
            ul class="cards" { @for (_, build) in runtime.current() { (card(build)) } }
        }
    }
}

fn card(build: &SiteBuild<'_>) -> Markup {
    let row = build.row;
    let (system, processor) = words::platform(row.platform);
    let content = build.entry.map(|entry| &entry.content);
    html! {
        li class="card" {
            h3 { (system) " " span class="quiet" { (processor) } }
            p class="badges" {
                (channel(row.channel))
                @if row.python.stand_in { (stand_in(row.python.actual)) }
            }
            dl {
                dt { "Download" } dd { (words::bytes(row.artifact.size)) }
                dt { "Installed" } dd { (words::bytes(row.installed_size)) }
                @if let Some(needs) = content.and_then(|content| words::needs(&content.needs)) {
                    dt { "Needs" } dd { (needs) }
                }
                dt { "Python" } dd { (row.python.actual) " " span class="quiet" { (row.python.source) } }
                @if let Some(checked) = words::checked_of(build) {
                    dt { "Checked" } dd { (checked) }
                }
                @if let Some(npm) = &row.npm {
                    dt { "npm" } dd {
                        @if let Some(page) = npm.link() { a href=(page) { code { (npm.name) } } }
                        @else { code { (npm.name) } }
                        @if let Some(version) = &npm.version { " " (version) }
                    }
                }
                @if let Some(warnings) = content.and_then(|content| content.warnings) {
                    dt { "Warnings" } dd { (words::counted(warnings, "finding")) ", listed in the manifest" }
                }
                @if let Some(content) = content.filter(|content| !content.absent.is_empty()) {
                    dt { "Without" } dd { (content.absent.join(", ")) }
                }
                dt { "Published" } dd { time datetime=(row.created) { (row.created.date()) } }
            }
        }
    }
}

fn verify(runtime: &SiteRuntime<'_>) -> Markup {
    let key = runtime.current().find_map(|(_, build)| build.row.signatures.as_ref());
    html! {
        section id="verify" {
            h2 { "Verify" }
            @if let Some(signatures) = key {
                p {
                    "Signed with minisign by " code class="digest" { (signatures.public_key) }
                    " Compare this key with the one that you were given by another way."
                }
            } @else {
                p { "Published without a signature." }
            }
            @for (platform, builds) in &runtime.platforms {
                h3 id={ (platform) "-files" } { (platform) }
                @for (index, build) in builds.0.iter().enumerate() {
                    @if index == 1 { h4 { "Earlier and other builds" } }
                    p class="quiet" {
                        (build.row.channel) ", " time datetime=(build.row.created) { (build.row.created.date()) }
                        ", build " code { (build.row.build_key.short()) }
                        @if let Some(checked) = words::checked_of(build) { ", " (checked) }
                    }
                    ul class="files" { @for row in &build.formats { (file(row)) } }
                }
            }
        }
    }
}

fn file(row: &CatalogueRow) -> Markup {
    let beside = |suffix: &str| object_keys::artifact(&row.artifact.sha256, &format!("{}{suffix}", row.artifact.file));
    html! {
        li {
            a href=(link(&row.artifact.key)) { (row.artifact.file) } " " span class="quiet" { (words::bytes(row.artifact.size)) }
            code class="digest" { (row.artifact.sha256) }
            span class="beside" {
                a href=(link(&row.manifest.key)) { "manifest" }
                @if let Some(sbom) = &row.sbom { a href=(link(&sbom.key)) { "SBOM" } }
                @if let Some(provenance) = &row.provenance { a href=(link(&provenance.key)) { "provenance" } }
                @if let Some(signatures) = &row.signatures { a href=(link(&signatures.artifact.key)) { "signature" } }
                @if let Ok(key) = beside(object_keys::DIGEST_SUFFIX).parse() { a href=(link(&key)) { "sha256" } }
            }
        }
    }
}

/// From a runtime's page to an object of the destination.
fn link(key: &TreePath) -> String {
    object_keys::url("../..", key)
}

fn withdrawn(rows: &[&RetractedRow]) -> Markup {
    html! {
        section id="retracted" {
            h2 { "Retracted" }
            ul class="retracted" {
                @for row in rows {
                    li {
                        strong { (row.entry.platform) } ", " (row.entry.artifact.format.extension())
                        ", published on " time datetime=(row.entry.created) { (row.entry.created.date()) }
                        ", retracted on " time datetime=(row.at) { (row.at.date()) } ": " (words::prose(&row.reason))
                        code class="digest" { (row.entry.artifact.sha256) }
                    }
                }
            }
        }
    }
}
