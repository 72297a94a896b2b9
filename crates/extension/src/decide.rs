//! Which of the four ways gives an extension its Python distribution: a pure function of seven facts.
//!
//! The rows are those of the table in `docs/loader.md`. They are disjoint, and every combination of facts meets one.

use serde::Serialize;

/// What was found. The letters are those of the table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Facts {
    /// D: environments must not be created.
    pub disabled: bool,
    /// Y: the extension has an `env.yml`.
    pub env_yml: bool,
    /// A: nothing may need a connection.
    pub air_gapped: bool,
    /// I: an environment can be created, or was created, without a connection.
    pub offline_source: bool,
    /// R: a matching archive is in the resource folder.
    pub archive: bool,
    /// L: a matching folder is in the distribution folder, or `pydist get` installed it.
    pub folder: bool,
    /// K: distributions are not registered at all.
    pub skipped: bool,
}

/// How a distribution comes to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum DistributionMode {
    /// Created from `env.yml`, with downloads.
    CondaOnline,
    /// Created from `env.yml`, from packages on disk.
    CondaOffline,
    /// Extracted from an archive, and compared with it at each start.
    Archive,
    /// A folder that is used as it is.
    Local,
    /// None: operators are listed and cannot run.
    Skipped,
}

/// Why there is no distribution.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum DistributionLack {
    /// Row 5: air-gapped, and neither packages on disk nor an archive nor a folder.
    AirGap,
    /// Row 8: no `env.yml`, no archive, no folder.
    NoEnvYml,
    /// Row 11: environments are disabled, no archive, no folder.
    Disabled,
}

/// The row that decided, and what it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Decision {
    /// 1 to 11; 0 if distributions are not registered.
    pub row: u8,
    pub outcome: Result<DistributionMode, DistributionLack>,
}

/// Reads the table. Nothing is looked at besides the facts.
///
/// ```
/// use extension::{DistributionMode, Facts, decide};
///
/// let decision = decide(Facts { env_yml: true, air_gapped: true, archive: true, ..Facts::default() });
/// assert_eq!((decision.row, decision.outcome), (3, Ok(DistributionMode::Archive)));
/// ```
pub fn decide(facts: Facts) -> Decision {
    use DistributionLack::{AirGap, Disabled, NoEnvYml};
    use DistributionMode::{Archive, CondaOffline, CondaOnline, Local, Skipped};

    let Facts { disabled, env_yml, air_gapped, offline_source, archive, folder, skipped } = facts;
    let (row, outcome) = if skipped {
        (0, Ok(Skipped))
    } else if disabled {
        found(archive, folder, [9, 10, 11], Disabled)
    } else if !env_yml {
        found(archive, folder, [6, 7, 8], NoEnvYml)
    } else if !air_gapped {
        (1, Ok(CondaOnline))
    } else if offline_source {
        (2, Ok(CondaOffline))
    } else {
        found(archive, folder, [3, 4, 5], AirGap)
    };
    return Decision { row, outcome };

    /// Without an environment: the archive before the folder.
    fn found(
        archive: bool,
        folder: bool,
        rows: [u8; 3],
        lack: DistributionLack,
    ) -> (u8, Result<DistributionMode, DistributionLack>) {
        match (archive, folder) {
            (true, _) => (rows[0], Ok(Archive)),
            (false, true) => (rows[1], Ok(Local)),
            (false, false) => (rows[2], Err(lack)),
        }
    }
}

/// One row of the table in words, for explanations.
pub fn row_text(row: u8) -> &'static str {
    match row {
        0 => "distributions are not registered (skipPythonDistRegistration)",
        1 => "env.yml is there, and environments may be created with downloads",
        2 => "air-gapped; env.yml and packages on disk are there",
        3 => "air-gapped without packages on disk; the archive is there",
        4 => "air-gapped without packages on disk and archive; the folder is there",
        5 => "air-gapped without packages on disk, archive and folder",
        6 => "no env.yml; the archive is there",
        7 => "no env.yml and no archive; the folder is there",
        8 => "no env.yml, no archive, no folder",
        9 => "environments are disabled; the archive is there",
        10 => "environments are disabled, no archive; the folder is there",
        _ => "environments are disabled, no archive, no folder",
    }
}
