//! Signatures in the form of minisign (Ed25519), which its stock program verifies.

use std::io::{self, Read, Write};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use minisign::{KeyPair, PublicKey, SecretKey, SecretKeyBox};
use minisign_verify::{Signature, StreamVerifier};
use ring::signature::{ED25519, Ed25519KeyPair, UnparsedPublicKey};
use vocab::Fault;
use web::Secret;

/// Offset in the bytes of an unlocked secret key: algorithms, salt, limits and the key's number come before.
const ED25519_AT: usize = 62;
/// Size of a seed, and of a public key.
const ED25519_SIZE: usize = 32;
/// The bytes before the 32 bytes of a public key in its usual container. Source: RFC 8410, 4 and 10.1.
const SPKI_HEAD: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

/// Messages never hold any part of a key or password.
#[derive(Debug, thiserror::Error, Fault)]
pub enum SignatureError {
    #[error("the signing key in {given} cannot be used: {reason}")]
    #[fault(
        "E_SIGNING_KEY",
        Usage,
        hint("`publisher keygen` makes one; a key with a password needs PYDIST_SIGNING_PASSWORD or a terminal")
    )]
    Key { given: String, reason: &'static str },
    #[error("cannot sign `{what}`: {reason}")]
    #[fault("E_SIGN", Build)]
    Sign { what: String, reason: String },
    #[error("`{text}` is not a minisign public key")]
    #[fault("E_SIGNING_KEY", Usage, hint("it is the second line of a `.pub` file"))]
    PublicKey { text: String },
    #[error("the signature of `{what}` is not valid: {reason}")]
    #[fault("E_SIGNATURE", Trust, hint("do not use it; find out who changed it"))]
    Wrong { what: String, reason: String },
}

/// An unlocked secret key.
#[derive(Debug)]
pub struct Signer {
    secret: Secret<SecretKey>,
    public: PublicKey,
    /// The same key, for signatures over plain bytes.
    plain: Secret<Ed25519KeyPair>,
}

/// What can open a key.
#[derive(Clone, Debug)]
pub enum KeyPassword {
    None,
    Text(Secret),
    /// The terminal is asked, where the key needs one.
    Ask,
}

impl Signer {
    /// `text` is the content of a minisign secret key file; `given` says where it came from.
    pub fn new(text: &str, given: &str, password: KeyPassword) -> Result<Self, SignatureError> {
        let fault = |reason| SignatureError::Key { given: given.to_owned(), reason };
        let boxed = SecretKeyBox::from_string(text.trim()).map_err(|_| fault("it is not a minisign secret key"))?;
        let plain = SecretKeyBox::from_string(text.trim()).ok().and_then(|it| it.into_unencrypted_secret_key().ok());
        let secret = match (plain, password) {
            (Some(secret), _) => secret,
            (None, KeyPassword::None) => return Err(fault("it has a password, and none was given")),
            (None, KeyPassword::Text(password)) => boxed
                .into_secret_key(Some(password.reveal().to_owned()))
                .map_err(|_| fault("the password does not fit"))?,
            (None, KeyPassword::Ask) => boxed.into_secret_key(None).map_err(|_| fault("the password does not fit"))?,
        };
        let public = PublicKey::from_secret_key(&secret).map_err(|_| fault("it holds no key pair"))?;
        let bytes = secret.to_bytes();
        let halves = bytes.get(ED25519_AT..ED25519_AT + 2 * ED25519_SIZE).map(|key| key.split_at(ED25519_SIZE));
        let plain = halves.and_then(|(seed, public)| Ed25519KeyPair::from_seed_and_public_key(seed, public).ok());
        let plain = plain.ok_or_else(|| fault("it holds no key pair"))?;
        Ok(Self { secret: Secret::hiding(secret), public, plain: Secret::hiding(plain) })
    }

    /// In minisign's one-line form.
    pub fn public_key(&self) -> String {
        self.public.to_base64()
    }

    /// As minisign shows it.
    pub fn key_number(&self) -> String {
        let bytes = self.public.keynum().iter().rev();
        bytes.map(|byte| format!("{byte:02X}")).collect()
    }

    /// Ed25519 over `message` as it is, where [`Signer::sign`] signs a digest of it. For formats that begin with a mark
    /// of their own, so that it can never be taken for something else that this key signed.
    pub fn sign_plain(&self, message: &[u8]) -> Vec<u8> {
        self.plain.as_inner().sign(message).as_ref().to_vec()
    }

    /// A signature file. `comment`, one line, is also signed.
    pub fn sign(&self, what: &str, data: impl Read, comment: &str) -> Result<Vec<u8>, SignatureError> {
        let signed = minisign::sign(
            Some(&self.public),
            self.secret.as_inner(),
            data,
            Some(comment),
            Some("signature of a pydist runtime"),
        );
        let signed =
            signed.map_err(|error| SignatureError::Sign { what: what.to_owned(), reason: error.to_string() })?;
        Ok(signed.into_string().into_bytes())
    }
}

/// A signature file and the key that is said to have made it.
pub struct SignatureClaim {
    what: String,
    key: minisign_verify::PublicKey,
    signature: Signature,
}

