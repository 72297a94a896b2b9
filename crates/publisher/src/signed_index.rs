//! The catalogue as one signed object, with a counter and an end. See `docs/formats/catalogue.md`.
//!
//! Once a destination has one, every change of the index has to be signed: readers with a key read nothing else, so
//! they would never see an unsigned change.

use catalogue::{Catalogue, Edition, IndexSettings, Moment, SignedCatalogue, VALID_DAYS, object_keys};

use crate::publish::PublishError;
use crate::signature::{SignatureError, Signer, verify_bytes};
use objects::{Object, Place};

/// Longest and shortest time that settings may ask for, in days.
const DAYS: std::ops::RangeInclusive<u32> = 1..=3650;

/// Who signs the index, and when.
#[derive(Clone, Copy, Debug)]
pub struct IndexSigning<'a> {
    pub signer: Option<&'a Signer>,
    pub now: Moment,
    /// Sign even if another key signed before, or the present signature is invalid.
    pub change_key: bool,
}

impl IndexSigning<'_> {
    /// Fails if the index may not be changed with this key, or without one. Call it before anything is uploaded.
    pub fn check(&self, to: &dyn Place) -> Result<(), PublishError> {
        let object = to.get(&object_keys::SIGNED_CATALOGUE.parse()?)?;
        self.standing(to.place(), object.as_ref()).map(|_| ())
    }

    /// The edition in `object`, verified with our key, unless the key is being changed.
    pub(crate) fn standing(&self, place: &str, object: Option<&Object>) -> Result<Option<Edition>, PublishError> {
        let Some(object) = object else { return Ok(None) };
        let place = || place.to_owned();
        let Some(signer) = self.signer else { return Err(PublishError::IndexSigned { place: place() }) };
        match opened(&signer.public_key(), &object.bytes) {
            Ok(edition) => Ok(Some(edition)),
            // The counter goes on even so: a reader may be given both keys.
            Err(_) if self.change_key => Ok(unverified(&object.bytes)),
            Err(source) => Err(PublishError::IndexKey { place: place(), source }),
        }
    }

    /// The new object. `None` if nothing is to be signed, or `standing` has the same content and is young enough.
    pub(crate) fn next(
        &self,
        place: &str,
        standing: Option<&Edition>,
        catalogue: &Catalogue,
        settings: &IndexSettings,
        anew: bool,
    ) -> Result<Option<Vec<u8>>, PublishError> {
        let Some(signer) = self.signer else { return Ok(None) };
        let same = standing.is_some_and(|it| it.catalogue == *catalogue && !it.is_due(self.now));
        if same && !anew {
            return Ok(None);
        }
        let days = settings.valid_days.unwrap_or(VALID_DAYS).clamp(*DAYS.start(), *DAYS.end());
        let edition = Edition::after(standing, catalogue.clone(), self.now, days)
            .ok_or_else(|| PublishError::IndexCounter { place: place.to_owned() })?;
        let text = edition.to_text();
        let comment = format!("catalogue counter:{} expires:{}", edition.counter, edition.expires);
        let signature = signer.sign(object_keys::SIGNED_CATALOGUE, text.as_bytes(), &comment)?;
        let signature = String::from_utf8_lossy(&signature).into_owned();
        Ok(Some(SignedCatalogue::new(signer.public_key(), signature, text).to_text().into_bytes()))
    }
}

/// The edition, if `public_key` (one-line form) signed it.
pub(crate) fn opened(public_key: &str, bytes: &[u8]) -> Result<Edition, SignatureError> {
    let what = object_keys::SIGNED_CATALOGUE;
    let wrong = |reason: String| SignatureError::Wrong { what: what.to_owned(), reason };
    let signed = SignedCatalogue::read(bytes).map_err(|error| wrong(error.to_string()))?;
    verify_bytes(what, public_key, signed.signature.as_bytes(), signed.edition.as_bytes())?;
    Edition::read(signed.edition.as_bytes()).map_err(|error| wrong(error.to_string()))
}

fn unverified(bytes: &[u8]) -> Option<Edition> {
    Edition::read(SignedCatalogue::read(bytes).ok()?.edition.as_bytes()).ok()
}

/// The key that is said to have signed. `None` if that cannot be read.
pub(crate) fn claimed_key(bytes: &[u8]) -> Option<String> {
    SignedCatalogue::read(bytes).ok().map(|signed| signed.public_key)
}
