//! Sources whose code was asked on this machine what they require on another one: the answer may differ there, so it
//! must not pass for known.

use std::collections::{BTreeMap, BTreeSet};

use vocab::{DistributionName, PlatformKey};

use super::uv::UvQuestion;
use super::uv_error::UvError;
use super::{LockedSource, Request, ResolveSettings, ResolvedPlatform, quoted, without_wheel};
use store::Context;

/// Warns of sources without static metadata. It resolves them once more with all code forbidden and without the
/// resolver's cache, so it runs nothing.
pub(super) fn warn(context: &Context, request: &Request, settings: &ResolveSettings<'_>, resolved: &ResolvedPlatform) {
    let platform = request.target.platform;
    let Some(host) = PlatformKey::host().filter(|host| *host != platform) else { return };
    let mut open = direct_requirements(request, settings, resolved);
    let mut assumed = BTreeSet::new();
    while !open.is_empty() {
        let question = UvQuestion {
            requirements: open.values().cloned().collect(),
            without_dependencies: true,
            no_cache: true,
            ..UvQuestion::default()
        };
        let Ok(scratch) = context.store.scratch_dir("assumed-") else { return };
        let refused = match settings.uv.compile(context, scratch.path(), &request.target, &question) {
            Ok(_) => break,
            Err(UvError::Refused { reason }) => without_wheel::named_in(&reason),
            // Offline, for instance: nothing is known of them.
            Err(_) => BTreeSet::new(),
        };
        let before = open.len();
        open.retain(|name, _| !refused.contains(name));
        assumed.extend(refused);
        if open.len() == before {
            assumed.extend(open.keys().cloned());
            break;
        }
    }
    if !assumed.is_empty() {
        context.warn(
            "W_REQUIREMENTS_ASSUMED",
            format!(
                "the requirements of {} were computed by running its source on {host}; on {platform} they may differ",
                quoted(&assumed)
            ),
            Some(platform.to_string()),
            Some(format!("run `builder lock` on a {platform} machine, or pin versions that have a wheel there")),
        );
    }
}

/// The sources that were asked, each by its own address.
fn direct_requirements(
    request: &Request,
    settings: &ResolveSettings<'_>,
    resolved: &ResolvedPlatform,
) -> BTreeMap<DistributionName, String> {
    let built = resolved.rows.distributions.iter().filter(|row| row.source.is_built());
    let asked = built.filter(|row| !request.no_deps.contains(&row.name));
    let direct = asked.filter_map(|row| {
        let own = request.requirements.iter().find(|requirement| requirement.name == row.name);
        let text = match &row.source {
            LockedSource::Sdist { sha256, .. } => format!("{} @ {}", row.name, resolved.urls.get(sha256)?),
            _ => own?.for_resolver(settings.repository),
        };
        Some((row.name.clone(), text))
    });
    direct.collect()
}
