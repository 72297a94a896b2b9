//! The resolver program: which one, how it is set up, how it is asked.
//!
//! uv brings the default index, credentials, proxies and its cache with it, from the user's configuration and
//! environment (`uv_settings`); nothing here names an index.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use serde_json::json;
use vocab::{Digest, DistributionName, PlatformKey};

use super::{AnsweredQuestions, Shelf, UvError, hints};
use crate::pinned_uv::{self, UV_VERSION};
use crate::uv_settings::{self, SettingsHandover};
use process::Invocation;
use process::words_of;
use store::Context;
use store::EntryKind;
use store::pinned_tool::SetUpError;
use wheel::WheelTarget;

/// The resolver, ready to be asked. Clones share what has been learnt and reported.
#[derive(Clone, Debug)]
pub struct Uv {
    program: PathBuf,
    /// The interpreter for building metadata and for defaults of markers; of the runtime's own minor version.
    python: PathBuf,
    /// Texts that are reported once for all platforms: its warnings, and whose code it may run.
    told: Arc<Mutex<BTreeSet<String>>>,
    /// What it was asked before.
    answered: AnsweredQuestions,
}

/// One question to the resolver.
#[derive(Clone, Debug, Default)]
pub struct UvQuestion {
    /// PEP 508 lines.
    pub requirements: Vec<String>,
    /// Constraints: PEP 508 lines that bind versions without asking for the distributions.
    pub constraints: Vec<String>,
    /// Overrides: PEP 508 lines that replace all other requirements on these distributions.
    pub overrides: Vec<String>,
    pub excluded: Vec<DistributionName>,
    pub no_deps: Vec<DistributionName>,
    /// Versions of those that do not come from an index: uv uses given metadata only together with the version.
    pub no_deps_versions: BTreeMap<DistributionName, String>,
    /// Built from source. What they require may be asked of their own code.
    pub from_source: Vec<DistributionName>,
    /// Their further build requirements, as PEP 508 lines.
    pub build_requires: BTreeMap<DistributionName, Vec<String>>,
    /// Local sources, which change without a new version: the resolver's cache is not used for them.
    pub changing: Vec<DistributionName>,
    /// Sources of any distribution may answer where no wheel fits. Their code is run, unless they are in `no_deps`.
    pub sources_allowed: bool,
    /// Only the requirements themselves, nothing that they require.
    pub without_dependencies: bool,
    /// The oldest versions that fit rather than the newest.
    pub lowest: bool,
    /// Versions to prefer to newer ones if they fit.
    pub preferred: BTreeMap<DistributionName, String>,
    /// A further index that takes precedence over the default one.
    pub shelf: Shelf,
    /// The additional indexes that answer: URLs, and whether each is only a folder of files. Only their credentials
    /// are used, unless the question is about all that there is.
    pub registries: Vec<(String, bool)>,
    /// Whether all indexes are asked for the best version that any has. Only to learn what exists; nothing is
    /// installed from this.
    pub everywhere: bool,
    /// For a build on this machine: for its interpreter and system rather than the target's, and the default index
    /// answers before `registries`, the first of which that has a distribution answers for it.
    pub for_building: bool,
    /// As if the user had asked: all of uv's variables and settings count, further indexes among them. For what no lock
    /// records.
    pub as_the_user: bool,
    /// Ask the indexes again rather than the resolver's cache.
    pub refresh: bool,
    /// Do not use the resolver's cache at all.
    pub no_cache: bool,
}

impl Uv {
    /// On PATH at the pinned version, or else set up once into the store with `python`'s own pip, by digest. `answered`
    /// is what others were answered in this run.
    pub fn find(context: &Context, python: &Path, answered: &AnsweredQuestions) -> Result<Self, UvError> {
        let found = |program: PathBuf| {
            context.downloader.learn_uv(program.clone());
            Self { program, python: python.to_owned(), told: Arc::default(), answered: answered.clone() }
        };
        if let Some(program) = answered.on_path_or(|| pinned_uv::on_path(context))? {
            return Ok(found(program));
        }
        let set_up = |kind| UvError::SetUp { kind };
        let host = PlatformKey::host().ok_or_else(|| set_up(SetUpError::NoWheel))?;
        let name = format!("uv-{UV_VERSION}-{host}");
        context.store.mark_used(EntryKind::Tools, &name);
        // It stays as long as the program does, to be given to other machines.
        for sha256 in crate::pinned_uv(host).into_iter().flat_map(|tool| tool.digests) {
            context.store.mark_used(EntryKind::Blobs, &sha256);
        }
        let folder = context.store.tool(&name);
        let program = folder.join("bin").join(if host.is_windows() { "uv.exe" } else { "uv" });
        if !program.is_file() {
            let install =
                || if program.is_file() { Ok(()) } else { pinned_uv::install(context, python, host, &folder) };
            answered.set_up_once(install).map_err(set_up)?;
        }
        Ok(found(program))
    }

