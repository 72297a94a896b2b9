//! What the refusal of an S3 server means to the reader.
//!
//! A server's own words get into a message only as one short line without anything that looks like a key: its text
//! about a wrong signature holds the request with all its headers.

use crate::PlaceErrorKind as Kind;

/// An error answer, as far as callers have to distinguish such; what it means for a put under a condition is in
/// [`crate::conditions`].
#[derive(Debug)]
pub struct BucketFailure {
    /// HTTP status; absent if there was no answer.
    pub status: Option<u16>,
    /// Such as `NoSuchKey`; empty if the answer had none, like that of a HEAD request.
    pub code: String,
    pub kind: Kind,
}

impl BucketFailure {
    /// A refusal without an answer, such as a failed connection.
    pub fn new(kind: Kind) -> Self {
        Self { status: None, code: String::new(), kind }
    }

    /// Whether the error code is one of these.
    pub fn is(&self, codes: &[&str]) -> bool {
        codes.contains(&self.code.as_str())
    }

    /// Whether the object does not exist; a missing bucket or upload is something else.
    pub fn is_absent(&self) -> bool {
        self.status == Some(404) && !self.is(&["NoSuchBucket", "NoSuchUpload"])
    }

    /// The server does not support the feature.
    pub fn is_unknown(&self) -> bool {
        self.status == Some(501) || self.is(&["NotImplemented"])
    }
}

impl From<Kind> for BucketFailure {
    fn from(kind: Kind) -> Self {
        Self::new(kind)
    }
}

impl From<BucketFailure> for Kind {
    fn from(failure: BucketFailure) -> Self {
        failure.kind
    }
}

/// `code` and `message` of the answer's body, empty where it had none; `attempts` that were made in all.
pub fn kind_of(status: u16, code: &str, message: &str, region: Option<String>, attempts: u32) -> Kind {
    let said = || match (code, tidy(message).as_str()) {
        ("", _) => format!("HTTP {status}"),
        (code, "") => format!("{} (HTTP {status})", tidy(code)),
        (code, message) => format!("{message} ({}, HTTP {status})", tidy(code)),
    };
    match code {
        "NoSuchBucket" => Kind::NoBucket,
        "AccessDenied" | "AllAccessDisabled" | "AccountProblem" => Kind::NoPermission,
        "ExpiredToken" | "ExpiredTokenException" | "TokenRefreshRequired" => Kind::Expired,
        "RequestTimeTooSkewed" | "RequestExpired" => Kind::ClockSkew,
        // Their messages hold what was signed.
        "InvalidAccessKeyId" | "SignatureDoesNotMatch" | "InvalidToken" => Kind::Credentials { said: code.to_owned() },
        "PermanentRedirect" | "AuthorizationHeaderMalformed" | "IllegalLocationConstraintException" => {
            Kind::Region { region }
        }
        "BadDigest" | "InvalidDigest" | "XAmzContentSHA256Mismatch" | "XAmzContentChecksumMismatch" => {
            Kind::Checksum { said: said() }
        }
        _ if status == 403 => Kind::NoPermission,
        _ if status == 401 => Kind::Credentials { said: said() },
        _ if matches!(status, 301 | 307) => Kind::Region { region },
        _ if web::may_pass(status) => Kind::Busy { attempts, said: said() },
        _ => Kind::Refused { said: said() },
    }
}

/// One line, not long, nothing that could be a key.
pub fn tidy(text: &str) -> String {
    let secret = |word: &str| {
        let long = word.len() >= 16 && word.bytes().any(|byte| byte.is_ascii_digit());
        long && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+/=-_%".contains(&byte))
    };
    let words = text
        .split_whitespace()
        .map(|word| if word.split(['=', ':', ',', '"', '\'']).any(secret) || secret(word) { "…" } else { word });
    let line = words.collect::<Vec<_>>().join(" ");
    let line: String = line.chars().filter(|char| !char.is_control()).take(160).collect();
    line.trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_refusal_has_its_own_cause() {
        let cases = [
            // (status, code, message, what is told)
            (404, "NoSuchBucket", "The specified bucket does not exist", "the bucket does not exist"),
            (403, "AccessDenied", "Access Denied", "the credentials do not allow this (AccessDenied)"),
            (403, "", "", "the credentials do not allow this (AccessDenied)"),
            (400, "ExpiredToken", "The provided token has expired.", "the credentials have expired"),
            (403, "RequestTimeTooSkewed", "", "this machine's clock and the server's are too far apart"),
            (
                403,
                "SignatureDoesNotMatch",
                "you signed: AKIAIOSFODNN7EXAMPLE",
                "the credentials are not valid: SignatureDoesNotMatch",
            ),
            (
                503,
                "SlowDown",
                "Reduce your request rate.",
                "the server did not accept the request after 3 attempts: Reduce your request rate (SlowDown, HTTP 503)",
            ),
            (500, "", "", "the server did not accept the request after 3 attempts: HTTP 500"),
            (400, "BadDigest", "", "the bytes received differ from those sent: BadDigest (HTTP 400)"),
            (301, "PermanentRedirect", "", "the bucket is in another region, eu-west-1"),
            (405, "MethodNotAllowed", "no", "the server refused: no (MethodNotAllowed, HTTP 405)"),
        ];
        for (status, code, message, expected) in cases {
            let told = kind_of(status, code, message, Some("eu-west-1".to_owned()), 3).to_string();
            assert_eq!(told, expected, "for {status} {code}");
        }
    }

    #[test]
    fn what_looks_like_a_key_is_left_out() {
        let cases = [
            ("key AKIAIOSFODNN7EXAMPLE is unknown.", "key … is unknown"),
            ("token=FwoGZXIvYXdzEBYaDHqa0AP and more", "… and more"),
            ("a\nb\tc", "a b c"),
        ];
        for (text, expected) in cases {
            assert_eq!(tidy(text), expected);
        }
        assert_eq!(tidy(&"word ".repeat(100)).chars().count(), 160);
    }
}
