//! A page about a package, for people: `homepage`, else where its sources are. npm's own page is not among them, since
//! nothing in `package.json` says which registry it is published to.

use serde_json::Value;
use url::Url;

/// What `homepage` or `repository` name, if that can be opened in a browser.
pub(crate) fn web_page(package: &Value) -> Option<String> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let homepage = package.get("homepage").and_then(text).and_then(|text| for_browsers(&text));
    homepage.or_else(|| {
        let repository = package.get("repository")?;
        let named = text(repository).or_else(|| repository.get("url").and_then(text))?;
        of_repository(&named)
    })
}

/// Forms that npm accepts: a URL of git, `github:owner/name` and its short form `owner/name`, `git@host:owner/name`.
fn of_repository(text: &str) -> Option<String> {
    let text = text.strip_prefix("git+").unwrap_or(text);
    let of_host = |host: &str, path: &str| format!("https://{host}/{path}");
    let hosts = [("github:", "github.com"), ("gitlab:", "gitlab.com"), ("bitbucket:", "bitbucket.org")];
    let short = hosts.iter().find_map(|(prefix, host)| Some(of_host(host, text.strip_prefix(prefix)?)));
    let is_plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
    let url = match (short, text.split_once('/')) {
        (Some(url), _) => url,
        (None, Some((owner, name))) if is_plain(owner) && is_plain(name) => of_host("github.com", text),
        _ => {
            let ssh = text.strip_prefix("ssh://").unwrap_or(text).strip_prefix("git@");
            let ssh = ssh.and_then(|rest| rest.split_once([':', '/']));
            let git = text.strip_prefix("git://").and_then(|rest| rest.split_once('/'));
            ssh.or(git).map_or_else(|| text.to_owned(), |(host, path)| of_host(host, path))
        }
    };
    for_browsers(url.strip_suffix(".git").unwrap_or(&url))
}

/// Nothing with a user or password in it, which would be published.
fn for_browsers(text: &str) -> Option<String> {
    let url = Url::parse(text).ok()?;
    let is_plain = url.username().is_empty() && url.password().is_none();
    (is_plain && matches!(url.scheme(), "http" | "https") && url.host().is_some()).then(|| url.to_string())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_package_is_linked_to_its_home_page_or_its_sources() {
        let sources = Some("https://github.com/lab/runenv");
        let cases = [
            (json!({ "homepage": "https://lab.example/runenv#readme" }), Some("https://lab.example/runenv#readme")),
            (json!({ "homepage": "https://lab.example/", "repository": "lab/runenv" }), Some("https://lab.example/")),
            (json!({ "repository": "lab/runenv" }), sources),
            (json!({ "repository": "github:lab/runenv" }), sources),
            (json!({ "repository": "git@github.com:lab/runenv.git" }), sources),
            (json!({ "repository": { "type": "git", "url": "git+https://github.com/lab/runenv.git" } }), sources),
            (json!({ "repository": { "url": "git+ssh://git@github.com/lab/runenv.git", "directory": "a" } }), sources),
            (json!({ "repository": { "url": "git://github.com/lab/runenv.git" } }), sources),
            (json!({ "homepage": "javascript:alert(1)" }), None),
            (json!({ "homepage": "https://me:secret@lab.example/" }), None),
            (json!({ "homepage": 5, "repository": ["x"] }), None),
            (json!({ "homepage": "readme", "repository": "file:///srv/x" }), None),
            (json!({}), None),
        ];
        for (package, page) in cases {
            assert_eq!(web_page(&package).as_deref(), page, "{package}");
        }
    }
}
