//! The wheel of a pinned tool as a file of the store, for a machine of any platform that has no index to ask.

use store::download::{self, FetchRequest};
use store::pinned_tool::PinnedTool;
use store::{BlobState, Context, EntryKind};
use vocab::{Digest, Fault};
use wheel::WheelTarget;

use crate::{Uv, UvQuestion, pylock};

/// Why there is no wheel of a pinned tool.
#[derive(Debug, thiserror::Error, Fault)]
#[error("there is no wheel of {name} {version} for {platform}: {reason}")]
#[fault("E_TOOL_WHEEL", Build, hint("an index that uv asks must have this version, or run it once with the network"))]
pub struct ToolWheelError {
    pub name: &'static str,
    pub version: &'static str,
    pub platform: vocab::PlatformKey,
    pub reason: String,
}

/// Gives the remote store, if there is one, the wheel of a pinned tool, as far as the store has it.
pub fn give_tool_wheel(context: &Context, tool: &PinnedTool) {
    let Some(remote) = context.remote.as_deref().filter(|remote| remote.takes_more()) else { return };
    for sha256 in tool.digests.iter().filter_map(|text| text.parse::<Digest>().ok()) {
        let blob = context.store.blob(&sha256);
        if blob.is_file() {
            remote.give_blob(&context.near(), &blob, &sha256);
        }
    }
}

/// Fetches the first of the tool's wheels, by its pinned digest, unless the store has it. `uv` is asked where it is, in
/// the indexes that the user has configured.
pub fn fetch_tool_wheel(
    context: &Context,
    tool: &PinnedTool,
    target: &WheelTarget,
    uv: impl FnOnce() -> Result<Uv, Box<dyn Fault>>,
) -> Result<Digest, Box<dyn Fault>> {
    let failed =
        |reason: String| ToolWheelError { name: tool.name, version: tool.version, platform: target.platform, reason };
    let sha256: Digest = match tool.digests.first().map(|text| text.parse()) {
        Some(Ok(sha256)) => sha256,
        _ => return Err(failed("none is pinned".to_owned()).into()),
    };
    let name = format!("{}-{}.whl", tool.name, tool.version);
    context.store.mark_used(EntryKind::Blobs, &sha256.to_string());
    // Read, for nothing does so before it is given away; a damaged one is removed and fetched again.
    let is_here = || matches!(context.store.verify_blob(&sha256), Ok(BlobState::Sound { .. }));
    if is_here() {
        return Ok(sha256);
    }
    download::bring_all(context, &[(sha256, &name)], 1);
    if is_here() {
        return Ok(sha256);
    }
    if context.offline {
        return Err(failed("the store does not have it, and the network is not used".to_owned()).into());
    }
    let scratch = context.store.scratch_dir("tool-").map_err(|error| failed(error.to_string()))?;
    let requirements = vec![format!("{}=={}", tool.name, tool.version)];
    let question = UvQuestion { requirements, without_dependencies: true, ..UvQuestion::default() };
    let text = uv()?.compile(context, scratch.path(), target, &question)?;
    let files = pylock::all_files(&text)?;
    let Some((_, url)) = files.into_iter().find(|(digest, _)| *digest == sha256) else {
        return Err(failed(format!("the index has no file with the SHA-256 {sha256}")).into());
    };
    download::fetch(context, &FetchRequest { url, file_name: name, sha256, size: None, largest: None })?;
    Ok(sha256)
}
