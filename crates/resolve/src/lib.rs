//! From a request to locked rows: one joint resolution for a platform, or one for each requirement, wheels first,
//! sources where the policy lets them, and a row for everything that is left out.
//!
//! A [`Request`], which is the configuration for one platform with every rule applied that needs no index, goes in;
//! rows of a [`Lock`] come out, with the URLs where their files are today. uv does the resolving itself; this crate
//! decides in which order it is asked, and what the policy says to its answers.
//!
//! What holds: equal requests have equal inputs digests on every machine; no row of a lock holds a URL; no code of a
//! source runs unless a rule or the policy allows it; and a distribution comes from the first index that has a file of
//! it that fits.
//!
//! ```
//! use resolve::Lock;
//!
//! let text = br#"{ "format": 2, "runtime": "3.12.10", "platforms": {} }"#;
//! let runtime = "3.12.10".parse()?;
//! let lock = Lock::parse("python-3.12.10/lock.json".as_ref(), text, &runtime)?;
//! assert!(lock.platforms.is_empty());
//! // The lock of another runtime is refused, since its rows answer another request.
//! assert!(Lock::parse("lock.json".as_ref(), text, &"3.12.10-slim".parse()?).is_err());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod answered;
mod assumed;
mod build_requirements;
mod dependants;
mod each;
mod error;
mod file_metadata;
mod freshness;
mod hints;
mod leave_out;
mod locate;
mod lock;
mod nearest;
pub mod nothing_left;
mod overlap;
mod pinned_uv;
mod preferred;
mod pylock;
pub mod registries;
mod request;
mod requires_python;
mod settle;
mod shelf;
mod shelf_index;
mod tool_wheel;
mod unavailable;
mod uv;
mod uv_error;
pub mod uv_settings;
mod why_built;
mod without_wheel;
pub mod work_tree;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use config_merger::{Requirement, RequirementSource, Scope};
use vocab::{Digest, DistributionName, RuleOutcome, RuleRecord};

pub use answered::AnsweredQuestions;
pub use build_requirements::{
    BuildRequirement, BuildRequirementSource, BuildRequirementsError, resolve_build_requirements,
};
pub use dependants::{kept as kept_dependants, kept_rows, reason as reason_of_dependant};
pub use error::{NO_BUILD_HINT, REQUIRES_PYTHON_HINT};
pub use error::{ResolveError, ResolveErrorKind};
pub use freshness::{is_fresh, path_digest, path_digests};
pub use locate::locate;
pub use lock::{
    LOCK_FILE, LOCK_FORMAT, Lock, LockError, LockErrorKind, LockedDistribution, LockedSource, PlatformLock,
};
pub use nearest::NEAREST_LIFETIME;
pub use nearest::{recall_nearest, remember_nearest};
pub use overlap::OVERLAP_LIFETIME;
pub use overlap::Overlap;
pub use pinned_uv::{UV_VERSION, pinned_uv};
pub use preferred::PreferredVersions;
pub use pylock::PylockError;
pub use registries::UnreachableRegistry;
pub use request::Request;
pub use requires_python::{excludes, without_versions};
pub use shelf_index::Shelf;
pub use tool_wheel::{ToolWheelError, fetch_tool_wheel, give_tool_wheel};
pub use unavailable::{AllUnavailable, MissingRule, UnavailableDistribution};
pub use uv::{Uv, UvQuestion};
pub use uv_error::UvError;
pub use why_built::WhyBuilt;

use crate::registries::IndexPages;
pub use pylock::{AnswerSource, AnsweredDistribution, IndexFile, chosen};
use store::Context;
use store::download::without_credentials;
use wheel::WheelTarget;

/// Each round either ends or moves at least one distribution to "from source" or "left out".
pub const MOST_ROUNDS: usize = 100;

/// What a resolution found: rows for the lock, and where the files are today.
#[derive(Clone, Debug)]
pub struct ResolvedPlatform {
    pub rows: PlatformLock,
    /// URLs by digest of the file. They may carry credentials; never write them into the repository.
    pub urls: BTreeMap<Digest, String>,
}

/// How one resolution is done.
pub struct ResolveSettings<'a> {
    pub uv: &'a Uv,
    /// Local sources are relative to it.
    pub repository: &'a Path,
    /// Folder for logs of failures that do not fit into a message.
    pub logs: Option<&'a Path>,
    pub missing: MissingRule,
    /// Run no code of any source, not even to learn what it requires.
    pub no_build: bool,
    /// Ask the indexes again rather than the resolver's cache.
    pub refresh: bool,
    pub pages: &'a IndexPages<'a>,
    /// Versions to keep where they still fit, so that platforms agree and a changed pin changes little.
    pub preferred: &'a PreferredVersions,
    /// The lock's rows of the platform. Requirements that are resolved alone are taken from there if their question
    /// has not changed.
    pub locked: Option<&'a PlatformLock>,
}

