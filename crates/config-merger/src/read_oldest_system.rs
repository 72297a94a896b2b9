//! Reads the key `oldestSystem`: the oldest glibc or macOS version that a runtime must run on.

use vocab::{Os, PlatformKey, SystemVersion};

use crate::FindingCode;
use crate::layer::{ByPlatform, SystemVersionText};
use crate::reader::{ConfigCursor, ConfigReader};
use vocab::quoted::shown;

/// The minor numbers of the glibc versions that uv's `--python-platform` supports; all are 2.something.
const GLIBC_MINORS: [u16; 12] = [17, 28, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40];

impl ConfigReader<'_> {
    /// Checks each version against what its platform knows; Windows is refused.
    pub(crate) fn oldest_systems(&mut self, at: &ConfigCursor<'_>) -> Option<ByPlatform<Option<SystemVersionText>>> {
        self.by_platform(at, "/oldestSystem", |reader, at, pointer| {
            // The pointer of an entry ends with its key, unless the key was refused.
            let platform: Option<PlatformKey> = pointer.rsplit('/').next().and_then(|key| key.parse().ok());
            reader.oldest_system(at, platform)
        })
    }

    fn oldest_system(&mut self, at: &ConfigCursor<'_>, platform: Option<PlatformKey>) -> Option<SystemVersionText> {
        let text = self.string(at, "a version such as `2.28`, a string,")?.trim();
        let refused = |text: String, hint: &str| Some((text, hint.to_owned()));
        let complaint = match (platform.map(PlatformKey::os), text.parse::<SystemVersion>()) {
            (Some(Os::Windows), _) => refused(
                "Windows wheels tell no version of the system".to_owned(),
                "remove the entry: one wheel fits every Windows that Python itself runs on",
            ),
            (_, Err(error)) => refused(error.to_string(), "write two numbers with a point between them"),
            (Some(Os::Linux), Ok(glibc)) if glibc.major != 2 || !GLIBC_MINORS.contains(&glibc.minor) => {
                let known: Vec<String> = GLIBC_MINORS.iter().map(|minor| format!("2.{minor}")).collect();
                refused(
                    format!("the resolver knows no glibc {}", shown(text)),
                    &format!("write the next lower one of {}", known.join(", ")),
                )
            }
            (Some(Os::Macos), Ok(macos)) if macos < SystemVersion::new(10, 9) || macos.major > 99 => refused(
                format!("{} is not a macOS version", shown(text)),
                "the oldest that wheels are made for is 10.9",
            ),
            _ => None,
        };
        match complaint {
            Some((text, hint)) => {
                self.fault(at, FindingCode::Value, text, Some(hint));
                None
            }
            None => Some(SystemVersionText(text.to_owned())),
        }
    }
}
