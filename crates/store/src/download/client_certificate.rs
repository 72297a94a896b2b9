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
    (!missing.is_empty()).then(|| format!("it has no {} in PEM", missing.join(" and no ")))
}

/// Empty for a file that cannot be read: the first use of TLS says so.
pub(super) fn identity(file: &Path) -> ClientIdentity {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    ClientIdentity { certificates: text.clone().into_bytes(), key: Secret::new(text) }
}

#[cfg(test)]
mod tests {
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
            (format!("{certificate}{key}"), None),
        ];
        for (text, expected) in cases {
            std::fs::write(&file, &text).unwrap();
            assert_eq!(unusable(&file).as_deref(), expected, "for {text:?}");
        }
    }
}
