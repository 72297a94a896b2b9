//! The client's certificate, for servers that ask for one: `SSL_CLIENT_CERT`, as for uv.

use std::path::{Path, PathBuf};

use vocab::Environment;
use web::{ClientIdentity, Secret};

/// The file that `SSL_CLIENT_CERT` names.
pub fn file(environment: &Environment) -> Option<PathBuf> {
    environment.path("SSL_CLIENT_CERT").map(Path::to_owned)
}

/// Why the file cannot serve as the client's certificate, if it cannot.
pub(super) fn unusable(file: &Path) -> Option<String> {
    let text = match std::fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) => return Some(error.to_string()),
    };
    let lacks = |label: &str| !text.lines().any(|line| line.starts_with("-----BEGIN ") && line.contains(label));
    let missing = [("CERTIFICATE", "certificate"), ("PRIVATE KEY", "private key")].into_iter();
    let missing: Vec<&str> = missing.filter(|(label, _)| lacks(label)).map(|(_, word)| word).collect();
    if !missing.is_empty() {
        return Some(format!("it has no {} in PEM", missing.join(" and no ")));
    }
    // uv would fail with every request, and say nothing of the file.
    of_text(text).check().err()
}

/// Empty for a file that cannot be read: the first use of TLS says so.
pub(super) fn identity(file: &Path) -> ClientIdentity {
    of_text(std::fs::read_to_string(file).unwrap_or_default())
}

fn of_text(text: String) -> ClientIdentity {
    ClientIdentity { certificates: text.clone().into_bytes(), key: Secret::new(text) }
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;

    use super::*;

    #[test]
    fn a_client_certificate_is_a_readable_file_with_certificate_and_key() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("client.pem");
        assert!(unusable(&file).is_some());
        let (certificate, key) = ("-----BEGIN CERTIFICATE-----\n", "-----BEGIN EC PRIVATE KEY-----\n");
        let cases = [
            (String::new(), Some("it has no certificate and no private key in PEM")),
            (certificate.to_owned(), Some("it has no private key in PEM")),
            (key.to_owned(), Some("it has no certificate in PEM")),
        ];
        for (text, expected) in cases {
            std::fs::write(&file, &text).unwrap();
            assert_eq!(unusable(&file).as_deref(), expected, "for {text:?}");
        }
        let [one, other] = [(), ()].map(|()| rcgen::generate_simple_self_signed(["client".to_owned()]).unwrap());
        let pem = |label: &str, bytes: &[u8]| {
            let text = base64::engine::general_purpose::STANDARD.encode(bytes);
            format!("-----BEGIN {label}-----\n{text}\n-----END {label}-----\n")
        };
        let of = |key: &rcgen::KeyPair| {
            let text = pem("CERTIFICATE", one.cert.der()) + &pem("PRIVATE KEY", &key.serialize_der());
            std::fs::write(&file, text).unwrap();
            unusable(&file)
        };
        assert_eq!(of(&one.signing_key), None);
        assert_eq!(of(&other.signing_key).as_deref(), Some("the private key is not that of the first certificate"));
        std::fs::write(&file, format!("{certificate}bm90IERFUg==\n-----END CERTIFICATE-----\n{key}")).unwrap();
        assert!(unusable(&file).is_some_and(|reason| reason.starts_with("the private key is not a key in PEM")));
    }
}
