//! A tool from the Python index in the store, at one version, by digest, with an interpreter's own pip: which uses the
//! user's index, proxy, certificates and credentials. Settings of uv alone are passed to pip; those of pip count.

mod tool_wheel;

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::Path;

use url::Url;

use vocab::Digest;

use crate::download::{UnverifiedHost, client_certificate, system_bundle, uv_connection, uv_indexes};
use crate::{Context, EntryKind};
use process::{Invocation, ProcessError};
use process::{shortened, words_of};

/// What may be installed: only a file with one of these digests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PinnedTool {
    pub name: &'static str,
    pub version: &'static str,
    /// SHA-256 of its wheels, in hexadecimal.
    pub digests: Vec<String>,
}

/// Why a pinned tool could not be installed.
#[derive(Debug, thiserror::Error)]
pub enum SetUpError {
    #[error("the build is offline")]
    Offline,
    #[error("there is no pinned uv for this machine")]
    NoWheel,
    #[error("the interpreter's pip failed: {}", shortened(output))]
    Pip {
        /// All of its output.
        output: String,
        /// The variable that names the proxy it used, if one does.
        proxy: Option<&'static str>,
    },
    /// It failed earlier in this run; `reason` is what that said.
    #[error("{reason}")]
    Before { reason: String },
    #[error(transparent)]
    Process(ProcessError),
    #[error("the store cannot be written")]
    Store(#[source] io::Error),
    #[error("its wheel cannot be used: {reason}")]
    Wheel { reason: String },
}

/// Fetches the tool's wheel into the store with pip, unless it is there, and unpacks it into `folder`, as
/// `pip install --target` does. Several builders may do so at once.
pub fn set_up(context: &Context, python: &Path, tool: &PinnedTool, folder: &Path) -> Result<(), SetUpError> {
    if from_wheel(context, tool, folder)? {
        return Ok(());
    }
    if context.offline {
        return Err(SetUpError::Offline);
    }
    let PinnedTool { name, version, digests } = tool;
    let hashes: String = digests.iter().map(|digest| format!(" --hash=sha256:{digest}")).collect();
    context.note(format!("setting up {name} {version} in the store"));
    let staged = context.store.scratch_dir(&format!("{name}-")).map_err(SetUpError::Store)?;
    let requirements = staged.path().join("requirements.txt");
    fs::write(&requirements, format!("{name}=={version}{hashes}\n")).map_err(SetUpError::Store)?;
    let folder_of_wheel = staged.path().join("wheel");
    let invocation = Invocation::new(python, staged.path())
        .args([
            "-I",
            "-B",
            "-m",
            "pip",
            "download",
            "--quiet",
            "--disable-pip-version-check",
            // An index that cannot be reached is reported at once; five retries take half a minute.
            "--retries",
            "1",
        ])
        .args(["--no-deps", "--require-hashes", "--only-binary", ":all:", "--dest"])
        .arg(&folder_of_wheel)
        .arg("--requirement")
        .arg(&requirements)
        .timeout(context.timeout);
    let invocation = for_pip(context).into_iter().fold(invocation, |it, (name, value)| it.env(name, value));
    let finished = process::run(context, &invocation).map_err(SetUpError::Process)?;
    if !finished.succeeded() {
        return Err(SetUpError::Pip { output: words_of(&finished.stderr_text()), proxy: proxy_variable(context) });
    }
    into_store(context, tool, &folder_of_wheel)?;
    match from_wheel(context, tool, folder)? {
        true => Ok(()),
        false => Err(SetUpError::Wheel { reason: "pip has fetched another file".to_owned() }),
    }
}

/// Puts the wheel that pip has fetched among the store's files, from where it can be given to other machines.
fn into_store(context: &Context, tool: &PinnedTool, folder: &Path) -> Result<(), SetUpError> {
    for entry in fs::read_dir(folder).map_err(SetUpError::Store)? {
        let path = entry.map_err(SetUpError::Store)?.path();
        let (sha256, _) = fs::File::open(&path).and_then(Digest::of_reader).map_err(SetUpError::Store)?;
        if !tool.digests.contains(&sha256.to_string()) {
            continue;
        }
        let store = &context.store;
        store.mark_used(EntryKind::Blobs, &sha256.to_string());
        let staged = store.stage_file().map_err(|error| SetUpError::Store(io::Error::other(error)))?;
        disk::rename(&path, staged.path()).map_err(SetUpError::Store)?;
        store.publish_file(staged, &store.blob(&sha256)).map_err(|error| SetUpError::Store(io::Error::other(error)))?;
    }
    Ok(())
}

/// Unpacks the tool from its own wheel, if the store or the remote store has it: that needs neither pip nor a network.
/// False if it is in neither.
pub fn from_wheel(context: &Context, tool: &PinnedTool, folder: &Path) -> Result<bool, SetUpError> {
    tool_wheel::set_up(context, tool, folder)
}

/// Moves a finished tool to its place. Where another builder was faster, its tool came through the same digest.
pub(crate) fn keep(tree: &Path, folder: &Path) -> io::Result<()> {
    if let Some(parent) = folder.parent() {
        fs::create_dir_all(parent)?;
    }
    match disk::rename(tree, folder) {
        Err(_) if folder.is_dir() => Ok(()),
        other => other,
    }
}

/// Variables that tell pip which index and whose certificates to use, and to ask nobody for a password.
fn for_pip(context: &Context) -> Vec<(&'static str, OsString)> {
    let is_set = |name: &&str| context.environment.path(name).is_some();
    let mut variables = vec![("PIP_NO_INPUT", "1".into())];
    if let Some(url) = default_index(context).filter(|_| !is_set(&"PIP_INDEX_URL")) {
        variables.push(("PIP_INDEX_URL", url.into()));
    }
    let unverified: Vec<_> =
        uv_connection::unverified(&context.environment).iter().filter_map(for_trusted_host).collect();
    if !unverified.is_empty() && !is_set(&"PIP_TRUSTED_HOST") {
        variables.push(("PIP_TRUSTED_HOST", unverified.join(" ").into()));
    }
    let client = client_certificate::file(&context.environment).filter(|_| !is_set(&"PIP_CLIENT_CERT"));
    variables.extend(client.map(|file| ("PIP_CLIENT_CERT", file.into_os_string())));
    // Before 24.2 pip believes only its own list of authorities, in which a company's is missing.
    if !["PIP_CERT", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"].iter().any(&is_set) {
        let own = context.environment.path("SSL_CERT_FILE").map(std::path::Path::to_owned);
        // `SSL_CERT_DIR` alone is for pip's OpenSSL.
        let system = || if is_set(&"SSL_CERT_DIR") { None } else { system_bundle() };
        variables.extend(own.or_else(system).map(|file| ("PIP_CERT", file.into_os_string())));
    }
    variables
}

/// The variable from which pip has its proxy for https, and for http if there is none.
fn proxy_variable(context: &Context) -> Option<&'static str> {
    let names = ["PIP_PROXY", "https_proxy", "HTTPS_PROXY", "http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"];
    names.into_iter().find(|name| context.environment.text(name).is_some_and(|text| !text.is_empty()))
}

