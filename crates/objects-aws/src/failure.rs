//! What an error of the S3 client means to the user; `objects::refusal` says what a server's refusal means.

use std::error::Error;

use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};

use objects::PlaceErrorKind as Kind;
use objects::refusal::{BucketFailure, kind_of, tidy};

pub(super) fn failure_of<E>(error: &SdkError<E, HttpResponse>, attempts: u32) -> BucketFailure
where
    E: ProvideErrorMetadata + Error + 'static,
{
    let response = error.raw_response();
    let status = response.map(|response| response.status().as_u16());
    let metadata = error.as_service_error().map(ProvideErrorMetadata::meta);
    let code = metadata.and_then(|it| it.code()).unwrap_or_default().to_owned();
    let message = metadata.and_then(|it| it.message()).unwrap_or_default();
    let region = response.and_then(|it| it.headers().get("x-amz-bucket-region")).map(tidy);
    let kind = match error {
        SdkError::ServiceError(_) => kind_of(status.unwrap_or_default(), &code, message, region, attempts),
        SdkError::TimeoutError(_) => Kind::Unreachable { reason: "it does not answer in time".to_owned() },
        SdkError::ResponseError(_) => {
            of_chain(error, |said| Kind::Unreachable { reason: format!("its answer broke off: {said}") })
        }
        _ => of_chain(error, |reason| Kind::Unreachable { reason }),
    };
    BucketFailure { status, code, kind }
}

/// No answer, or none that could be read: the innermost cause says why.
pub(super) fn of_chain(error: &(dyn Error + 'static), otherwise: impl FnOnce(String) -> Kind) -> Kind {
    let mut innermost = error;
    let mut all = error.to_string();
    while let Some(source) = innermost.source() {
        innermost = source;
        all.push('\n');
        all.push_str(&source.to_string());
    }
    let lower = all.to_lowercase();
    if lower.contains("checksum") {
        return Kind::Checksum { said: "a checksum differs".to_owned() };
    }
    if let Some(how) = feature_left_out(&all) {
        return Kind::SignIn { how };
    }
    let about_credentials = ["credential", "no providers in chain", "identity", "profile"];
    if about_credentials.iter().any(|word| lower.contains(word)) {
        let said = tidy(&innermost.to_string());
        let none = ["no providers", "not loaded", "no credentials", "not enabled"].iter().any(|it| lower.contains(it));
        return if none { Kind::NoCredentials } else { Kind::Credentials { said } };
    }
    otherwise(tidy(&innermost.to_string()))
}

/// What a profile asks for and the AWS client was compiled without: it says so in these words.
fn feature_left_out(said: &str) -> Option<String> {
    let (_, rest) = said.split_once("cargo feature(s) enabled: ")?;
    let name = rest.split(['.', ',', ' ', '\n']).next()?;
    Some(name.trim_start_matches("credentials-").to_owned())
}
