//! Tables of a runtime's page: its packages over all platforms, and the rules that acted.

use std::collections::{BTreeMap, BTreeSet};

use maud::{Markup, html};
use vocab::{DistributionName, PlatformKey, RuleOutcome};

use super::builds::SiteRuntime;
use super::words;
use crate::ArtifactEntry;
use crate::content::InstalledPackage;

type PackagesEverywhere<'a> = BTreeMap<&'a DistributionName, Vec<(PlatformKey, &'a InstalledPackage)>>;

fn entries<'a>(runtime: &'a SiteRuntime<'a>) -> Vec<(PlatformKey, &'a ArtifactEntry)> {
    runtime.current().filter_map(|(platform, build)| Some((platform, build.entry?))).collect()
}

pub(super) fn section(runtime: &SiteRuntime<'_>) -> Markup {
    let entries = entries(runtime);
    let mut all: PackagesEverywhere<'_> = BTreeMap::new();
    for (platform, entry) in &entries {
        for package in &entry.content.packages {
            all.entry(&package.name).or_default().push((*platform, package));
        }
    }
    html! {
        section id="packages" {
            h2 { "Packages" }
            @if all.is_empty() {
                p { "The interpreter alone, without packages." }
            } @else {
                p {
                    (words::counted(all.len() as u64, "package")) ", those that the configuration names in bold. "
                    "Sizes are unpacked."
                }
                div class="wide" tabindex="0" role="region" aria-label="Packages" {
                    table class="packages" {
                        thead {
                            tr {
                                th scope="col" { "Name" }
                                th scope="col" { "Version" }
                                th scope="col" class="number" { "Size" }
                                th scope="col" { "Source" }
                                th scope="col" { "Licence" }
                            }
                        }
                        tbody { @for (name, places) in &all { (row(name, places, &entries)) } }
                    }
                }
            }
        }
    }
}

fn row(
    name: &DistributionName,
    places: &[(PlatformKey, &InstalledPackage)],
    entries: &[(PlatformKey, &ArtifactEntry)],
) -> Markup {
    let first = places[0].1;
    let size = places.iter().find_map(|(_, package)| package.part);
    html! {
        tr {
            th scope="row" {
                @if first.requested { strong { (name) } } @else { (name) }
                @if places.len() < entries.len() {
                    span class="quiet" { "only " (listed(places.iter().map(|(platform, _)| platform.to_string()))) }
                }
            }
            td { @for text in differing(places, |package| package.version.clone()) { div { (text) } } }
            td class="number" { @if let Some(size) = size { (words::bytes(size.unpacked)) } }
            td { @for text in differing(places, |package| words::origin(&package.origin)) { div { (text) } } }
            td class="licence" {
                @match &first.licence { Some(licence) => (licence), None => span class="quiet" { "not told" } }
            }
        }
    }
}

/// The value of `tell`, once if all platforms agree, otherwise each with its platforms.
fn differing(places: &[(PlatformKey, &InstalledPackage)], tell: impl Fn(&InstalledPackage) -> String) -> Vec<String> {
    let mut texts: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (platform, package) in places {
        texts.entry(tell(package)).or_default().push(platform.to_string());
    }
    if texts.len() == 1 {
        return texts.into_keys().collect();
    }
    texts.into_iter().map(|(text, platforms)| format!("{text} ({})", platforms.join(", "))).collect()
}

pub(super) fn rules(runtime: &SiteRuntime<'_>) -> Option<Markup> {
    let entries = entries(runtime);
    let mut acted: BTreeMap<(&DistributionName, RuleOutcome, &str), BTreeSet<PlatformKey>> = BTreeMap::new();
    for (platform, entry) in &entries {
        for rule in &entry.content.rules {
            acted.entry((&rule.name, rule.outcome, &rule.reason)).or_default().insert(*platform);
        }
    }
    if acted.is_empty() {
        return None;
    }
    Some(html! {
        section id="rules" {
            h2 { "Rules that acted" }
            p { "Whatever was left out, forced or changed, and why." }
            div class="wide" tabindex="0" role="region" aria-label="Rules that acted" {
                table {
                    thead {
                        tr {
                            th scope="col" { "Package" }
                            th scope="col" { "Outcome" }
                            th scope="col" { "Reason" }
                            th scope="col" { "Platforms" }
                        }
                    }
                    tbody {
                        @for ((name, outcome, reason), platforms) in &acted {
                            tr {
                                th scope="row" { (name) }
                                td { (words::outcome(*outcome)) }
                                td { (words::prose(reason)) }
                                td {
                                    @if platforms.len() == entries.len() && entries.len() > 1 { "all" }
                                    @else { (listed(platforms.iter().map(ToString::to_string))) }
                                }
                            }
                        }
                    }
                }
            }
        }
    })
}

fn listed(things: impl Iterator<Item = String>) -> String {
    things.collect::<Vec<_>>().join(", ")
}
