//! What is in a bucket: page after page, in MessagePack or JSON.

use std::collections::VecDeque;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error as _, Visitor};
use serde_json::json;
use web::{Method, header};

use crate::call::{body, unreadable};
use crate::{BucketHandle, Error};

/// What to list, and what to say of it.
#[derive(Clone, Debug, Default)]
pub struct ListOptions {
    /// Only names that begin so.
    pub prefix: String,
    /// Separated by commas: `name,size,checksum,atime,version,cached,status,copies,ec,custom,location,chunked`. Empty:
    /// name and size.
    pub properties: String,
    /// Entries of one answer; 0 is what the server finds right (10,000 for AIStore's own buckets).
    pub page_size: u32,
    /// Only names after this one. AIStore's own buckets only.
    pub start_after: String,
    /// As Go writes formats down: `2006-01-02T15:04:05Z07:00`. Empty: `21 Aug 26 10:00 UTC`.
    pub time_format: String,
    pub flags: ListFlags,
    pub coding: ListingCoding,
}

/// How answers are asked for; what comes is read either way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ListingCoding {
    #[default]
    MessagePack,
    Json,
}

/// Bits that AIStore defines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ListFlags(pub u64);

impl ListFlags {
    /// In a remote bucket, what the cluster has.
    pub const CACHED: Self = Self(1);
    /// Also what is in archives.
    pub const IN_ARCHIVES: Self = Self(1 << 3);
    /// Leaves out all properties, which is quicker for the server.
    pub const NAMES_ONLY: Self = Self(1 << 4);
    /// Not what is further down; folders are entries of their own.
    pub const NOT_RECURSIVE: Self = Self(1 << 11);

    /// Both.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// An object, or a folder of a listing that is not recursive.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct ListingEntry {
    #[serde(alias = "n")]
    pub name: String,
    /// In bytes.
    #[serde(alias = "s", deserialize_with = "number")]
    pub size: u64,
    #[serde(alias = "cs")]
    pub checksum: String,
    /// When it was read last, in the form that was asked for.
    #[serde(alias = "a")]
    pub atime: String,
    #[serde(alias = "v")]
    pub version: String,
    /// Target and mountpath.
    #[serde(alias = "t")]
    pub location: String,
    #[serde(alias = "m", rename = "custom-md")]
    pub custom: String,
    #[serde(alias = "c", deserialize_with = "number")]
    pub copies: u64,
    /// Bits that AIStore defines.
    #[serde(alias = "f", deserialize_with = "number")]
    pub flags: u64,
}

impl ListingEntry {
    /// In a listing of a remote bucket: whether the cluster has a copy.
    pub fn is_in_cluster(&self) -> bool {
        self.flags & (1 << 6) != 0
    }

    /// Whether it is a file in an archive, in a listing with [`ListFlags::IN_ARCHIVES`].
    pub fn is_in_archive(&self) -> bool {
        self.flags & (1 << 7) != 0
    }

    /// Whether it is a folder, in a listing with [`ListFlags::NOT_RECURSIVE`].
    pub fn is_folder(&self) -> bool {
        self.flags & (1 << 8) != 0
    }

    /// Neither misplaced nor an extra copy.
    pub fn is_sound(&self) -> bool {
        self.flags & 0x1f == 0
    }
}

/// One answer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct ListingPage {
    /// Identifies the listing, for its next page.
    #[serde(alias = "UUID")]
    pub uuid: String,
    /// Empty: this is the last one. A page without entries may have one.
    #[serde(alias = "ContinuationToken", rename = "continuation_token")]
    pub token: String,
    #[serde(alias = "Entries", deserialize_with = "or_empty")]
    pub entries: Vec<ListingEntry>,
}

fn or_empty<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<ListingEntry>, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// A number, or the text of one.
fn number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    struct NumberVisitor;
    impl Visitor<'_> for NumberVisitor {
        type Value = u64;

        fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            formatter.write_str("a number")
        }

        fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<u64, E> {
            Ok(value)
        }

        fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<u64, E> {
            // Flags are a signed number of the server's: its bits count.
            Ok(u64::from_ne_bytes(value.to_ne_bytes()))
        }

        fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<u64, E> {
            text.parse().map_err(|_| E::custom("a text that is not a number"))
        }

        fn visit_unit<E: serde::de::Error>(self) -> Result<u64, E> {
            Ok(0)
        }
    }
    deserializer.deserialize_any(NumberVisitor).map_err(D::Error::custom)
}

impl ListingPage {
    /// # Errors
    /// Why it cannot be read.
    pub(crate) fn of(bytes: &[u8], coding: ListingCoding) -> Result<Self, String> {
        match coding {
            ListingCoding::MessagePack => rmp_serde::from_slice(bytes).map_err(|error| error.to_string()),
            ListingCoding::Json => serde_json::from_slice(bytes).map_err(|error| error.to_string()),
        }
    }
}