    /// The program `uv`, at [`UV_VERSION`].
    pub fn program(&self) -> &Path {
        &self.program
    }

    /// The interpreter that uv works with.
    pub fn python(&self) -> &Path {
        &self.python
    }

    /// The PEP 751 lock for one target. `folder` is a scratch folder.
    pub fn compile(
        &self,
        context: &Context,
        folder: &Path,
        target: &WheelTarget,
        question: &UvQuestion,
    ) -> Result<String, UvError> {
        let (python, offline, default) = (&self.python, context.offline, &context.default_index);
        let key = Digest::of(format!("{python:?} {offline} {default:?} {target:?} {question:?}"));
        self.answered.or_ask(key, || self.ask(context, folder, target, question))
    }

    fn ask(
        &self,
        context: &Context,
        folder: &Path,
        target: &WheelTarget,
        question: &UvQuestion,
    ) -> Result<String, UvError> {
        let write = |name: &str, text: &str| {
            let path = folder.join(name);
            fs::write(&path, text).map_err(|source| UvError::Write { path: path.clone(), source })
        };
        write("pyproject.toml", &question.project(target))?;
        let shelf = folder.join("shelf");
        let shelf = question.shelf.write_to(&shelf).map_err(|source| UvError::Write { path: shelf, source })?;
        // They also replace the user's own files.
        let own =
            if question.as_the_user { uv_settings::all_settings(context) } else { uv_settings::settings(context) };
        let mut settings = question.settings(context, shelf, own);
        if question.for_building && !question.registries.is_empty() {
            let default = self.default_index(context);
            settings.extend(uv_settings::indexes_in_order(context, default.as_deref(), &question.registries));
        }
        let settings = SettingsHandover::new(&settings, folder)
            .map_err(|source| UvError::Write { path: folder.to_owned(), source })?;
        if !question.excluded.is_empty() {
            let lines: String = question.excluded.iter().map(|name| format!("{name}\n")).collect();
            write("excluded.txt", &lines)?;
        }

        let mut arguments: Vec<OsString> = settings.arguments().into();
        let mut add = |words: &[&str]| arguments.extend(words.iter().map(OsString::from));
        add(&["--color", "never"]);
        add(&["pip", "compile", "pyproject.toml", "--format", "pylock.toml", "--output-file", "pylock.toml"]);
        add(&["--no-header", "--no-progress", "--no-python-downloads"]);
        if !question.for_building {
            add(&["--python-platform", &target.uv_platform(), "--python-version", &target.python.to_string()]);
        }
        if !question.excluded.is_empty() {
            add(&["--excludes", "excluded.txt"]);
        }
        if !question.sources_allowed {
            add(&["--only-binary", ":all:"]);
        }
        for name in &question.from_source {
            add(&["--no-binary", name.as_str()]);
        }
        // Without a network there is nothing newer, and uv takes either for a contradiction.
        for name in question.changing.iter().filter(|_| !context.offline) {
            add(&["--refresh-package", name.as_str()]);
        }
        if question.without_dependencies {
            add(&["--no-deps"]);
        }
        if question.lowest {
            add(&["--resolution", "lowest"]);
        }
        if question.no_cache {
            add(&["--no-cache"]);
        }
        if question.refresh && !context.offline {
            add(&["--refresh"]);
        }
        if context.offline {
            add(&["--offline"]);
        }
        add(&["--python"]);
        arguments.push(self.python.clone().into());

        // uv takes the present content of its output file as preferences.
        write("pylock.toml", &question.preferences())?;
        let mut invocation = self.invocation(context, folder, &settings, question.all_lines()).args(arguments);
        if question.as_the_user {
            invocation.environment = uv_settings::whole_environment(context);
        }
        let invocation = invocation.env("PYTHONDONTWRITEBYTECODE", "1").env("PYTHONHOME", "").env("PYTHONPATH", "");
        let invocation = match target.deployment_target().filter(|_| !question.for_building) {
            Some(macos) => invocation.env("MACOSX_DEPLOYMENT_TARGET", macos),
            None => invocation,
        };
        let finished = process::run(context, &invocation)?;
        self.tell_warnings(context, &finished.stderr_text());
        if !finished.succeeded() {
            let reason = words_of(&finished.stderr_text());
            return Err(if is_unreachable(&reason) {
                UvError::Unreachable { reason }
            } else {
                UvError::Refused { reason: hints::in_our_words(&reason, target) }
            });
        }
        let path = folder.join("pylock.toml");
        fs::read_to_string(&path).map_err(|source| UvError::Write { path, source })
    }

