//! The parts of `scikit_learn-1.6.1-1-cp312-cp312-manylinux_2_17_x86_64.manylinux2014_x86_64.whl`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use vocab::DistributionName;

/// Source: the binary distribution format (PEP 427). `Display` gives exactly the text that was parsed.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct WheelFileName {
    text: String,
    pub name: DistributionName,
    /// As spelled in the name; `_` is not turned back into `-`.
    pub version: String,
    /// Begins with a digit; breaks ties between otherwise equal wheels.
    pub build: Option<String>,
    /// The parts of a compressed tag set: `py2.py3` is two.
    pub python_tags: Vec<String>,
    pub abi_tags: Vec<String>,
    pub platform_tags: Vec<String>,
}

impl WheelFileName {
    /// Exactly the text that was parsed.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it runs on every platform, since nothing in it was compiled. Follows from the tags alone.
    pub fn is_pure(&self) -> bool {
        self.platform_tags == ["any"]
    }
}

impl fmt::Display for WheelFileName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&self.text)
    }
}

/// The text breaks the rules of PEP 427 for names of wheels.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a wheel's file name: NAME-VERSION[-BUILD]-PYTHON-ABI-PLATFORM.whl is expected")]
pub struct WheelFileNameError {
    pub text: String,
}

impl FromStr for WheelFileName {
    type Err = WheelFileNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse(text).ok_or_else(|| WheelFileNameError { text: text.to_owned() })
    }
}

fn parse(text: &str) -> Option<WheelFileName> {
    let parts: Vec<&str> = text.strip_suffix(".whl")?.split('-').collect();
    let (name, version, build, tags) = match parts[..] {
        [name, version, python, abi, platform] => (name, version, None, [python, abi, platform]),
        [name, version, build, python, abi, platform] => (name, version, Some(build), [python, abi, platform]),
        _ => return None,
    };
    let plain = |part: &str| {
        !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '+' | '!'))
    };
    let well_formed = plain(version)
        && tags.iter().all(|tag| plain(tag))
        && build.is_none_or(|build| plain(build) && build.starts_with(|first: char| first.is_ascii_digit()));
    if !well_formed {
        return None;
    }
    let [python_tags, abi_tags, platform_tags] = tags.map(|tag| tag.split('.').map(str::to_owned).collect());
    Some(WheelFileName {
        text: text.to_owned(),
        name: name.parse().ok()?,
        version: version.to_owned(),
        build: build.map(str::to_owned),
        python_tags,
        abi_tags,
        platform_tags,
    })
}

impl TryFrom<String> for WheelFileName {
    type Error = WheelFileNameError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<WheelFileName> for String {
    fn from(name: WheelFileName) -> Self {
        name.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_names_are_taken_apart_by_pep_427() {
        let name: WheelFileName =
            "Scikit_Learn-1.6.1-1b-cp312-cp312-manylinux_2_17_x86_64.manylinux2014_x86_64.whl".parse().unwrap();
        assert_eq!((name.name.as_str(), name.version.as_str()), ("scikit-learn", "1.6.1"));
        assert_eq!(name.build.as_deref(), Some("1b"));
        assert_eq!(name.platform_tags, ["manylinux_2_17_x86_64", "manylinux2014_x86_64"]);
        let pure: WheelFileName = "six-1.17.0-py2.py3-none-any.whl".parse().unwrap();
        assert_eq!((pure.is_pure(), pure.python_tags.len(), pure.build), (true, 2, None));
    }

    #[test]
    fn other_names_are_refused() {
        let cases = [
            "six-1.17.0.tar.gz",
            "six-1.17.0-py3-none.whl",
            "six-1.17.0-py3-none-any.zip",
            "six-1.17.0-x-py3-none-any.whl", // a build tag begins with a digit
            "six-1.17.0-1-2-py3-none-any.whl",
            "../six-1.17.0-py3-none-any.whl",
            "six-../1-py3-none-any.whl",
            "six--py3-none-any.whl",
            "",
        ];
        for text in cases {
            assert!(text.parse::<WheelFileName>().is_err(), "for {text:?}");
        }
    }
}
