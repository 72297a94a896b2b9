//! A point in time as entries record it: RFC 3339, UTC, whole seconds, so that equal moments are equal text.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// `2026-11-24T23:42:00Z`. The caller takes it from `SOURCE_DATE_EPOCH` or from the clock; nothing here does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Moment(jiff::Timestamp);

impl Moment {
    /// `seconds` since 1970, as in `SOURCE_DATE_EPOCH`. `None` outside the years -9999 to 9999.
    pub fn from_unix_seconds(seconds: i64) -> Option<Self> {
        jiff::Timestamp::from_second(seconds).ok().map(Self)
    }

    /// Seconds since 1970; negative before.
    pub fn unix_seconds(self) -> i64 {
        self.0.as_second()
    }

    /// `2026-11-24`.
    pub fn date(self) -> String {
        self.0.strftime("%Y-%m-%d").to_string()
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&self.0.to_string())
    }
}

/// The text is not an RFC 3339 time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a time in RFC 3339, such as 2026-11-24T23:42:00Z")]
pub struct MomentError {
    pub text: String,
}

impl FromStr for Moment {
    type Err = MomentError;

    /// Any offset and any fraction are accepted; the fraction is dropped.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let malformed = || MomentError { text: text.to_owned() };
        let exact: jiff::Timestamp = text.parse().map_err(|_| malformed())?;
        Self::from_unix_seconds(exact.as_second()).ok_or_else(malformed)
    }
}

impl TryFrom<String> for Moment {
    type Error = MomentError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Moment> for String {
    fn from(moment: Moment) -> Self {
        moment.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_moments_have_one_text() {
        let cases = [
            // (text, canonical; `None` when refused)
            ("2026-11-24T23:42:00Z", Some("2026-11-24T23:42:00Z")),
            ("2026-11-25T01:42:00.75+02:00", Some("2026-11-24T23:42:00Z")),
            ("2026-11-24", None),
            ("yesterday", None),
            ("", None),
        ];
        for (text, canonical) in cases {
            let parsed = text.parse::<Moment>().ok().map(|moment| moment.to_string());
            assert_eq!(parsed.as_deref(), canonical, "for {text:?}");
        }
        let epoch = Moment::from_unix_seconds(0).unwrap();
        assert_eq!((epoch.to_string().as_str(), epoch.date().as_str()), ("1970-01-01T00:00:00Z", "1970-01-01"));
        assert_eq!(Moment::from_unix_seconds(i64::MAX), None);
    }
}
