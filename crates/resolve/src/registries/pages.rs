//! What each index has of a distribution, asked once per run: the default index and the additional ones, in order of
//! precedence.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use config_merger::Registries;
use serde_json::json;
use url::Url;
use vocab::{DistributionName, PythonVersion};

use super::UnreachableRegistry;
use super::page::{IndexPage, is_flat, local};
use crate::Uv;
use crate::requires_python::without_versions;
use store::Context;
use store::download::{self, DownloadErrorKind, without_credentials};
use vocab::few_at_once;

/// The largest page, in bytes; no index needs more for one distribution.
const LARGEST_PAGE: u64 = 128 << 20;

/// How many pages are asked for at once.
const AT_ONCE: usize = 16;

/// Pages of additional indexes are kept for builds without a network.
const FACT: &str = "registry-page";

/// Kind and lifetime of the remembered facts, for pruning the store.
pub const PAGE_LIFETIME: (&str, Duration) = (FACT, Duration::from_secs(30 * 24 * 3600));

/// In order of precedence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Registry {
    Default,
    /// By its place in `registries.additional`.
    Additional(usize),
}

/// What one index says about one distribution.
#[derive(Clone, Debug)]
pub enum IndexStanding {
    Has(Arc<IndexPage>),
    /// The index itself says that it does not have it.
    Absent,
    /// It answered something else, 401 or 403 for example, so nothing is known.
    Refused(u16),
    /// There was no answer, or one of a broken server.
    Silent(String),
}

impl IndexStanding {
    /// The page, if the index has the distribution.
    pub fn page(&self) -> Option<&IndexPage> {
        match self {
            Self::Has(page) => Some(page),
            _ => None,
        }
    }
}

/// An additional index that refused to say whether it has a distribution.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexRefusal {
    /// Without credentials.
    pub url: String,
    pub status: u16,
    /// One of the distributions that it was asked for.
    pub name: DistributionName,
}

/// The answers of all indexes in one run.
pub struct IndexPages<'a> {
    context: &'a Context,
    uv: &'a Uv,
    additional: Vec<String>,
    pinned: BTreeMap<DistributionName, usize>,
    silent: Vec<UnreachableRegistry>,
    known: Mutex<BTreeMap<(Registry, DistributionName), IndexStanding>>,
}

impl<'a> IndexPages<'a> {
    /// `silent` are the additional indexes that do not answer.
    pub fn new(context: &'a Context, uv: &'a Uv, registries: &Registries, silent: &[UnreachableRegistry]) -> Self {
        Self {
            context,
            uv,
            additional: registries.additional.clone(),
            pinned: registries
                .pinned
                .keys()
                .filter_map(|name| Some((name.clone(), registries.place_of(name)?)))
                .collect(),
            silent: silent.to_vec(),
            known: Mutex::default(),
        }
    }

    /// The distributions that the configuration pins to an additional index, with its place counted from 0.
    pub fn pinned(&self) -> &BTreeMap<DistributionName, usize> {
        &self.pinned
    }

    /// The additional index at `place`, if it does not answer.
    pub fn unreachable(&self, place: usize) -> Option<&UnreachableRegistry> {
        let url = without_credentials(self.additional.get(place)?);
        self.silent.iter().find(|registry| registry.url == url)
    }

    /// The additional indexes that answer, by place.
    pub fn open(&self) -> impl Iterator<Item = usize> {
        (0..self.additional.len()).filter(|place| self.unreachable(*place).is_none())
    }

    /// The indexes that answer, as the resolver gets them: the URL, and whether it is only a folder of files.
    pub fn open_urls(&self) -> Vec<(String, bool)> {
        let flat = |url: &String| local(url).is_some_and(|folder| is_flat(&folder));
        self.open().map(|place| &self.additional[place]).map(|url| (url.clone(), flat(url))).collect()
    }

    /// A constraint that excludes the versions that none of these indexes has for `python`. The resolver treats
    /// `Requires-Python` only as a lower bound.
    pub fn constraint(
        &self,
        name: &DistributionName,
        registries: &[Registry],
        python: PythonVersion,
    ) -> Option<String> {
        let not_for = |registry: &Registry| self.of(*registry, name).page().map(|page| page.versions_not_for(python));
        let versions: BTreeSet<_> = registries.iter().filter_map(not_for).flatten().collect();
        (!versions.is_empty()).then(|| without_versions(name, &versions))
    }

    /// The indexes that are asked for a distribution, in order.
    pub fn asked_for(&self, name: &DistributionName) -> Vec<Registry> {
        match self.pinned.get(name) {
            Some(place) => vec![Registry::Additional(*place)],
            None => {
                std::iter::once(Registry::Default).chain((0..self.additional.len()).map(Registry::Additional)).collect()
            }
        }
    }

