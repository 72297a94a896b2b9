//! What an interpreter lacks, found by trying, where it can run: a module may be there and its data not.

use std::time::{Duration, SystemTime};

use vocab::PlatformKey;

use super::request::BaseTree;
use process::{Invocation, run};
use store::Context;

const KIND: &str = "base-trial";
const REMEMBERED: Duration = Duration::from_secs(90 * 24 * 3600);
const LIMIT: Duration = Duration::from_secs(60);
const TRIAL: &str = include_str!("trial.py");

/// Names of parts that do not work; empty for another platform's tree, and for one that does not run at all, which the
/// import check says better. Remembered for the tree.
pub(super) fn failing_parts(context: &Context, tree: &BaseTree) -> Vec<String> {
    if PlatformKey::host() != Some(tree.layout.platform) {
        return Vec::new();
    }
    let (key, now) = (vocab::Digest::of(format!("{}\n{TRIAL}", tree.identity)).to_string(), SystemTime::now());
    let known = context.store.recall(KIND, &key, REMEMBERED, now);
    if let Some(parts) = known.and_then(|known| serde_json::from_value(known).ok()) {
        return parts;
    }
    let Some(parts) = tried(context, tree) else { return Vec::new() };
    // If it is not remembered, it is tried again.
    let _ = context.store.remember(KIND, &key, &parts.clone().into(), now);
    parts
}

fn tried(context: &Context, tree: &BaseTree) -> Option<Vec<String>> {
    let mut invocation = Invocation::new(tree.layout.interpreter().below(&tree.root), &tree.root)
        .args(["-I", "-B", "-c", TRIAL])
        .timeout(Some(LIMIT));
    // The user's environment may hide a fault that shows elsewhere.
    invocation.clear_environment = true;
    let finished = run(context, &invocation).ok()?;
    serde_json::from_slice(&finished.stdout).ok().filter(|_| finished.succeeded())
}