/// Resolves one platform, jointly or requirement by requirement, as the policy says. Writes no lock.
///
/// # Errors
/// uv or an index fails, nothing fits, or the policy does not allow what would be left out or built.
pub fn resolve(
    context: &Context,
    request: &Request,
    settings: &ResolveSettings<'_>,
) -> Result<ResolvedPlatform, ResolveError> {
    let resolved = match request.policy.scope {
        Scope::Joint => search(context, request, settings, settings.preferred.of_all().clone())?,
        Scope::Each => each::resolve(context, request, settings)?,
    };
    assumed::warn(context, request, settings, &resolved);
    Ok(resolved)
}

fn search(
    context: &Context,
    request: &Request,
    settings: &ResolveSettings<'_>,
    preferred: BTreeMap<DistributionName, String>,
) -> Result<ResolvedPlatform, ResolveError> {
    let failed = |kind| ResolveError::new(request, kind);
    ResolutionSearch::new(context, request, settings, preferred).and_then(ResolutionSearch::run).map_err(|kind| {
        match settings.logs {
            Some(logs) => failed(kind).logged(logs),
            None => failed(kind),
        }
    })
}

/// The state that the rounds work on.
struct ResolutionSearch<'a> {
    context: &'a Context,
    request: &'a Request,
    settings: &'a ResolveSettings<'a>,
    /// Versions to keep where they still fit.
    preferred: BTreeMap<DistributionName, String>,
    scratch: tempfile::TempDir,
    /// Distributions that are no longer asked for, with the row that says so.
    left_out: BTreeMap<DistributionName, RuleRecord>,
    /// Built because no wheel fits and the policy lets it.
    from_source: BTreeSet<DistributionName>,
    /// In the runtime without being asked for by name. A rule about something else runs no code.
    come_up: BTreeSet<DistributionName>,
    /// Versions of distributions in `noDeps` that do not come from an index.
    no_deps_versions: BTreeMap<DistributionName, String>,
    /// What comes from an additional index.
    shelf: Shelf,
    /// Versions that are not for the runtime's Python.
    not_for_python: BTreeMap<DistributionName, BTreeSet<String>>,
    /// Requirements of others that uv takes for needless, as lines for it.
    added: BTreeMap<DistributionName, String>,
    /// Not in the answer because the target's kernel is unknown.
    unknown_to_kernel: BTreeMap<DistributionName, RuleRecord>,
    /// Requirements that replace what a local wheel asks for by a file's URL.
    overrides: Vec<String>,
}

/// Which indexes a question is about.
#[derive(Clone, Copy, PartialEq, Eq)]
enum IndexReach {
    /// The default index and the shelf: what may be installed.
    InOrder,
    /// All that answer, to learn what there is.
    Everywhere,
}

impl<'a> ResolutionSearch<'a> {
    fn new(
        context: &'a Context,
        request: &'a Request,
        settings: &'a ResolveSettings<'a>,
        preferred: BTreeMap<DistributionName, String>,
    ) -> Result<Self, ResolveErrorKind> {
        let scratch = context.store.scratch_dir("resolve-").map_err(ResolveErrorKind::Store)?;
        let mut search = Self {
            context,
            request,
            settings,
            scratch,
            left_out: BTreeMap::new(),
            from_source: BTreeSet::new(),
            come_up: preferred.keys().cloned().collect(),
            preferred,
            no_deps_versions: BTreeMap::new(),
            shelf: Shelf::default(),
            not_for_python: BTreeMap::new(),
            added: BTreeMap::new(),
            unknown_to_kernel: BTreeMap::new(),
            overrides: Vec::new(),
        };
        for (parent, metadata) in search.local_wheels() {
            search.refuse_file_urls(parent, &metadata)?;
        }
        search.overrides = search.overrides();
        if !settings.no_build {
            search.no_deps_versions = search.direct_versions()?;
        }
        search.shelve_pinned()?;
        Ok(search)
    }

