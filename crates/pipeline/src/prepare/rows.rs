//! What the lock has for each platform; where it is stale, all platforms are resolved together and the lock is
//! written once.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, SystemTime};

use config_merger::Repository;
use vocab::{Digest, Fault, PlatformKey, RuleOutcome, RuleRecord};

use crate::options::BuildOptions;
use crate::steps::TimedSteps;
use interpreter::host_python::HostPython;
use interpreter::{self, BaseChoice, BaseError, BaseTree};
use resolve::registries::{self, IndexPages, IndexRefusal};
use resolve::uv_settings;
use resolve::{
    self, AnsweredQuestions, Lock, LockError, LockErrorKind, MissingRule, Overlap, PlatformLock, PreferredVersions,
    Request, ResolveError, ResolvedPlatform, UnreachableRegistry, Uv,
};
use store::Context;
use vocab::few_at_once;

/// Where a file was when it was last resolved.
pub const URL_FACT: &str = "url";

/// It is a shortcut of this machine; an old one is asked for again.
pub const URL_REMEMBERED: Duration = Duration::from_secs(30 * 24 * 3600);

/// Questions to the resolver about one distribution each. They wait for indexes.
const QUESTIONS_AT_ONCE: usize = 8;

/// One platform's question and what the lock knows of it.
pub struct RowsState {
    request: Request,
    rows: Option<PlatformLock>,
    /// Whether the rows answer this very request.
    fresh: bool,
}

impl RowsState {
    /// Finds the rows of the lock and whether they are fresh. Reads local sources, and asks no index.
    pub fn of(request: Request, lock: Option<&Lock>, repository: &Repository) -> Result<Self, ResolveError> {
        let rows = lock.and_then(|lock| lock.platforms.get(&request.target.platform)).cloned();
        let fresh = match &rows {
            Some(rows) => resolve::is_fresh(rows, &request, repository.root())?,
            None => false,
        };
        Ok(Self { request, rows, fresh })
    }

    /// For `--locked`.
    pub fn require(&self, folder: &Path, missing: MissingRule) -> Result<(), LockError> {
        let platform = self.request.target.platform;
        let result = match &self.rows {
            Some(rows) if self.fresh => rows
                .require_registries(&self.request.registries, &|name| self.request.is_direct(name), platform)
                .and_then(|()| if missing == MissingRule::Allow { Ok(()) } else { rows.require_complete(platform) }),
            Some(_) => Err(LockErrorKind::Stale { platform }),
            None => Err(LockErrorKind::Absent { platform }),
        };
        result.map_err(|kind| LockError { path: folder.join(resolve::LOCK_FILE), kind })
    }

    /// They answer the request, and lack nothing that may not be missing.
    fn is_settled(&self, options: &BuildOptions) -> bool {
        let whole = |rows: &PlatformLock| {
            rows.lacking().next().is_none() || (rows.is_complete() && options.missing.allows(&self.request.policy))
        };
        self.fresh && (options.locked || (!options.refresh && self.rows.as_ref().is_some_and(whole)))
    }

    /// They lack nothing that could be had now.
    fn lacks_only(&self, unreachable: &[UnreachableRegistry], options: &BuildOptions) -> bool {
        let still = |row: &RuleRecord| {
            row.outcome != RuleOutcome::Missing || unreachable.iter().any(|registry| row.reason.contains(&registry.url))
        };
        options.missing.allows(&self.request.policy)
            && self.rows.as_ref().is_some_and(|rows| rows.left_out.iter().all(still))
    }
}

/// A request with its locked rows, or why there are none.
pub type PlatformRows = (Request, Result<PlatformLock, Box<dyn Fault>>);

/// The rows of all platforms, and what was learnt on the way.
pub struct FoundRows {
    /// In the order of the states.
    pub rows: Vec<PlatformRows>,
    pub lock: Lock,
    pub unreachable: Vec<UnreachableRegistry>,
    /// Indexes that refused an answer that was not needed.
    pub refusals: Vec<IndexRefusal>,
    /// The base of this machine's platform, if a resolution needed it.
    pub tree: Option<BaseTree>,
}

