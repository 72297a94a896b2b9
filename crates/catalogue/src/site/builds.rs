//! The catalogue as the pages show it: runtimes, their platforms, the builds of each.

use std::collections::{BTreeMap, HashMap};

use vocab::{Digest, PlatformKey, VersionString};

use crate::{ArtifactEntry, Catalogue, CatalogueRow, Channel, EntryId};

pub(super) struct SiteRuntime<'a> {
    pub version: &'a VersionString,
    /// In the order of [`PlatformKey::ALL`]; only platforms that have a build.
    pub platforms: Vec<(PlatformKey, PlatformBuilds<'a>)>,
}

/// The builds of one runtime for one platform, the newest first; never empty.
pub(super) struct PlatformBuilds<'a>(pub Vec<SiteBuild<'a>>);

/// One build, in all of its formats.
pub(super) struct SiteBuild<'a> {
    /// The build in its best format.
    pub row: &'a CatalogueRow,
    /// Keyed by format, `row` included.
    pub formats: Vec<&'a CatalogueRow>,
    pub entry: Option<&'a ArtifactEntry>,
}

impl<'a> SiteRuntime<'a> {
    /// The first platform's current build: what the page says about the runtime as a whole.
    pub(super) fn first(&self) -> &SiteBuild<'a> {
        self.platforms[0].1.current()
    }

    /// The current build of each platform.
    pub(super) fn current(&self) -> impl Iterator<Item = (PlatformKey, &SiteBuild<'a>)> {
        self.platforms.iter().map(|(platform, builds)| (*platform, builds.current()))
    }

    /// The best channel that any platform has reached.
    pub(super) fn channel(&self) -> Channel {
        self.current().map(|(_, build)| build.row.channel).max().unwrap_or_default()
    }
}

impl<'a> PlatformBuilds<'a> {
    /// The newest stable build; if there is none, the newest.
    pub(super) fn current(&self) -> &SiteBuild<'a> {
        self.0.iter().find(|build| build.row.channel == Channel::Stable).unwrap_or(&self.0[0])
    }

    /// The build before the current one.
    pub(super) fn former(&self) -> Option<&SiteBuild<'a>> {
        let current = self.current().row.build_key;
        self.0.iter().skip_while(|build| build.row.build_key != current).nth(1)
    }
}

/// The newest Python first, then by variant.
pub(super) fn runtimes<'a>(catalogue: &'a Catalogue, entries: &'a [ArtifactEntry]) -> Vec<SiteRuntime<'a>> {
    let by_id: HashMap<EntryId, &ArtifactEntry> = entries.iter().map(|entry| (entry.id(), entry)).collect();
    let mut rows: BTreeMap<&VersionString, BTreeMap<PlatformKey, Vec<&CatalogueRow>>> = BTreeMap::new();
    for row in &catalogue.entries {
        rows.entry(&row.runtime).or_default().entry(row.platform).or_default().push(row);
    }
    let mut runtimes: Vec<SiteRuntime<'a>> = rows
        .into_iter()
        .map(|(version, platforms)| {
            let builds = |(platform, rows): (PlatformKey, Vec<&'a CatalogueRow>)| (platform, builds(&rows, &by_id));
            SiteRuntime { version, platforms: platforms.into_iter().map(builds).collect() }
        })
        .collect();
    runtimes.sort_by_key(|runtime| std::cmp::Reverse(runtime.version.python()));
    runtimes
}

/// `rows` come newest first, as in the catalogue.
fn builds<'a>(rows: &[&'a CatalogueRow], by_id: &HashMap<EntryId, &'a ArtifactEntry>) -> PlatformBuilds<'a> {
    let mut found: Vec<SiteBuild<'a>> = Vec::new();
    let mut places: HashMap<Digest, usize> = HashMap::new();
    for row in rows {
        if let Some(place) = places.get(&row.build_key) {
            found[*place].formats.push(row);
        } else {
            places.insert(row.build_key, found.len());
            found.push(SiteBuild { row, formats: vec![row], entry: None });
        }
    }
    for build in &mut found {
        build.formats.sort_by_key(|row| row.artifact.format);
        build.row = build.formats[0];
        build.entry = build.formats.iter().find_map(|row| by_id.get(&row.id()).copied());
    }
    PlatformBuilds(found)
}
