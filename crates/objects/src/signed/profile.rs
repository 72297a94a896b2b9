//! A profile of the AWS tools, as far as it holds keys itself. Source: the shared `config` and `credentials` files
//! of the AWS SDKs and tools reference guide.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use rusty_s3::Credentials;

use vocab::Environment;
use web::Secret;

/// What an address with `profile=` takes from it.
#[derive(Clone, Debug, Default)]
pub(super) struct AwsProfile {
    pub credentials: Option<Secret<Credentials>>,
    pub region: Option<String>,
    pub endpoint: Option<String>,
}

impl AwsProfile {
    /// `None` if neither file holds an access key and its secret. `read` gives a file's text.
    pub fn find(name: &str, environment: &Environment, read: &dyn Fn(&Path) -> Option<String>) -> Option<Self> {
        let mut rows = BTreeMap::new();
        // The file `credentials` takes precedence.
        for (variable, file, prefix) in
            [("AWS_CONFIG_FILE", "config", "profile "), ("AWS_SHARED_CREDENTIALS_FILE", "credentials", "")]
        {
            let Some(text) = path_of(environment, variable, file).and_then(|path| read(&path)) else { continue };
            let prefix = if name == "default" { "" } else { prefix };
            rows.extend(section(&text, &format!("{prefix}{name}")));
        }
        let mut take = |key: &str| rows.remove(key);
        let (key, secret) = take("aws_access_key_id").zip(take("aws_secret_access_key"))?;
        let credentials = match take("aws_session_token") {
            Some(token) => Credentials::new_with_token(key, secret, token),
            None => Credentials::new(key, secret),
        };
        Some(Self {
            credentials: Some(Secret::hiding(credentials)),
            region: take("region"),
            endpoint: take("endpoint_url"),
        })
    }
}

fn path_of(environment: &Environment, variable: &str, file: &str) -> Option<PathBuf> {
    let given = environment.path(variable).map(Path::to_owned);
    let home = || environment.path("HOME").or_else(|| environment.path("USERPROFILE"));
    given.or_else(|| Some(home()?.join(".aws").join(file)))
}

/// The rows below `[name]`. What is indented belongs to the row above it, which has no value of its own.
fn section(text: &str, name: &str) -> BTreeMap<String, String> {
    let mut rows = BTreeMap::new();
    let mut inside = false;
    for line in text.lines() {
        if let Some(header) = line.trim().strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            inside = header.0.split_whitespace().eq(name.split_whitespace());
        } else if let Some((key, value)) = line.split_once('=')
            && inside
            && !line.starts_with([' ', '\t', '#', ';'])
        {
            rows.insert(key.trim().to_ascii_lowercase(), value.trim().to_owned());
        }
    }
    rows.retain(|_, value| !value.is_empty());
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_is_read_from_both_files_and_needs_a_key_of_its_own() {
        let config = "[default]\nregion = eu-0\n[profile work]\nregion=eu-1\nendpoint_url = http://127.0.0.1:1\n\
                      s3 =\n  region = none\n[profile sso]\nsso_session = x\n";
        let credentials = "[default]\naws_access_key_id = A\naws_secret_access_key = B\n# [work]\n\
                           [ work ]\naws_access_key_id = C\naws_secret_access_key = D=\n";
        let environment = Environment::new([("HOME".into(), "/home/a".into())]);
        let read = |path: &Path| match path.file_name()?.to_str()? {
            "config" => Some(config.to_owned()),
            "credentials" => Some(credentials.to_owned()),
            _ => None,
        };
        let cases = [
            // (profile, its key, secret, region and endpoint)
            ("default", Some(("A", "B", Some("eu-0"), None))),
            ("work", Some(("C", "D=", Some("eu-1"), Some("http://127.0.0.1:1")))),
            ("sso", None),
            ("other", None),
        ];
        for (name, expected) in cases {
            let found = AwsProfile::find(name, &environment, &read);
            let found = found.as_ref().map(|it| {
                assert!(!format!("{it:?}").contains(it.credentials.as_ref().unwrap().as_inner().secret()), "{it:?}");
                let credentials = it.credentials.as_ref().unwrap().as_inner();
                (credentials.key(), credentials.secret(), it.region.as_deref(), it.endpoint.as_deref())
            });
            assert_eq!(found, expected, "for {name}");
        }
    }
}
