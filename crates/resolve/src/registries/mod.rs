//! The additional indexes (`registries.additional`): whether they answer, and what they have.
//!
//! Whether one answers is asked before resolving, so that a dead one costs ten seconds at most, and once in ten
//! minutes.

mod page;
mod pages;

use std::time::{Duration, SystemTime};

use config_merger::Registries;
use serde_json::json;

pub use page::{IndexPage, PageFile};
pub(crate) use page::{is_flat, local};
pub use pages::PAGE_LIFETIME;
pub use pages::{IndexPages, IndexRefusal, IndexStanding, Registry};

use store::Context;
use store::download::{self, without_credentials};

/// An additional index that did not answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnreachableRegistry {
    /// Without credentials.
    pub url: String,
    pub reason: String,
}

/// How long silence is remembered, and an answer too. A refusal is not remembered: it comes at once, and depends on
/// the present credentials.
const REMEMBERED: Duration = Duration::from_secs(600);

const FACT: &str = "registry";

/// Kinds and lifetimes of the remembered facts, for pruning the store.
pub const FACT_LIFETIME: (&str, Duration) = (FACT, REMEMBERED);

/// The indexes that do not answer, in the order of the configuration. Offline, none is asked and the result is empty.
/// `afresh` also asks those that were silent recently.
pub fn unreachable(context: &Context, registries: &Registries, afresh: bool) -> Vec<UnreachableRegistry> {
    if context.offline {
        return Vec::new();
    }
    let now = SystemTime::now();
    let mut silent = Vec::new();
    for registry in &registries.additional {
        let url = without_credentials(registry);
        let known = if afresh { None } else { context.store.recall(FACT, &url, REMEMBERED, now) };
        if let Some(fact) = known {
            if let Some(reason) = fact["unreachable"].as_str() {
                silent.push(UnreachableRegistry { url, reason: reason.to_owned() });
            }
            continue;
        }
        let answer = download::probe(context, registry);
        match &answer {
            Err(unreachable) if unreachable.status.is_some() || !unreachable.was_asked => {
                context.store.forget(FACT, &url);
            }
            _ => {
                let reason = answer.as_ref().err().map(|unreachable| unreachable.reason.as_str());
                // A fact that cannot be remembered is asked for again.
                let _ = context.store.remember(FACT, &url, &json!({ "unreachable": reason }), now);
            }
        }
        if let Err(unreachable) = answer {
            silent.push(UnreachableRegistry { url, reason: unreachable.reason });
        }
    }
    silent
}
