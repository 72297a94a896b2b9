//! A bucket behind the S3 protocol. Requests are signed in their URL, which therefore never gets into a message.

use std::fmt;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rusty_s3::actions::{GetObject, HeadObject, PutObject};
use rusty_s3::{Bucket, Credentials, S3Action};
use url::Url;
use vocab::Digest;
use web::{
    Answer, Ask, Chance, Client, Failure, FailureKind, HeaderName, Method, Retries, StatusCode, header, may_pass,
};

use super::{Placed, RemoteErrorKind, RemoteStore, Watch, copy};
use crate::download::{DownloadSettings, Downloader};

/// How long a signature holds; a request begins at once.
const SIGNED_FOR: Duration = Duration::from_secs(900);

/// A passing fault gets one more try: whatever is here can also be had elsewhere.
const ATTEMPTS: u32 = 2;

/// The largest object that one request may bring (5 GiB).
const LARGEST: u64 = 5 << 30;

pub struct BucketStore {
    bucket: Bucket,
    credentials: Option<Credentials>,
    prefix: String,
    downloader: Downloader,
    place: String,
}

impl BucketStore {
    /// `prefix` without `/` at its ends; may be empty. Without credentials requests are not signed.
    pub fn new(bucket: Bucket, credentials: Option<Credentials>, prefix: &str, downloader: Downloader) -> Self {
        let separator = if prefix.is_empty() { "" } else { "/" };
        let place = format!("s3://{}{separator}{prefix}", bucket.name());
        Self { bucket, credentials, prefix: format!("{prefix}{separator}"), downloader, place }
    }

    fn key(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    /// Asks until there is an answer that another attempt would not change.
    fn ask(
        &self,
        watch: Watch<'_>,
        send: &dyn Fn(&Client) -> Result<Answer, Failure>,
    ) -> Result<Answer, RemoteErrorKind> {
        let DownloadSettings { first_pause, .. } = *self.downloader.settings();
        let check = || watch().map_err(|kind| Setback { kind, chance: None });
        let attempt = || match send(self.downloader.client()) {
            Ok(answer) if may_pass(answer.status().as_u16()) => {
                let pause = answer.retry_after();
                let kind = refused(answer);
                Err(Setback { chance: Some(Chance { reason: kind.to_string(), pause }), kind })
            }
            Ok(answer) => Ok(answer),
            Err(Failure { reason, kind }) => {
                let passing = kind == FailureKind::Passing;
                let chance = passing.then(|| Chance { reason: reason.clone(), pause: None });
                Err(Setback { kind: unreachable(reason), chance })
            }
        };
        let retries = Retries { attempts: ATTEMPTS, first_pause };
        retries.run(&check, &|_, _| {}, attempt).map_err(|(_, setback)| setback.kind)
    }

    fn has(&self, key: &str, watch: Watch<'_>) -> Result<bool, RemoteErrorKind> {
        let url = || HeadObject::new(&self.bucket, self.credentials.as_ref(), key).sign(SIGNED_FOR);
        let answer = self.ask(watch, &|client| client.ask(&bare(Method::HEAD, url())))?;
        match answer.status().as_u16() {
            200 => Ok(true),
            // Of a missing bucket, too; then putting says so.
            404 => Ok(false),
            _ => Err(refused(answer)),
        }
    }

    fn send(&self, key: &str, from: &Path, sum: &str, once: bool, watch: Watch<'_>) -> Result<Answer, RemoteErrorKind> {
        let sign = || -> Url {
            let mut action = PutObject::new(&self.bucket, self.credentials.as_ref(), key);
            action.headers_mut().insert("x-amz-checksum-sha256", sum.to_owned());
            if once {
                action.headers_mut().insert("if-none-match", "*");
            }
            action.sign(SIGNED_FOR)
        };
        let mut headers = vec![(HeaderName::from_static("x-amz-checksum-sha256"), sum.to_owned())];
        headers.extend(once.then(|| (header::IF_NONE_MATCH, "*".to_owned())));
        self.ask(watch, &|client| {
            let unreadable = |error| Failure::lasting(format!("the file to be sent cannot be read: {error}"));
            let file = File::open(from).map_err(unreadable)?;
            client.give(&Ask { method: Method::PUT, url: sign(), headers: headers.clone() }, file)
        })
    }
}

struct Setback {
    kind: RemoteErrorKind,
    chance: Option<Chance>,
}

impl web::Setback for Setback {
    fn chance(&self) -> Option<Chance> {
        self.chance.clone()
    }
}

/// What is signed needs no headers.
fn bare(method: Method, url: Url) -> Ask {
    Ask { method, url, headers: Vec::new() }
}

impl RemoteStore for BucketStore {
    fn place(&self) -> &str {
        &self.place
    }

