//! Sizes and times as people write them.

use std::time::Duration;

/// The text is not a size, or not a time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QuantityError {
    #[error("`{text}` is not a size: expected a number and B, K, M, G or T, as in 500M or 1.5T")]
    Size { text: String },
    #[error("`{text}` is not a duration: expected a whole number and s, m, h, d or w, as in 12h or 30d")]
    Duration { text: String },
}

/// In bytes: `500M`, `20G`, `1.5T`, also `20GB`. Units are decimal, as they are printed; `GiB` and its like are not.
pub fn parse_size(text: &str) -> Result<u64, QuantityError> {
    let failed = || QuantityError::Size { text: text.to_owned() };
    let split = text.find(|it: char| !it.is_ascii_digit() && it != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let factor: u64 = match unit.trim_start().to_ascii_uppercase().as_str() {
        "" | "B" => 1,
        "K" | "KB" => 1_000,
        "M" | "MB" => 1_000_000,
        "G" | "GB" => 1_000_000_000,
        "T" | "TB" => 1_000_000_000_000,
        "KIB" => 1 << 10,
        "MIB" => 1 << 20,
        "GIB" => 1 << 30,
        "TIB" => 1 << 40,
        _ => return Err(failed()),
    };
    // Whole numbers exactly, without rounding.
    if let Ok(number) = number.parse::<u64>() {
        return number.checked_mul(factor).ok_or_else(failed);
    }
    let number: f64 = number.parse().map_err(|_| failed())?;
    let bytes = number * factor as f64;
    if bytes.is_finite() && bytes < u64::MAX as f64 { Ok(bytes as u64) } else { Err(failed()) }
}

/// `45s`, `90m`, `12h`, `30d`, `4w`.
pub fn parse_duration(text: &str) -> Result<Duration, QuantityError> {
    let failed = || QuantityError::Duration { text: text.to_owned() };
    let split = text.find(|it: char| !it.is_ascii_digit()).ok_or_else(failed)?;
    let (number, unit) = text.split_at(split);
    let seconds: u64 = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 24 * 3600,
        "w" => 7 * 24 * 3600,
        _ => return Err(failed()),
    };
    let number: u64 = number.parse().map_err(|_| failed())?;
    number.checked_mul(seconds).map(Duration::from_secs).ok_or_else(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_a_number_and_a_unit() {
        let cases = [
            ("0", Some(0)),
            ("500M", Some(500_000_000)),
            ("20G", Some(20_000_000_000)),
            ("1.5T", Some(1_500_000_000_000)),
            ("20gb", Some(20_000_000_000)),
            ("2KiB", Some(2048)),
            ("", None),
            ("G", None),
            ("20 X", None),
            ("-1G", None),
            ("1.2.3G", None),
            ("99999999999T", None),
        ];
        for (text, expected) in cases {
            assert_eq!(parse_size(text).ok(), expected, "for {text:?}");
        }
    }

    #[test]
    fn times_are_a_whole_number_and_a_unit() {
        let cases = [
            ("45s", Some(45)),
            ("90m", Some(5400)),
            ("12h", Some(43_200)),
            ("30d", Some(2_592_000)),
            ("4w", Some(2_419_200)),
            ("0d", Some(0)),
            ("30", None),
            ("d", None),
            ("1.5d", None),
            ("30D", None),
            ("99999999999999999999w", None),
        ];
        for (text, expected) in cases {
            assert_eq!(parse_duration(text).ok(), expected.map(Duration::from_secs), "for {text:?}");
        }
    }
}
