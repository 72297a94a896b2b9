//! The catalogue that may be trusted. With a key: signed by it, not expired, and not older than one that was read
//! before.

use catalogue::{BuildQuery, Catalogue, Channel, Edition, Moment, Retraction, SignedCatalogue, object_keys};
use fetch::{FetchError, FetchErrorKind, FetchSettings, FetchWatch, without_secrets};
use vocab::{Digest, Event, Fault, PlatformKey, VersionString};

use crate::get_error::offline;
use crate::kept_catalogue::KeptCatalogue;
use crate::offer_request::{OfferReader, OfferRequest};
use crate::trust::signer_of;
use crate::{GetErrorKind, PublicKey};

/// What is offered, and what was known before.
pub(crate) struct CatalogueOffer<'a> {
    pub catalogue: Catalogue,
    /// Seen as retracted at some time, at this location and under these keys.
    pub known_retractions: Vec<Retraction>,
    kept: KeptCatalogue,
    /// The key that signed it.
    key: Option<&'a PublicKey>,
}

impl CatalogueOffer<'_> {
    /// Once `accepted`, a build is no longer known as retracted.
    pub(crate) fn keep(&mut self, reader: &OfferReader<'_>, accepted: Option<&catalogue::CatalogueRow>) {
        let is_accepted = |row: &Retraction| accepted.is_some_and(|it| is_build(row, it));
        self.kept.retracted.retain(|row| !is_accepted(row));
        let home = &reader.request.home;
        if let Err(error) = self.kept.save(home, &reader.request.from, self.key) {
            // Whether anything has to be written is not known yet.
            (reader.watch.tell)(Event::Note {
                text: format!(
                    "the catalogue cannot be kept below `{}`, for --offline and to recognise an older one: {error}",
                    home.root().display()
                ),
            });
        }
    }
}

/// A build that a source offers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OfferedBuild {
    pub version: VersionString,
    pub build_key: Digest,
    pub channel: Channel,
    pub created: Moment,
    /// Of the artifact, in bytes.
    pub size: u64,
    pub is_installed: bool,
    /// The one that `<version>-current` leads to.
    pub is_current: bool,
}

/// The catalogue cannot be read, or not be believed.
#[derive(Debug, thiserror::Error, Fault)]
#[error("cannot list what `{from}` offers for {platform}")]
#[fault(transparent = kind)]
pub struct OfferError {
    pub platform: PlatformKey,
    /// Without user, password and query.
    pub from: String,
    #[source]
    pub kind: Box<GetErrorKind>,
}

/// The newest build of each version that is offered for the platform and channel of `request`. The catalogue is believed as
/// for [`crate::get()`]; nothing is installed.
pub fn on_offer(
    request: &OfferRequest,
    settings: &FetchSettings,
    watch: FetchWatch<'_>,
) -> Result<Vec<OfferedBuild>, OfferError> {
    let reader = OfferReader { request, settings, watch };
    let OfferRequest { platform, channel, home, .. } = request;
    let offered = || -> Result<_, GetErrorKind> {
        let offer = reader.offer()?;
        let versions = offer.catalogue.versions_for(*platform, *channel);
        let newest = |version: &VersionString| {
            let row = offer.catalogue.look_up(&BuildQuery::new(version.clone(), *platform, *channel))?;
            let folder = home.folder(version, &row.build_key);
            Ok(OfferedBuild {
                version: version.clone(),
                build_key: row.build_key,
                channel: row.channel,
                created: row.created,
                size: row.artifact.size,
                is_installed: home.has(&folder),
                is_current: home.current(version).as_ref() == Some(&folder),
            })
        };
        versions.into_iter().map(newest).collect()
    };
    offered().map_err(|kind| OfferError {
        platform: *platform,
        from: without_secrets(&request.from),
        kind: Box::new(kind),
    })
}

/// Whatever the format of its artifact.
pub(crate) fn is_build(retraction: &Retraction, row: &catalogue::CatalogueRow) -> bool {
    let (left, right) = (&retraction.entry, row.id());
    (&left.runtime, left.platform, left.build_key) == (&right.runtime, right.platform, right.build_key)
}

impl<'a> OfferReader<'a> {
    pub(crate) fn offer(&self) -> Result<CatalogueOffer<'a>, GetErrorKind> {
        let request = self.request;
        let keys = &request.public_keys;
        let contexts: Vec<Option<&PublicKey>> = match keys.as_slice() {
            [] => vec![None],
            keys => keys.iter().map(Some).collect(),
        };
        let before: Vec<KeptCatalogue> =
            contexts.iter().filter_map(|key| KeptCatalogue::read(&request.home, &request.from, *key)).collect();
        let text = match self.needs_network_and_has_none() {
            true => {
                let newest = before.iter().max_by_key(|kept| kept.counter);
                newest.ok_or_else(|| offline("the catalogue was never read from here"))?.text.clone().into_bytes()
            }
            false => self.catalogue_text()?,
        };
        let (catalogue, key, counter) = if keys.is_empty() {
            (Catalogue::read(&text)?, None, 0)
        } else {
            let (edition, key) = self.verified(&text)?;
            let greatest = before.iter().map(|kept| kept.counter).max().unwrap_or_default();
            if edition.counter < greatest {
                return Err(GetErrorKind::Rollback { found: edition.counter, known: greatest, signed: edition.signed });
            }
            (edition.catalogue, Some(key), edition.counter)
        };
        let known_retractions: Vec<Retraction> = before.into_iter().flat_map(|kept| kept.retracted).collect();
        let mut kept = KeptCatalogue::new(counter, &text);
        kept.remember(&known_retractions, &catalogue.retracted);
        Ok(CatalogueOffer { catalogue, known_retractions, kept, key })
    }

    fn catalogue_text(&self) -> Result<Vec<u8>, GetErrorKind> {
        if self.request.public_keys.is_empty() {
            return self.small(&object_keys::CATALOGUE.parse().expect("a plain name"));
        }
        match self.small(&object_keys::SIGNED_CATALOGUE.parse().expect("a plain name")) {
            Err(GetErrorKind::Fetch(error)) if is_absent(&error) => Err(GetErrorKind::UnsignedCatalogue),
            result => result,
        }
    }

    fn verified(&self, text: &[u8]) -> Result<(Edition, &'a PublicKey), GetErrorKind> {
        let signed = SignedCatalogue::read(text)?;
        let keys = &self.request.public_keys;
        let key = signer_of(keys, signed.edition.as_bytes(), signed.signature.as_bytes())
            .map_err(|source| GetErrorKind::Signature { what: "the catalogue", source })?;
        let edition = Edition::read(signed.edition.as_bytes())?;
        if edition.has_expired(self.request.now) {
            if !self.needs_network_and_has_none() {
                return Err(GetErrorKind::Expired { at: edition.expires });
            }
            // Nothing newer can be requested, and what is installed does not change.
            (self.watch.tell)(Event::Warning {
                code: "W_GET_EXPIRED",
                text: format!("the catalogue that was read last expired at {}", edition.expires),
                place: None,
                hint: Some("run it once without --offline".to_owned()),
            });
        }
        Ok((edition, key))
    }
}

fn is_absent(error: &FetchError) -> bool {
    match &error.kind {
        FetchErrorKind::Status { status, .. } => matches!(status, 404 | 410),
        FetchErrorKind::Read { source, .. } => source.kind() == std::io::ErrorKind::NotFound,
        _ => false,
    }
}
