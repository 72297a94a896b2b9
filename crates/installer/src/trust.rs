//! Whose signatures are trusted. Source: the file formats of minisign.

use minisign_verify::Signature;

/// A key that the reader obtained through another channel than the catalogue.
#[derive(Clone)]
pub struct PublicKey {
    key: minisign_verify::PublicKey,
    line: String,
}

impl PublicKey {
    /// Parses the content of a key file (a comment line, then the key) or the key's line alone.
    pub fn of_text(text: &str) -> Result<Self, TrustError> {
        let text = text.trim();
        let key = match text.lines().count() {
            1 => minisign_verify::PublicKey::from_base64(text),
            _ => minisign_verify::PublicKey::decode(text),
        };
        let line = text.lines().next_back().unwrap_or_default().trim().to_owned();
        key.map(|key| Self { key, line }).map_err(|error| TrustError::Key { reason: error.to_string() })
    }

    /// In minisign's one-line form.
    pub fn line(&self) -> &str {
        &self.line
    }

    /// `signature` is a `.minisig` file's content. Only prehashed signatures count, as minisign writes them by default.
    pub fn verify(&self, data: &[u8], signature: &[u8]) -> Result<(), TrustError> {
        let wrong = |reason: String| TrustError::Signature { reason };
        let text = str::from_utf8(signature).map_err(|_| wrong("it is not text".to_owned()))?;
        let signature = Signature::decode(text).map_err(|error| wrong(error.to_string()))?;
        self.key.verify(data, &signature, false).map_err(|error| match error {
            minisign_verify::Error::UnexpectedKeyId => TrustError::OtherKey,
            error => wrong(error.to_string()),
        })
    }
}

/// The first of several keys that signed `data`; an error if none did.
pub fn signer_of<'a>(keys: &'a [PublicKey], data: &[u8], signature: &[u8]) -> Result<&'a PublicKey, TrustError> {
    let mut first = None;
    for key in keys {
        match key.verify(data, signature) {
            Ok(()) => return Ok(key),
            // A key that made the signature knows best what is wrong.
            Err(error) if first.is_none() || first == Some(TrustError::OtherKey) => first = Some(error),
            Err(_) => {}
        }
    }
    Err(first.unwrap_or_else(|| TrustError::Signature { reason: "no key was given".to_owned() }))
}

impl std::fmt::Debug for PublicKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_tuple("PublicKey").field(&self.line).finish()
    }
}

/// A key or a signature cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TrustError {
    #[error("not a minisign public key: {reason}")]
    Key { reason: String },
    #[error("the signature does not belong to the key and the data: {reason}")]
    Signature { reason: String },
    #[error("the signature does not belong to the key and the data: it was made with another key")]
    OtherKey,
}

#[cfg(test)]
mod tests {
    use minisign::KeyPair;

    use super::*;

    #[test]
    fn only_the_key_that_signed_exactly_these_bytes_is_content() {
        let pair = KeyPair::generate_unencrypted_keypair().unwrap();
        let other = KeyPair::generate_unencrypted_keypair().unwrap();
        let signature = minisign::sign(Some(&pair.pk), &pair.sk, &b"data"[..], None, None).unwrap().into_string();
        let line = pair.pk.to_base64();
        let file = pair.pk.to_box().unwrap().into_string();
        for text in [&line, &file, &format!("{line}\n")] {
            let key = PublicKey::of_text(text).unwrap();
            assert_eq!(key.verify(b"data", signature.as_bytes()), Ok(()), "for {text:?}");
            for (data, signature) in [(&b"other"[..], signature.as_bytes()), (b"data", b"\xff"), (b"data", b"signed")] {
                assert!(matches!(key.verify(data, signature), Err(TrustError::Signature { .. })));
            }
        }
        let other = PublicKey::of_text(&other.pk.to_base64()).unwrap();
        assert!(other.verify(b"data", signature.as_bytes()).is_err());
        let keys = [other, PublicKey::of_text(&file).unwrap()];
        assert_eq!(signer_of(&keys, b"data", signature.as_bytes()).unwrap().line(), line);
        assert!(signer_of(&keys[..1], b"data", signature.as_bytes()).is_err());
        assert!(signer_of(&[], b"data", signature.as_bytes()).is_err());
        for text in ["", "RWQ", "a\nb\nc", &line[1..]] {
            assert!(matches!(PublicKey::of_text(text), Err(TrustError::Key { .. })), "for {text:?}");
        }
    }
}
