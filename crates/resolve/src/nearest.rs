//! Which versions near a locked one have a wheel, for a distribution that would have to be compiled elsewhere: advice
//! for a person, kept in the store and not in the lock.

use std::time::{Duration, SystemTime};

use serde_json::json;
use vocab::Digest;

use super::uv::{Uv, UvQuestion};
use super::uv_error::UvError;
use super::{LockedDistribution, Request, Shelf, pylock};
use crate::registries::{IndexPages, IndexStanding, Registry};
use store::Context;
use vocab::few_at_once;
use wheel::WheelTarget;

const FACT: &str = "nearest-wheels";

/// An index gains wheels as time goes on.
const REMEMBERED: Duration = Duration::from_secs(30 * 24 * 3600);

/// Kind and lifetime of the remembered facts, for pruning the store.
pub const NEAREST_LIFETIME: (&str, Duration) = (FACT, REMEMBERED);

/// At most the next lower and the next higher version, in this order. `None` if it has not been looked up yet.
pub fn recall_nearest(context: &Context, target: &WheelTarget, row: &LockedDistribution) -> Option<Vec<String>> {
    let key = key(target, row)?;
    let known = context.store.recall(FACT, &key, REMEMBERED, SystemTime::now())?;
    serde_json::from_value(known).ok()
}

/// Asks the index, unless that was done lately. Without an answer there is no advice.
pub fn remember_nearest(
    context: &Context,
    uv: &Uv,
    request: &Request,
    row: &LockedDistribution,
    pages: &IndexPages<'_>,
) {
    let target = &request.target;
    let (Some(version), Some(key)) = (&row.version, key(target, row)) else { return };
    if context.store.recall(FACT, &key, REMEMBERED, SystemTime::now()).is_some() {
        return;
    }
    // Only the index that it comes from.
    let place = row.registry.and_then(|place| place.checked_sub(1));
    let registry = place.map_or(Registry::Default, Registry::Additional);
    let constraint = pages.constraint(&row.name, &[registry], target.python);
    let mut shelf = Shelf::default();
    if let Some(place) = place
        && let IndexStanding::Has(page) = pages.of(registry, &row.name)
    {
        shelf.put(row.name.clone(), place, page);
    }
    // For a local version such as `1.0+cu126` the public part is used: other versions cannot be ordered against it.
    let public = version.split('+').next().unwrap_or(version);
    let sides = [(format!("{}<{public}", row.name), false), (format!("{}>{public}", row.name), true)];
    let found = few_at_once(sides.len(), &sides, |(requirement, lowest)| {
        let question = UvQuestion {
            requirements: vec![requirement.clone()],
            constraints: constraint.clone().into_iter().collect(),
            without_dependencies: true,
            lowest: *lowest,
            shelf: shelf.clone(),
            registries: pages.open_urls(),
            ..UvQuestion::default()
        };
        let scratch = context.store.scratch_dir("nearest-").ok()?;
        match uv.compile(context, scratch.path(), target, &question) {
            Ok(text) => {
                let answers = pylock::read(&text, target, &|_| false).ok()?;
                Some(answers.into_iter().find(|answer| answer.name == row.name).and_then(|answer| answer.version))
            }
            Err(UvError::Refused { .. }) => Some(None),
            Err(_) => None,
        }
    });
    let Some(found) = found.into_iter().collect::<Option<Vec<_>>>() else { return };
    let versions: Vec<String> = found.into_iter().flatten().collect();
    // If it is not remembered, it is asked for again.
    let _ = context.store.remember(FACT, &key, &json!(versions), SystemTime::now());
}

fn key(target: &WheelTarget, row: &LockedDistribution) -> Option<String> {
    let text =
        format!("{}\n{}\n{}\n{:?}\n{}", row.name, row.version.as_ref()?, target.platform, target.system, target.python);
    Some(Digest::of(text).to_string())
}
