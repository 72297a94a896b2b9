//! Parses the text of a requirement.

use pep440_rs::{VersionSpecifier, VersionSpecifiers};
use pep508_rs::{ExtraName, MarkerTree, MarkerWarningKind, VersionOrUrl};
use url::Url;
use vocab::{DistributionName, TreePath, VersionString};

use crate::complaint::{Complaint, complain};
use crate::{PathKind, Requirement, RequirementSource, TextPlace, marker_text};
use vocab::quoted::shown;

/// A requirement and what was unusual about its marker.
pub(crate) struct ParsedRequirement {
    pub requirement: Requirement,
    pub oddities: Vec<String>,
}

const ARCHIVES: [&str; 7] = [".whl", ".tar.gz", ".zip", ".tgz", ".tar.bz2", ".tar.xz", ".tar.zst"];

/// Paths are relative to the package folder of `version`. The requirement's place is left empty.
pub(crate) fn parse(text: &str, version: &VersionString) -> Result<ParsedRequirement, Complaint> {
    let text = text.trim();
    check_size(text)?;
    refuse_options(text)?;
    let mut oddities = Vec::new();
    let (head, reference) = match text.split_once('@') {
        Some((head, reference)) if is_head(head.trim()) => (Some(head.trim()), Some(reference.trim())),
        _ => (None, is_reference(text).then_some(text)),
    };
    let requirement = match reference {
        Some(reference) => {
            let (reference, marker) = split_marker(reference);
            let marker = parse_marker(marker, &mut oddities)?;
            direct(head, reference, marker, version)?
        }
        None => from_index(text, &mut oddities)?,
    };
    let requirement = requirement.with_text(version);
    // The canonical text is parsed again; nested alternatives may have been expanded in it.
    let written_out = requirement.text.split_once(" ;").map_or("", |(_, marker)| marker);
    if check_size(&requirement.text).is_err() || marker_text::check(written_out).is_err() {
        return complain("a marker that amounts to too many comparisons", "simplify the marker");
    }
    Ok(ParsedRequirement { requirement, oddities })
}

/// The specifier of an override: a bare version means exactly that version.
pub(crate) fn parse_override(value: &str) -> Result<VersionSpecifiers, Complaint> {
    let value = value.trim();
    let text = if value.starts_with(['=', '<', '>', '!', '~']) { value.to_owned() } else { format!("=={value}") };
    if value.is_empty() {
        return complain("an override needs a version", "write the version, or `null` to take a shared override back");
    }
    text.parse::<VersionSpecifiers>().map_err(|error| Complaint {
        text: format!("{} is neither a version nor a specifier: {}", shown(value), first_line(&error.to_string())),
        hint: Some("write a version such as `2.2.6`, or a specifier such as `>=2,<3`".into()),
    })
}

/// Resolves `text`, relative to the package folder, to a path below the repository's root.
pub(crate) fn repository_path(text: &str, version: &VersionString) -> Result<TreePath, Complaint> {
    let refuse = |reason: &str| {
        complain(
            format!("the path {} {reason}", shown(text)),
            "write a path inside the repository, relative to the package folder, with `/`",
        )
    };
    if text.starts_with('/') || text.contains('\\') || text.as_bytes().get(1) == Some(&b':') {
        return refuse("names a place on one machine");
    }
    let mut kept = vec![version.folder_name()];
    for segment in text.split('/') {
        match segment {
            "" | "." => {}
            ".." if kept.pop().is_none() => return refuse("leaves the repository"),
            ".." => {}
            name => kept.push(name.to_owned()),
        }
    }
    kept.join("/")
        .parse()
        .or_else(|error: vocab::TreePathError| refuse(&format!("is not a valid path here: {}", error.reason)))
}

/// Whether it is a line of pip's requirements files, with options or a continuation mark.
fn refuse_options(text: &str) -> Result<(), Complaint> {
    let mut words = text.split_whitespace();
    let option = if text.starts_with('-') { Some(text) } else { words.find(|word| word.starts_with("--")) };
    match option {
        Some(option) if option.starts_with("--hash") => complain(
            format!("{} is an option of pip, not part of a requirement", shown(option)),
            "options of pip do not belong here; digests are in lock.json",
        ),
        Some(option) => complain(
            format!("{} is an option of pip, not part of a requirement", shown(option)),
            "options of pip do not belong here; list the requirement itself, and indexes in `registries.additional`",
        ),
        None if text.ends_with('\\') => complain(
            format!("{} ends with a backslash", shown(text)),
            "leave it out; digests that pip expects in the next lines are in lock.json",
        ),
        None => Ok(()),
    }
}

