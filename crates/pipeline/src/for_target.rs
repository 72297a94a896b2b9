//! What the platform of a runtime needs even if the building machine does not: launchers for scripts, names that its
//! file systems can hold.

use vocab::{Fault, PlatformKey, TreePath};

use crate::assemble::AssembledPrefix;
use crate::gather::GatheredWheel;
use crate::prepare::PreparedPlatform;
use interpreter::BaseTree;
use static_checks::names::{LONG_PATH, NameFault, check_names};
use store::Context;
use wheel::windows_launcher::WindowsLaunchers;

/// Those with which the wheels' scripts become programs; `None` where there is nothing to do for them.
pub(crate) fn launchers(
    context: &Context,
    prepared: &PreparedPlatform,
    tree: &BaseTree,
    wheels: &[GatheredWheel],
) -> Result<Option<WindowsLaunchers>, Box<dyn Fault>> {
    if !tree.layout.platform.is_windows() || !wheels.iter().any(|gathered| gathered.wheel.contents.has_scripts()) {
        return Ok(None);
    }
    let python = || Ok(prepared.host.interpreter(context)?);
    WindowsLaunchers::find(context, &tree.root, tree.layout, python).map(Some)
}

/// Refuses what the platform cannot hold. Gives the longest path.
pub(crate) fn check_all_names(
    assembled: &AssembledPrefix,
    platform: PlatformKey,
) -> Result<Option<(TreePath, usize)>, NameFault> {
    let owners: Vec<(&TreePath, String)> = assembled
        .installed
        .iter()
        .flat_map(|all| &all.distributions)
        .flat_map(|it| it.files.iter().map(|file| (&file.path, format!("`{}`", it.name))))
        .collect();
    let base = assembled.base_files.iter().map(|path| (path, "the interpreter"));
    let installed = owners.iter().map(|(path, owner)| (*path, owner.as_str()));
    let wheelhouse = assembled.wheelhouse.keys().map(|path| (path, "the wheelhouse"));
    let copied = assembled.copied.iter().map(|file| (&file.path, "copyFiles"));
    let longest = check_names(base.chain(installed).chain(wheelhouse).chain(copied), platform)?;
    Ok(longest.map(|(path, length)| (path.clone(), length)))
}

/// Refuses names that the platform cannot hold, and reports the length of paths where it matters.
pub(crate) fn look_at_names(
    context: &Context,
    assembled: &AssembledPrefix,
    platform: PlatformKey,
) -> Result<(), NameFault> {
    let longest = check_all_names(assembled, platform)?;
    let Some((path, length)) = longest.filter(|_| platform.is_windows()) else { return Ok(()) };
    let text = format!("the longest path below the prefix has {length} characters: `{path}`");
    if length > LONG_PATH {
        let hint = "unpack it into a folder near the drive's root, or where Windows has long paths enabled".to_owned();
        context.warn("W_PATH_LENGTH", text, Some(platform.to_string()), Some(hint));
    } else {
        context.note(text);
    }
    Ok(())
}
