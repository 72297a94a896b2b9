//! What a source of interpreters says to a request, and which stand-in it offers.

use vocab::PythonVersion;

use super::error::BaseErrorKind;
use super::request::BaseSupply;

/// The answer of one source.
pub(super) enum SourceAnswer {
    Has {
        version: PythonVersion,
        origin: String,
        supply: BaseSupply,
    },
    /// The reason, for the message.
    Lacks(String),
    /// What the configuration says of this source cannot be followed, so no other takes its place.
    Refused(BaseErrorKind),
}

/// The best stand-in for `wanted`: the release itself, else the nearest newer patch release of the same minor
/// version, else the nearest older one.
pub(super) fn nearest_stand_in(
    wanted: PythonVersion,
    offered: impl IntoIterator<Item = PythonVersion>,
) -> Option<PythonVersion> {
    offered
        .into_iter()
        .filter(|version| version.same_series(wanted))
        .min_by_key(|version| (version.patch < wanted.patch, version.patch.abs_diff(wanted.patch)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stand_in_is_the_nearest_newer_patch_release_else_the_nearest_older() {
        let cases = [
            // (wanted, offered, taken)
            ("3.10.11", "3.10.6 3.10.13 3.10.16", Some("3.10.13")),
            ("3.10.11", "3.10.6 3.10.10", Some("3.10.10")),
            ("3.10.11", "3.10.16 3.10.11", Some("3.10.11")),
            ("3.12.10", "3.12.1", Some("3.12.1")),
            ("3.12.10", "3.13.0 3.11.7", None),
        ];
        for (wanted, offered, taken) in cases {
            let offered = offered.split(' ').map(|text| text.parse().unwrap());
            let found = nearest_stand_in(wanted.parse().unwrap(), offered);
            assert_eq!(found, taken.map(|text| text.parse().unwrap()), "for {wanted}");
        }
    }
}
