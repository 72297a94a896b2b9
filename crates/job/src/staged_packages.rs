//! Files of others that are staged beside the archive: the distributions of a requirements file, resolved as for a build and
//! taken from the store, and files at addresses.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use config_merger::{LoadOptions, Repository};
use resolve::registries::{self, IndexPages};
use resolve::{
    AnswerSource, AnsweredQuestions, IndexFile, LockedSource, MissingRule, PreferredVersions, Request, ResolveSettings,
    Uv, UvQuestion,
};
use serde_json::json;
use store::Context;
use store::download::{self, FetchRequest};
use vocab::{Digest, DistributionName, Fault, PlatformKey, VersionString};

use crate::job_error::JobError;
use crate::job_folder::{JobFolder, inside};
use crate::job_indexes::JobIndexes;
use crate::requirement_lines::{self, PlacedLine};
use crate::secrets::without_secrets;

/// Downloads at once.
const AT_ONCE: usize = 6;
/// What Beam stages by itself.
const SDK: &str = "apache-beam";

/// Which of several indexes answers for a distribution.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum IndexStrategy {
    /// The first, in their order, that has a file of it that fits.
    #[default]
    First,
    /// The one with the newest version.
    Best,
}

/// Where packages come from, and for which workers.
#[derive(Clone, Debug)]
pub struct PackageSettings {
    pub platform: PlatformKey,
    pub indexes: JobIndexes,
    pub strategy: IndexStrategy,
}

impl Default for PackageSettings {
    /// Beam's workers are amd64 Linux.
    fn default() -> Self {
        Self { platform: PlatformKey::LinuxX64, indexes: JobIndexes::default(), strategy: IndexStrategy::default() }
    }
}

/// A requirements file as it is staged.
#[derive(Debug, Default)]
pub(crate) struct RequirementsFile {
    /// Its text, without the paths of packages in the job folder.
    pub text: String,
    /// Those paths, which are staged as extra packages.
    pub local: Vec<String>,
    lines: requirement_lines::RequirementLines,
}

impl RequirementsFile {
    /// Reads it from the job folder.
    pub fn read(folder: &JobFolder, path: &str) -> Result<Self, JobError> {
        let at = folder.root().join(path);
        let whole = vocab::read_regular_text(&at).map_err(JobError::disk("read", &at))?;
        let is_local = |line: &&str| inside(line.trim()).is_some_and(|it| !it.is_empty() && folder.has_file(&it));
        let local: Vec<String> = whole.lines().filter(is_local).filter_map(|line| inside(line.trim())).collect();
        let text = if local.is_empty() {
            whole
        } else {
            // As Beam writes it: without blanks at the ends of lines, and without a line break at its end.
            whole.lines().filter(|line| !is_local(line)).map(str::trim).collect::<Vec<_>>().join("\n")
        };
        let text_of = |name: &str| {
            if name == path { Some(text.clone()) } else { vocab::read_regular_text(&folder.root().join(name)).ok() }
        };
        let lines = requirement_lines::read(&text_of, path);
        if let Some((line, reason)) = lines.refused.first() {
            return Err(requirements(&format!("{}:{}: `{}`: {reason}", line.file, line.line, line.text)));
        }
        Ok(Self { text, local, lines })
    }

    /// The files of the distributions that it names, by file name; nothing that these require, which is Beam's way. They are
    /// resolved together, so that their versions fit.
    pub fn fetch(
        &self,
        context: &Context,
        python: (&Path, vocab::PythonVersion),
        settings: &PackageSettings,
    ) -> Result<BTreeMap<String, PathBuf>, Box<dyn Fault>> {
        let asked: Vec<&PlacedLine> = self.lines.requirements.iter().filter(|it| !is_sdk(&it.text)).collect();
        if asked.is_empty() {
            return Ok(BTreeMap::new());
        }
        let search = Search { context, python, settings, lines: &self.lines, asked };
        search.run()
    }
}

/// `apache-beam[gcp]==2.77.0`, however it is spelled.
fn is_sdk(line: &str) -> bool {
    name_of(line).is_some_and(|name| name.as_str() == SDK)
}

fn name_of(line: &str) -> Option<DistributionName> {
    let is_of_name = |it: char| it.is_ascii_alphanumeric() || "-_.".contains(it);
    line.split(|it| !is_of_name(it)).next()?.parse().ok()
}

/// The requirement with what constraints say of its distribution; what they say of others binds nothing that is staged.
fn bound(line: &str, constraints: &[PlacedLine]) -> String {
    let (head, marker) = line.split_once(';').map_or((line, None), |(head, marker)| (head, Some(marker)));
    let mut head = head.trim().to_owned();
    let name = name_of(line);
    for constraint in constraints.iter().filter(|it| name.is_some() && name_of(&it.text) == name) {
        let at = constraint.text.find(['=', '<', '>', '!', '~']);
        if let Some(at) = at.filter(|_| !head.contains('@') && !constraint.text.contains([';', '@'])) {
            head.push_str(if head.contains(['=', '<', '>', '!', '~']) { "," } else { "" });
            head.push_str(&constraint.text[at..]);
        }
    }
    marker.map_or(head.clone(), |marker| format!("{head};{marker}"))
}

