//! Publishing in Platforma's layout, or saying what that would do.

use std::path::Path;
use std::sync::atomic::AtomicU64;

use archive::{NoCache, PartCache};
use cli::Table;
use objects::{Place, TransferWork};
use publisher::PublishCandidate;
use publisher::platforma::{
    CatalogueFiles, PlatformaRegistry, PlatformaRelease, ReleaseOptions, ReleaseOutcome, ReleasedArchive,
    publish_release, releases, write_catalogue_files,
};
use serde_json::json;
use store::{Context, PartStore, Store, choose_root};
use vocab::{Environment, Event, Exit, PlatformKey};

use super::publication::existing;
use super::{PublisherOutcome, PublisherSession, open, unless};
use crate::arguments::PublishArguments;

/// What says where the store is.
const STORE_VARIABLES: [&str; 5] = ["PYDIST_STORE", "XDG_CACHE_HOME", "HOME", "LOCALAPPDATA", "USERPROFILE"];

/// Where addresses of registries come from, for messages.
const REGISTRY: &str = "the registry's address";

impl PublisherSession<'_> {
    pub(super) fn publish_for_platforma(
        &self,
        arguments: &PublishArguments,
        repository: &Path,
        candidates: Vec<PublishCandidate>,
    ) -> PublisherOutcome {
        // What is wrong with the command comes before reasons against an artifact.
        let judged = publisher::judge(&candidates);
        let registry = |name: &str| PlatformaRegistry::find(name, self.to, self.environment);
        let releases = releases(repository, candidates, &registry)?;
        judged?;
        let mut destinations: Vec<Box<dyn Place>> = Vec::new();
        for release in &releases {
            destinations.push(open(&release.registry.upload, REGISTRY, self.environment)?);
        }
        let rows: Vec<(&PlatformaRelease, &dyn Place)> =
            releases.iter().zip(&destinations).map(|(release, to)| (release, to.as_ref())).collect();
        let existing = existing(arguments);
        for release in &releases {
            self.tell_destination(&format!("registry `{}`", release.registry.name), &release.registry.upload);
        }
        let options =
            ReleaseOptions { existing, partial: arguments.partial, from_roots: arguments.from_roots, cache: &NoCache };
        for (release, to) in &rows {
            release.check(*to, &options)?;
        }
        if arguments.dry_run {
            return self.would_release(&rows);
        }
        let context = self.store()?;
        let parts = context.as_ref().map(PartStore::new);
        let cache: &dyn PartCache = parts.as_ref().map_or(&NoCache, |parts| parts);
        let options = ReleaseOptions { cache, ..options };
        let next = AtomicU64::new(0);
        let tell = |event: Event| self.printer.tell(event);
        let cancelled = self.cancelled;
        let watch = || unless(cancelled);
        let work = TransferWork { tell: &tell, watch: &watch, next: &next };
        for (release, to) in rows {
            let released = publish_release(to, release, &options, &work)?;
            self.tell_release(to, release, &released);
        }
        let files = write_catalogue_files(repository)?;
        self.tell_catalogue(&files);
        Ok(Exit::Done)
    }

    /// `None` where this machine has no place for one.
    fn store(&self) -> Result<Option<Context>, Box<dyn vocab::Fault>> {
        let variables =
            STORE_VARIABLES.iter().filter_map(|name| Some(((*name).into(), (self.environment)(name)?.into())));
        let environment = Environment::new(variables);
        let root = PlatformKey::host().and_then(|host| choose_root(None, &environment, host.os()));
        let Some(root) = root else { return Ok(None) };
        let store = Store::open(root.clone())?;
        Ok(Some(Context { store, ..Context::quiet(root) }))
    }

    fn would_release(&self, rows: &[(&PlatformaRelease, &dyn Place)]) -> PublisherOutcome {
        let mut table = Table::new(["archive", "of", "what would happen"]);
        for (release, to) in rows {
            for (platform, key, there) in release.standing(*to)? {
                let file = release.artifacts.get(&platform).map(|candidate| candidate.file.display().to_string());
                let told = if there.is_some() { "kept as it is" } else { "published" };
                if self.json {
                    let row = json!({ "file": file, "place": to.place(), "key": key.as_str(), "told": told });
                    self.printer.json("would-publish", &row);
                }
                table.row([key.to_string(), file.unwrap_or_default(), told.to_owned()]);
            }
        }
        if !self.json {
            self.printer.data(&table.render(None));
        }
        Ok(Exit::Done)
    }

    fn tell_catalogue(&self, files: &CatalogueFiles) {
        let CatalogueFiles { written, absent } = files;
        if self.json {
            self.printer.json("written", &json!({ "files": written, "absent": absent }));
            return;
        }
        for file in written {
            self.printer.say(&format!("wrote {}", file.display()));
        }
        if !absent.is_empty() {
            let text = format!("no descriptor is here for what the catalogue calls {}", absent.join(", "));
            self.printer.tell(Event::Note { text });
        }
    }

    fn tell_release(&self, to: &dyn Place, release: &PlatformaRelease, released: &ReleaseOutcome) {
        let ReleaseOutcome { archives, files, missing } = released;
        for ReleasedArchive { platform, key, uploaded, size } in archives {
            if self.json {
                let row = json!({
                    "place": to.place(), "package": release.package.name, "version": release.package.npm_version, "platform": platform,
                    "key": key.as_str(), "size": size, "sent": uploaded.map(|it| it.sent), "kept": uploaded.is_none(),
                });
                self.printer.json("published", &row);
            } else {
                if let Some(uploaded) = uploaded {
                    self.printer.say(&format!("{key}: {} sent", cli::bytes(uploaded.sent)));
                }
                self.printer.data(key.as_str());
            }
        }
        if self.json {
            self.printer.json("written", &json!({ "files": files, "missing": missing.platforms }));
            return;
        }
        for file in files {
            self.printer.say(&format!("wrote {}", file.display()));
        }
        if !missing.is_empty() {
            for difference in &missing.differing {
                self.printer.tell(Event::Note { text: format!("{difference}, so it does not count") });
            }
            let platforms: Vec<&str> = missing.platforms.iter().map(|platform| platform.as_str()).collect();
            let text = format!("{} has no descriptor yet: {} is missing", release.version, platforms.join(", "));
            self.printer.tell(Event::Note { text });
        }
    }
}
