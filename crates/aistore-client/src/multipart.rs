//! An object in parts, which may be sent in any order and at once.

use serde_json::json;
use web::Method;

use crate::call::{ApiCall, body_text, unreadable};
use crate::custom_metadata::{self, CustomMetadata};
use crate::headers::CUSTOM;
use crate::{ChecksumKind, Error, ObjectContent, ObjectHandle};

/// An upload that was begun. Nothing is visible before [`MultipartUpload::complete`].
#[derive(Clone, Debug)]
pub struct MultipartUpload<'a> {
    object: ObjectHandle<'a>,
    id: String,
}

impl<'a> ObjectHandle<'a> {
    /// # Errors
    /// What the server says.
    pub fn begin_multipart(&self, custom: &CustomMetadata) -> Result<MultipartUpload<'a>, Error> {
        custom_metadata::check(custom)?;
        let mut call = self.new_call(Method::POST).action("mpt-upload", &());
        for (name, value) in custom {
            call.header(CUSTOM, format!("{name}={value}"));
        }
        let request = call.shown();
        let id = body_text(&request, self.client.call(call)?)?;
        if id.is_empty() {
            return Err(unreadable(&request, "it names no upload", &[]));
        }
        Ok(self.multipart(&id))
    }

    /// An upload that somebody began; nothing is asked.
    pub fn multipart(&self, id: &str) -> MultipartUpload<'a> {
        MultipartUpload { object: self.clone(), id: id.to_owned() }
    }
}

impl MultipartUpload<'_> {
    /// The id for [`ObjectHandle::multipart`], to go on in another process.
    pub fn id(&self) -> &str {
        &self.id
    }

    fn call(&self, method: Method) -> ApiCall {
        let mut call = self.object.new_call(method);
        call.query.push(("uploadId", self.id.clone()));
        call
    }

    /// Numbers begin with 1. A part that is there is replaced. At least one byte.
    ///
    /// # Errors
    /// What the server says.
    pub fn put_part(&self, number: u32, content: ObjectContent) -> Result<(), Error> {
        let mut call = self.call(Method::PUT);
        call.is_repeatable = true;
        call.query.push(("partNumber", number.to_string()));
        self.object.send(call, content, None, None::<ChecksumKind>).map(drop)
    }

    /// Makes the object of `parts` parts, all of those that were sent.
    ///
    /// # Errors
    /// What the server says.
    pub fn complete(&self, parts: u32) -> Result<(), Error> {
        self.complete_with(&(1..=parts).collect::<Vec<_>>())
    }

    /// As [`MultipartUpload::complete`], naming the parts. The server wants all of them named, in any order.
    ///
    /// # Errors
    /// What the server says.
    pub fn complete_with(&self, parts: &[u32]) -> Result<(), Error> {
        let value: Vec<_> = parts.iter().map(|number| json!({ "part-number": number, "etag": "" })).collect();
        self.object.client.call(self.call(Method::POST).action("mpt-complete", &value)).map(drop)
    }

    /// Forgets what was sent.
    ///
    /// # Errors
    /// What the server says.
    pub fn abort(&self) -> Result<(), Error> {
        self.object.client.call(self.call(Method::DELETE).action("mpt-abort", &())).map(drop)
    }
}
