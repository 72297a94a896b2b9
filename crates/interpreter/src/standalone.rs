//! Source `python-build-standalone`: a table of releases, each pinned by its SHA-256, from upstream or a mirror.

use config_merger::BaseSource;
use vocab::{PlatformKey, PythonVersion};

use super::base_identity::identity;
use super::error::BaseErrorKind;
use super::mirror::Mirror;
use super::probe::{Probe, probe};
use super::release_table::{PinnedAsset, ReleaseTable};
use super::request::{BaseRequest, BaseSupply};
use super::shared_tree::is_at_hand;
use super::source_answer::SourceAnswer;
use super::uv_list;
use store::Context;
use store::download::without_secrets;

fn table(request: &BaseRequest) -> &ReleaseTable {
    request.table.as_ref().unwrap_or_else(|| ReleaseTable::embedded())
}

/// The nearest release that could be named instead.
pub(super) fn nearest(request: &BaseRequest) -> Option<PythonVersion> {
    table(request).nearest(request.python, request.platform)
}

/// The release that the tables have for this Python and platform, of the given tag if there is one. Otherwise the tags
/// that they have.
pub(super) fn find<'a>(
    tables: &[&'a ReleaseTable],
    python: PythonVersion,
    platform: PlatformKey,
    tag: Option<&str>,
) -> Result<&'a PinnedAsset, Vec<String>> {
    let rows: Vec<&PinnedAsset> = tables.iter().filter_map(|table| table.release(python, platform)).collect();
    let found = rows.iter().find(|row| tag.is_none_or(|tag| tag == row.tag()));
    found.copied().ok_or_else(|| rows.iter().map(|row| row.tag().to_owned()).collect())
}

/// The list is read only if the other two lack the release.
fn release(context: &Context, request: &BaseRequest) -> Result<PinnedAsset, SourceAnswer> {
    let (python, platform, tag) = (request.python, request.platform, request.tag.as_deref());
    let known = match (find(&[&request.own, table(request)], python, platform, tag), &request.list) {
        (Ok(release), _) => return Ok(release.clone()),
        (Err(known), None) => known,
        (Err(mut known), Some(list)) => {
            let listed = uv_list::releases(context, list).map_err(SourceAnswer::Refused)?;
            match find(&listed.iter().collect::<Vec<_>>(), python, platform, tag) {
                Ok(release) => return Ok(release.clone()),
                Err(others) => {
                    known.extend(others);
                    known
                }
            }
        }
    };
    if let Some(tag) = tag {
        return Err(SourceAnswer::Refused(BaseErrorKind::Tag { tag: tag.to_owned(), known }));
    }
    Err(SourceAnswer::Lacks(match nearest(request) {
        Some(nearest) => format!("has no build of {python}; the nearest is {nearest}"),
        None => format!("has no build of Python {} for {platform}", python.minor_version()),
    }))
}

/// Whether the file's name ends with the flavour that is asked for: `cpython-…-FLAVOUR.tar.gz`.
fn is_of_flavor(release: &PinnedAsset, flavor: &str) -> bool {
    release.asset().split_once(".tar").is_some_and(|(stem, _)| stem.ends_with(&format!("-{flavor}")))
}

pub(super) fn ask(context: &Context, request: &BaseRequest) -> SourceAnswer {
    let release = match release(context, request) {
        Ok(release) => release,
        Err(answer) => return answer,
    };
    if let Some(flavor) = request.flavor.as_deref().filter(|flavor| !is_of_flavor(&release, flavor)) {
        let (flavor, asset) = (flavor.to_owned(), release.asset().to_owned());
        return SourceAnswer::Refused(BaseErrorKind::Flavor { flavor, asset });
    }
    let mirror = Mirror::new(request.mirror.as_deref());
    let url = release.url.clone().or_else(|| mirror.url_of(&release.path));
    let has = |url: Option<String>| SourceAnswer::Has {
        version: request.python,
        origin: release.asset().to_owned(),
        supply: BaseSupply::Archive {
            // Without a URL only what the store or the remote store has can be used, and that was just looked up.
            url: url.unwrap_or_default(),
            file_name: release.asset().to_owned(),
            sha256: release.sha256,
        },
    };
    let present = is_at_hand(context, &identity(BaseSource::PythonBuildStandalone, &release.sha256, request.platform))
        || store::download::is_at_hand(context, &release.sha256);
    if present {
        return has(url);
    }
    let Some(url) = url else {
        return SourceAnswer::Lacks(format!("{} does not hold `{}`", mirror.describe(), release.path));
    };
    if url.starts_with("file:") {
        return has(Some(url));
    }
    let place = release.url.as_deref().map_or_else(|| mirror.describe(), |url| format!("`{}`", without_secrets(url)));
    match probe(context, &place, &url) {
        Probe::There => has(Some(url)),
        Probe::Answered(status) => SourceAnswer::Lacks(format!("{place} answered {status} for `{}`", release.path)),
        Probe::Unreachable(reason) => SourceAnswer::Lacks(format!("{place} cannot be reached: {reason}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(text: &str) -> PythonVersion {
        text.parse().unwrap()
    }

    #[test]
    fn every_row_of_the_table_names_a_release_file_of_its_version_and_platform() {
        let table = ReleaseTable::embedded();
        assert_eq!(table.0.len(), 89);
        for (python, platforms) in &table.0 {
            for (platform, release) in platforms {
                let asset = release.asset();
                assert!(asset.starts_with(&format!("cpython-{python}+{}-", release.tag())), "for {asset}");
                assert!(asset.contains(platform.triple()), "for {asset}");
            }
        }
    }

    #[test]
    fn the_pinned_digests_are_those_of_the_specification() {
        let release = |python, platform| ReleaseTable::embedded().release(version(python), platform).unwrap();
        let row = release("3.12.10", PlatformKey::LinuxX64);
        assert_eq!(row.sha256.to_string(), "f50d08e0304b15d752b22932047135c1dc02f81977b284e51288be9d90627bca");
        let row = release("3.10.11", PlatformKey::WindowsX64);
        assert_eq!(row.sha256.to_string(), "9c2d3604a06fcd422289df73015cd00e7271d90de28d2c910f0e2309a7f73a68");
    }

    #[test]
    fn t4_the_nearest_release_of_a_version_without_build_is_named() {
        let cases = [
            // (asked, nearest)
            ("3.10.1", Some("3.10.2")),
            ("3.10.10", Some("3.10.11")),
            ("3.12.99", Some("3.12.14")),
            ("3.99.0", None),
        ];
        for (asked, nearest) in cases {
            let found = ReleaseTable::embedded().nearest(version(asked), PlatformKey::LinuxX64);
            assert_eq!(found, nearest.map(version), "for {asked}");
        }
    }
}