fn requirements(reason: &str) -> JobError {
    JobError::Packages { reason: without_secrets(reason) }
}

struct Search<'a> {
    context: &'a Context,
    /// The interpreter for the resolver, and the version of the workers'.
    python: (&'a Path, vocab::PythonVersion),
    settings: &'a PackageSettings,
    lines: &'a requirement_lines::RequirementLines,
    asked: Vec<&'a PlacedLine>,
}

impl Search<'_> {
    fn run(&self) -> Result<BTreeMap<String, PathBuf>, Box<dyn Fault>> {
        let context = &self.context.with_default_index(self.default_index());
        let uv = Uv::find(context, self.python.0, &AnsweredQuestions::default()).map_err(JobError::from)?;
        let scratch = context.store.scratch_dir("packages-").map_err(JobError::disk("write", context.store.root()))?;
        let request = self.request(scratch.path())?;
        let names: BTreeSet<DistributionName> = self.asked.iter().filter_map(|it| name_of(&it.text)).collect();
        let mut files: Vec<IndexFile> = match self.settings.strategy {
            IndexStrategy::First => in_order(context, &uv, &request, scratch.path(), &names)?,
            IndexStrategy::Best => everywhere(context, &uv, &request, scratch.path(), &names)?,
        };
        files.sort_by(|one, other| one.file_name.as_str().cmp(other.file_name.as_str()));
        let mut requests = Vec::with_capacity(files.len());
        for IndexFile { file_name, url, size, sha256 } in files {
            let sha256 = match sha256 {
                Some(sha256) => sha256,
                None => at_address(context, &url)?,
            };
            requests.push(FetchRequest { url, file_name: file_name.to_string(), sha256, size, largest: None });
        }
        let blobs = download::fetch_all(context, &requests, AT_ONCE)?;
        Ok(requests.into_iter().map(|it| it.file_name).zip(blobs).collect())
    }

    fn default_index(&self) -> Option<&str> {
        self.settings.indexes.default.as_deref().or(self.lines.index.as_deref())
    }

    /// The question, as a build with these dependencies would put it.
    fn request(&self, scratch: &Path) -> Result<Request, JobError> {
        let version: VersionString = format!("{}-job", self.python.1).parse().expect("a version and a word");
        let folder = scratch.join(version.folder_name());
        let mut additional: Vec<String> = self.settings.indexes.additional.clone();
        additional.extend(self.settings.indexes.find_links.iter().map(|it| address_of(it)));
        for url in &self.lines.extra_indexes {
            if !additional.contains(url) {
                additional.push(url.clone());
            }
        }
        // That an index is not encrypted has been said; see KJ054.
        let all = additional.iter().map(String::as_str).chain(self.default_index());
        let allow_http: BTreeSet<String> = all.filter_map(vocab::unencrypted_host).collect();
        let mut registries = json!({"additional": additional, "allowHttp": allow_http});
        if let Some(index) = self.default_index() {
            registries["default"] = json!(index);
        }
        let lines: Vec<String> = self.asked.iter().map(|it| bound(&it.text, &self.lines.constraints)).collect();
        let shared = json!({"registries": registries, "packages": {"dependencies": lines}});
        let write = |path: &Path, text: &str| fs::write(path, text).map_err(JobError::disk("write", path));
        fs::create_dir_all(&folder).map_err(JobError::disk("make", &folder))?;
        write(&scratch.join("shared-config.json"), &shared.to_string())?;
        write(&folder.join("config.json"), "{}")?;
        let loaded = config_merger::load(&Repository::at(scratch), &version, &LoadOptions::default());
        let loaded = loaded.map_err(|faults| requirements(&vocab::with_causes(&faults)))?;
        Ok(Request::new(&loaded.config, self.settings.platform))
    }
}

fn in_order(
    context: &Context,
    uv: &Uv,
    request: &Request,
    scratch: &Path,
    names: &BTreeSet<DistributionName>,
) -> Result<Vec<IndexFile>, Box<dyn Fault>> {
    let silent = registries::unreachable(context, &request.registries, true);
    if let Some(index) = silent.first() {
        return Err(requirements(&format!("the index {} does not answer: {}", index.url, index.reason)).into());
    }
    let settings = ResolveSettings {
        uv,
        repository: scratch,
        logs: None,
        missing: MissingRule::Refuse,
        no_build: false,
        refresh: false,
        pages: &IndexPages::new(context, uv, &request.registries, &silent),
        preferred: &PreferredVersions::default(),
        locked: None,
    };
    let resolved = resolve::resolve(context, request, &settings)?;
    let mut files = Vec::new();
    for row in resolved.rows.distributions.into_iter().filter(|row| names.contains(&row.name)) {
        let (LockedSource::Wheel { file, sha256, size } | LockedSource::Sdist { file, sha256, size }) = row.source
        else {
            return Err(requirements(&format!("`{}` is no file of an index; name a version of it", row.name)).into());
        };
        let url = resolved.urls.get(&sha256).cloned().unwrap_or_default();
        files.push(IndexFile { file_name: file, url, size, sha256: Some(sha256) });
    }
    Ok(files)
}