impl<'a> BucketHandle<'a> {
    /// All entries, page after page as they are taken.
    pub fn list(&self, options: &ListOptions) -> Listing<'a> {
        let (bucket, options) = (self.clone(), options.clone());
        Listing { bucket, options, entries: VecDeque::new(), uuid: String::new(), token: String::new(), is_last: false }
    }

    /// # Errors
    /// What the server says, on any page.
    pub fn list_all(&self, options: &ListOptions) -> Result<Vec<ListingEntry>, Error> {
        self.list(options).collect()
    }

    /// One page: the first, or the one after another page.
    ///
    /// # Errors
    /// What the server says.
    pub fn list_page(&self, options: &ListOptions, after: Option<&ListingPage>) -> Result<ListingPage, Error> {
        let (uuid, token) = after.map_or(("", ""), |page| (page.uuid.as_str(), page.token.as_str()));
        self.page(options, uuid, token)
    }

    fn page(&self, options: &ListOptions, uuid: &str, token: &str) -> Result<ListingPage, Error> {
        let value = json!({
            "prefix": options.prefix,
            "pagesize": options.page_size,
            "uuid": uuid,
            "props": options.properties,
            "continuation_token": token,
            "flags": options.flags.0.to_string(),
            "start_after": options.start_after,
            "time_format": options.time_format,
        });
        let mut call = self.new_call(Method::GET).action("list", &value);
        if options.coding == ListingCoding::MessagePack {
            call.headers.push((header::ACCEPT, "application/msgpack".to_owned()));
        }
        let request = call.shown();
        let answer = self.client.call(call)?;
        let kind = crate::headers::text(answer.headers(), header::CONTENT_TYPE.as_str()).unwrap_or_default();
        let coding = if kind.contains("msgpack") { ListingCoding::MessagePack } else { ListingCoding::Json };
        let bytes = body(&request, answer)?;
        let page = ListingPage::of(&bytes, coding).map_err(|reason| unreadable(&request, reason, &bytes))?;
        if !page.token.is_empty() && page.token == token {
            return Err(unreadable(&request, "the listing does not get on", page.token.as_bytes()));
        }
        Ok(page)
    }
}

/// Entries of a bucket; asks for the next page when it is needed. Ends after an error.
#[derive(Debug)]
pub struct Listing<'a> {
    bucket: BucketHandle<'a>,
    options: ListOptions,
    entries: VecDeque<ListingEntry>,
    uuid: String,
    token: String,
    is_last: bool,
}

impl Iterator for Listing<'_> {
    type Item = Result<ListingEntry, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        while self.entries.is_empty() && !self.is_last {
            match self.bucket.page(&self.options, &self.uuid, &self.token) {
                Ok(page) => {
                    self.is_last = page.token.is_empty();
                    (self.uuid, self.token) = (page.uuid, page.token);
                    self.entries = page.entries.into();
                }
                Err(error) => {
                    self.is_last = true;
                    return Some(Err(error));
                }
            }
        }
        self.entries.pop_front().map(Ok)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ais_17_json_and_messagepack_give_the_same_page() {
        let text = r#"{"uuid":"U","continuation_token":"b","entries":[{"name":"a","size":"5","checksum":"c0","atime":"t",
            "version":"1","location":"t[x]:mp","custom-md":"k=v","copies":1,"flags":64,"new":{"x":[1]}}],"flags":0}"#;
        let json = ListingPage::of(text.as_bytes(), ListingCoding::Json).unwrap();
        let packed = rmp_serde::to_vec_named(&serde_json::json!({
            "UUID": "U", "ContinuationToken": "b", "Flags": 0, "Entries": [{
                "n": "a", "s": 5, "cs": "c0", "a": "t", "v": "1", "t": "t[x]:mp", "m": "k=v", "c": 1, "f": 64,
            }],
        }));
        let packed = ListingPage::of(&packed.unwrap(), ListingCoding::MessagePack).unwrap();
        assert_eq!(json, packed);
        assert_eq!((json.entries[0].size, json.entries[0].is_in_cluster()), (5, true));
        for text in [r#"{"uuid":"U","continuation_token":"","entries":null,"flags":0}"#, r#"{"uuid":"U"}"#] {
            let page = ListingPage::of(text.as_bytes(), ListingCoding::Json).unwrap();
            assert_eq!((page.uuid.as_str(), page.entries.len(), page.token.as_str()), ("U", 0, ""));
        }
    }

    fn page() -> serde_json::Value {
        serde_json::json!({
            "UUID": "U", "ContinuationToken": "b", "Flags": 0, "Entries": [{ "n": "a", "s": 5, "f": 64 }],
        })
    }

    proptest! {
        #[test]
        fn pages_of_any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..512)) {
            for coding in [ListingCoding::Json, ListingCoding::MessagePack] {
                let _ = ListingPage::of(&bytes, coding);
            }
        }

        #[test]
        fn a_page_that_is_damaged_anywhere_is_read_or_refused(at in any::<prop::sample::Index>(), byte in any::<u8>()) {
            let value = page();
            for (mut bytes, coding) in [
                (rmp_serde::to_vec_named(&value).unwrap(), ListingCoding::MessagePack),
                (value.to_string().into_bytes(), ListingCoding::Json),
            ] {
                let at = at.index(bytes.len());
                bytes[at] = byte;
                let _ = ListingPage::of(&bytes, coding);
            }
        }

        #[test]
        fn a_page_that_is_cut_anywhere_is_refused(at in any::<prop::sample::Index>()) {
            let value = page();
            let packed = rmp_serde::to_vec_named(&value).unwrap();
            prop_assert!(ListingPage::of(&packed[..at.index(packed.len())], ListingCoding::MessagePack).is_err());
            let text = value.to_string();
            prop_assert!(ListingPage::of(&text.as_bytes()[..at.index(text.len())], ListingCoding::Json).is_err());
        }
    }
}
