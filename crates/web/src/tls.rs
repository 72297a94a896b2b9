//! Which servers a client trusts, and how it identifies itself.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{
    ClientConfig, ConfigBuilder, DigitallySignedStruct, Error, RootCertStore, SignatureScheme, WantsVerifier,
};
use rustls_platform_verifier::BuilderVerifierExt as _;
use url::Url;

use crate::Secret;

/// TLS settings. By default servers are judged by the system's certificates, and no client certificate is shown.
#[derive(Clone, Debug, Default)]
pub struct Tls {
    pub trust: TlsTrust,
    /// Absent: servers that ask for a certificate get none.
    pub identity: Option<ClientIdentity>,
    /// Servers that are believed whatever certificate they show.
    pub unverified: Vec<UnverifiedHost>,
}

/// A server that is believed without a look at its certificate, as uv's `allow-insecure-host` names it: `*`, or a host
/// with or without scheme and port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnverifiedHost(String);

impl UnverifiedHost {
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// As it was written.
    pub fn text(&self) -> &str {
        &self.0
    }

    /// Whether the URL leads to this server. As with uv, the port that the scheme has anyway cannot be named.
    pub fn is_of(&self, url: &Url) -> bool {
        let (scheme, rest) =
            self.0.split_once("://").map_or((None, self.0.as_str()), |(scheme, it)| (Some(scheme), it));
        let (host, port) = rest.split_once(':').map_or((rest, None), |(host, port)| (host, Some(port)));
        let host = host.split('/').next().unwrap_or_default();
        self.0 == "*"
            || scheme.is_none_or(|scheme| scheme == url.scheme())
                && port.is_none_or(|port| port.parse().is_ok_and(|port| url.port() == Some(port)))
                && url.host_str() == Some(host)
    }
}

/// Which servers are trusted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum TlsTrust {
    /// Those that the system trusts, including a company's own.
    #[default]
    System,
    /// Those with a certificate of these authorities (PEM), and no others.
    Authorities(Vec<u8>),
    /// The same with files and folders of certificates in PEM, read at the first use of TLS. What holds no certificate
    /// is passed over; without any certificate no server is trusted.
    Files(Vec<PathBuf>),
    /// Every server: anyone in between can read and change everything.
    Anyone,
}

/// The client certificate for servers that ask for one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientIdentity {
    /// PEM; the client's own certificate first.
    pub certificates: Vec<u8>,
    /// PEM.
    pub key: Secret,
}

impl ClientIdentity {
    /// Looks whether it can be shown to a server at all.
    ///
    /// # Errors
    /// TLS cannot use the certificates or the key, or they do not belong together.
    pub fn check(&self) -> Result<(), String> {
        let tls = Tls { trust: TlsTrust::Anyone, identity: Some(self.clone()), unverified: Vec::new() };
        tls.config(false).map(drop)
    }
}

type UnjudgedConfig = ConfigBuilder<ClientConfig, WantsVerifier>;

