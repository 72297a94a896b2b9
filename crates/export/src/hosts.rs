//! Which machines can build a runtime from an export with equal bytes.
//!
//! A runtime of wheels alone is the same from every machine. What is built from a source is built on its own platform,
//! or is pure Python and built anywhere; so a machine of another platform may see it differently from the exporting one.

use std::collections::BTreeSet;

use resolve::WhyBuilt;
use vocab::{PlatformKey, RuleOutcome, WheelOrigin};

use pipeline::gather::{GatherOutcome, GatheredWheel};
use pipeline::prepare::PreparedPlatform;

pub(super) struct Serving {
    pub(super) hosts: BTreeSet<PlatformKey>,
    /// Why others that were asked for are not among them.
    pub(super) not_for: Vec<String>,
}

pub(super) fn serving(prepared: &PreparedPlatform, gathering: &GatherOutcome, asked: &[PlatformKey]) -> Serving {
    let platform = prepared.request.target.platform;
    let left_out = prepared.rows.left_out.iter().chain(&gathering.left_out);
    let native = left_out.into_iter().find(|row| row.outcome == RuleOutcome::NeedsNativeRunner);
    let built = |gathered: &&GatheredWheel| !matches!(gathered.origin, WheelOrigin::Wheel);
    let compiled = gathering.wheels.iter().filter(built).find(|gathered| {
        let is_pure = gathered.wheel.contents.file_name.is_pure();
        !is_pure || prepared.request.why_built(&gathered.name) != WhyBuilt::NoWheel
    });
    let nothing_built = native.is_none() && prepared.rows.distributions.iter().all(|row| !prepared.request.builds(row));
    let refusal = |host: PlatformKey| match (native, compiled) {
        _ if PlatformKey::host() == Some(host) => None,
        (Some(row), _) if host == platform => Some(format!("`{}` would be compiled there", row.name)),
        (_, Some(gathered)) if !prepared.is_foreign() => {
            Some(format!("`{}` is built from its source, which is done on {platform} itself", gathered.name))
        }
        _ => None,
    };
    if nothing_built {
        return Serving { hosts: PlatformKey::ALL.into_iter().collect(), not_for: Vec::new() };
    }
    let mut serving = Serving { hosts: BTreeSet::new(), not_for: Vec::new() };
    for host in asked {
        match refusal(*host) {
            None => {
                serving.hosts.insert(*host);
            }
            Some(reason) => serving
                .not_for
                .push(format!("{} for {platform} cannot be built on {host}: {reason}", prepared.config.version)),
        }
    }
    serving
}
