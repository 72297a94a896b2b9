//! What is asked for, and how it is read.

use fetch::{FetchSettings, FetchWatch, ReuseMode, without_secrets};
use vocab::RuntimeRequest;

use crate::offer_request::{OfferReader, OfferRequest};
use crate::{GetError, GetErrorKind};

/// What to install, from where, and what may be trusted.
#[derive(Debug)]
pub struct GetRequest {
    /// The newest that is offered of these.
    pub asked: RuntimeRequest,
    pub offer: OfferRequest,
    /// Compare the digest of every installed file.
    pub verify: bool,
    /// Install again, reusing the undamaged parts of what is installed.
    pub reinstall: bool,
    /// Accept an older build, or one that was known as retracted.
    pub allow_older: bool,
    /// What becomes of files that an installed build has already.
    pub reuse: ReuseMode,
}

impl GetRequest {
    /// Nothing but the newest build, whose files are its own.
    pub fn new(asked: RuntimeRequest, offer: OfferRequest) -> Self {
        Self { asked, offer, verify: false, reinstall: false, allow_older: false, reuse: ReuseMode::Own }
    }

    /// The error, with what was asked for.
    pub(crate) fn failed(&self, kind: GetErrorKind) -> GetError {
        let OfferRequest { platform, from, .. } = &self.offer;
        GetError { asked: self.asked.clone(), platform: *platform, from: without_secrets(from), kind: Box::new(kind) }
    }
}

/// One [`crate::get()`].
pub(crate) struct GetJob<'a> {
    pub request: &'a GetRequest,
    pub reader: OfferReader<'a>,
    /// The build is installed and damaged; what was added to it stays.
    pub repairs: bool,
}

impl<'a> GetJob<'a> {
    pub(crate) fn new(request: &'a GetRequest, settings: &'a FetchSettings, watch: FetchWatch<'a>) -> Self {
        Self { request, reader: OfferReader { request: &request.offer, settings, watch }, repairs: false }
    }
}