    fn get(&self, name: &str, to: &mut File, limit: u64, watch: Watch<'_>) -> Result<bool, RemoteErrorKind> {
        let key = self.key(name);
        let url = || GetObject::new(&self.bucket, self.credentials.as_ref(), &key).sign(SIGNED_FOR);
        let answer = self.ask(watch, &|client| client.ask(&bare(Method::GET, url())))?;
        match answer.status().as_u16() {
            200 => {}
            404 => {
                return match refused(answer) {
                    RemoteErrorKind::Refused { said, .. } if said != "NoSuchBucket" => Ok(false),
                    error => Err(error),
                };
            }
            _ => return Err(refused(answer)),
        }
        copy(answer.into_body(), to, limit, watch, |error| unreachable(Failure::of_body(&error).reason))?;
        Ok(true)
    }

    fn put(&self, name: &str, from: &Path, sha256: &Digest, watch: Watch<'_>) -> Result<Placed, RemoteErrorKind> {
        let size = std::fs::metadata(from).map_or(0, |metadata| metadata.len());
        let key = self.key(name);
        // Sooner asked than sent. An object too large for one request is not shared.
        if size > LARGEST || self.has(&key, watch)? {
            return Ok(Placed::Theirs);
        }
        let sum = STANDARD.encode(sha256.as_bytes());
        let mut answer = self.send(&key, from, &sum, true, watch)?;
        if answer.status() == StatusCode::NOT_IMPLEMENTED {
            // A server without conditional requests: having asked is as much as can be done.
            answer = self.send(&key, from, &sum, false, watch)?;
        }
        match answer.status().as_u16() {
            200 | 201 => Ok(Placed::Ours),
            // It is there by now, or another machine puts it at this moment.
            409 | 412 => Ok(Placed::Theirs),
            _ => Err(refused(answer)),
        }
    }
}

/// The credentials stay out.
impl fmt::Debug for BucketStore {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("BucketStore")
            .field("place", &self.place)
            .field("url", &self.bucket.base_url().as_str())
            .field("region", &self.bucket.region())
            .finish_non_exhaustive()
    }
}

fn unreachable(reason: impl Into<String>) -> RemoteErrorKind {
    RemoteErrorKind::Unreachable { reason: reason.into() }
}

fn refused(answer: Answer) -> RemoteErrorKind {
    let status = answer.status().as_u16();
    let region = answer.headers().get("x-amz-bucket-region").and_then(|value| value.to_str().ok()).map(str::to_owned);
    let mut bytes = Vec::new();
    let _ = answer.into_body().take(64 << 10).read_to_end(&mut bytes);
    refusal(status, region, &bytes)
}

/// With the code of the answer's XML body.
fn refusal(status: u16, region: Option<String>, body: &[u8]) -> RemoteErrorKind {
    if matches!(status, 301 | 307) {
        return RemoteErrorKind::Region { region };
    }
    let text = String::from_utf8_lossy(body);
    let code = text.split_once("<Code>").and_then(|(_, rest)| rest.split_once("</Code>")).map(|(code, _)| code);
    let plain = |code: &&str| code.len() < 64 && code.chars().all(|it| it.is_ascii_alphanumeric());
    RemoteErrorKind::Refused { status, said: code.filter(plain).unwrap_or_default().to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_told_with_the_servers_code_and_nothing_else_of_its_answer() {
        let cases = [
            // (status, body, what is told)
            (
                404,
                "<Error><Code>NoSuchBucket</Code><Message>x</Message></Error>",
                "the server answered 404 NoSuchBucket",
            ),
            (403, "<Error><Code>Access denied to AKID</Code></Error>", "the server answered 403 "),
            (500, "no XML", "the server answered 500 "),
            (301, "", "the bucket is in another region, eu-west-1"),
        ];
        for (status, body, told) in cases {
            assert_eq!(refusal(status, Some("eu-west-1".into()), body.as_bytes()).to_string(), told);
        }
    }
}