    /// The URL of the default index, with its credentials: the configuration's, or else uv's. `None` if there is none.
    pub fn default_index(&self, context: &Context) -> Option<String> {
        if let Some(url) = &context.default_index {
            return Some(uv_settings::with_credentials(context, url));
        }
        self.answered.default_index_or(|| self.ask_for_default_index(context)).map(str::to_owned)
    }

    fn ask_for_default_index(&self, context: &Context) -> Option<String> {
        let folder = context.store.scratch_dir("index-").ok()?;
        fs::write(folder.path().join("nothing.in"), "").ok()?;
        let settings = SettingsHandover::new(&uv_settings::settings(context), folder.path()).ok()?;
        let words = ["pip", "compile", "nothing.in", "--offline", "--emit-index-url"];
        let invocation = self
            .invocation(context, folder.path(), &settings, std::iter::empty())
            .args(settings.arguments())
            .args(words.into_iter().chain(["--no-python-downloads", "--python"]).map(OsString::from))
            .arg(&self.python);
        let finished = process::run(context, &invocation).ok().filter(process::FinishedProgram::succeeded)?;
        let text = finished.stdout_text();
        text.lines().find_map(|line| line.strip_prefix("--index-url ")).map(|url| url.trim().to_owned())
    }

    fn invocation<'a>(
        &self,
        context: &Context,
        folder: &Path,
        settings: &SettingsHandover,
        requirements: impl Iterator<Item = &'a String>,
    ) -> Invocation {
        let mut invocation = Invocation::new(&self.program, folder).timeout(context.timeout);
        invocation.stdin.clone_from(&settings.stdin);
        invocation.clear_environment = true;
        invocation.environment = uv_settings::environment(context, requirements);
        invocation
    }

    /// True once for each text.
    pub fn is_new(&self, text: &str) -> bool {
        self.told.lock().unwrap_or_else(std::sync::PoisonError::into_inner).insert(text.to_owned())
    }

    /// A yanked file, for example (P19).
    fn tell_warnings(&self, context: &Context, stderr: &str) {
        for text in stderr.lines().filter_map(|line| line.strip_prefix("warning: ")) {
            if self.is_new(text) {
                context.warn("W_RESOLVER", text, None, None);
            }
        }
    }
}

impl UvQuestion {
    /// A PEP 751 lock of nothing but names and versions.
    fn preferences(&self) -> String {
        let head = "lock-version = \"1.0\"\ncreated-by = \"pydist\"\npackages = []\n";
        if self.preferred.is_empty() {
            return head.to_owned();
        }
        let row = |(name, version): (&DistributionName, &String)| {
            format!("\n[[packages]]\nname = {}\nversion = {}\n", json!(name), json!(version))
        };
        head.replace("packages = []\n", "") + &self.preferred.iter().map(row).collect::<String>()
    }

    /// Everything that may say where something is fetched from.
    fn all_lines(&self) -> impl Iterator<Item = &String> {
        let build_requires = self.build_requires.values().flatten();
        self.requirements.iter().chain(&self.constraints).chain(&self.overrides).chain(build_requires)
    }

