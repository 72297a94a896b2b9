//! Which uv is asked, and where it comes from.

use std::path::{Path, PathBuf};

use process::{Invocation, ProcessError};
use store::Context;
use store::pinned_tool::{self, PinnedTool, SetUpError};
use vocab::PlatformKey;

/// The pinned version: another one may resolve differently.
pub const UV_VERSION: &str = "0.13.9";

/// The resolver's wheel for each platform it can be set up on, by digest.
const UV_WHEELS: &str = include_str!("../data/uv.json");

/// The program on PATH, if it is of this version.
pub(crate) fn on_path(context: &Context) -> Result<Option<PathBuf>, ProcessError> {
    let paths = context.environment.path("PATH");
    let found = paths.and_then(|paths| which::which_in("uv", Some(paths), context.store.root()).ok());
    let Some(program) = found else { return Ok(None) };
    Ok((version_of(context, &program)? == UV_VERSION).then_some(program))
}

/// `0.13.9` of `uv 0.13.9 (…)`. Empty when it says something else.
fn version_of(context: &Context, program: &Path) -> Result<String, ProcessError> {
    let finished = process::run(context, &Invocation::new(program, context.store.root()).arg("--version"))?;
    Ok(finished.stdout_text().split_whitespace().nth(1).unwrap_or_default().to_owned())
}

/// uv as a file of an index, by the digests of its wheels for this machine, the most widely usable first.
pub fn pinned_uv(host: PlatformKey) -> Option<PinnedTool> {
    let wheels: serde_json::Value = serde_json::from_str(UV_WHEELS).expect("checked by a test");
    let digests = wheels[UV_VERSION][host.as_str()].as_array()?;
    let digests = digests.iter().filter_map(|digest| digest.as_str().map(str::to_owned)).collect();
    Some(PinnedTool { name: "uv", version: UV_VERSION, digests })
}

/// Sets it up in `folder`.
pub(crate) fn install(context: &Context, python: &Path, host: PlatformKey, folder: &Path) -> Result<(), SetUpError> {
    let tool = pinned_uv(host).ok_or(SetUpError::NoWheel)?;
    pinned_tool::set_up(context, python, &tool, folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pinned_resolver_has_a_digest_for_every_platform() {
        let wheels: serde_json::Value = serde_json::from_str(UV_WHEELS).unwrap();
        for platform in PlatformKey::ALL {
            let digests = wheels[UV_VERSION][platform.as_str()].as_array().unwrap();
            let all_parse =
                digests.iter().all(|digest| digest.as_str().is_some_and(|text| text.parse::<vocab::Digest>().is_ok()));
            assert!(all_parse && !digests.is_empty(), "for {platform}");
        }
    }
}