    /// A repository or local source states its version itself, so it is resolved alone, without its requirements. If
    /// only a build knows the version, it has none here, and its requirements are asked for after all.
    fn direct_versions(&self) -> Result<BTreeMap<DistributionName, String>, ResolveErrorKind> {
        let direct = self.request.requirements.iter().filter(|requirement| {
            self.request.no_deps.contains(&requirement.name)
                && !matches!(requirement.source, RequirementSource::Index { .. })
        });
        let requirements: Vec<_> = direct.map(|it| it.for_resolver(self.settings.repository)).collect();
        if requirements.is_empty() {
            return Ok(BTreeMap::new());
        }
        let question =
            UvQuestion { requirements, without_dependencies: true, sources_allowed: true, ..UvQuestion::default() };
        let target = &self.request.target;
        let text = self.settings.uv.compile(self.context, self.scratch.path(), target, &question)?;
        let answers = pylock::read(&text, target, &|_| false)?;
        Ok(answers.into_iter().filter_map(|answer| Some((answer.name, answer.version?))).collect())
    }

    fn run(mut self) -> Result<ResolvedPlatform, ResolveErrorKind> {
        let mut pins_are_known = false;
        for _ in 0..MOST_ROUNDS {
            let question = self.question(IndexReach::InOrder);
            self.announce(&question);
            let answered = self.ask(&question)?;
            if self.note_come_up(&question, &answered) {
                continue;
            }
            let (without_wheel, refused): (BTreeSet<_>, _) = match answered {
                Ok(answers) => {
                    let without = answers.iter().filter(|answer| self.lacks_wheel(answer));
                    let without: BTreeSet<_> = without.map(|answer| answer.name.clone()).collect();
                    if without.is_empty() {
                        let metadata = self.metadata_of(&answers);
                        if self.settle(&answers, &metadata)? && !self.leave_out_dependants(&answers, &metadata) {
                            return self.finish(answers);
                        }
                        continue;
                    }
                    (without, String::new())
                }
                Err(reason) => {
                    let Some(reason) = self.widened(reason)? else { continue };
                    let mut without = without_wheel::named_in(&reason);
                    if !without.is_empty() && !pins_are_known {
                        without.extend(self.pins_without_wheel()?);
                        pins_are_known = true;
                    }
                    without.retain(|name| !self.is_built(name) && !self.left_out.contains_key(name));
                    (without, reason)
                }
            };
            if without_wheel.is_empty() {
                self.leave_out_unknown(&refused)?;
            } else {
                self.decide(without_wheel.into_iter().collect(), &refused)?;
            }
        }
        let names: Vec<_> = self.from_source.iter().map(ToString::to_string).collect();
        Err(ResolveErrorKind::Rounds { names: names.join(", ") })
    }

    /// Used if the indexes in their order give no answer: puts on the shelf what all of them together give. If that is
    /// nothing, gives the resolver's reason.
    fn widened(&mut self, reason: String) -> Result<Option<String>, ResolveErrorKind> {
        if self.widest() == IndexReach::InOrder {
            return Ok(Some(reason));
        }
        match self.ask(&self.question(IndexReach::Everywhere))? {
            Ok(answers) if self.shelve(&answers) => Ok(None),
            Ok(_) => Ok(Some(reason)),
            Err(everywhere) => Ok(Some(everywhere)),
        }
    }

    fn widest(&self) -> IndexReach {
        if self.settings.pages.open().next().is_some() { IndexReach::Everywhere } else { IndexReach::InOrder }
    }

    /// Warns before it is done, once for all platforms: finding out what a source requires may run its code.
    fn announce(&self, question: &UvQuestion) {
        if self.settings.no_build {
            return;
        }
        let is_new = |name: &&DistributionName| self.settings.uv.is_new(&format!("code of {name}"));
        let new: Vec<_> = question.from_source.iter().filter(is_new).cloned().collect();
        if !new.is_empty() {
            let names = quoted(&new);
            self.context.note(format!(
                "resolving may run build back ends to learn what their sources require: {names} (--no-build forbids it)"
            ));
        }
    }

    /// Whether the runtime has a distribution that a rule wants built and that was not asked for as such.
    fn note_come_up(&mut self, question: &UvQuestion, answered: &Result<Vec<AnsweredDistribution>, String>) -> bool {
        let names: BTreeSet<DistributionName> = match answered {
            Ok(answers) => answers.iter().map(|answer| answer.name.clone()).collect(),
            Err(refusal) => without_wheel::named_in(refusal),
        };
        let is_rules = |name: &DistributionName| self.request.is_built(name) && !question.from_source.contains(name);
        let new: Vec<_> = names.into_iter().filter(is_rules).filter(|name| !self.come_up.contains(name)).collect();
        let any = !new.is_empty();
        self.come_up.extend(new);
        any
    }

