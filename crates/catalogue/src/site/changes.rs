//! What a build changed compared with the one before it.

use std::collections::{BTreeMap, BTreeSet};

use maud::{Markup, html};
use vocab::PlatformKey;

use super::builds::{SiteBuild, SiteRuntime};
use super::words;
use crate::ArtifactEntry;

/// In the order they are shown.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum BuildChange {
    Python { before: String, after: String },
    Version { name: String, before: String, after: String },
    Added { name: String, after: String },
    Removed { name: String, before: String },
}

pub(super) fn changes(before: &ArtifactEntry, after: &ArtifactEntry) -> BTreeSet<BuildChange> {
    let versions = |entry: &ArtifactEntry| -> BTreeMap<String, String> {
        let packages = entry.content.packages.iter();
        packages.map(|package| (package.name.to_string(), package.version.clone())).collect()
    };
    let (old, new) = (versions(before), versions(after));
    let mut found = BTreeSet::new();
    let python = |entry: &ArtifactEntry| format!("{} ({})", entry.python.actual, entry.python.source);
    if python(before) != python(after) {
        found.insert(BuildChange::Python { before: python(before), after: python(after) });
    }
    for name in old.keys().chain(new.keys()) {
        let name = name.clone();
        match (old.get(&name).cloned(), new.get(&name).cloned()) {
            (Some(before), Some(after)) if before != after => {
                found.insert(BuildChange::Version { name, before, after })
            }
            (Some(before), None) => found.insert(BuildChange::Removed { name, before }),
            (None, Some(after)) => found.insert(BuildChange::Added { name, after }),
            _ => false,
        };
    }
    found
}

/// Absent if no platform has an earlier build.
pub(super) fn section(runtime: &SiteRuntime<'_>) -> Option<Markup> {
    let mut told: Vec<(PlatformKey, &SiteBuild<'_>, &SiteBuild<'_>)> = Vec::new();
    for (platform, builds) in &runtime.platforms {
        if let Some(former) = builds.former() {
            told.push((*platform, former, builds.current()));
        }
    }
    if told.is_empty() {
        return None;
    }
    Some(html! {
        section id="changes" {
            h2 { "Changes" }
            @for (platform, former, current) in told {
                @let (system, processor) = words::platform(platform);
                h3 { (system) " " span class="quiet" { (processor) } }
                p {
                    "Since " time datetime=(former.row.created) { (former.row.created.date()) } ": "
                    (words::bytes(former.row.artifact.size)) " → " (words::bytes(current.row.artifact.size))
                }
                @if let (Some(before), Some(after)) = (former.entry, current.entry) { (list(before, after)) }
            }
        }
    })
}

fn list(before: &ArtifactEntry, after: &ArtifactEntry) -> Markup {
    let found = changes(before, after);
    html! {
        @if found.is_empty() {
            p { "The same interpreter and the same versions of all packages, rebuilt." }
        } @else {
            ul class="changes" {
                @for change in &found {
                    @match change {
                        BuildChange::Python { before, after } =>
                            li class="changed" { "Python " (before) " → " (after) },
                        BuildChange::Version { name, before, after } =>
                            li class="changed" { (name) " " (before) " → " strong { (after) } },
                        BuildChange::Added { name, after } => li class="added" { (name) " " strong { (after) } },
                        BuildChange::Removed { name, before } => li class="removed" { (name) " " (before) },
                    }
                }
            }
        }
    }
}
