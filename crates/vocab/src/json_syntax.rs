//! Whether a text is JSON, and nothing else.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

/// Everything that `serde_json` reads as a [`Value`](serde_json::Value), with the same errors and nothing kept.
pub(crate) struct Syntax;

impl<'de> Deserialize<'de> for Syntax {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Self)
    }
}

impl<'de> Visitor<'de> for Syntax {
    type Value = Self;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("any valid JSON value")
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_str<E>(self, _: &str) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_unit<E>(self) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self, A::Error> {
        while items.next_element::<Self>()?.is_some() {}
        Ok(self)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self, A::Error> {
        while members.next_entry::<Self, Self>()?.is_some() {}
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    /// What `serde_json` reads as a value is what is read here, with the same error at the same place.
    #[test]
    fn the_syntax_is_that_of_serde_json() {
        let deep = "[".repeat(127) + &"]".repeat(127);
        let deeper = "[".repeat(128) + &"]".repeat(128);
        let texts = [
            "",
            "nul",
            "1e999",
            "-",
            "01",
            "1.",
            "[1,]",
            "{\"a\":1,}",
            r#""\ud800""#,
            r#""\ud800\u0041""#,
            "\"\u{1}\"",
            r#"{"a" 1}"#,
            r#"{1: 2}"#,
            "[1] 2",
            "// no",
            "18446744073709551616",
            "-9223372036854775809",
            &deep,
            &deeper,
            r#"{"a": [true, false, null, -1, 1.5, "\n"]}"#,
        ];
        for text in texts {
            let value = serde_json::from_str::<Value>(text).map(|_| ()).map_err(|error| error.to_string());
            let syntax = serde_json::from_str::<Syntax>(text).map(|_| ()).map_err(|error| error.to_string());
            assert_eq!(syntax, value, "for {text}");
        }
    }
}