/// pip knows hosts with or without port, and nothing for all of them.
fn for_trusted_host(host: &UnverifiedHost) -> Option<String> {
    let text = host.text().split_once("://").map_or(host.text(), |(_, rest)| rest);
    text.split('/').next().filter(|text| !text.is_empty() && *text != "*").map(str::to_owned)
}

/// The default index of the configuration or else of the user, with user and password as far as they are known. `None`
/// if nobody names one.
fn default_index(context: &Context) -> Option<String> {
    let text = context.default_index.clone().or_else(|| uv_indexes::default_index(&context.environment))?;
    let with_credentials = || {
        let mut url = Url::parse(&text).ok().filter(|url| matches!(url.scheme(), "http" | "https"))?;
        let credentials = context.downloader.credentials_for(&url)?;
        url.set_username(credentials.user.reveal()).ok()?;
        url.set_password(Some(credentials.password.reveal()).filter(|password| !password.is_empty())).ok()?;
        Some(url.into())
    };
    Some(with_credentials().unwrap_or(text))
}

#[cfg(test)]
mod tests {
    use vocab::Environment;

    use super::*;

    #[test]
    fn pip_is_told_what_is_set_for_uv_and_what_is_set_for_pip_counts() {
        let folder = tempfile::tempdir().unwrap();
        let of = |variables: &[(&str, &str)]| {
            let all = variables.iter().chain(&[("UV_NO_CONFIG", "1")]);
            let all = all.map(|(name, value)| (OsString::from(name), OsString::from(value)));
            let context = Context::quiet(folder.path().join("store")).in_environment(Environment::new(all));
            let told = for_pip(&context);
            let value = |wanted: &str| {
                let found = told.iter().find(|(name, _)| *name == wanted);
                found.map(|(_, value)| value.to_str().unwrap().to_owned()).unwrap_or_default()
            };
            assert_eq!(value("PIP_NO_INPUT"), "1");
            (value("PIP_INDEX_URL"), value("PIP_CERT"))
        };
        let system = system_bundle().map(|path| path.display().to_string()).unwrap_or_default();
        let with_user = [
            ("UV_DEFAULT_INDEX", "corp=https://corp.example/simple"),
            ("UV_INDEX_CORP_USERNAME", "ada"),
            ("UV_INDEX_CORP_PASSWORD", "p@w"),
        ];
        assert_eq!(of(&[]), (String::new(), system.clone()));
        assert_eq!(of(&with_user), ("https://ada:p%40w@corp.example/simple".to_owned(), system.clone()));
        let own = [("UV_DEFAULT_INDEX", "file:///mirror"), ("SSL_CERT_FILE", "/ca.pem")];
        assert_eq!(of(&own), ("file:///mirror".to_owned(), "/ca.pem".to_owned()));
        let of_pip =
            [("UV_DEFAULT_INDEX", "https://a.example"), ("PIP_INDEX_URL", "https://b.example"), ("PIP_CERT", "/x.pem")];
        assert_eq!(of(&of_pip), (String::new(), String::new()));
        assert_eq!(of(&[("SSL_CERT_DIR", "/certs")]).1, "");
        let told = |variables: &[(&str, &str)]| {
            let all = variables.iter().chain(&[("UV_NO_CONFIG", "1")]);
            let all = all.map(|(name, value)| (OsString::from(name), OsString::from(value)));
            let context = Context::quiet(folder.path().join("store")).in_environment(Environment::new(all));
            let mut told = for_pip(&context);
            told.retain(|(name, _)| ["PIP_TRUSTED_HOST", "PIP_CLIENT_CERT"].contains(name));
            told
        };
        let both = [("UV_INSECURE_HOST", "https://h.example:8443/simple * i.example"), ("SSL_CLIENT_CERT", "/me.pem")];
        let expected =
            vec![("PIP_TRUSTED_HOST", "h.example:8443 i.example".into()), ("PIP_CLIENT_CERT", "/me.pem".into())];
        assert_eq!(told(&both), expected);
        assert_eq!(told(&[("UV_INSECURE_HOST", "*")]), []);
        let context = Context::quiet(folder.path().join("store")).with_default_index(Some("https://c.example/simple"));
        assert_eq!(default_index(&context).as_deref(), Some("https://c.example/simple"), "the configuration's");
    }
}
