//! What `--platform` means for a version.

use vocab::PlatformKey;

use crate::session::UsageError;

/// In the order asked for; `None` stands for `all`.
pub struct AskedPlatforms(Vec<Option<PlatformKey>>);

impl AskedPlatforms {
    /// An empty list means the host.
    pub fn parse(texts: &[String]) -> Result<Self, UsageError> {
        if texts.is_empty() {
            return Ok(Self(vec![Some(PlatformKey::host().ok_or(UsageError::NoPlatform)?)]));
        }
        let asked = texts.iter().map(|text| if text == "all" { Ok(None) } else { Ok(Some(text.parse()?)) });
        asked.collect::<Result<_, _>>().map(Self)
    }

    /// Each once. `made_for` is what `all` means for the version.
    pub fn of(&self, made_for: &[PlatformKey]) -> Vec<PlatformKey> {
        let mut platforms = Vec::new();
        for asked in &self.0 {
            let named: &[PlatformKey] = asked.as_slice();
            for platform in if asked.is_some() { named } else { made_for } {
                if !platforms.contains(platform) {
                    platforms.push(*platform);
                }
            }
        }
        platforms
    }

    /// Whether exactly the version's own platforms are asked for.
    pub fn are_all(&self) -> bool {
        self.0.iter().all(Option::is_none)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_is_what_the_version_is_made_for() {
        let made_for = [PlatformKey::LinuxX64, PlatformKey::MacosxAarch64];
        let cases = [
            (&["all"][..], "linux-x64 macosx-aarch64", true),
            (&["macosx-aarch64", "all"], "macosx-aarch64 linux-x64", false),
            (&["windows-x64", "windows-x64"], "windows-x64", false),
        ];
        for (texts, platforms, are_all) in cases {
            let texts: Vec<String> = texts.iter().map(ToString::to_string).collect();
            let asked = AskedPlatforms::parse(&texts).unwrap();
            let said: Vec<&str> = asked.of(&made_for).iter().map(|platform| platform.as_str()).collect();
            assert_eq!((said.join(" ").as_str(), asked.are_all()), (platforms, are_all), "for {texts:?}");
        }
        assert!(AskedPlatforms::parse(&["macos-arm64".to_owned()]).is_err());
    }
}
