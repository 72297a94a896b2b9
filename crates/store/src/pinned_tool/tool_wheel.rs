//! A pinned tool from its own wheel, where the store or the remote store has it: without pip, an interpreter or a network.

use std::fs::{self, File};
use std::io;
use std::path::{Component, Path, PathBuf};

use vocab::Digest;
use zip::ZipArchive;

use super::{PinnedTool, SetUpError};
use crate::{BlobState, Context};

/// Unpacks the tool into `folder`, as `pip install --target` would. False if none of its wheels is here.
pub(crate) fn set_up(context: &Context, tool: &PinnedTool, folder: &Path) -> Result<bool, SetUpError> {
    let Some(wheel) = tool.digests.iter().filter_map(|it| it.parse().ok()).find_map(|it| at_hand(context, tool, &it))
    else {
        return Ok(false);
    };
    let staged = context.store.scratch_dir(&format!("{}-", tool.name)).map_err(SetUpError::Store)?;
    let tree = staged.path().join("tree");
    unpack(&wheel, &tree).map_err(|error| SetUpError::Wheel { reason: error.to_string() })?;
    super::keep(&tree, folder).map_err(SetUpError::Store)?;
    Ok(true)
}

/// The wheel, compared with its digest.
fn at_hand(context: &Context, tool: &PinnedTool, sha256: &Digest) -> Option<PathBuf> {
    let is_sound = || matches!(context.store.verify_blob(sha256), Ok(BlobState::Sound { .. }));
    let brought = || {
        let remote = context.remote.as_deref()?;
        let name = format!("{} {}", tool.name, tool.version);
        remote.bring_blob(&context.near(), sha256, &name, None).then_some(())
    };
    (is_sound() || brought().is_some()).then(|| context.store.blob(sha256))
}

fn unpack(wheel: &Path, tree: &Path) -> io::Result<()> {
    let mut archive = ZipArchive::new(io::BufReader::new(File::open(wheel)?))?;
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index)?;
        let Some(path) = entry.enclosed_name().and_then(|path| place_of(&path)) else { continue };
        let target = tree.join(&path);
        if entry.is_dir() {
            continue;
        }
        if let Some(parent) = target.parent() {
            fs::create_dir_all(parent)?;
        }
        let mut file = File::create_new(&target)?;
        io::copy(&mut entry, &mut file)?;
        #[cfg(unix)]
        if path.starts_with("bin") {
            use std::os::unix::fs::PermissionsExt as _;
            file.set_permissions(fs::Permissions::from_mode(0o755))?;
        }
    }
    Ok(())
}

/// Programs go to `bin`, modules stay; of the other data of a wheel nothing is needed.
fn place_of(path: &Path) -> Option<PathBuf> {
    let names: Vec<&str> = path
        .components()
        .map(|it| if let Component::Normal(it) = it { it.to_str() } else { None })
        .collect::<Option<_>>()?;
    match &names[..] {
        [data, "scripts", below @ ..] if data.ends_with(".data") => {
            Some(Path::new("bin").join(below.iter().collect::<PathBuf>()))
        }
        [data, ..] if data.ends_with(".data") => None,
        _ => Some(path.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_of_a_wheel_go_to_bin_and_modules_stay() {
        for (path, place) in [
            ("uv-0.13.9.data/scripts/uv", Some("bin/uv")),
            ("distlib/t64.exe", Some("distlib/t64.exe")),
            ("uv-0.13.9.dist-info/METADATA", Some("uv-0.13.9.dist-info/METADATA")),
            ("uv-0.13.9.data/data/share/x", None),
        ] {
            assert_eq!(place_of(Path::new(path)), place.map(PathBuf::from), "for {path}");
        }
    }
}