fn config() -> Result<UnjudgedConfig, Error> {
    ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions()
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// Trusts no server: for clients that never use TLS.
pub(crate) fn unused() -> Result<ClientConfig, String> {
    let config = config().map_err(|error| error.to_string())?;
    Ok(config.with_root_certificates(RootCertStore::empty()).with_no_client_auth())
}

impl TlsTrust {
    /// As `SSL_CERT_FILE` and `SSL_CERT_DIR` say on every system: uv and OpenSSL follow them, too. `variable` returns
    /// the value of an environment variable.
    pub fn of(variable: &dyn Fn(&str) -> Option<OsString>) -> Self {
        let places: Vec<PathBuf> = ["SSL_CERT_FILE", "SSL_CERT_DIR"]
            .iter()
            .filter_map(|name| variable(name).filter(|value| !value.is_empty()))
            .flat_map(|value| std::env::split_paths(&value).collect::<Vec<_>>())
            .filter(|place| !place.as_os_str().is_empty())
            .collect();
        if places.is_empty() { Self::System } else { Self::Files(places) }
    }
}

impl Tls {
    /// Whether the server of the URL is believed anyway.
    pub(crate) fn is_unverified(&self, url: &Url) -> bool {
        self.unverified.iter().any(|host| host.is_of(url))
    }

    /// For servers that are believed anyway, or for the others.
    pub(crate) fn config(&self, unverified: bool) -> Result<ClientConfig, String> {
        let said = |error: Error| error.to_string();
        let config = config().map_err(said)?;
        let judged = match if unverified { &TlsTrust::Anyone } else { &self.trust } {
            TlsTrust::System => config.with_platform_verifier().map_err(said)?,
            TlsTrust::Authorities(pem) => config.with_root_certificates(authorities(pem)?),
            TlsTrust::Files(places) => config.with_root_certificates(authorities_in(places)?),
            TlsTrust::Anyone => {
                config.dangerous().with_custom_certificate_verifier(Arc::new(AnyoneVerifier(provider())))
            }
        };
        let Some(identity) = &self.identity else { return Ok(judged.with_no_client_auth()) };
        let key = PrivateKeyDer::from_pem_slice(identity.key.reveal().as_bytes())
            .map_err(|error| format!("the private key is not a key in PEM: {error}"))?;
        judged.with_client_auth_cert(certificates(&identity.certificates)?, key).map_err(|error| of_identity(&error))
    }
}

/// Why a client's certificate cannot be used.
fn of_identity(error: &Error) -> String {
    match error {
        Error::InconsistentKeys(_) => "the private key is not that of the first certificate".to_owned(),
        Error::InvalidCertificate(reason) if format!("{reason:?}").contains("UnsupportedCertVersion") => {
            "the certificate is not X.509 version 3, which TLS requires here".to_owned()
        }
        other => other.to_string(),
    }
}

fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let found = found.map_err(|error| format!("a certificate is not in PEM: {error}"))?;
    if found.is_empty() { Err("the file of certificates holds none in PEM".to_owned()) } else { Ok(found) }
}

fn authorities(pem: &[u8]) -> Result<RootCertStore, String> {
    let mut store = RootCertStore::empty();
    for certificate in certificates(pem)? {
        store.add(certificate).map_err(|error| format!("a certificate of an authority is unusable: {error}"))?;
    }
    Ok(store)
}

/// Single certificates that cannot be used, as system bundles may have, are passed over.
fn authorities_in(places: &[PathBuf]) -> Result<RootCertStore, String> {
    let mut store = RootCertStore::empty();
    for file in places.iter().flat_map(|place| files_of(place)) {
        let Ok(pem) = std::fs::read(&file) else { continue };
        store.add_parsable_certificates(CertificateDer::pem_slice_iter(&pem).filter_map(Result::ok));
    }
    if store.is_empty() {
        let shown: Vec<String> = places.iter().map(|place| format!("`{}`", place.display())).collect();
        return Err(format!(
            "there is no certificate in {}, which SSL_CERT_FILE or SSL_CERT_DIR names",
            shown.join(", ")
        ));
    }
    Ok(store)
}

/// The file with the certificates of all authorities that the system trusts, on Linux, for programs that believe only
/// a file. Elsewhere there is none: the system itself judges servers.
pub fn system_bundle() -> Option<PathBuf> {
    #[cfg(target_os = "linux")]
    return openssl_probe::probe().cert_file;
    #[cfg(not(target_os = "linux"))]
    None
}

/// Whether the system can judge a server. A bare container has no certificates.
pub fn system_has_authorities() -> bool {
    !cfg!(target_os = "linux") || system_bundle().is_some()
}

/// The files of a folder, or the file itself.
fn files_of(place: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(place) else { return vec![place.to_owned()] };
    entries.filter_map(Result::ok).map(|entry| entry.path()).filter(|path| path.is_file()).collect()
}

/// Accepts every certificate, but still verifies that the server has its key.
#[derive(Debug)]
struct AnyoneVerifier(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyoneVerifier {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_is_believed_anyway_is_named_as_uv_does() {
        let cases = [
            ("*", true, true),
            ("h.example", true, true),
            ("https://h.example", true, true),
            ("https://h.example/simple", true, true),
            ("http://h.example", false, false),
            ("h.example:8443", false, true),
            ("https://h.example:8443", false, true),
            ("h.example:443", false, false),
            ("other.example", false, false),
            ("", false, false),
        ];
        for (text, usual, other_port) in cases {
            let host = UnverifiedHost::new(text);
            let of = |url: &str| host.is_of(&Url::parse(url).unwrap());
            assert_eq!((of("https://h.example/x"), of("https://h.example:8443/")), (usual, other_port), "for {text}");
        }
    }
}