fn everywhere(
    context: &Context,
    uv: &Uv,
    request: &Request,
    scratch: &Path,
    names: &BTreeSet<DistributionName>,
) -> Result<Vec<IndexFile>, Box<dyn Fault>> {
    let pages = IndexPages::new(context, uv, &request.registries, &[]);
    let question = UvQuestion {
        requirements: request.requirements.iter().map(|it| it.for_resolver(scratch)).collect(),
        sources_allowed: true,
        registries: pages.open_urls(),
        everywhere: true,
        ..UvQuestion::default()
    };
    let text = uv.compile(context, scratch, &request.target, &question).map_err(JobError::from)?;
    let answers = resolve::chosen(&text, &request.target)?;
    let mut files = Vec::new();
    for answer in answers.into_iter().filter(|it| names.contains(&it.name)) {
        match answer.source {
            AnswerSource::Wheel(file) | AnswerSource::Sdist(file) => files.push(file),
            _ => return Err(requirements(&format!("`{}` is no file of an index", answer.name)).into()),
        }
    }
    Ok(files)
}

/// A folder as an address.
pub(crate) fn address_of(place: &str) -> String {
    let path = Path::new(place);
    let absolute = if place.contains("://") { None } else { std::path::absolute(path).ok() };
    absolute.and_then(|path| url::Url::from_directory_path(path).ok()).map_or(place.to_owned(), String::from)
}

/// The digest of what the address sends, which is then in the store.
pub(crate) fn at_address(context: &Context, url: &str) -> Result<Digest, Box<dyn Fault>> {
    let bytes = download::fetch_bytes(context, url, context.downloader.settings().largest)?;
    let sha256 = Digest::of(&bytes);
    let store = context.store.root();
    let staged = context.store.stage_file()?;
    fs::write(staged.path(), bytes).map_err(JobError::disk("write", store))?;
    context.store.publish_file(staged, &context.store.blob(&sha256))?;
    Ok(sha256)
}

/// Whether a file can be fetched from there. Buckets are Beam's, with the user's credentials.
pub(crate) fn is_fetched(address: &str) -> bool {
    ["https://", "http://", "file://"].iter().any(|scheme| address.starts_with(scheme))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn klio_19_the_sdk_is_dropped_however_it_is_spelled() {
        for (line, is) in [
            ("apache-beam[gcp]==2.77.0", true),
            ("Apache_Beam>=2", true),
            ("apache-beam-extra==1", false),
            ("tinydep==1.0", false),
            ("", false),
        ] {
            assert_eq!(is_sdk(line), is, "for {line}");
        }
    }

    #[test]
    fn klio_19_packages_of_the_job_folder_are_taken_out_of_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let of = |text: &str| {
            fs::write(folder.path().join("r.txt"), text).unwrap();
            fs::create_dir_all(folder.path().join("wheels")).unwrap();
            fs::write(folder.path().join("wheels/x-1.0-py3-none-any.whl"), "").unwrap();
            RequirementsFile::read(&JobFolder::open(folder.path(), None).unwrap(), "r.txt")
        };
        let plain = of("# why\ntinydep==1.0\n").unwrap();
        assert_eq!((plain.text.as_str(), plain.local.len()), ("# why\ntinydep==1.0\n", 0));
        let thinned = of("tinydep==1.0 \n./wheels/x-1.0-py3-none-any.whl\n").unwrap();
        assert_eq!(
            (thinned.text.as_str(), thinned.local),
            ("tinydep==1.0", vec!["wheels/x-1.0-py3-none-any.whl".into()])
        );
        let refused = of("tinydep\n--no-such https://u:secret@x.example\n").unwrap_err();
        assert!(refused.to_string().contains("r.txt:2") && !refused.to_string().contains("secret"), "{refused}");
    }

    #[test]
    fn klio_19_constraints_bind_what_is_asked_for() {
        let of = |text: &str| PlacedLine { text: text.to_owned(), file: "c.txt".to_owned(), line: 1 };
        let constraints = [of("Tiny_Dep<2"), of("other==1"), of("tinydep")];
        assert_eq!(bound("tiny-dep", &constraints), "tiny-dep<2");
        assert_eq!(
            bound("tiny.dep[x]>=1; python_version > '3'", &constraints),
            "tiny.dep[x]>=1,<2; python_version > '3'"
        );
        assert_eq!(bound("tinydep==1", &constraints), "tinydep==1");
    }

    #[test]
    fn folders_become_addresses() {
        assert_eq!(address_of("https://x.example/links/"), "https://x.example/links/");
        assert!(address_of("/a b").starts_with("file:///") && address_of("/a b").ends_with("/a%20b/"));
        assert!(is_fetched("https://x.example/x.whl") && !is_fetched("gs://bucket/x.whl"));
    }
}
