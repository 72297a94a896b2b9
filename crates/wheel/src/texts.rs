//! The small files in a wheel's `.dist-info` that describe the wheel.

use std::collections::HashMap;
use std::io::Read as _;

use vocab::TreePath;
use vocab::record_format::{self, ListedFile};
use zip::ZipArchive;

use super::entry_points::{self, EntryPoints};
use super::unpack_error::UnpackErrorKind;
use super::zip_table::{SharedFile, WheelMember};
use super::{WheelFileName, WheelMetadata, metadata};

/// `NAME-VERSION` of the one `.dist-info` folder, which must be the wheel's own.
pub(super) fn stem(members: &[WheelMember], file_name: &WheelFileName) -> Result<String, UnpackErrorKind> {
    const ENDING: &str = ".dist-info";
    let stem_of = |folder: &'_ str| {
        let (stem, ending) = folder.split_at_checked(folder.len().checked_sub(ENDING.len())?)?;
        // Readers of installed distributions compare the ending without case.
        ending.eq_ignore_ascii_case(ENDING).then(|| stem.to_owned())
    };
    let mut stems: Vec<String> =
        members.iter().filter_map(|member| stem_of(member.path.as_str().split_once('/')?.0)).collect();
    stems.sort_unstable();
    stems.dedup();
    let malformed = |reason: String| UnpackErrorKind::Malformed { path: ".dist-info".into(), reason };
    let [stem] = &stems[..] else {
        return Err(malformed(format!("there must be one such folder, there are {}", stems.len())));
    };
    let fits = stem.split_once('-').is_some_and(|(name, version)| {
        name.parse().is_ok_and(|name: vocab::DistributionName| name == file_name.name)
            && same_version(version, &file_name.version)
    });
    if fits { Ok(stem.clone()) } else { Err(malformed(format!("`{stem}.dist-info` belongs to another wheel"))) }
}

/// In file names `-` is written as `_`, in versions too (`1.0+local_1`).
fn same_version(one: &str, other: &str) -> bool {
    let parse = |text: &str| text.replace('_', "-").parse::<pep440_rs::Version>().ok();
    one == other || parse(one).is_some_and(|version| Some(version) == parse(other))
}

/// The small files that describe the wheel.
pub(super) struct WheelTexts<'a> {
    pub archive: &'a ZipArchive<SharedFile>,
    pub members: &'a [WheelMember],
    /// `NAME-VERSION.dist-info`
    pub folder: String,
}

impl WheelTexts<'_> {
    fn read(&self, name: &str) -> Result<Option<Vec<u8>>, UnpackErrorKind> {
        let path = format!("{}/{name}", self.folder);
        let Some(member) = self.members.iter().find(|member| member.path.as_str() == path) else {
            return Ok(None);
        };
        const LARGEST: u64 = 64 << 20;
        if member.size > LARGEST {
            return Err(UnpackErrorKind::TooLarge { reason: format!("its `{path}` has more than {LARGEST} bytes") });
        }
        let mut archive = self.archive.clone();
        let mut bytes = Vec::new();
        let zip = |reason: String| UnpackErrorKind::Zip { reason };
        let entry = archive.by_index(member.index).map_err(|error| zip(error.to_string()))?;
        entry.take(LARGEST).read_to_end(&mut bytes).map_err(|error| zip(error.to_string()))?;
        Ok(Some(bytes))
    }

    fn needed(&self, name: &str) -> Result<Vec<u8>, UnpackErrorKind> {
        self.read(name)?.ok_or_else(|| self.malformed(name, "there is none".into()))
    }

    fn malformed(&self, name: &str, reason: String) -> UnpackErrorKind {
        UnpackErrorKind::Malformed { path: format!("{}/{name}", self.folder), reason }
    }

    pub(super) fn check_format(&self) -> Result<(), UnpackErrorKind> {
        match metadata::wheel_format(&self.needed("WHEEL")?) {
            Some(1) => Ok(()),
            Some(other) => Err(self.malformed("WHEEL", format!("Wheel-Version {other} is newer than this builder"))),
            None => Err(self.malformed("WHEEL", "it has no Wheel-Version".into())),
        }
    }

    pub(super) fn metadata(&self, file_name: &WheelFileName) -> Result<WheelMetadata, UnpackErrorKind> {
        let metadata = WheelMetadata::parse(&self.needed("METADATA")?)
            .ok_or_else(|| self.malformed("METADATA", "it has no Name and Version".into()))?;
        let same_name = metadata.name.parse().is_ok_and(|name: vocab::DistributionName| name == file_name.name);
        if same_name && same_version(&metadata.version, &file_name.version) {
            return Ok(metadata);
        }
        let reason = format!("it says {} {}, the file name says otherwise", metadata.name, metadata.version);
        Err(self.malformed("METADATA", reason))
    }

    pub(super) fn entry_points(&self) -> Result<EntryPoints, UnpackErrorKind> {
        let Some(bytes) = self.read("entry_points.txt")? else {
            return Ok(EntryPoints::default());
        };
        let malformed = |reason| self.malformed("entry_points.txt", reason);
        let text = String::from_utf8(bytes).map_err(|_| malformed("it is not UTF-8".into()))?;
        entry_points::parse(&text).map_err(|line| malformed(format!("`{line}` makes no script")))
    }

    pub(super) fn record(&self) -> Result<HashMap<TreePath, ListedFile>, UnpackErrorKind> {
        record_format::wheel_record(&self.needed("RECORD")?).map_err(|reason| UnpackErrorKind::Record { reason })
    }
}