impl SignatureClaim {
    /// `public_key` in its one-line form; `what` is signed, for messages.
    pub fn new(what: &str, public_key: &str, signature: &[u8]) -> Result<Self, SignatureError> {
        let key = minisign_verify::PublicKey::from_base64(public_key)
            .map_err(|_| SignatureError::PublicKey { text: public_key.to_owned() })?;
        let text = std::str::from_utf8(signature).map_err(|_| wrong(what, "it is not text"))?;
        let signature = Signature::decode(text).map_err(|error| wrong(what, &error))?;
        Ok(Self { what: what.to_owned(), key, signature })
    }

    /// Begins the verification; feed it the signed bytes.
    pub fn check(&self) -> SignatureCheck<'_> {
        SignatureCheck { claim: self, stream: self.key.verify_stream(&self.signature) }
    }
}

fn wrong(what: &str, reason: &(impl ToString + ?Sized)) -> SignatureError {
    SignatureError::Wrong { what: what.to_owned(), reason: reason.to_string() }
}

/// Takes what was signed as it passes.
pub struct SignatureCheck<'a> {
    claim: &'a SignatureClaim,
    /// Absent when the signature names another key.
    stream: Result<StreamVerifier<'a>, minisign_verify::Error>,
}

impl Write for SignatureCheck<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if let Ok(stream) = &mut self.stream {
            stream.update(bytes);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl SignatureCheck<'_> {
    /// Ends the verification. Gives the signed comment.
    pub fn finish(self) -> Result<String, SignatureError> {
        let held = self.stream.and_then(|mut stream| stream.finalize());
        held.map_err(|error| wrong(&self.claim.what, &error))?;
        Ok(self.claim.signature.trusted_comment().to_owned())
    }
}

/// Whether `signature`, a signature file, is that of `data` by `public_key` (one-line form). Gives the signed comment.
pub fn verify_signature(
    what: &str,
    public_key: &str,
    signature: &[u8],
    mut data: impl Read,
) -> Result<String, SignatureError> {
    let claim = SignatureClaim::new(what, public_key, signature)?;
    let mut check = claim.check();
    io::copy(&mut data, &mut check).map_err(|error| wrong(what, &error))?;
    check.finish()
}

/// [`verify_signature`] for data in memory.
pub fn verify_bytes(what: &str, public_key: &str, signature: &[u8], data: &[u8]) -> Result<String, SignatureError> {
    verify_signature(what, public_key, signature, data)
}

/// Whether `signature` is that of [`Signer::sign_plain`].
pub fn verify_plain(what: &str, public_key: &str, signature: &[u8], message: &[u8]) -> Result<(), SignatureError> {
    let key = UnparsedPublicKey::new(&ED25519, plain_key(public_key)?);
    key.verify(message, signature).map_err(|_| wrong(what, "it was made by another key, or of something else"))
}

/// The 32 bytes of the key itself, out of minisign's one-line form.
fn plain_key(public_key: &str) -> Result<Vec<u8>, SignatureError> {
    let bytes = PublicKey::from_base64(public_key).map(|key| key.to_bytes()).unwrap_or_default();
    let start = bytes.len().checked_sub(ED25519_SIZE).filter(|start| *start > 0);
    let key = start.map(|start| bytes[start..].to_vec());
    key.ok_or_else(|| SignatureError::PublicKey { text: public_key.to_owned() })
}

/// A public key (one-line form) as PEM, which tools that know nothing of minisign take.
pub fn public_key_pem(public_key: &str) -> Result<String, SignatureError> {
    let container = [&SPKI_HEAD[..], &plain_key(public_key)?].concat();
    Ok(format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", STANDARD.encode(container)))
}

/// The texts of a new pair: secret key file, public key file.
pub fn new_key_pair(password: KeyPassword) -> Result<(String, String), SignatureError> {
    let fault = |_| SignatureError::Key { given: "a new pair".to_owned(), reason: "it cannot be made" };
    let pair = match password {
        KeyPassword::Text(password) => KeyPair::generate_encrypted_keypair(Some(password.reveal().to_owned())),
        KeyPassword::Ask => KeyPair::generate_encrypted_keypair(None),
        KeyPassword::None => KeyPair::generate_unencrypted_keypair(),
    };
    let pair = pair.map_err(fault)?;
    let secret = pair.sk.to_box(Some("pydist secret key")).map_err(fault)?.into_string();
    let public = pair.pk.to_box().map_err(fault)?.into_string();
    Ok((secret, public))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neither_a_key_nor_its_password_is_shown() {
        let (secret, public) = new_key_pair(KeyPassword::None).unwrap();
        let signer = Signer::new(&secret, "a test", KeyPassword::None).unwrap();
        let bytes = signer.secret.as_inner().to_bytes();
        let password = KeyPassword::Text(Secret::new("hunter2"));
        let shown = format!("{signer:?} {password:?}");
        // As derived `Debug` writes bytes.
        let seed = format!("{:?}", &bytes[ED25519_AT..ED25519_AT + 4]);
        assert!(!shown.contains(seed.trim_matches(['[', ']'])) && !shown.contains("hunter2"), "{shown}");
        assert!(public.contains(&signer.public_key()));
    }
}
