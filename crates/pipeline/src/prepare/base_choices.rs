//! The base interpreter of each platform.

use vocab::PlatformKey;

use interpreter::{self, BaseChoice, BaseError, BaseRequest};
use store::Context;
use vocab::first_then_parallel;

/// In the order of `platforms`. A source that does not answer is waited for once.
pub(crate) fn choose(
    context: &Context,
    request: &BaseRequest,
    platforms: &[PlatformKey],
) -> Vec<Result<BaseChoice, BaseError>> {
    first_then_parallel(platforms, |platform| {
        interpreter::choose(context, &BaseRequest { platform: *platform, ..request.clone() })
    })
}
