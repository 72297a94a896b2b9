//! What to do about a connection that TLS refused.
//!
//! The reasons are texts: those of rustls, in our own failures and in what uv says, and those of OpenSSL in what pip says.

const NO_CERTIFICATE: &str =
    "the server asks for a client certificate: name a file in PEM with certificate and key in SSL_CLIENT_CERT";

const REFUSED: &str = "the server refuses the client certificate that SSL_CLIENT_CERT names: use one that is not expired and of an \
                       authority that this server believes";

const NO_COMMON: &str = "the server asks for a client certificate, which SSL_CLIENT_CERT names, or knows no version of TLS that is used here";

const NOT_BELIEVED: &str = "install the certificate of the server's authority on this system, or name its file in SSL_CERT_FILE; check the \
                            URL, and this machine's clock, where the certificate is for another name or time";

const NO_TLS: &str = "the server does not speak TLS on this port: check the URL, which may have to begin with `http:`";

const NO_CLIENT: &str = "check the files that SSL_CERT_FILE, SSL_CERT_DIR and SSL_CLIENT_CERT name";

/// Signs in lower case. The first that occurs decides.
const ADVICE: [(&[&str], &str); 6] = [
    (&["tls cannot be used", "failed to build http client"], NO_CLIENT),
    (&["alert: certificaterequired", "alert certificate required"], NO_CERTIFICATE),
    (
        &[
            "alert: unknownca",
            "alert: badcertificate",
            "alert: unsupportedcertificate",
            "alert: certificateexpired",
            "alert: certificaterevoked",
            "alert: certificateunknown",
            "alert: accessdenied",
            "alert: decrypterror",
            "alert unknown ca",
            "alert bad certificate",
            "alert unsupported certificate",
            "alert certificate expired",
            "alert certificate revoked",
            "alert certificate unknown",
            "alert access denied",
            "alert decrypt error",
        ],
        REFUSED,
    ),
    (&["alert: handshakefailure", "alert handshake failure", "alert: protocolversion"], NO_COMMON),
    (&["invalid peer certificate", "certificate verify failed"], NOT_BELIEVED),
    (&["invalidcontenttype", "wrong version number"], NO_TLS),
];

/// What to do about the failure that the text reports. `None` if it is not one of TLS.
///
/// ```
/// let advice = web::tls_advice("the connection failed: received fatal alert: CertificateRequired");
/// assert!(advice.is_some_and(|text| text.contains("SSL_CLIENT_CERT")));
/// assert_eq!(web::tls_advice("the connection was refused"), None);
/// ```
pub fn tls_advice(text: &str) -> Option<&'static str> {
    let text = text.to_lowercase();
    let row = ADVICE.iter().find(|(signs, _)| signs.iter().any(|sign| text.contains(sign)));
    row.map(|(_, advice)| *advice)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_refusal_of_tls_has_its_advice() {
        let cases = [
            ("connection error\nreceived fatal alert: UnknownCA", Some(REFUSED)),
            ("received fatal alert: CertificateRequired", Some(NO_CERTIFICATE)),
            ("received fatal alert: HandshakeFailure", Some(NO_COMMON)),
            (
                "SSLError(1, '[SSL: TLSV13_ALERT_CERTIFICATE_REQUIRED] tlsv13 alert certificate required')",
                Some(NO_CERTIFICATE),
            ),
            ("[SSL: TLSV1_ALERT_UNKNOWN_CA] tlsv1 alert unknown ca (_ssl.c:2580)", Some(REFUSED)),
            (
                "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: unable to get local issuer certificate",
                Some(NOT_BELIEVED),
            ),
            ("the connection failed: invalid peer certificate: UnknownIssuer", Some(NOT_BELIEVED)),
            ("the connection failed: received corrupt message of type InvalidContentType", Some(NO_TLS)),
            ("error: failed to build HTTP client\nkeys may not be consistent: KeyMismatch", Some(NO_CLIENT)),
            ("the connection was refused", None),
            ("the server answered 404", None),
        ];
        for (text, expected) in cases {
            assert_eq!(tls_advice(text), expected, "for {text}");
        }
    }
}
