//! What is published only if an option allows it. Pure.

use std::collections::BTreeSet;

use vocab::typed_json::{self, TypedJsonError};
use vocab::{Digest, IF_REQUIRED, Manifest, PlatformKey, RuleOutcome, TextPlace, VersionString, WheelOrigin};

/// One concern about publishing. Each has an option that allows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PublishConcern {
    /// The interpreter is another patch release than asked for.
    StandIn,
    /// Packages that no index had, or that could not be reached.
    Missing,
    /// Packages that the policy left out for want of a wheel.
    LeftOut,
    /// Built from an empty configuration in place of one that could not be read.
    Degraded,
    /// It has native files and no module of theirs was ever imported. (A build whose checks fail leaves no artifact.)
    Unchecked,
    /// Built from other rows than the committed lock has.
    OtherLock,
    /// The configuration was changed since.
    OtherConfig,
}

impl PublishConcern {
    /// Every concern, in the order in which they are reported.
    pub const ALL: [Self; 7] = [
        Self::StandIn,
        Self::Missing,
        Self::LeftOut,
        Self::Degraded,
        Self::Unchecked,
        Self::OtherLock,
        Self::OtherConfig,
    ];

    /// The option that allows it.
    pub fn option(self) -> &'static str {
        match self {
            Self::StandIn => "--allow-stand-in",
            Self::Missing => "--allow-missing",
            Self::LeftOut => "--allow-left-out",
            Self::Degraded => "--allow-degraded",
            Self::Unchecked => "--allow-unchecked",
            Self::OtherLock => "--allow-other-lock",
            Self::OtherConfig => "--allow-other-config",
        }
    }
}

/// A concern about one runtime, with the reason for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublishRefusal {
    pub concern: PublishConcern,
    pub reason: String,
}

/// What the repository says now about a runtime on a platform.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommittedRuntime {
    pub lock: CommittedLock,
    pub config: CommittedConfig,
}

/// What the repository's configuration says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CommittedConfig {
    /// No repository is given, this runtime is not part of it, or another builder made it, which may write the same
    /// configuration otherwise.
    Unknown,
    /// Its first fault, with its place.
    Unreadable(String),
    /// As in the manifest.
    Digest(Digest),
}

/// What the repository's lock says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CommittedLock {
    /// No repository is given, or this runtime is not part of it.
    Unknown,
    /// There is no lock.
    Absent,
    /// The lock is there and has no rows for the platform.
    NoRows,
    /// Digest of the rows.
    Rows(Digest),
}

/// All concerns about publishing this runtime that are not allowed.
pub fn refusals(
    manifest: &Manifest,
    committed: &CommittedRuntime,
    allowed: &BTreeSet<PublishConcern>,
) -> Vec<PublishRefusal> {
    let mut found = Vec::new();
    let mut refuse = |concern, reason| found.push(PublishRefusal { concern, reason });
    let base = &manifest.base;
    if base.stand_in || base.actual != base.requested {
        let reason = format!("it stands on Python {}, {} was asked for", base.actual, base.requested);
        refuse(PublishConcern::StandIn, reason);
    }
    for (concern, outcome, what) in [
        (PublishConcern::Missing, RuleOutcome::Missing, "are missing"),
        (PublishConcern::LeftOut, RuleOutcome::LeftOut, "were left out"),
    ] {
        let rows = manifest.rules.iter().filter(|rule| rule.outcome == outcome);
        let names: Vec<String> = rows.map(|rule| format!("{} ({})", rule.name, rule.reason)).collect();
        if !names.is_empty() {
            refuse(concern, format!("packages {what}: {}", names.join(", ")));
        }
    }
    let is_empty = manifest.distributions.iter().all(|row| row.origin == WheelOrigin::Base);
    let is_out = |outcome| {
        matches!(
            outcome,
            RuleOutcome::Skipped | RuleOutcome::NotApplicable | RuleOutcome::LeftOut | RuleOutcome::NeedsNativeRunner
        )
    };
    let out = manifest.rules.iter().filter(|rule| is_out(rule.outcome) && !rule.reason.ends_with(IF_REQUIRED));
    let names: Vec<String> = out.map(|rule| rule.name.to_string()).collect();
    if is_empty && !names.is_empty() {
        refuse(PublishConcern::LeftOut, format!("it has no package at all, all were left out: {}", names.join(", ")));
    }
    if manifest.degraded {
        refuse(
            PublishConcern::Degraded,
            "its configuration could not be read and was replaced by an empty one".to_owned(),
        );
    }
    let native = manifest.distributions.iter().filter(|row| row.is_native()).count();
    if native > 0 && manifest.native.imported + manifest.native.allowed == 0 {
        let reason = format!("none of its {native} packages with native files was ever imported");
        refuse(PublishConcern::Unchecked, reason);
    }
    match &committed.config {
        _ if manifest.degraded => {}
        CommittedConfig::Unreadable(fault) => {
            refuse(PublishConcern::OtherConfig, format!("its configuration cannot be read now: {fault}"));
        }
        CommittedConfig::Digest(digest) if *digest != manifest.config => {
            refuse(PublishConcern::OtherConfig, "its configuration was changed since it was built".to_owned());
        }
        CommittedConfig::Unknown | CommittedConfig::Digest(_) => {}
    }
    match &committed.lock {
        CommittedLock::Unknown => {}
        CommittedLock::Absent => refuse(PublishConcern::OtherLock, "its version has no lock.json".to_owned()),
        CommittedLock::NoRows => {
            let reason = format!("lock.json has no rows for {}", manifest.platform);
            refuse(PublishConcern::OtherLock, reason);
        }
        CommittedLock::Rows(digest) if *digest != manifest.lock => {
            let reason =
                format!("it was built from the lock rows {}, lock.json has {}", manifest.lock.short(), digest.short());
            refuse(PublishConcern::OtherLock, reason);
        }
        CommittedLock::Rows(_) => {}
    }
    found.retain(|refusal| !allowed.contains(&refusal.concern));
    found
}

/// Why a file that claims to be a lock is none.
#[derive(Debug, thiserror::Error)]
#[error("{place}: {text}")]
pub struct LockFault {
    pub place: TextPlace,
    pub text: String,
}

/// The digest of a platform's rows in the text of a `lock.json` (docs/formats/lock.md): of its `distributions`,
/// written without spaces. Whether it is a lock, and that of `runtime`, is looked at. `name` is for messages.
pub fn lock_rows(
    name: &str,
    text: &[u8],
    runtime: &VersionString,
    platform: PlatformKey,
) -> Result<CommittedLock, LockFault> {
    let failed = |text: String| LockFault { place: TextPlace::of_file(name), text };
    let lock: serde_json::Value = typed_json::read(text).map_err(|TypedJsonError { place, text }| {
        let place = TextPlace { file: name.into(), ..*place };
        LockFault { place, text }
    })?;
    let named = lock.get("runtime").and_then(serde_json::Value::as_str);
    if named != Some(runtime.to_string().as_str()) {
        return Err(failed(format!("it is the lock of {}, not of {runtime}", named.unwrap_or("nothing"))));
    }
    let rows = lock.get("platforms").and_then(|it| it.get(platform.as_str())).and_then(|it| it.get("distributions"));
    Ok(rows.map_or(CommittedLock::NoRows, |rows| CommittedLock::Rows(Digest::of(rows.to_string()))))
}
