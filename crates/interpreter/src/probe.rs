//! Whether a source can be asked at all, remembered for ten minutes when it cannot.

use std::time::{Duration, SystemTime};

use store::Context;
use store::download::head_status;

const UNREACHABLE_FOR: Duration = Duration::from_secs(600);
const KIND: &str = "unreachable";
/// Kind and lifetime of the remembered facts, for pruning the store.
pub const PROBE_LIFETIME: (&str, Duration) = (KIND, UNREACHABLE_FOR);

pub(super) enum Probe {
    There,
    /// The server answered with this status; the file is not there.
    Answered(u16),
    Unreachable(String),
}

/// Asks for a file of the web with one `HEAD` request, unless `place` could not be reached a short while ago.
pub(super) fn probe(context: &Context, place: &str, url: &str) -> Probe {
    if context.offline {
        return Probe::Unreachable("the build is offline".to_owned());
    }
    if let Some(reason) = recall_unreachable(context, place) {
        return Probe::Unreachable(reason);
    }
    match head_status(context, url) {
        Ok(200..=299) => Probe::There,
        // A server error may pass, so it counts as unreachable.
        Ok(status @ 500..) => Probe::Unreachable(remember_unreachable(context, place, format!("it answered {status}"))),
        Ok(status) => Probe::Answered(status),
        Err(unreachable) if context.is_cancelled() || !unreachable.was_asked => Probe::Unreachable(unreachable.reason),
        Err(unreachable) => Probe::Unreachable(remember_unreachable(context, place, unreachable.reason)),
    }
}

/// Why `place` could not be reached when it was last tried, less than ten minutes ago.
pub(super) fn recall_unreachable(context: &Context, place: &str) -> Option<String> {
    let fact = context.store.recall(KIND, place, UNREACHABLE_FOR, SystemTime::now())?;
    Some(format!("{} (seen less than ten minutes ago)", fact.as_str()?))
}

/// Returns the reason. If it cannot be remembered, the next build only loses a few seconds.
pub(super) fn remember_unreachable(context: &Context, place: &str, reason: String) -> String {
    drop(context.store.remember(KIND, place, &reason.clone().into(), SystemTime::now()));
    reason
}
