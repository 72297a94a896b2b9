//! The one row that a reader wants, or what exists instead.

use vocab::{ArtifactFormat, Exit, Fault, PlatformKey, VersionString};

use crate::{Catalogue, CatalogueRow, Channel};

/// What a reader is looking for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuildQuery {
    pub runtime: VersionString,
    pub platform: PlatformKey,
    /// `candidate` also finds what is stable: the newest of both.
    pub channel: Channel,
    /// If a build has several formats, the first of these that it has is taken.
    pub formats: Vec<ArtifactFormat>,
}

impl BuildQuery {
    /// Accepts every format, the smallest download first.
    pub fn new(runtime: VersionString, platform: PlatformKey, channel: Channel) -> Self {
        Self { runtime, platform, channel, formats: ArtifactFormat::ALL.to_vec() }
    }
}

impl Catalogue {
    /// The newest build that matches the query. Of builds with the same time, the one with the smallest build key, so
    /// that every reader gets the same.
    pub fn look_up(&self, query: &BuildQuery) -> Result<&CatalogueRow, LookUpError> {
        let rank = |row: &CatalogueRow| query.formats.iter().position(|format| *format == row.artifact.format);
        let fits = |row: &&CatalogueRow| {
            row.runtime == query.runtime
                && row.platform == query.platform
                && row.channel >= query.channel
                && rank(row).is_some()
        };
        let found = self
            .entries
            .iter()
            .filter(fits)
            .min_by_key(|row| (std::cmp::Reverse(row.created), row.build_key, rank(row)));
        found.ok_or_else(|| LookUpError { query: query.clone(), kind: self.why_missing(query) })
    }

    /// Versions with a build for this platform in this channel or a higher one, in ascending order.
    pub fn versions_for(&self, platform: PlatformKey, channel: Channel) -> Vec<&VersionString> {
        let rows = self.entries.iter().filter(|row| row.platform == platform && row.channel >= channel);
        let mut versions: Vec<&VersionString> = rows.map(|row| &row.runtime).collect();
        versions.sort();
        versions.dedup();
        versions
    }

    fn why_missing(&self, query: &BuildQuery) -> LookUpErrorKind {
        let of_runtime: Vec<&CatalogueRow> = self.entries.iter().filter(|row| row.runtime == query.runtime).collect();
        let of_platform: Vec<&&CatalogueRow> = of_runtime.iter().filter(|row| row.platform == query.platform).collect();
        let newest_retracted = self
            .retracted
            .iter()
            .find(|row| row.entry.runtime == query.runtime && row.entry.platform == query.platform);
        if of_platform.is_empty()
            && let Some(row) = newest_retracted
        {
            return LookUpErrorKind::Retracted { reason: row.reason.clone() };
        }
        if of_runtime.is_empty() {
            return LookUpErrorKind::Runtime { nearest: self.nearest(&query.runtime) };
        }
        if of_platform.is_empty() {
            let mut platforms: Vec<PlatformKey> = of_runtime.iter().map(|row| row.platform).collect();
            platforms.dedup();
            return LookUpErrorKind::Platform { platforms };
        }
        if !of_platform.iter().any(|row| row.channel >= query.channel) {
            return LookUpErrorKind::Channel;
        }
        let mut formats: Vec<ArtifactFormat> = of_platform.iter().map(|row| row.artifact.format).collect();
        formats.sort();
        formats.dedup();
        LookUpErrorKind::Format { formats }
    }

    /// Up to three version strings that look like `wanted`.
    fn nearest(&self, wanted: &VersionString) -> Vec<VersionString> {
        let wanted = wanted.to_string();
        let distance = |version: &VersionString| strsim::damerau_levenshtein(&wanted, &version.to_string());
        let mut versions = self.versions();
        versions.sort_by_key(|version| distance(version));
        versions.into_iter().take(3).cloned().collect()
    }
}

/// Nothing matches the query; the message says what comes nearest.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", text(query, kind))]
pub struct LookUpError {
    pub query: BuildQuery,
    pub kind: LookUpErrorKind,
}

/// The first condition that nothing fulfils, with the alternatives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LookUpErrorKind {
    /// No platform has this version string; `nearest` are similar ones.
    Runtime { nearest: Vec<VersionString> },
    /// The runtime exists for other platforms.
    Platform { platforms: Vec<PlatformKey> },
    /// Only candidates exist.
    Channel,
    /// The build exists in other formats.
    Format { formats: Vec<ArtifactFormat> },
    /// Every matching build was retracted.
    Retracted { reason: String },
}

fn text(query: &BuildQuery, kind: &LookUpErrorKind) -> String {
    let BuildQuery { runtime, platform, channel, .. } = query;
    match kind {
        LookUpErrorKind::Runtime { .. } => format!("the catalogue has no runtime `{runtime}`"),
        LookUpErrorKind::Platform { .. } => format!("the catalogue has no {runtime} for {platform}"),
        LookUpErrorKind::Channel => {
            format!("the catalogue has {runtime} for {platform} only as a candidate, not in the channel {channel}")
        }
        LookUpErrorKind::Format { .. } => {
            format!("the catalogue has {runtime} for {platform} in no format that was asked for")
        }
        LookUpErrorKind::Retracted { reason } => {
            format!("every {runtime} for {platform} was retracted, the last one because: {reason}")
        }
    }
}

impl Fault for LookUpError {
    fn code(&self) -> &'static str {
        match self.kind {
            LookUpErrorKind::Retracted { .. } => "E_CATALOGUE_RETRACTED",
            _ => "E_CATALOGUE_MISSING",
        }
    }

    fn exit(&self) -> Exit {
        Exit::Usage
    }

    fn hint(&self) -> Option<String> {
        match &self.kind {
            LookUpErrorKind::Runtime { nearest } if nearest.is_empty() => Some("the catalogue is empty".to_owned()),
            LookUpErrorKind::Runtime { nearest } => Some(format!("there are {}", listed(nearest))),
            LookUpErrorKind::Platform { platforms } => Some(format!("there is one for {}", listed(platforms))),
            LookUpErrorKind::Channel => Some("ask for the channel candidate, or wait until it is promoted".to_owned()),
            LookUpErrorKind::Format { formats } => {
                let names: Vec<&str> = formats.iter().map(|format| format.extension()).collect();
                Some(format!("there is {}", names.join(", ")))
            }
            LookUpErrorKind::Retracted { .. } => Some("choose another version".to_owned()),
        }
    }
}

fn listed(things: &[impl ToString]) -> String {
    things.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
