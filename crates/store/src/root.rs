//! Where the store is: an option, a variable, or the platform's folder for caches.

use std::path::{Path, PathBuf};

use vocab::Os;

use vocab::Environment;

/// `option` is the command line's `--store-dir`; then PYDIST_STORE; then [`default_root`]. `None` if the environment
/// names no home folder.
pub fn choose_root(option: Option<&Path>, environment: &Environment, os: Os) -> Option<PathBuf> {
    option.or_else(|| environment.path("PYDIST_STORE")).map(Path::to_owned).or_else(|| default_root(environment, os))
}

/// The platform's cache folder and `pydist`. `None` when the variables that name it are missing.
pub fn default_root(environment: &Environment, os: Os) -> Option<PathBuf> {
    let home = || environment.path("HOME");
    let folder = match os {
        // The XDG base directory specification: a relative value is to be ignored. There a path with a root is
        // absolute.
        Os::Linux => environment
            .path("XDG_CACHE_HOME")
            .filter(|path| path.has_root())
            .map(Path::to_owned)
            .or_else(|| home().map(|home| home.join(".cache"))),
        Os::Macos => home().map(|home| home.join("Library").join("Caches")),
        Os::Windows => environment
            .path("LOCALAPPDATA")
            .map(Path::to_owned)
            .or_else(|| environment.path("USERPROFILE").map(|home| home.join("AppData").join("Local"))),
    };
    folder.map(|folder| folder.join("pydist"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_option_beats_the_variable_beats_the_platforms_cache_folder() {
        let all = [("PYDIST_STORE", "/var/store"), ("XDG_CACHE_HOME", "/xdg"), ("HOME", "/home/ada")];
        let cases = [
            // (option, variables, system, root)
            (Some("/option"), &all[..], Os::Linux, Some("/option/")),
            (None, &all[..], Os::Linux, Some("/var/store/")),
            (None, &all[1..], Os::Linux, Some("/xdg/pydist")),
            (None, &all[2..], Os::Linux, Some("/home/ada/.cache/pydist")),
            (None, &[("XDG_CACHE_HOME", "relative"), ("HOME", "/h")][..], Os::Linux, Some("/h/.cache/pydist")),
            (None, &all[1..], Os::Macos, Some("/home/ada/Library/Caches/pydist")),
            (None, &[("LOCALAPPDATA", "/local")][..], Os::Windows, Some("/local/pydist")),
            (None, &[("USERPROFILE", "/user")][..], Os::Windows, Some("/user/AppData/Local/pydist")),
            (None, &[][..], Os::Linux, None),
        ];
        for (option, variables, os, root) in cases {
            let environment = Environment::new(variables.iter().map(|(name, value)| (name.into(), value.into())));
            let chosen = choose_root(option.map(Path::new), &environment, os);
            assert_eq!(chosen, root.map(PathBuf::from), "for {option:?}, {variables:?}, {os:?}");
        }
    }
}
