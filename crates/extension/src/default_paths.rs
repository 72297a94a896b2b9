//! Where the vendor's products, and we, look for extensions, archives and distributions unless a setting says otherwise.

use std::path::{Path, PathBuf};
use std::str::FromStr;

/// Whose folders are the defaults.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Profile {
    /// `pydist`: the user's data folder.
    #[default]
    Pydist,
    /// `classic`: every product of the vendor but AI Studio since 2024.0.
    Classic,
    /// `studio:VERSION`: AI Studio since 2024.0.
    Studio(String),
}

impl FromStr for Profile {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        match text.split_once(':') {
            None if text == "pydist" => Ok(Self::Pydist),
            None if text == "classic" => Ok(Self::Classic),
            Some(("studio", version)) if version.parse::<vocab::FileName>().is_ok() => {
                Ok(Self::Studio(version.to_owned()))
            }
            _ => Err("pydist, classic or studio:VERSION is expected"),
        }
    }
}

/// The three lookup folders.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DefaultPaths {
    /// Where extension zips are looked for; all of them.
    pub extensions: Vec<PathBuf>,
    pub resources: PathBuf,
    pub distributions: PathBuf,
}

/// `data` is the user's data folder for this program, `home` the user's own. `None` without the one that the profile needs.
pub fn default_paths(profile: &Profile, home: Option<&Path>, data: Option<&Path>) -> Option<DefaultPaths> {
    let inner = |root: PathBuf| (root.join("internal cache/temp"), root.join("internal cache/py-dists"));
    Some(match profile {
        Profile::Pydist => {
            let root = data?;
            DefaultPaths {
                extensions: vec![root.join("extensions")],
                resources: root.join("resources"),
                distributions: root.join("dists"),
            }
        }
        Profile::Classic => {
            let (resources, distributions) = inner(home?.join(".RapidMiner"));
            DefaultPaths { extensions: vendor_extensions(home?), resources, distributions }
        }
        Profile::Studio(version) => {
            let (resources, distributions) = inner(home?.join(".AltairRapidMiner/AI Studio").join(version));
            DefaultPaths { extensions: vendor_extensions(home?), resources, distributions }
        }
    })
}

/// The folders in which the vendor's products look, in their order.
pub fn vendor_extensions(home: &Path) -> Vec<PathBuf> {
    [".RapidMiner/extensions/python-extensions", ".AltairRapidMiner/AI Studio/shared/extensions/python-extensions"]
        .map(|folder| home.join(folder))
        .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// PEL 53
    #[test]
    fn pel_53_profiles_have_the_paths_of_the_vendors_products() {
        let (home, data) = (Path::new("/home/ü x"), Path::new("/data/pydist/loader"));
        let paths = |profile: &str| default_paths(&profile.parse().unwrap(), Some(home), Some(data)).unwrap();
        let classic = paths("classic");
        assert_eq!(
            classic.extensions,
            [
                Path::new("/home/ü x/.RapidMiner/extensions/python-extensions"),
                Path::new("/home/ü x/.AltairRapidMiner/AI Studio/shared/extensions/python-extensions")
            ]
        );
        assert_eq!(classic.resources, Path::new("/home/ü x/.RapidMiner/internal cache/temp"));
        assert_eq!(classic.distributions, Path::new("/home/ü x/.RapidMiner/internal cache/py-dists"));
        let studio = paths("studio:2025.1.0");
        assert_eq!(studio.extensions, classic.extensions);
        let root = Path::new("/home/ü x/.AltairRapidMiner/AI Studio/2025.1.0/internal cache");
        assert_eq!((studio.resources, studio.distributions), (root.join("temp"), root.join("py-dists")));
        assert_eq!(paths("pydist").distributions, data.join("dists"));
        assert_eq!(default_paths(&Profile::Classic, None, Some(data)), None);
        for wrong in ["studio", "studio:", "studio:../x", "Classic", ""] {
            assert!(wrong.parse::<Profile>().is_err(), "for {wrong:?}");
        }
    }
}
