//! Which servers a client trusts, and how it identifies itself.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{
    ClientConfig, ConfigBuilder, DigitallySignedStruct, Error, RootCertStore, SignatureScheme, WantsVerifier,
};
use rustls_platform_verifier::BuilderVerifierExt as _;

use crate::Secret;

/// TLS settings. By default servers are judged by the system's certificates, and no client certificate is shown.
#[derive(Clone, Debug, Default)]
pub struct Tls {
    pub trust: Trust,
    /// Absent: servers that ask for a certificate get none.
    pub identity: Option<Identity>,
}

/// Which servers are trusted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Trust {
    /// Those that the system trusts, including a company's own.
    #[default]
    System,
    /// Those with a certificate of these authorities (PEM), and no others.
    Authorities(Vec<u8>),
    /// Every server: anyone in between can read and change everything.
    Anyone,
}

/// The client certificate for servers that ask for one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// PEM; the client's own certificate first.
    pub certificates: Vec<u8>,
    /// PEM.
    pub key: Secret,
}

type Unjudged = ConfigBuilder<ClientConfig, WantsVerifier>;

fn config() -> Result<Unjudged, Error> {
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

impl Tls {
    pub(crate) fn config(&self) -> Result<ClientConfig, String> {
        let said = |error: Error| error.to_string();
        let config = config().map_err(said)?;
        let judged = match &self.trust {
            Trust::System => config.with_platform_verifier().map_err(said)?,
            Trust::Authorities(pem) => config.with_root_certificates(authorities(pem)?),
            Trust::Anyone => config.dangerous().with_custom_certificate_verifier(Arc::new(Anyone(provider()))),
        };
        let Some(identity) = &self.identity else { return Ok(judged.with_no_client_auth()) };
        let key = PrivateKeyDer::from_pem_slice(identity.key.reveal().as_bytes())
            .map_err(|error| format!("the private key is not a key in PEM: {error}"))?;
        judged.with_client_auth_cert(certificates(&identity.certificates)?, key).map_err(said)
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

/// Accepts every certificate, but still verifies that the server has its key.
#[derive(Debug)]
struct Anyone(Arc<CryptoProvider>);

impl ServerCertVerifier for Anyone {
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
