//! The source that a command uses, from its options, the environment and what is remembered.

use std::path::PathBuf;

use installer::{ChosenSource, GivenSource, PublicKey, SourceError, Sources};

/// The variable that names a source.
pub const FROM: &str = "PYDIST_FROM";

/// `sources.json` in this program's settings folder, by the conventions of each system.
pub fn sources_path(environment: &dyn Fn(&str) -> Option<String>) -> Option<PathBuf> {
    let set = |name: &str| environment(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let settings = if cfg!(windows) {
        set("APPDATA")
    } else if cfg!(target_os = "macos") {
        set("HOME").map(|home| home.join("Library/Application Support"))
    } else {
        set("XDG_CONFIG_HOME").or_else(|| set("HOME").map(|home| home.join(".config")))
    };
    settings.map(|settings| settings.join("pydist").join("sources.json"))
}

/// What the user has remembered; nothing where there is no folder for it.
pub fn remembered_sources(environment: &dyn Fn(&str) -> Option<String>) -> Result<Sources, SourceError> {
    sources_path(environment).map_or_else(|| Ok(Sources::default()), |path| Sources::read(&path))
}

/// The source to use, and its keys.
pub fn chosen(
    option: Option<&str>,
    public_keys: Vec<PublicKey>,
    environment: &dyn Fn(&str) -> Option<String>,
) -> Result<ChosenSource, SourceError> {
    let variable = environment(FROM);
    let given = GivenSource { option, variable: variable.as_deref(), public_keys };
    remembered_sources(environment)?.choose(given)
}