/// No requirement that a person writes is nearly this long.
fn check_size(text: &str) -> Result<(), Complaint> {
    if text.len() > 2000 {
        return complain("a requirement of more than 2000 characters", "shorten its marker or its URL");
    }
    if text.chars().any(char::is_control) {
        return complain(format!("{} holds a control character", shown(text)), "remove it");
    }
    Ok(())
}

/// `name` or `name[extra]`.
fn is_head(text: &str) -> bool {
    let name = text.split_once('[').map_or(text, |(name, _)| name);
    name.trim().parse::<DistributionName>().is_ok()
}

/// A git URL, a URL or a path, without a leading name.
fn is_reference(text: &str) -> bool {
    let scheme = text.split_once("://").is_some_and(|(scheme, _)| {
        scheme.starts_with(|first: char| first.is_ascii_alphabetic())
            && scheme.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'))
    });
    let drive = text.as_bytes().get(1) == Some(&b':');
    scheme || drive || is_path(text) || text.starts_with("file:") || text.starts_with("git+")
}

fn is_path(text: &str) -> bool {
    matches!(text, "." | "..") || ["./", "../", "/", ".\\", "..\\", "\\"].iter().any(|start| text.starts_with(start))
}

/// Parses a line of `Requires-Dist` in a distribution's metadata. `None` for requirements of extras, for URLs, and for
/// lines that cannot be parsed: users cannot correct metadata.
pub fn requirement_of_metadata(line: &str) -> Option<Requirement> {
    let text = line.trim();
    check_size(text).ok()?;
    from_index(text, &mut Vec::new()).ok()
}

fn from_index(text: &str, oddities: &mut Vec<String>) -> Result<Requirement, Complaint> {
    let (head, marker) = text.split_once(';').unwrap_or((text, ""));
    check_words(head)?;
    marker_text::check(marker)?;
    let mut reporter = |_: MarkerWarningKind, oddity: String| oddities.push(oddity);
    let parsed = pep508_rs::Requirement::<Url>::parse_reporter(text, "", &mut reporter).map_err(|error| {
        let reason = error.message.to_string();
        Complaint {
            text: format!("{} is not a valid requirement: {}", shown(text), first_line(&reason)),
            hint: advice(text),
        }
    })?;
    let name = parse_name(parsed.name.as_ref())?;
    let specifier = match parsed.version_or_url {
        Some(VersionOrUrl::VersionSpecifier(specifier)) => specifier,
        None => VersionSpecifiers::empty(),
        Some(VersionOrUrl::Url(url)) => {
            return complain(format!("{} is not understood here", shown(url.as_str())), "write `name @ URL`");
        }
    };
    let mut extras = parsed.extras;
    extras.sort();
    extras.dedup();
    Ok(bare(name, extras, RequirementSource::Index { specifier: sorted(&specifier) }, parsed.marker))
}

/// Sorts the parts, so that `<3,>=2` and `>=2,<3` are equal.
fn sorted(specifier: &VersionSpecifiers) -> VersionSpecifiers {
    let mut parts: Vec<VersionSpecifier> = specifier.iter().cloned().collect();
    parts.sort_by_cached_key(|part| (part.version().clone(), part.to_string()));
    parts.dedup();
    parts.into_iter().collect()
}

/// The name and the extras must end with a letter or a digit; otherwise the parser of PEP 508 panics.
fn check_words(text: &str) -> Result<(), Complaint> {
    let in_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let name = &text[..text.find(|c| !in_word(c)).unwrap_or(text.len())];
    let extras = text.split_once('[').map_or("", |(_, rest)| rest.split(']').next().unwrap_or_default());
    for word in std::iter::once(name).chain(extras.split(|c| !in_word(c))).filter(|word| !word.is_empty()) {
        if word.parse::<DistributionName>().is_err() {
            return Err(Complaint {
                text: format!("{} does not begin and end with a letter or a digit", shown(word)),
                hint: advice(text),
            });
        }
    }
    Ok(())
}

