//! The base interpreter of each platform.

use vocab::PlatformKey;

use interpreter::{self, BaseChoice, BaseError, BaseRequest};
use store::Context;
use vocab::few_at_once;

/// In the order of `platforms`. A source that does not answer is waited for once.
pub(crate) fn choose(
    context: &Context,
    request: &BaseRequest,
    platforms: &[PlatformKey],
) -> Vec<Result<BaseChoice, BaseError>> {
    let choose =
        |platform: &PlatformKey| interpreter::choose(context, &BaseRequest { platform: *platform, ..request.clone() });
    // The others find what the first left in caches.
    let Some((first, others)) = platforms.split_first() else { return Vec::new() };
    let mut choices = vec![choose(first)];
    choices.extend(few_at_once(others.len(), others, choose));
    choices
}