    /// The outer error ends the resolution; the inner one is uv's reason for finding none.
    fn ask(&self, question: &UvQuestion) -> Result<Result<Vec<AnsweredDistribution>, String>, ResolveErrorKind> {
        let target = &self.request.target;
        match self.settings.uv.compile(self.context, self.scratch.path(), target, question) {
            Ok(text) => {
                let built = |name: &DistributionName| question.from_source.contains(name);
                Ok(Ok(pylock::read(&text, target, &built)?))
            }
            Err(UvError::Refused { reason }) => Ok(Err(self.with_what_was_excluded(reason))),
            Err(other) => Err(other.into()),
        }
    }

    fn with_what_was_excluded(&self, reason: String) -> String {
        if self.not_for_python.is_empty() {
            return reason;
        }
        let named = self.not_for_python.iter().map(|(name, versions)| hints::named_versions(name, versions));
        let named: Vec<String> = named.collect();
        let python = self.request.target.python;
        format!("{reason}\nhint: not for Python {python}, by their Requires-Python: {}", named.join(", "))
    }

    /// Asks for wheels of everything except what a rule or the policy wants built: sources of anything else would run
    /// its code.
    fn question(&self, reach: IndexReach) -> UvQuestion {
        let request = self.request;
        let no_build = self.settings.no_build;
        let is_index = |requirement: &&Requirement| matches!(requirement.source, RequirementSource::Index { .. });
        let asked = request
            .requirements
            .iter()
            .filter(|requirement| !self.left_out.contains_key(&requirement.name))
            // Only its own code knows what a repository or folder requires.
            .filter(|requirement| !no_build || is_index(requirement) || !self.is_built(&requirement.name));
        let requirements = asked.map(|it| it.for_resolver(self.settings.repository));
        let requirements: Vec<_> = requirements.chain(self.added.values().cloned()).collect();
        let constraints = self.not_for_python.iter().map(|(name, versions)| without_versions(name, versions));
        let excluded = request.excluded.keys().chain(self.left_out.keys()).cloned().collect();
        let from_source: BTreeSet<_> = self.built().chain(&self.from_source).cloned().collect();
        let mut no_deps: BTreeSet<_> = request.no_deps.clone();
        if no_build {
            // Requirements that are given need not be asked of the source. This resolution only looks for more of its
            // kind.
            no_deps.extend(from_source.iter().cloned());
        }
        let changing = request.requirements.iter().filter(|it| matches!(it.source, RequirementSource::Path { .. }));
        let changing = changing.map(|requirement| &requirement.name);
        let build_requires = request.build_wheel.iter().map(|(name, rule)| (name.clone(), rule.build_requires.clone()));
        UvQuestion {
            requirements,
            constraints: constraints.collect(),
            overrides: self.overrides.clone(),
            excluded,
            no_deps: no_deps.into_iter().collect(),
            no_deps_versions: self.no_deps_versions.clone(),
            from_source: from_source.into_iter().collect(),
            build_requires: build_requires.collect(),
            changing: changing.cloned().collect(),
            sources_allowed: false,
            without_dependencies: false,
            lowest: false,
            preferred: self.preferred.clone(),
            shelf: self.shelf.clone(),
            registries: self.settings.pages.open_urls(),
            as_the_user: false,
            everywhere: reach == IndexReach::Everywhere,
            for_building: false,
            refresh: self.settings.refresh,
            no_cache: false,
        }
    }

    /// Distributions that a rule wants built, as far as the runtime is known to have them.
    fn built(&self) -> impl Iterator<Item = &DistributionName> {
        let request = self.request;
        let named = request.requirements.iter().map(|requirement| &requirement.name);
        let ruled = request.forced.keys().chain(request.build_wheel.keys());
        let named = named.chain(ruled.filter(|name| self.come_up.contains(*name)));
        named.filter(|name| request.is_built(name) && !self.left_out.contains_key(*name))
    }

    fn is_built(&self, name: &DistributionName) -> bool {
        self.request.is_built(name) || self.from_source.contains(name)
    }

    fn lacks_wheel(&self, answer: &AnsweredDistribution) -> bool {
        matches!(answer.source, AnswerSource::Sdist(_)) && !self.is_built(&answer.name)
    }

