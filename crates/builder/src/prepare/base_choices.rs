//! The base interpreter of each platform.

use std::path::Path;

use config_merger::Config;
use vocab::PlatformKey;

use crate::Context;
use crate::base::{self, BaseChoice, BaseError, BaseRequest};
use crate::in_parallel::first_then_parallel;
use crate::options::BuildOptions;

/// What all platforms of the runtime ask for; each then puts its own key in.
pub fn request(context: &Context, config: &Config, folder: &Path, options: &BuildOptions) -> BaseRequest {
    let absolute = |url: &str| {
        if url.starts_with("./") || url.starts_with("../") {
            folder.join(url).display().to_string()
        } else {
            url.into()
        }
    };
    let archives = config.python.archives.iter().map(|(platform, archive)| {
        let mut archive = archive.clone();
        archive.url = absolute(&archive.url);
        (*platform, archive)
    });
    BaseRequest {
        python: config.version.python(),
        platform: PlatformKey::LinuxX64,
        sources: config.python.sources.clone(),
        tag: config.python.tag.clone(),
        archives: archives.collect(),
        mirror: BaseRequest::mirror_of(options.python_mirror.clone(), &context.environment),
        table: None,
        allow_stand_in: options.allow_stand_in,
    }
}

/// In the order of `platforms`. A source that does not answer is waited for once.
pub fn choose(
    context: &Context,
    request: &BaseRequest,
    platforms: &[PlatformKey],
) -> Vec<Result<BaseChoice, BaseError>> {
    first_then_parallel(platforms, |platform| {
        base::choose(context, &BaseRequest { platform: *platform, ..request.clone() })
    })
}
