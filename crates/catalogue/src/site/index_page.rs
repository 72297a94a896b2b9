//! All runtimes: platforms, search, and what was retracted.

use maud::{Markup, html};
use vocab::PlatformKey;

use super::builds::{PlatformBuilds, SiteRuntime};
use super::{SiteSettings, frame, install, words};
use crate::{Catalogue, Channel};

pub(super) fn page(runtimes: &[SiteRuntime<'_>], catalogue: &Catalogue, settings: &SiteSettings) -> Markup {
    let content = html! {
        section class="intro" {
            h1 { (settings.title) }
            p class="lead" {
                "Relocatable CPython with its packages, built from one lock, checked" (packed(catalogue))
                ". Unpack one anywhere; it needs nothing installed."
            }
            (install::command(&install::get("VERSION", settings), "Fetch a runtime"))
        }
        @if runtimes.is_empty() {
            p class="empty" { "Nothing is published here yet." }
        } @else {
            (controls(runtimes))
            (matrix(runtimes))
        }
        @if !catalogue.retracted.is_empty() { (retracted(catalogue)) }
    };
    frame::page(&settings.title, "", settings, &content)
}

/// Signatures are mentioned if nothing lacks one.
fn packed(catalogue: &Catalogue) -> &'static str {
    let signed = catalogue.entries.iter().all(|row| row.signatures.is_some());
    if signed && !catalogue.entries.is_empty() { ", packed and signed" } else { " and packed" }
}

/// Revealed by the script, without which they do nothing.
fn controls(runtimes: &[SiteRuntime<'_>]) -> Markup {
    html! {
        form class="controls" role="search" hidden {
            label class="grow" {
                span { "Search " kbd { "/" } }
                input type="search" id="search" autocomplete="off" spellcheck="false"
                    placeholder="version, variant or package";
            }
            label {
                span { "Platform" }
                select id="platform" {
                    option value="" { "any" }
                    @for platform in PlatformKey::ALL { option { (platform) } }
                }
            }
            label {
                span { "Channel" }
                select id="channel" {
                    option value="" { "any" }
                    @for channel in Channel::ALL { option { (channel) } }
                }
            }
            output for="search platform channel" aria-live="polite" {
                (words::counted(runtimes.len() as u64, "runtime"))
            }
        }
    }
}

fn matrix(runtimes: &[SiteRuntime<'_>]) -> Markup {
    html! {
        table class="matrix" id="runtimes" {
            caption class="unseen" { "Runtimes by platform" }
            thead {
                tr {
                    th scope="col" { "Runtime" }
                    @for platform in PlatformKey::ALL {
                        @let (system, processor) = words::platform(platform);
                        th scope="col" { (system) " " span class="quiet" { (processor) } }
                    }
                }
            }
            tbody {
                @for runtime in runtimes { (row(runtime)) }
            }
        }
        p class="none" hidden { "No runtime fits. " button type="button" id="clear" { "Show all" } }
    }
}

fn row(runtime: &SiteRuntime<'_>) -> Markup {
    let first = runtime.first();
    let page = format!("{}/index.html", runtime.version);
    html! {
        tr data-search=(searched(runtime)) {
            th scope="row" {
                a href=(page) { (version(runtime)) }
                span class="quiet" { (words::counted(first.row.packages, "package")) }
            }
            @for platform in PlatformKey::ALL {
                @let builds = runtime.platforms.iter().find(|(key, _)| *key == platform).map(|(_, builds)| builds);
                (cell(platform, builds, &page))
            }
        }
    }
}

pub(super) fn version(runtime: &SiteRuntime<'_>) -> Markup {
    let version = runtime.version;
    html! {
        (version.python())
        @if let Some(variant) = version.variant() { span class="variant" { "-" (variant) } }
    }
}

/// What the search looks at: the version and the names of all packages.
fn searched(runtime: &SiteRuntime<'_>) -> String {
    let mut found = vec![runtime.version.to_string()];
    let entries = runtime.current().filter_map(|(_, build)| build.entry);
    found.extend(entries.flat_map(|entry| entry.content.packages.iter().map(|package| package.name.to_string())));
    found[1..].sort();
    found.dedup();
    found.join(" ")
}

fn cell(platform: PlatformKey, builds: Option<&PlatformBuilds<'_>>, page: &str) -> Markup {
    let (system, processor) = words::platform(platform);
    let label = format!("{system} {processor}");
    let Some(builds) = builds else {
        return html! { td class="absent" { span class="unseen" { "not built" } } };
    };
    let row = builds.current().row;
    html! {
        td data-platform=(platform) data-channel=(row.channel) {
            a class="build" href={ (page) "#" (platform) } data-label=(label) {
                (channel(row.channel))
                span class="size" { (words::bytes(row.artifact.size)) }
                time datetime=(row.created) { (row.created.date()) }
                @if let Some(checked) = &row.checked { span class="checked" { (words::checked_in_short(checked)) } }
                @if row.python.stand_in { (stand_in(row.python.actual)) }
            }
        }
    }
}

pub(super) fn channel(channel: Channel) -> Markup {
    html! { span class={ "channel " (channel) } { (channel) } }
}

pub(super) fn stand_in(actual: vocab::PythonVersion) -> Markup {
    html! { span class="stand-in" { "stand-in " (actual) } }
}

fn retracted(catalogue: &Catalogue) -> Markup {
    html! {
        section id="retracted" {
            h2 { "Retracted" }
            p { "Not offered any more. Whoever knows a digest can still fetch the artifact." }
            ul class="retracted" {
                @for row in &catalogue.retracted {
                    li {
                        strong { (row.entry.runtime) " for " (row.entry.platform) }
                        ", " (row.entry.artifact.format.extension()) ", retracted on "
                        time datetime=(row.at) { (row.at.date()) } ": " (words::prose(&row.reason))
                        code class="digest" { (row.entry.artifact.sha256) }
                    }
                }
            }
        }
    }
}