    /// Steps 5 to 7 of the policy, for what has no wheel. What a rule of the configuration names comes first: a
    /// required distribution may still have an older wheel once that is settled.
    fn decide(&mut self, without_wheel: Vec<DistributionName>, refused: &str) -> Result<(), ResolveErrorKind> {
        let named: Vec<_> = without_wheel.iter().filter(|name| self.request.is_requested(name)).cloned().collect();
        let batch = if named.is_empty() { without_wheel } else { named };
        let policy = &self.request.policy;
        for name in batch {
            let only_binary = policy.only_binary_list.contains(&name);
            if policy.allows_source(&name) {
                self.from_source.insert(name);
                continue;
            }
            let why = if only_binary { "it is in onlyBinaryList" } else { "its source is not allowed by the policy" };
            if !self.settings.missing.allows(policy) {
                return Err(ResolveErrorKind::StrictMissing { name, why: why.to_owned() });
            }
            self.leave_out(&name, RuleOutcome::LeftOut, format!("no wheel fits, and {why}"));
        }
        tracing_reason(self.context, refused);
        Ok(())
    }

    fn leave_out(&mut self, name: &DistributionName, outcome: RuleOutcome, reason: String) {
        self.left_out.insert(name.clone(), RuleRecord { name: name.clone(), outcome, reason });
    }

    fn finish(self, answers: Vec<AnsweredDistribution>) -> Result<ResolvedPlatform, ResolveErrorKind> {
        if self.settings.no_build {
            let built: BTreeSet<_> = self.built().chain(&self.from_source).cloned().collect();
            if !built.is_empty() {
                return Err(ResolveErrorKind::NoBuild { names: quoted(&built) });
            }
        }
        let mut urls = BTreeMap::new();
        let mut distributions = Vec::with_capacity(answers.len());
        for answer in answers {
            let mut registry = None;
            let source = match answer.source {
                AnswerSource::Wheel(file) | AnswerSource::Sdist(file) if file.sha256.is_none() => {
                    return Err(ResolveErrorKind::NoDigest { file: file.file_name.to_string() });
                }
                AnswerSource::Wheel(file) => {
                    let sha256 = file.sha256.expect("asked just above");
                    urls.insert(sha256, file.url);
                    registry = self.registry_of(&answer.name);
                    LockedSource::Wheel { file: file.file_name, sha256, size: file.size }
                }
                AnswerSource::Sdist(file) => {
                    let sha256 = file.sha256.expect("asked just above");
                    urls.insert(sha256, file.url);
                    registry = self.registry_of(&answer.name);
                    LockedSource::Sdist { file: file.file_name, sha256, size: file.size }
                }
                AnswerSource::Git { repository, commit, subdirectory } => {
                    LockedSource::Git { repository: without_credentials(&repository), commit, subdirectory }
                }
                AnswerSource::Local => self.local(&answer.name)?,
            };
            distributions.push(LockedDistribution {
                name: answer.name,
                version: answer.version,
                source,
                registry,
                brought_by: BTreeSet::new(),
            });
        }
        let mut left_out = self.left_out;
        left_out.extend(self.unknown_to_kernel);
        let left_out = left_out.into_values().collect();
        let rows = PlatformLock {
            inputs: self.request.inputs(&path_digests(self.request, self.settings.repository)?),
            uv: UV_VERSION.to_owned(),
            alone: BTreeMap::new(),
            distributions,
            left_out,
        };
        Ok(ResolvedPlatform { rows, urls })
    }

    fn local(&self, name: &DistributionName) -> Result<LockedSource, ResolveErrorKind> {
        let requirement = self.request.requirements.iter().find(|requirement| requirement.name == *name);
        let Some(RequirementSource::Path { path, .. }) = requirement.map(|requirement| &requirement.source) else {
            return Err(PylockError::NoFile { name: name.clone() }.into());
        };
        let sha256 = path_digest(name, path, self.settings.repository)?;
        Ok(LockedSource::Path { path: path.clone(), sha256 })
    }
}

/// The resolver's answer to a question of the caller, wheels before sources.
pub fn read_answers(text: &str, target: &WheelTarget) -> Result<Vec<AnsweredDistribution>, PylockError> {
    pylock::read(text, target, &|_| false)
}

/// The version of `==1.2.3`, alone and without a star.
pub fn exact_pin(requirement: &Requirement) -> Option<String> {
    let RequirementSource::Index { specifier } = &requirement.source else { return None };
    let [only] = &specifier[..] else { return None };
    matches!(only.operator(), pep440_rs::Operator::Equal | pep440_rs::Operator::ExactEqual)
        .then(|| only.version().to_string())
}

/// `a`, `b`, `c`.
pub fn quoted<'a>(names: impl IntoIterator<Item = &'a DistributionName>) -> String {
    names.into_iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

fn tracing_reason(context: &Context, reason: &str) {
    for line in reason.lines() {
        context.tell(vocab::Event::Output { program: "uv".into(), line: line.to_owned() });
    }
}