/// What a resolution comes from, beside the requests.
pub struct RowsSearch<'a> {
    pub context: &'a Context,
    pub repository: &'a Repository,
    /// Where the lock is.
    pub folder: &'a Path,
    pub host: &'a HostPython,
    pub choices: &'a [Result<BaseChoice, BaseError>],
    pub options: &'a BuildOptions,
    /// In this run, for other versions as well.
    pub answered: &'a AnsweredQuestions,
}

impl RowsSearch<'_> {
    /// From the lock where it is fresh, else resolved now and written into it.
    pub fn rows(
        &self,
        states: Vec<RowsState>,
        lock: Option<Lock>,
        steps: &mut TimedSteps,
    ) -> Result<FoundRows, Box<dyn Fault>> {
        let Some(first) = states.first() else { unreachable!("a run has at least one platform") };
        let mut lock = lock.unwrap_or_else(|| Lock::new(first.request.runtime.clone()));
        let settled = |state: &RowsState| state.is_settled(self.options);
        let mut unreachable = Vec::new();
        if !states.iter().all(settled) {
            // What a lock lacks is looked for at once: its index may answer again.
            let afresh = states.iter().any(|state| state.rows.as_ref().is_some_and(|rows| !rows.is_complete()));
            unreachable = steps.run(self.context, "ask the indexes", || {
                registries::unreachable(self.context, &first.request.registries, afresh)
            });
        }
        let keeps = |state: &RowsState| {
            settled(state)
                || (state.fresh
                    && !self.options.refresh
                    && (self.context.offline || state.lacks_only(&unreachable, self.options)))
        };
        let open: Vec<&Request> = states.iter().filter(|state| !keeps(state)).map(|state| &state.request).collect();
        if open.is_empty() {
            let rows = states.into_iter().map(kept).collect();
            return Ok(FoundRows { rows, lock, unreachable, refusals: Vec::new(), tree: None });
        }

        let tree = steps.run(self.context, "prepare the interpreter", || self.own_tree())?;
        let uv = Uv::find(self.context, &self.host.interpreter(self.context)?, self.answered)?;
        let pages = IndexPages::new(self.context, &uv, &first.request.registries, &unreachable);
        let resolved = steps.run(self.context, "resolve", || self.resolve(&open, &uv, &pages, &lock));
        self.remember_urls(resolved.iter().flatten());
        for resolved in resolved.iter().flatten() {
            let request = open.iter().find(|request| request.target.platform == resolved.platform);
            request.inspect(|request| Overlap::remember(self.context, request, &resolved.resolved.rows, &pages));
            lock.platforms.insert(resolved.platform, resolved.resolved.rows.clone());
        }
        if self.options.refresh && self.options.sole_platforms {
            let made_for: Vec<PlatformKey> = states.iter().map(|state| state.request.target.platform).collect();
            let runtime = &first.request.runtime;
            lock.platforms.retain(|platform, _| {
                let stays = made_for.contains(platform);
                if !stays {
                    self.context.note(format!(
                        "the rows of {platform} are removed from the lock: {runtime} is not made for it"
                    ));
                }
                stays
            });
        }
        if resolved.iter().any(Result::is_ok) {
            lock.write(self.folder)?;
        }
        self.look_for_wheels(&open, &resolved, &uv, &pages);
        let open: Vec<PlatformKey> = open.iter().map(|request| request.target.platform).collect();
        let mut resolved = resolved.into_iter();
        let mut rows = Vec::new();
        for state in states {
            if open.contains(&state.request.target.platform) {
                let answer = resolved.next().expect("one for each open request");
                rows.push((state.request, answer.map(|answer| answer.resolved.rows)));
            } else {
                rows.push(kept(state));
            }
        }
        Ok(FoundRows { rows, lock, refusals: pages.refusals(), unreachable, tree })
    }

    /// This machine's own interpreter for the runtime is the resolver's as well.
    fn own_tree(&self) -> Result<Option<BaseTree>, BaseError> {
        let own = self.choices.iter().flatten().find(|choice| PlatformKey::host() == Some(choice.platform));
        let tree = own.map(|choice| interpreter::provide(self.context, choice)).transpose()?;
        if let Some(tree) = &tree {
            self.host.is(tree);
        }
        Ok(tree)
    }

    /// The first platform alone: what it asks the indexes the others find in the resolver's cache, and the versions
    /// that it takes the others take too where they fit.
    fn resolve(&self, open: &[&Request], uv: &Uv, pages: &IndexPages<'_>, lock: &Lock) -> Vec<RowsAnswer> {
        let logs = self.folder.join("logs");
        if let Some(request) = open.first() {
            uv_settings::warn_of_foreign_indexes(self.context, &request.registries.additional);
            uv_settings::warn_of_foreign_authorities(self.context);
        }
        let resolve = |request: &Request, refresh, preferred: &PreferredVersions| -> RowsAnswer {
            let repository = self.repository.root();
            let missing = self.options.missing;
            let no_build = self.options.no_build;
            let locked = lock.platforms.get(&request.target.platform).filter(|_| !self.options.refresh);
            let logs = Some(logs.as_path());
            let settings =
                resolve::ResolveSettings { uv, repository, logs, missing, no_build, refresh, pages, preferred, locked };
            let resolved = resolve::resolve(self.context, request, &settings)?;
            Ok(PlatformAnswer { platform: request.target.platform, resolved })
        };
        let know = |platform, preferred: &mut PreferredVersions| {
            if !self.options.refresh {
                add_known(lock, platform, preferred);
            }
        };
        let Some((first, others)) = open.split_first() else { return Vec::new() };
        let mut preferred = PreferredVersions::default();
        know(first.target.platform, &mut preferred);
        let mut answers = vec![resolve(first, self.options.refresh, &preferred)];
        let of_first = answers[0].as_ref().map(|it| PreferredVersions::of(&it.resolved.rows)).unwrap_or_default();
        answers.extend(few_at_once(others.len(), others, |request| {
            let mut preferred = of_first.clone();
            know(request.target.platform, &mut preferred);
            resolve(request, false, &preferred)
        }));
        answers
    }

    /// Platforms and versions share most files; what is known already is not written again.
    fn remember_urls<'a>(&self, answers: impl Iterator<Item = &'a PlatformAnswer>) {
        let urls: BTreeMap<&Digest, &String> = answers.flat_map(|answer| &answer.resolved.urls).collect();
        let (store, now) = (&self.context.store, SystemTime::now());
        for (digest, url) in urls {
            let key = digest.to_string();
            let known = store.recall(URL_FACT, &key, URL_REMEMBERED / 2, now);
            if known.as_ref().and_then(|known| known.as_str()) != Some(url) {
                // Only a shortcut: without it the resolver is asked again.
                let _ = store.remember(URL_FACT, &key, &url.as_str().into(), now);
            }
        }
    }

    /// For what has to be compiled elsewhere: which versions need not be.
    fn look_for_wheels(
        &self,
        open: &[&Request],
        resolved: &[Result<PlatformAnswer, Box<dyn Fault>>],
        uv: &Uv,
        pages: &IndexPages<'_>,
    ) {
        let foreign = |request: &&Request| PlatformKey::host() != Some(request.target.platform);
        let questions: Vec<_> = open
            .iter()
            .zip(resolved)
            .filter(|(request, _)| foreign(request) && !self.context.offline)
            .filter_map(|(request, answer)| Some((*request, &answer.as_ref().ok()?.resolved.rows)))
            .flat_map(|(request, rows)| {
                rows.distributions.iter().filter(|row| request.builds(row)).map(move |row| (request, row))
            })
            .collect();
        few_at_once(QUESTIONS_AT_ONCE, &questions, |(request, row)| {
            resolve::remember_nearest(self.context, uv, request, row, pages);
        });
    }
}

type RowsAnswer = Result<PlatformAnswer, Box<dyn Fault>>;

/// The platform's own versions in the lock, and those of other platforms for what it lacks.
fn add_known(lock: &Lock, platform: PlatformKey, preferred: &mut PreferredVersions) {
    let own = lock.platforms.get(&platform);
    lock.platforms.values().chain(own).for_each(|rows| preferred.add(rows));
}

struct PlatformAnswer {
    platform: PlatformKey,
    resolved: ResolvedPlatform,
}

fn kept(state: RowsState) -> PlatformRows {
    (state.request, Ok(state.rows.expect("rows are kept only where there are some")))
}
