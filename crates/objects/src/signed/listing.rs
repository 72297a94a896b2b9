//! The answer to ListObjectsV2, read without a library: it is flat, and the builder must not compile an
//! XML reader for it. Pure.

use std::time::SystemTime;

/// One page of a listing.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct BucketPage {
    pub rows: Vec<BucketRow>,
    /// Names the next page.
    pub next: Option<String>,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct BucketRow {
    pub key: String,
    /// In bytes.
    pub size: u64,
    /// An object without a time never counts as old.
    pub modified: Option<SystemTime>,
}

impl BucketPage {
    /// `None` if it is not such an answer.
    pub fn read(text: &str) -> Option<Self> {
        let (_, mut rest) = text.split_once("<ListBucketResult")?;
        let head_and_tail = rest;
        let mut rows = Vec::new();
        while let Some((row, after)) = element(rest, "Contents") {
            let (key, _) = element(row, "Key")?;
            let (size, _) = element(row, "Size")?;
            let modified =
                element(row, "LastModified").and_then(|(text, _)| text.trim().parse::<jiff::Timestamp>().ok());
            rows.push(BucketRow {
                key: plain(key),
                size: size.trim().parse().ok()?,
                modified: modified.map(SystemTime::from),
            });
            rest = after;
        }
        let next = element(head_and_tail, "NextContinuationToken").map(|(token, _)| plain(token));
        Some(Self { rows, next })
    }
}

/// The content of the first element of this name, which has no attributes, and what follows it.
fn element<'a>(text: &'a str, name: &str) -> Option<(&'a str, &'a str)> {
    let (_, rest) = text.split_once(&format!("<{name}>"))?;
    rest.split_once(&format!("</{name}>"))
}

/// Text without XML's references to characters; an unknown reference stays as it is.
fn plain(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('&') {
        plain.push_str(before);
        let known = after.split_once(';').and_then(|(name, after)| Some((character(name)?, after)));
        let (char, after) = known.unwrap_or(('&', after));
        plain.push(char);
        rest = after;
    }
    plain + rest
}

fn character(name: &str) -> Option<char> {
    let number = |digits: &str, radix| u32::from_str_radix(digits, radix).ok().and_then(char::from_u32);
    match name {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        _ => match name.strip_prefix("#x") {
            Some(digits) => number(digits, 16),
            None => number(name.strip_prefix('#')?, 10),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_has_its_rows_and_names_the_next_one() {
        let text = "<?xml version=\"1.0\"?><ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\
                    <Name>b</Name><NextContinuationToken>a&amp;b&#34;&#x3d;&no;&</NextContinuationToken>\
                    <Contents><Key>p/a+b!.json</Key><LastModified>1970-01-01T00:00:01.000Z</LastModified>\
                    <ETag>&quot;e&quot;</ETag><Size>5</Size><Owner><ID>x</ID></Owner></Contents>\
                    <Contents><Size>0</Size><Key>p/c</Key></Contents></ListBucketResult>";
        let page = BucketPage::read(text).unwrap();
        assert_eq!(page.next.as_deref(), Some("a&b\"=&no;&"));
        let first = BucketRow {
            key: "p/a+b!.json".into(),
            size: 5,
            modified: Some(SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1)),
        };
        assert_eq!(page.rows, [first, BucketRow { key: "p/c".into(), size: 0, modified: None }]);
    }

    #[test]
    fn what_is_no_listing_is_none() {
        let cases = [
            // (text, whether it is read)
            ("<ListBucketResult></ListBucketResult>", true),
            ("<ListBucketResult/>", true),
            ("<html><Contents>", false),
            ("", false),
            ("<ListBucketResult><Contents><Key>a</Key></Contents>", false),
            ("<ListBucketResult><Contents><Key>a</Key><Size>-1</Size></Contents>", false),
        ];
        for (text, read) in cases {
            assert_eq!(BucketPage::read(text).is_some(), read, "for {text:?}");
        }
    }
}