/// What the author of an invalid requirement most likely meant.
fn advice(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let single = (1..bytes.len())
        .find(|&at| bytes[at] == b'=' && !b"=<>!~".contains(&bytes[at - 1]) && bytes.get(at + 1) != Some(&b'='));
    let marker = text.find(';').unwrap_or(text.len());
    match single {
        // Only the text before it can show that a version follows.
        Some(at) if at < marker && is_head(text[..at].trim()) => {
            Some(format!("write {}", shown(&format!("{}=={}", text[..at].trim_end(), text[at + 1..].trim_start()))))
        }
        _ if text.contains('/') => Some("a path starts with `./` or `../`, a URL with its scheme".into()),
        _ => Some(
            "write it as PEP 508 says, for example `numpy==2.2.6` or `torch[opt]>=2 ; sys_platform == \"linux\"`"
                .into(),
        ),
    }
}

/// `head` is the name with its extras, if given.
fn direct(
    head: Option<&str>,
    reference: &str,
    marker: MarkerTree,
    version: &VersionString,
) -> Result<Requirement, Complaint> {
    let (source, derived) = if reference.starts_with("git+") {
        git(reference)?
    } else if let Some(path) = reference.strip_prefix("file:") {
        local(path, version)?
    } else if is_path(reference) || reference.as_bytes().get(1) == Some(&b':') {
        local(reference, version)?
    } else {
        archive_url(reference)?
    };
    let (name, extras) = match head {
        Some(head) => parse_head(head)?,
        None => (
            derived.and_then(|name| name.parse().ok()).ok_or_else(|| Complaint {
                text: format!("{} does not tell the name of the distribution", shown(reference)),
                hint: Some(format!("write it in front: `name @ {reference}`")),
            })?,
            Vec::new(),
        ),
    };
    Ok(bare(name, extras, source, marker))
}

fn parse_head(head: &str) -> Result<(DistributionName, Vec<ExtraName>), Complaint> {
    check_words(head)?;
    let parsed: pep508_rs::Requirement<Url> =
        pep508_rs::Requirement::parse(head, "").map_err(|error: pep508_rs::Pep508Error<Url>| Complaint {
            text: format!("{} is not a valid name: {}", shown(head), first_line(&error.message.to_string())),
            hint: advice(head),
        })?;
    let mut extras = parsed.extras;
    extras.sort();
    extras.dedup();
    Ok((parse_name(parsed.name.as_ref())?, extras))
}

fn parse_name(text: &str) -> Result<DistributionName, Complaint> {
    text.parse().map_err(|error: vocab::DistributionNameError| Complaint { text: error.to_string(), hint: None })
}

type SourceAndName = (RequirementSource, Option<String>);

fn git(reference: &str) -> Result<SourceAndName, Complaint> {
    let refuse = |reason: String| {
        complain(
            format!("the git URL {} {reason}", shown(reference)),
            "write it as `git+https://host/group/project.git@commit`",
        )
    };
    let (body, fragment) = reference.split_once('#').unwrap_or((reference, ""));
    let plain = body.strip_prefix("git+").unwrap_or(body);
    let url = match Url::parse(plain) {
        Ok(url) => url,
        Err(error) => return refuse(format!("is not a valid URL: {error}")),
    };
    if !matches!(url.scheme(), "https" | "http" | "ssh" | "file") {
        return refuse(format!("has the scheme `{}`; https, http, ssh and file can be used", url.scheme()));
    }
    refuse_password(&url)?;
    // An `@` before the path belongs to the user of an ssh URL.
    let path_start = plain.find("://").and_then(|at| plain[at + 3..].find('/').map(|slash| at + 3 + slash));
    let Some(path_start) = path_start else { return refuse("names no repository".into()) };
    let (place, revision) = match plain[path_start..].rfind('@') {
        Some(at) => (&plain[..path_start + at], Some(&plain[path_start + at + 1..])),
        None => (plain, None),
    };
    // A reference is passed on git's command line.
    if revision.is_some_and(|revision| {
        revision.is_empty() || revision.starts_with('-') || revision.contains(char::is_whitespace)
    }) {
        return refuse("has an unusable reference behind its `@`".into());
    }
    let part =
        |key: &str| fragment.split('&').find_map(|part| part.strip_prefix(key)).filter(|value| !value.is_empty());
    let subdirectory = match part("subdirectory=").map(str::parse::<TreePath>).transpose() {
        Ok(path) => path.map(|path| path.to_string()),
        Err(error) => return refuse(format!("has an unusable subdirectory: {}", error.reason)),
    };
    let last = place.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    let name = part("egg=").unwrap_or(last.strip_suffix(".git").unwrap_or(last)).to_owned();
    let source = RequirementSource::Git { url: place.to_owned(), reference: revision.map(str::to_owned), subdirectory };
    Ok((source, Some(name)))
}

