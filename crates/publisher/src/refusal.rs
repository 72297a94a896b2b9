//! What is published only if an option allows it. Pure.

use std::collections::BTreeSet;

use vocab::{Digest, Manifest, Outcome, PlatformKey, VersionString};

/// One concern about publishing. Each has an option that allows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Concern {
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
}

impl Concern {
    /// Every concern, in the order in which they are reported.
    pub const ALL: [Self; 6] =
        [Self::StandIn, Self::Missing, Self::LeftOut, Self::Degraded, Self::Unchecked, Self::OtherLock];

    /// The option that allows it.
    pub fn option(self) -> &'static str {
        match self {
            Self::StandIn => "--allow-stand-in",
            Self::Missing => "--allow-missing",
            Self::LeftOut => "--allow-left-out",
            Self::Degraded => "--allow-degraded",
            Self::Unchecked => "--allow-unchecked",
            Self::OtherLock => "--allow-other-lock",
        }
    }
}

/// A concern about one runtime, with the reason for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub concern: Concern,
    pub reason: String,
}

/// What the repository's lock says about a runtime on a platform.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CommittedLock {
    /// No repository is given, or this runtime is not part of it.
    Unknown,
    /// The lock is there and has no rows for the platform.
    NoRows,
    /// Digest of the rows.
    Rows(Digest),
}

/// All concerns about publishing this runtime that are not allowed.
pub fn refusals(manifest: &Manifest, lock: &CommittedLock, allowed: &BTreeSet<Concern>) -> Vec<Refusal> {
    let mut found = Vec::new();
    let mut refuse = |concern, reason| found.push(Refusal { concern, reason });
    let base = &manifest.base;
    if base.stand_in || base.actual != base.requested {
        let reason = format!("it stands on Python {}, {} was asked for", base.actual, base.requested);
        refuse(Concern::StandIn, reason);
    }
    for (concern, outcome, what) in
        [(Concern::Missing, Outcome::Missing, "are missing"), (Concern::LeftOut, Outcome::LeftOut, "were left out")]
    {
        let rows = manifest.rules.iter().filter(|rule| rule.outcome == outcome);
        let names: Vec<String> = rows.map(|rule| format!("{} ({})", rule.name, rule.reason)).collect();
        if !names.is_empty() {
            refuse(concern, format!("packages {what}: {}", names.join(", ")));
        }
    }
    if manifest.degraded {
        refuse(Concern::Degraded, "its configuration could not be read and was replaced by an empty one".to_owned());
    }
    let native = manifest.distributions.iter().filter(|row| row.is_native()).count();
    if native > 0 && manifest.native.imported + manifest.native.allowed == 0 {
        let reason = format!("none of its {native} packages with native files was ever imported");
        refuse(Concern::Unchecked, reason);
    }
    match lock {
        CommittedLock::Unknown => {}
        CommittedLock::NoRows => {
            let reason = format!("lock.json has no rows for {}", manifest.platform);
            refuse(Concern::OtherLock, reason);
        }
        CommittedLock::Rows(digest) if *digest != manifest.lock => {
            let reason =
                format!("it was built from the lock rows {}, lock.json has {}", manifest.lock.short(), digest.short());
            refuse(Concern::OtherLock, reason);
        }
        CommittedLock::Rows(_) => {}
    }
    found.retain(|refusal| !allowed.contains(&refusal.concern));
    found
}

/// The digest of a platform's rows in the text of a `lock.json` (docs/formats/lock.md): of its `distributions`,
/// written without spaces. Whether it is the lock of `runtime` is looked at; the error is a sentence.
pub fn lock_rows(text: &[u8], runtime: &VersionString, platform: PlatformKey) -> Result<CommittedLock, String> {
    let lock: serde_json::Value = serde_json::from_slice(text).map_err(|error| error.to_string())?;
    let named = lock.get("runtime").and_then(serde_json::Value::as_str);
    if named != Some(runtime.to_string().as_str()) {
        return Err(format!("it is the lock of {}, not of {runtime}", named.unwrap_or("nothing")));
    }
    let rows = lock.get("platforms").and_then(|it| it.get(platform.as_str())).and_then(|it| it.get("distributions"));
    Ok(rows.map_or(CommittedLock::NoRows, |rows| CommittedLock::Rows(Digest::of(rows.to_string()))))
}
