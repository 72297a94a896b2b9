//! What the tables alone say about an interpreter: whether every machine can have it, or only one of its own platform.
//! It uses neither disk nor network, so an answer from here can still fail in a build.

use config_merger::{BaseSource, PythonSettings};
use vocab::{Digest, Os, PlatformKey, PythonVersion};

use super::base_identity::identity;
use super::go_module;
use super::release_table::ReleaseTable;

/// Where an exact release can come from. Stand-ins do not count: they are for machines that cannot do better.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KnownBase {
    /// A pinned file gives it. `trees` are the identities of the finished tree, by source in the order of trial.
    Anywhere { trees: Vec<Digest> },
    /// No file is known, but a machine of the platform may have an installation to copy.
    OnItsPlatform,
    /// Each source's reason for not having it, in the order of the configuration.
    Nowhere { asked: Vec<(BaseSource, String)> },
}

/// Looks `python` up for `platform` in the pinned tables and in `settings.archives`, source by source in their order.
pub fn known(python: PythonVersion, platform: PlatformKey, settings: &PythonSettings) -> KnownBase {
    let mut trees = Vec::new();
    let mut asked = Vec::new();
    let mut installed = false;
    for &source in &settings.sources {
        match pinned(source, python, platform, settings) {
            Ok(digest) => trees.push(identity(source, &digest, platform)),
            Err(_) if source == BaseSource::System && platform.os() == Os::Linux => installed = true,
            Err(reason) => asked.push((source, reason)),
        }
    }
    match (trees.is_empty(), installed) {
        (false, _) => KnownBase::Anywhere { trees },
        (true, true) => KnownBase::OnItsPlatform,
        (true, false) => KnownBase::Nowhere { asked },
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
            let release = ReleaseTable::embedded().release(python, platform);
            let release = release.ok_or_else(|| format!("has no build of {python}"))?;
            match settings.tag.as_deref().filter(|tag| *tag != release.tag()) {
                Some(tag) => Err(format!("release {tag} has no digest in the table")),
                None => Ok(release.sha256),
            }
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
    use super::*;

    #[test]
    fn tables_tell_where_an_interpreter_can_be_had() {
        let all = PythonSettings::default();
        let system = PythonSettings { sources: vec![BaseSource::System], ..PythonSettings::default() };
        let tagged = PythonSettings { tag: Some("20200101".into()), ..PythonSettings::default() };
        let word = |python: &str, platform, settings: &PythonSettings| match known(
            python.parse().unwrap(),
            platform,
            settings,
        ) {
            KnownBase::Anywhere { trees } => format!("anywhere, {}", trees.len()),
            KnownBase::OnItsPlatform => "on its platform".to_owned(),
            KnownBase::Nowhere { asked } => format!("nowhere, {}", asked.len()),
        };
        let cases = [
            // (Python, platform, settings, answer)
            ("3.12.10", PlatformKey::WindowsX64, &all, "anywhere, 1"),
            ("3.14.6", PlatformKey::MacosxX64, &all, "anywhere, 2"),
            ("3.10.1", PlatformKey::LinuxAarch64, &all, "on its platform"),
            ("3.10.1", PlatformKey::MacosxX64, &all, "nowhere, 4"),
            ("3.12.10", PlatformKey::LinuxX64, &system, "on its platform"),
            ("3.12.10", PlatformKey::WindowsX64, &system, "nowhere, 1"),
            ("3.12.10", PlatformKey::WindowsX64, &tagged, "nowhere, 4"),
        ];
        for (python, platform, settings, answer) in cases {
            assert_eq!(word(python, platform, settings), answer, "for {python} on {platform}");
        }
    }
}