fn local(text: &str, version: &VersionString) -> Result<SourceAndName, Complaint> {
    let path = repository_path(text.split('#').next().unwrap_or(text), version)?;
    let file_name = path.file_name().to_owned();
    let kind = if archive_stem(&file_name).is_some() { PathKind::File } else { PathKind::Folder };
    let name = match kind {
        PathKind::File => archive_distribution(&file_name),
        PathKind::Folder => Some(file_name),
    };
    Ok((RequirementSource::Path { path, kind }, name))
}

fn archive_url(text: &str) -> Result<SourceAndName, Complaint> {
    let url = match Url::parse(text) {
        Ok(url) => url,
        Err(error) => {
            return complain(
                format!("{} is not a valid URL: {error}", shown(text)),
                "write `https://…`, `git+https://…` or `./path`",
            );
        }
    };
    if !matches!(url.scheme(), "https" | "http") {
        return complain(
            format!("{} has the scheme `{}`", shown(text), url.scheme()),
            "https, http, `git+https` and paths such as `./wheels/x.whl` can be used",
        );
    }
    refuse_password(&url)?;
    let file_name = url.path_segments().and_then(|mut segments| segments.next_back()).unwrap_or_default();
    if archive_stem(file_name).is_none() {
        return complain(
            format!("{} names no wheel and no source archive", shown(text)),
            "for a repository write `git+` in front of the URL",
        );
    }
    let name = archive_distribution(file_name);
    Ok((RequirementSource::Url { url: url.into() }, name))
}

fn archive_stem(file_name: &str) -> Option<&str> {
    ARCHIVES.iter().find_map(|end| file_name.strip_suffix(end))
}

/// The name in `name-version-….whl` and `name-version.tar.gz`.
fn archive_distribution(file_name: &str) -> Option<String> {
    let stem = archive_stem(file_name)?;
    let parts = stem.split('-').count();
    match stem.rsplit_once('-') {
        // Name, version, perhaps a build number, and three tags (PEP 427).
        _ if file_name.ends_with(".whl") && (5..=6).contains(&parts) => stem.split('-').next().map(str::to_owned),
        Some((name, _)) if !file_name.ends_with(".whl") => Some(name.to_owned()),
        _ => None,
    }
}

/// A password in a configuration would appear in locks, logs and manifests. On the web a user name alone is as bad,
/// since many hosts accept a token in its place; the user of an ssh URL is not secret.
pub(crate) fn refuse_password(url: &Url) -> Result<(), Complaint> {
    let what = match (url.password(), url.username()) {
        (Some(_), _) => "a password",
        (None, user) if !user.is_empty() && matches!(url.scheme(), "https" | "http") => "a user name or token",
        _ => return Ok(()),
    };
    complain(
        format!("the URL of `{}` holds {what}", url.host_str().unwrap_or_default()),
        "leave it out; credentials come from where uv has them: its variables and settings, ~/.netrc, `uv auth login`, a keyring",
    )
}

/// `reference ; marker`: the space is required, because a URL may contain a semicolon.
fn split_marker(text: &str) -> (&str, Option<&str>) {
    match text.split_once(" ;") {
        Some((reference, marker)) => (reference.trim(), Some(marker.trim())),
        None => (text.trim(), None),
    }
}

fn parse_marker(text: Option<&str>, oddities: &mut Vec<String>) -> Result<MarkerTree, Complaint> {
    let Some(text) = text else { return Ok(MarkerTree::TRUE) };
    marker_text::check(text)?;
    let mut reporter = |_: MarkerWarningKind, oddity: String| oddities.push(oddity);
    MarkerTree::parse_reporter(text, &mut reporter).map_err(|error| Complaint {
        text: format!("{} is not a valid marker: {}", shown(text), first_line(&error.message.to_string())),
        hint: Some("write it as PEP 508 says, for example `sys_platform == \"linux\"`".into()),
    })
}

fn bare(name: DistributionName, extras: Vec<ExtraName>, source: RequirementSource, marker: MarkerTree) -> Requirement {
    Requirement { name, extras, source, marker, text: String::new(), place: TextPlace::default(), overridden: None }
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}
