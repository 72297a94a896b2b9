//! Source `archive`: the file that the configuration names for the platform, pinned by its SHA-256.

use std::path::Path;

use config_merger::BaseSource;
use url::Url;

use super::base_identity::identity;
use super::request::{BaseRequest, BaseSupply};
use super::shared_tree::is_at_hand;
use super::source_answer::SourceAnswer;
use store::Context;

pub(super) fn ask(context: &Context, request: &BaseRequest) -> SourceAnswer {
    let Some(archive) = request.archives.get(&request.platform) else {
        return SourceAnswer::Lacks(format!("no archive is configured for {}", request.platform));
    };
    let local = local_file(&archive.url);
    let present = is_at_hand(context, &identity(BaseSource::Archive, &archive.sha256, request.platform))
        || store::download::is_at_hand(context, &archive.sha256);
    if let Some(path) = local.as_deref().filter(|path| !present && !path.is_file()) {
        return SourceAnswer::Lacks(format!("`{}` does not exist", path.display()));
    }
    let url = match local.as_deref().and_then(|path| Url::from_file_path(path).ok()) {
        Some(url) => url.into(),
        None => archive.url.clone(),
    };
    let file_name =
        url.split(['?', '#']).next().and_then(|path| path.rsplit('/').next()).unwrap_or_default().to_owned();
    SourceAnswer::Has {
        // The configuration is trusted here; the unpacked tree is checked.
        version: request.python,
        origin: file_name.clone(),
        supply: BaseSupply::Archive { url, file_name, sha256: archive.sha256 },
    }
}

/// The file meant by a `file:` URL or a path; `None` for the web.
fn local_file(text: &str) -> Option<std::path::PathBuf> {
    match Url::parse(text) {
        Ok(url) if matches!(url.scheme(), "http" | "https") => None,
        Ok(url) if url.scheme() == "file" => url.to_file_path().ok(),
        _ => std::path::absolute(Path::new(text)).ok(),
    }
}
