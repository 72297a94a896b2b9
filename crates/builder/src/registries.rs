//! Whether the additional registries answer, asked before resolving so that a dead one costs ten seconds at most,
//! and once in ten minutes.

use std::time::{Duration, SystemTime};

use config_merger::Registries;
use serde_json::json;

use crate::Context;
use crate::download;
use crate::resolve::{UnreachableRegistry, without_credentials};

/// An answer is believed this long.
const REMEMBERED: Duration = Duration::from_secs(600);

const FACT: &str = "registry";

/// For whoever clears the store up.
pub(crate) const FACT_LIFETIME: (&str, Duration) = (FACT, REMEMBERED);

/// Those that do not answer, in the order of the configuration. Offline, none is asked and none is blamed.
pub fn unreachable(context: &Context, registries: &Registries) -> Vec<UnreachableRegistry> {
    if context.offline {
        return Vec::new();
    }
    let now = SystemTime::now();
    let mut silent = Vec::new();
    for registry in &registries.additional {
        let url = without_credentials(registry);
        if let Some(fact) = context.store.recall(FACT, &url, REMEMBERED, now) {
            if let Some(reason) = fact["unreachable"].as_str() {
                silent.push(UnreachableRegistry { url, reason: reason.to_owned() });
            }
            continue;
        }
        let answer = download::probe(context, registry);
        let reason = answer.as_ref().err().map(|unreachable| unreachable.reason.clone());
        // A fact that cannot be remembered is asked for again.
        let _ = context.store.remember(FACT, &url, &json!({ "unreachable": reason }), now);
        if let Some(reason) = reason {
            silent.push(UnreachableRegistry { url, reason });
        }
    }
    silent
}
