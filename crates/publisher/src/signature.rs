//! Signatures in the form of minisign (Ed25519), which its stock program verifies.

use std::fmt;
use std::io::{Cursor, Read, Seek};

use minisign::{KeyPair, PublicKey, SecretKey, SecretKeyBox, SignatureBox};
use vocab::{Exit, Fault};

/// The message never holds any of a key or password.
#[derive(Debug, thiserror::Error)]
pub enum SignatureError {
    #[error("the signing key in {given} cannot be used: {reason}")]
    Key { given: String, reason: &'static str },
    #[error("cannot sign `{what}`: {reason}")]
    Sign { what: String, reason: String },
    #[error("`{text}` is not a minisign public key")]
    PublicKey { text: String },
    #[error("the signature of `{what}` does not hold: {reason}")]
    Wrong { what: String, reason: String },
}

impl Fault for SignatureError {
    fn code(&self) -> &'static str {
        match self {
            Self::Key { .. } | Self::PublicKey { .. } => "E_SIGNING_KEY",
            Self::Sign { .. } => "E_SIGN",
            Self::Wrong { .. } => "E_SIGNATURE",
        }
    }

    fn exit(&self) -> Exit {
        match self {
            Self::Key { .. } | Self::PublicKey { .. } => Exit::Usage,
            Self::Sign { .. } => Exit::Build,
            Self::Wrong { .. } => Exit::Trust,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Key { .. } => Some(
                "`publisher keygen` makes one; a key with a password needs PYDIST_SIGNING_PASSWORD or a terminal"
                    .to_owned(),
            ),
            Self::PublicKey { .. } => Some("it is the second line of a `.pub` file".to_owned()),
            Self::Wrong { .. } => Some("do not use it; find out who changed it".to_owned()),
            Self::Sign { .. } => None,
        }
    }
}

/// A secret key, unlocked. Shows only its number.
pub struct Signer {
    secret: SecretKey,
    public: PublicKey,
}

impl fmt::Debug for Signer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Signer").field(&self.public_key()).finish()
    }
}

/// What can open a key.
#[derive(Clone)]
pub enum Password {
    None,
    Text(String),
    /// The terminal is asked, where the key needs one.
    Ask,
}

impl fmt::Debug for Password {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Password")
    }
}

impl Signer {
    /// `text` is the content of a minisign secret key file; `given` says where it came from.
    pub fn new(text: &str, given: &str, password: Password) -> Result<Self, SignatureError> {
        let fault = |reason| SignatureError::Key { given: given.to_owned(), reason };
        let boxed = SecretKeyBox::from_string(text.trim()).map_err(|_| fault("it is no minisign secret key"))?;
        let plain = SecretKeyBox::from_string(text.trim()).ok().and_then(|it| it.into_unencrypted_secret_key().ok());
        let secret = match (plain, password) {
            (Some(secret), _) => secret,
            (None, Password::None) => return Err(fault("it has a password, and none was given")),
            (None, Password::Text(password)) => {
                boxed.into_secret_key(Some(password)).map_err(|_| fault("the password does not fit"))?
            }
            (None, Password::Ask) => boxed.into_secret_key(None).map_err(|_| fault("the password does not fit"))?,
        };
        let public = PublicKey::from_secret_key(&secret).map_err(|_| fault("it holds no key pair"))?;
        Ok(Self { secret, public })
    }

    /// In minisign's one-line form.
    pub fn public_key(&self) -> String {
        self.public.to_base64()
    }

    /// A signature file. `comment` is signed as well: one line.
    pub fn sign(&self, what: &str, data: impl Read, comment: &str) -> Result<Vec<u8>, SignatureError> {
        let signed = minisign::sign(
            Some(&self.public),
            &self.secret,
            data,
            Some(comment),
            Some("signature of a pydist runtime"),
        );
        let signed =
            signed.map_err(|error| SignatureError::Sign { what: what.to_owned(), reason: error.to_string() })?;
        Ok(signed.into_string().into_bytes())
    }
}

/// Whether `signature`, a signature file, is that of `data` by `public_key` (one-line form). Gives the signed comment.
pub fn verify_signature(
    what: &str,
    public_key: &str,
    signature: &[u8],
    data: impl Read + Seek,
) -> Result<String, SignatureError> {
    let key =
        PublicKey::from_base64(public_key).map_err(|_| SignatureError::PublicKey { text: public_key.to_owned() })?;
    let wrong = |reason: String| SignatureError::Wrong { what: what.to_owned(), reason };
    let text = std::str::from_utf8(signature).map_err(|_| wrong("it is no text".to_owned()))?;
    let signature = SignatureBox::from_string(text).map_err(|error| wrong(error.to_string()))?;
    minisign::verify(&key, &signature, data, true, false, false).map_err(|error| wrong(error.to_string()))?;
    signature.trusted_comment().map_err(|error| wrong(error.to_string()))
}

/// [`verify_signature`] of what is in memory.
pub fn verify_bytes(what: &str, public_key: &str, signature: &[u8], data: &[u8]) -> Result<String, SignatureError> {
    verify_signature(what, public_key, signature, Cursor::new(data))
}

/// The texts of a new pair: secret key file, public key file.
pub fn new_key_pair(password: Password) -> Result<(String, String), SignatureError> {
    let fault = |_| SignatureError::Key { given: "a new pair".to_owned(), reason: "it cannot be made" };
    let pair = match password {
        Password::Text(password) => KeyPair::generate_encrypted_keypair(Some(password)),
        Password::Ask => KeyPair::generate_encrypted_keypair(None),
        Password::None => KeyPair::generate_unencrypted_keypair(),
    };
    let pair = pair.map_err(fault)?;
    let secret = pair.sk.to_box(Some("pydist secret key")).map_err(fault)?.into_string();
    let public = pair.pk.to_box().map_err(fault)?.into_string();
    Ok((secret, public))
}
