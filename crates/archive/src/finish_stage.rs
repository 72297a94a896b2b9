//! A tree whose files are all written: modes, times, hard links, symbolic links or copies of their targets.

use vocab::WrittenDigests;

use crate::copied_links::copy_links;
use crate::destination_folder::DestinationFolder;
use crate::extract_error::ExtractErrorKind;
use crate::extract_options::{ExtractOptions, ExtractedTree, LinkHandling};
use crate::judge::JudgedMembers;

/// The steps that follow when all files are written.
pub(crate) fn finish_stage(
    place: &DestinationFolder,
    judged: JudgedMembers,
    options: &ExtractOptions<'_>,
) -> Result<ExtractedTree, ExtractErrorKind> {
    let JudgedMembers { record, late, hard_links, mut extracted } = judged;
    place.finish_files(&late)?;
    place.hard_links(&hard_links)?;
    extracted.digests = place.digests.as_ref().map(WrittenDigests::take).unwrap_or_default();
    for (link, file) in &hard_links {
        let digest = extracted.digests.get(file).copied();
        extracted.digests.extend(digest.map(|digest| (link.clone(), digest)));
    }
    let links =
        record.resolved_links().map_err(|(path, fault)| ExtractErrorKind::Entry { entry: path.to_string(), fault })?;
    match options.links {
        _ if place.is_dry() => {}
        LinkHandling::Keep if cfg!(unix) => place.links(&links)?,
        _ => {
            extracted.copied_links = links.iter().map(|link| (link.path.clone(), link.target.clone())).collect();
            copy_links(place, &record, links, options.limits.bytes - extracted.bytes)?;
        }
    }
    place.finish_directories()?;
    Ok(extracted)
}