    /// Its URL without credentials, for messages.
    pub fn url_of(&self, registry: Registry) -> String {
        let url = match registry {
            Registry::Default => self.default_url(),
            Registry::Additional(place) => self.additional.get(place).cloned(),
        };
        url.map_or_else(|| "the default index".to_owned(), |url| download::without_secrets(&url))
    }

    /// Its name in plans and warnings, which do not show the URL of the default index.
    pub fn label(&self, registry: Registry) -> String {
        match registry {
            Registry::Default => "the default index".to_owned(),
            Registry::Additional(_) => self.url_of(registry),
        }
    }

    /// What this index says about `name`; asks it if that is not known yet.
    pub fn of(&self, registry: Registry, name: &DistributionName) -> IndexStanding {
        self.ask(&[(registry, name.clone())]);
        self.known().get(&(registry, name.clone())).cloned().unwrap_or(IndexStanding::Absent)
    }

    /// Asks for all of these at once, so that [`Self::of`] need not wait for each.
    pub fn ask(&self, questions: &[(Registry, DistributionName)]) {
        let open: BTreeSet<_> = questions.iter().filter(|question| !self.known().contains_key(question)).collect();
        let open: Vec<_> = open.into_iter().collect();
        for some in open.chunks(AT_ONCE) {
            let standings = few_at_once(AT_ONCE, some, |question| self.fetch(question));
            self.known().extend(some.iter().map(|question| (*question).clone()).zip(standings));
        }
    }

    /// One for each additional index that refused something.
    pub fn refusals(&self) -> Vec<IndexRefusal> {
        let mut refusals: BTreeMap<usize, IndexRefusal> = BTreeMap::new();
        for ((registry, name), standing) in self.known().iter() {
            if let (Registry::Additional(place), IndexStanding::Refused(status)) = (registry, standing) {
                let refusal = || IndexRefusal { url: self.label(*registry), status: *status, name: name.clone() };
                refusals.entry(*place).or_insert_with(refusal);
            }
        }
        refusals.into_values().collect()
    }

    fn known(&self) -> std::sync::MutexGuard<'_, BTreeMap<(Registry, DistributionName), IndexStanding>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn default_url(&self) -> Option<String> {
        self.uv.default_index(self.context)
    }

    fn fetch(&self, (registry, name): &(Registry, DistributionName)) -> IndexStanding {
        let url = match registry {
            Registry::Default => self.default_url(),
            Registry::Additional(place) => {
                if let Some(registry) = self.unreachable(*place) {
                    return IndexStanding::Silent(registry.reason.clone());
                }
                self.additional.get(*place).cloned()
            }
        };
        let Some(url) = url.as_deref() else { return IndexStanding::Absent };
        let place = format!("{}/{name}/", url.trim_end_matches('/'));
        let Ok(base) = Url::parse(&place) else { return IndexStanding::Absent };
        if let Some(folder) = local(url) {
            return of_folder(&folder, name, &base);
        }
        let key = without_credentials(&place);
        if self.context.offline {
            let kept = self.context.store.recall(FACT, &key, PAGE_LIFETIME.1, SystemTime::now());
            return match kept.as_ref().and_then(|page| page.as_str()) {
                Some(html) => IndexStanding::Has(Arc::new(IndexPage::parse(html.as_bytes(), &base))),
                None => IndexStanding::Silent(DownloadErrorKind::Offline.to_string()),
            };
        }
        match download::fetch_bytes(self.context, &place, LARGEST_PAGE) {
            Ok(html) => {
                let page = IndexPage::parse(&html, &base);
                if matches!(registry, Registry::Additional(_)) {
                    // Without it a build without a network knows less.
                    let _ = self.context.store.remember(FACT, &key, &json!(page.to_html()), SystemTime::now());
                }
                IndexStanding::Has(Arc::new(page))
            }
            Err(error) => match error.kind {
                DownloadErrorKind::Status { status: 404 | 410 } => IndexStanding::Absent,
                DownloadErrorKind::Status { status } if status < 500 => IndexStanding::Refused(status),
                kind => IndexStanding::Silent(kind.to_string()),
            },
        }
    }
}

fn of_folder(folder: &std::path::Path, name: &DistributionName, base: &Url) -> IndexStanding {
    let page = folder.join(name.as_str()).join("index.html");
    let page = match std::fs::read(page) {
        Ok(html) => Ok(IndexPage::parse(&html, base)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => IndexPage::of_folder(folder, name),
        Err(error) => Err(error),
    };
    match page {
        Ok(page) if page.files.is_empty() => IndexStanding::Absent,
        Ok(page) => IndexStanding::Has(Arc::new(page)),
        Err(error) => IndexStanding::Silent(error.to_string()),
    }
}
