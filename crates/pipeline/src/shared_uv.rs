//! The pinned uv as a file of the remote store, for machines that have none and can reach no index.

use resolve::{Uv, fetch_tool_wheel, give_tool_wheel, pinned_uv};
use store::Context;
use store::pinned_tool::PinnedTool;
use vocab::{Digest, PlatformKey};
use wheel::WheelTarget;

use crate::prepare::PreparedPlatform;

/// Gives the remote store the wheel of uv for this kind of machine. A uv on PATH has none: where the build used that one,
/// the wheel is fetched. What fails is a note: this build does not need it.
pub(crate) fn give_uv(context: &Context, prepared: &PreparedPlatform) {
    let Some((host, tool)) = PlatformKey::host().and_then(|host| Some((host, pinned_uv(host)?))) else { return };
    give_tool_wheel(context, &tool);
    if !prepared.answered.uses_path() || context.offline || !is_lacking(context, &tool) {
        return;
    }
    let target = WheelTarget::new(host, prepared.base.actual);
    let uv = || Ok(Uv::find(context, &prepared.host.interpreter(context)?, &prepared.answered)?);
    match fetch_tool_wheel(context, &tool, &target, uv) {
        Ok(_) => give_tool_wheel(context, &tool),
        Err(_) if context.is_cancelled() => {}
        Err(fault) => {
            let reason = vocab::with_causes(fault.as_ref());
            context.note(format!("the remote store has no {} {} for {host}: {reason}", tool.name, tool.version));
        }
    }
}

/// Whether the remote store takes something and has no wheel of it, as far as that can be said.
fn is_lacking(context: &Context, tool: &PinnedTool) -> bool {
    let digests: Vec<Digest> = tool.digests.iter().filter_map(|text| text.parse().ok()).collect();
    let remote = context.remote.as_deref().filter(|remote| remote.takes_more());
    // Then it was given.
    let is_here = digests.iter().any(|sha256| context.store.blob(sha256).is_file());
    let near = context.near();
    !is_here && remote.is_some_and(|remote| !digests.iter().any(|sha256| remote.has_blob(&near, sha256)))
}
