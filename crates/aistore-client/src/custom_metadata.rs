//! Custom metadata of objects: names with values, which travel as headers.

use std::collections::BTreeMap;

use web::HeaderMap;

use crate::Error;
use crate::headers::CUSTOM;
use crate::names::invalid;

/// Name → value. Both are printable ASCII without commas, names also without `=`, or they could not be read again.
pub type CustomMetadata = BTreeMap<String, String>;

/// The server joins pairs with commas when it answers, and headers are lines of ASCII: anything else could be written
/// and never read again.
pub(crate) fn check(metadata: &CustomMetadata) -> Result<(), Error> {
    for (name, value) in metadata {
        let is_text = |text: &str| text.bytes().all(|byte| (0x20..0x7f).contains(&byte) && byte != b',');
        if name.is_empty() || name.contains('=') || !is_text(name) || name.trim() != name {
            return Err(invalid("name of custom metadata", name, "printable ASCII without `=` and `,`"));
        }
        if !is_text(value) || value.trim() != value {
            let reason = "printable ASCII without `,` and without spaces at its ends";
            return Err(invalid("value of custom metadata", value, reason));
        }
    }
    Ok(())
}

/// Repeated headers, or pairs with `, ` between them. What has no `=` belongs to the value before it.
pub(crate) fn of_headers(headers: &HeaderMap) -> CustomMetadata {
    let mut pairs: Vec<(String, String)> = Vec::new();
    for value in headers.get_all(CUSTOM) {
        let text = String::from_utf8_lossy(value.as_bytes());
        for piece in text.split(", ").filter(|piece| !piece.is_empty()) {
            match (piece.split_once('='), pairs.last_mut()) {
                (Some((name, value)), _) => pairs.push((name.to_owned(), value.to_owned())),
                (None, Some((_, value))) => {
                    value.push_str(", ");
                    value.push_str(piece);
                }
                (None, None) => {}
            }
        }
    }
    pairs.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_not_be_read_again_is_refused() {
        let of = |name: &str, value: &str| check(&CustomMetadata::from([(name.to_owned(), value.to_owned())]));
        assert!(of("k", "v = 1").is_ok());
        for (name, value) in
            [("", "v"), ("a=b", "v"), ("a,b", "v"), ("k", "a, b"), ("k", "é"), ("k", "a\nb"), ("k", " v")]
        {
            assert!(of(name, value).is_err(), "{name:?} {value:?}");
        }
    }
}