    /// How to connect, and then indexes, what `noDeps` leaves out, what builds need.
    fn settings(&self, context: &Context, shelf: Option<String>, mut settings: toml::Table) -> toml::Table {
        let metadata = |name: &DistributionName| {
            let version = self.no_deps_versions.get(name).map(|version| ("version".to_owned(), version.clone().into()));
            let of_all = [
                ("name".to_owned(), toml::Value::from(name.as_str())),
                ("requires-dist".to_owned(), toml::Value::Array(Vec::new())),
            ];
            toml::Value::Table(of_all.into_iter().chain(version).collect())
        };
        if !self.no_deps.is_empty() {
            let rows = self.no_deps.iter().map(metadata).collect();
            settings.insert("dependency-metadata".to_owned(), toml::Value::Array(rows));
        }
        let extra = self.build_requires.iter().filter(|(_, requirements)| !requirements.is_empty());
        let extra: toml::Table = extra.map(|(name, lines)| (name.to_string(), lines.clone().into())).collect();
        if !extra.is_empty() {
            settings.insert("extra-build-dependencies".to_owned(), extra.into());
        }
        for (key, lines) in [("constraint-dependencies", &self.constraints), ("override-dependencies", &self.overrides)]
        {
            if !lines.is_empty() {
                settings.insert(key.to_owned(), lines.clone().into());
            }
        }
        let mut indexes: Vec<toml::Value> = Vec::new();
        if let Some(url) = shelf {
            let entries = [("name", "shelf".to_owned()), ("url", url)];
            let entries = entries.map(|(key, value)| (key.to_owned(), value.into()));
            indexes.push(toml::Value::Table(entries.into_iter().collect()));
        }
        for (position, (url, is_flat)) in self.registries.iter().enumerate() {
            let mut index = uv_settings::additional_index(context, position, url, *is_flat);
            index.insert("explicit".to_owned(), (!self.everywhere).into());
            indexes.push(index.into());
        }
        if self.everywhere {
            settings.insert("index-strategy".to_owned(), "unsafe-best-match".into());
        }
        if !indexes.is_empty() {
            let default = settings.remove("index").and_then(|index| index.as_array().cloned()).unwrap_or_default();
            settings.insert("index".to_owned(), indexes.into_iter().chain(default).collect::<Vec<_>>().into());
        }
        settings
    }

    fn project(&self, target: &WheelTarget) -> String {
        // TOML's strings and arrays of strings are written as JSON's are.
        format!(
            "[project]\nname = \"pydist-runtime\"\nversion = \"0\"\nrequires-python = \">={}\"\ndependencies = {}\n",
            target.python.minor_version(),
            json!(self.requirements),
        )
    }
}

/// Whether a transfer failed, rather than an index answering that it does not have what was asked for.
fn is_unreachable(reason: &str) -> bool {
    ["Failed to fetch", "error sending request", "Request failed after", "failed to build HTTP client"]
        .iter()
        .any(|sign| reason.contains(sign))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shelf_stands_before_every_registry_and_the_default_index_last() {
        let mut question = UvQuestion {
            requirements: vec!["cudf-cu12==25.6.0".into()],
            no_deps: vec!["parapred".parse().unwrap()],
            registries: vec![("https://pypi.nvidia.com".to_owned(), false), ("file:///wheels".to_owned(), true)],
            ..UvQuestion::default()
        };
        let target = WheelTarget::new(PlatformKey::LinuxX64, "3.12.10".parse().unwrap());
        let project: toml::Value = toml::from_str(&question.project(&target)).unwrap();
        assert_eq!(project["project"]["dependencies"][0].as_str(), Some("cudf-cu12==25.6.0"));

        let connection: toml::Table =
            "native-tls = true\nindex = [{ url = 'https://corp.example/simple', default = true }]".parse().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let context = Context::quiet(folder.path().join("store"));
        let settings = |question: &UvQuestion, shelf: Option<&str>| {
            question.settings(&context, shelf.map(str::to_owned), connection.clone())
        };
        let in_order = settings(&question, Some("file:///shelf/"));
        assert_eq!(in_order["dependency-metadata"][0]["name"].as_str(), Some("parapred"));
        assert_eq!(in_order["native-tls"].as_bool(), Some(true));
        let urls: Vec<_> =
            in_order["index"].as_array().unwrap().iter().map(|index| index["url"].as_str().unwrap()).collect();
        assert_eq!(
            urls,
            ["file:///shelf/", "https://pypi.nvidia.com", "file:///wheels", "https://corp.example/simple"]
        );
        let explicit = |settings: &toml::Table| settings["index"][1]["explicit"].as_bool();
        assert_eq!((explicit(&in_order), in_order.get("index-strategy")), (Some(true), None), "nobody asks it");
        assert_eq!(in_order["index"][2]["format"].as_str(), Some("flat"));

        question.everywhere = true;
        let everywhere = settings(&question, Some("file:///shelf/"));
        assert_eq!(explicit(&everywhere), Some(false));
        assert_eq!(everywhere["index-strategy"].as_str(), Some("unsafe-best-match"));
    }
}
