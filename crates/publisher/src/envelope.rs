//! A statement with a signature around it: a DSSE envelope, on one line, as in-toto's attestations are kept.
//!
//! The key is the one that signs artifacts; minisign's own signature beside a file would bind no type to the bytes.
//! Source: the specification of DSSE, version 1 (`secure-systems-lab/dsse` on GitHub, `envelope.md`, `protocol.md`).

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use serde::{Deserialize, Serialize};

use crate::signature::{SignatureError, Signer, verify_plain};

/// Payload type of an in-toto statement in JSON.
pub const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct DsseEnvelope {
    payload_type: String,
    /// Base64.
    payload: String,
    signatures: Vec<EnvelopeSignature>,
}

#[derive(Debug, Serialize, Deserialize)]
struct EnvelopeSignature {
    /// A hint which key it was; verification uses a trusted key anyway.
    #[serde(default)]
    keyid: String,
    /// Base64.
    sig: String,
}

/// One line with a newline at its end.
pub fn sealed(payload: &[u8], signer: &Signer) -> String {
    let signature = signer.sign_plain(&what_is_signed(PAYLOAD_TYPE, payload));
    let envelope = DsseEnvelope {
        payload_type: PAYLOAD_TYPE.to_owned(),
        payload: STANDARD.encode(payload),
        signatures: vec![EnvelopeSignature { keyid: signer.key_number(), sig: STANDARD.encode(signature) }],
    };
    serde_json::to_string(&envelope).expect("plain data with text keys") + "\n"
}

/// The payload, if it is an in-toto statement and `public_key` signed it.
pub fn opened(what: &str, public_key: &str, text: &[u8]) -> Result<Vec<u8>, SignatureError> {
    let wrong = |reason: &str| SignatureError::Wrong { what: what.to_owned(), reason: reason.to_owned() };
    let envelope: DsseEnvelope = serde_json::from_slice(text).map_err(|_| wrong("it is not an envelope"))?;
    if envelope.payload_type != PAYLOAD_TYPE {
        return Err(wrong("its payload is not an in-toto statement"));
    }
    let payload = decoded(&envelope.payload).ok_or_else(|| wrong("its payload is not base64"))?;
    let message = what_is_signed(&envelope.payload_type, &payload);
    let mut last = wrong("nobody signed it");
    for seal in &envelope.signatures {
        let signature = decoded(&seal.sig).unwrap_or_default();
        match verify_plain(what, public_key, &signature, &message) {
            Ok(()) => return Ok(payload),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// The content, without verification. `None` if it is not an envelope.
pub fn unsealed(text: &[u8]) -> Option<Vec<u8>> {
    let envelope: DsseEnvelope = serde_json::from_slice(text).ok()?;
    decoded(&envelope.payload)
}

/// The "pre-authentication encoding": no two pairs of type and payload give the same bytes.
fn what_is_signed(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let head = format!("DSSEv1 {} {payload_type} {} ", payload_type.len(), payload.len());
    [head.as_bytes(), payload].concat()
}

/// Either alphabet, as the specification demands of readers.
fn decoded(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text).or_else(|_| URL_SAFE.decode(text)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signature::{KeyPassword, new_key_pair, public_key_pem};

    fn signer() -> Signer {
        let (secret, _) = new_key_pair(KeyPassword::None).unwrap();
        Signer::new(&secret, "a test", KeyPassword::None).unwrap()
    }

    #[test]
    fn what_is_signed_is_that_of_the_specification() {
        // Source: the test vector of `protocol.md`.
        let signed = what_is_signed("http://example.com/HelloWorld", b"hello world");
        assert_eq!(signed, b"DSSEv1 29 http://example.com/HelloWorld 11 hello world");
    }

    #[test]
    fn an_envelope_opens_only_with_its_key_and_unchanged() {
        let (ours, other) = (signer(), signer());
        let envelope = sealed(b"{}", &ours);
        assert!(envelope.ends_with("}\n") && envelope.lines().count() == 1, "{envelope}");
        assert_eq!(opened("a", &ours.public_key(), envelope.as_bytes()).unwrap(), b"{}");
        assert_eq!(unsealed(envelope.as_bytes()).unwrap(), b"{}");
        let told = |text: &str, key: &str| opened("a", key, text.as_bytes()).unwrap_err().to_string();
        let by_another = "the signature of `a` is not valid: it was made by another key, or of something else";
        let payload = |bytes: &[u8]| format!("\"payload\":\"{}\"", STANDARD.encode(bytes));
        let cases = [
            // (envelope, key, what is told)
            (envelope.clone(), other.public_key(), by_another),
            (envelope.replace(&payload(b"{}"), &payload(b"[]")), ours.public_key(), by_another),
            (
                envelope.replace("vnd.in-toto", "vnd.other"),
                ours.public_key(),
                "the signature of `a` is not valid: its payload is not an in-toto statement",
            ),
            (
                format!("{{\"payloadType\":\"{PAYLOAD_TYPE}\",{},\"signatures\":[]}}", payload(b"{}")),
                ours.public_key(),
                "the signature of `a` is not valid: nobody signed it",
            ),
            ("{}".to_owned(), ours.public_key(), "the signature of `a` is not valid: it is not an envelope"),
            (envelope.clone(), "RWnonsense".to_owned(), "`RWnonsense` is not a minisign public key"),
        ];
        for (text, key, expected) in cases {
            assert_eq!(told(&text, &key), expected, "for {text}");
        }
    }

    #[test]
    fn a_public_key_has_its_usual_container() {
        let pem = public_key_pem(&signer().public_key()).unwrap();
        let lines: Vec<&str> = pem.lines().collect();
        assert_eq!((lines[0], lines[2]), ("-----BEGIN PUBLIC KEY-----", "-----END PUBLIC KEY-----"));
        assert_eq!(STANDARD.decode(lines[1]).unwrap().len(), 44);
    }
}
