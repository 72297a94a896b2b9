//! What the tables alone say about an interpreter: whether every machine can have it, or only one of its own platform.
//! It uses neither disk nor network, so an answer from here can still fail in a build.

use config_merger::{BaseSource, PythonSettings};
use vocab::{Digest, Os, PlatformKey, PythonVersion};

use super::base_identity::identity;
use super::error::WITHOUT_TAG;
use super::go_module;
use super::release_table::ReleaseTable;
use super::standalone;

/// Where an exact release can come from. Stand-ins do not count: they are for machines that cannot do better.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KnownBase {
    /// A pinned file gives it. `trees` are the identities of the finished tree, by source in the order of trial; not
    /// that of a file from a list (`python.downloads`).
    Anywhere { trees: Vec<Digest> },
    /// No file is known, but a machine of the platform may have an installation to copy.
    OnItsPlatform,
    /// Each source's reason for not having it, in the order of the configuration, and what helps.
    Nowhere { asked: Vec<(BaseSource, String)>, hint: &'static str },
}

const WITHOUT_BASE: &str = "name an archive of it in `python.archives`, or another release";

/// Looks `python` up for `platform` in the pinned tables and in `settings.archives`, source by source in their order.
pub fn known(python: PythonVersion, platform: PlatformKey, settings: &PythonSettings) -> KnownBase {
    let mut trees = Vec::new();
    let mut asked = Vec::new();
    let (mut installed, mut listed, mut hint) = (false, false, WITHOUT_BASE);
    for &source in &settings.sources {
        let pinned = pinned(source, python, platform, settings);
        if let (BaseSource::PythonBuildStandalone, true, Err(_)) = (source, settings.downloads.is_some(), &pinned) {
            // What a list has is known when it is read.
            listed = true;
            continue;
        }
        if let (BaseSource::PythonBuildStandalone, Some(_), Err(reason)) = (source, &settings.tag, &pinned) {
            // A build ends here, too: no later source takes the place of a release that was asked for.
            asked.push((source, reason.clone()));
            hint = WITHOUT_TAG;
            break;
        }
        match pinned {
            Ok(digest) => trees.push(identity(source, &digest, platform)),
            Err(_) if source == BaseSource::System && platform.os() == Os::Linux => installed = true,
            Err(reason) => asked.push((source, reason)),
        }
    }
    match (trees.is_empty() && !listed, installed) {
        (false, _) => KnownBase::Anywhere { trees },
        (true, true) => KnownBase::OnItsPlatform,
        (true, false) => KnownBase::Nowhere { asked, hint },
    }
}

/// The digest of the file, or the reason why there is none.
fn pinned(
    source: BaseSource,
    python: PythonVersion,
    platform: PlatformKey,
    settings: &PythonSettings,
) -> Result<Digest, String> {
    match source {
        BaseSource::PythonBuildStandalone => {
            let own = ReleaseTable::of(settings);
            let tag = settings.tag.as_deref();
            let found = standalone::find(&[&own, ReleaseTable::embedded()], python, platform, tag);
            found.map(|release| release.sha256).map_err(|_| match tag {
                Some(tag) => format!("has no file of release {tag}, which `python.tag` names"),
                None => format!("has no build of {python}"),
            })
        }
        BaseSource::Archive => {
            let archive = settings.archives.get(&platform);
            archive.map(|archive| archive.sha256).ok_or_else(|| "the configuration names none".to_owned())
        }
        BaseSource::GoModule => go_module::sum_of(python).ok_or_else(|| format!("has no {python}")),
        BaseSource::System => Err("copying an interpreter of the machine is known for Linux only".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use config_merger::{ArchiveSource, PinnedRelease};

    use super::*;

    #[test]
    fn tables_tell_where_an_interpreter_can_be_had() {
        let all = PythonSettings::default();
        let system = PythonSettings { sources: vec![BaseSource::System], ..PythonSettings::default() };
        let tagged = PythonSettings { tag: Some("20200101".into()), ..PythonSettings::default() };
        let release = PinnedRelease { tag: "1".into(), asset: "a.tar.gz".into(), sha256: Digest::of("a") };
        let rows = [("3.14.99".parse().unwrap(), [(PlatformKey::WindowsX64, release)].into())].into();
        let own = PythonSettings { releases: rows, ..PythonSettings::default() };
        let list = ArchiveSource { url: "./list.json".into(), sha256: Digest::of("list") };
        let listed = PythonSettings { downloads: Some(list), ..PythonSettings::default() };
        let word = |python: &str, platform, settings: &PythonSettings| match known(
            python.parse().unwrap(),
            platform,
            settings,
        ) {
            KnownBase::Anywhere { trees } => format!("anywhere, {}", trees.len()),
            KnownBase::OnItsPlatform => "on its platform".to_owned(),
            KnownBase::Nowhere { asked, hint } => {
                // As in a build: see `BaseErrorKind::Tag`.
                let is_tag = hint.contains("`python.tag`");
                assert_eq!(is_tag, settings.tag.is_some(), "{hint}");
                format!("nowhere, {}", asked.len())
            }
        };
        let cases = [
            // (Python, platform, settings, answer)
            ("3.12.10", PlatformKey::WindowsX64, &all, "anywhere, 1"),
            ("3.14.6", PlatformKey::MacosxX64, &all, "anywhere, 2"),
            ("3.10.1", PlatformKey::LinuxAarch64, &all, "on its platform"),
            ("3.10.1", PlatformKey::MacosxX64, &all, "nowhere, 4"),
            ("3.12.10", PlatformKey::LinuxX64, &system, "on its platform"),
            ("3.12.10", PlatformKey::WindowsX64, &system, "nowhere, 1"),
            ("3.12.10", PlatformKey::WindowsX64, &tagged, "nowhere, 1"),
            ("3.14.6", PlatformKey::WindowsX64, &tagged, "nowhere, 1"),
            ("3.14.99", PlatformKey::WindowsX64, &own, "anywhere, 1"),
            ("3.14.99", PlatformKey::MacosxX64, &own, "nowhere, 4"),
            ("3.14.99", PlatformKey::MacosxX64, &listed, "anywhere, 0"),
        ];
        for (python, platform, settings, answer) in cases {
            assert_eq!(word(python, platform, settings), answer, "for {python} on {platform}");
        }
    }
}
