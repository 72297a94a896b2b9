//! Reading an object as it arrives, for readers that write ranges to their own places.

use std::io::Read;
use std::ops::Range;

use web::header;

use super::SignedBucket;
use crate::refusal::BucketFailure;
use crate::{ObjectKey, UNWATCHED};

/// An answer that has begun; its bytes are still to come.
pub struct ObjectStream {
    pub body: Box<dyn Read + Send>,
    /// 200 or 206.
    pub status: u16,
    /// `Content-Range`, as the server wrote it.
    pub content_range: Option<String>,
    /// Of the body, in bytes.
    pub length: Option<u64>,
    /// Another state of the object has another one.
    pub tag: Option<String>,
}

impl SignedBucket {
    /// Requests an object, or a range of it. `None` if it does not exist.
    pub fn stream(&self, key: &ObjectKey, range: Option<Range<u64>>) -> Result<Option<ObjectStream>, BucketFailure> {
        let answer = self.fetch(key, range, UNWATCHED)?;
        Ok(answer.map(|answer| {
            let text = |name| answer.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
            let (content_range, tag) = (text(header::CONTENT_RANGE), text(header::ETAG));
            let length = text(header::CONTENT_LENGTH).and_then(|text| text.parse().ok());
            let status = answer.status().as_u16();
            ObjectStream { body: Box::new(answer.into_body()), status, content_range, length, tag }
        }))
    }
}
