//! One runtime for one platform, from its version string to its artifact.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use config_merger::{Layout, Repository};
use jiff::civil::Date;
use serde::Serialize;
use vocab::{ArtifactName, Digest, Event, Fault, Manifest, PlatformKey, VersionString};

use crate::artifacts::{self, PackedAhead, Packing, Parts};
use crate::assemble::{self, Pieces};
use crate::base::{self, BaseTree};
use crate::checks::Whitelist;
use crate::copy_files::{self, CopyOperation};
use crate::finish::{self, INNER_MANIFEST};
use crate::gather;
use crate::options::BuildOptions;
use crate::plan::Plan;
use crate::prefix_folder::PrefixFolder;
use crate::prepare::{self, Prepared};
use crate::remote::Remote;
use crate::steps::Steps;
use crate::verify::{self, Verification};
use crate::{Context, test_run};

/// Raised whenever equal inputs would give another runtime than before.
const BUILD_FORMAT: u32 = 2;

/// How a build ended well.
#[derive(Clone, Debug)]
pub struct Report {
    pub runtime: VersionString,
    pub ending: Ending,
    /// Name and wall time, in the order in which they were taken.
    pub steps: Vec<(&'static str, Duration)>,
}

#[derive(Clone, Debug)]
pub enum Ending {
    /// `--dry-run` or `plan`: nothing was changed but, perhaps, the lock.
    Planned,
    /// Everything was there already, of the same inputs.
    UpToDate(Box<Product>),
    Built(Box<Product>),
    /// `TEST_RUN=true`.
    TestRun {
        prefix: PathBuf,
        artifact: PathBuf,
    },
}

#[derive(Clone, Debug)]
pub struct Product {
    pub prefix: PathBuf,
    /// One for each format, in the order asked for; never empty.
    pub artifacts: Vec<PathBuf>,
    /// Of the first artifact.
    pub manifest: Manifest,
}

/// `today` is for whitelist entries that expire. `on_plan` hears what will be done, before anything is downloaded.
pub fn build(
    context: &Context,
    repository: &Repository,
    version: &VersionString,
    options: &BuildOptions,
    today: Date,
    on_plan: &dyn Fn(&Plan),
) -> Result<Report, Box<dyn Fault>> {
    context.tell(Event::Begun { title: format!("{version} for {}", options.platform) });
    let mut steps = Steps::default();
    let loaded =
        steps.run(context, "read the configuration", || prepare::load(context, repository, version, options))?;
    let finished = |ending, steps: &Steps| Report { runtime: version.clone(), ending, steps: steps.taken().to_vec() };
    if options.test_run {
        let (prefix, artifact) = test_run::run(context, repository, version, options)?;
        return Ok(finished(Ending::TestRun { prefix, artifact }, &steps));
    }
    let prepared = prepare::prepare(context, repository, loaded, options, &mut steps)?;
    on_plan(&prepared.plan);
    if options.dry_run {
        return Ok(finished(Ending::Planned, &steps));
    }
    let tree = match &prepared.tree {
        Some(tree) => tree.clone(),
        None => steps.run(context, "prepare the interpreter", || base::provide(context, &prepared.base))?,
    };
    if PlatformKey::host() == Some(tree.layout.platform) {
        prepared.host.is(&tree);
    }
    let whitelist_path =
        repository.root().join("checker").join("whitelists").join(format!("{}.json", options.platform));
    let whitelist = Whitelist::read(&whitelist_path)?;
    let copies = copy_operations(&prepared);
    let key = build_key(&prepared, &tree, &copies, &whitelist_path, options)?;
    let folder = prepared.folder.join("pydist");
    let prefix = PrefixFolder::hold(context, &folder, options.platform)?;
    let packing = Packing {
        out: options.out.clone(),
        formats: options.formats.clone(),
        level: options.level,
        mtime: options.source_date_epoch,
        platform: options.platform,
        jobs: context.jobs,
    };
    if let Some(product) = up_to_date(&prefix, &prepared, &packing, key) {
        return Ok(finished(Ending::UpToDate(Box::new(product)), &steps));
    }

    let tree = base::mend(context, &prepared.base, tree)?;
    let gathering = gather::gather(context, repository.root(), &prepared, &tree, options.fail_on_missing, &mut steps)?;
    remote_outcome(context)?;
    let ahead = PackedAhead::begin(context, key, &packing);
    let staging = prefix.stage()?;
    let pieces = Pieces {
        tree: &tree,
        wheels: &gathering.wheels,
        copies: &copies,
        package_folder: &prepared.folder,
        layout: prepared.config.layout,
    };
    let assembled = assemble::assemble(context, &pieces, staging, &mut steps)?;
    let machine = folders_of_this_machine(context, repository, staging);
    let verification = Verification {
        prepared: &prepared,
        tree: &tree,
        gathered: &gathering.wheels,
        assembled: &assembled,
        staging,
        whitelist: &whitelist,
        machine: &machine,
        strict: options.strict,
        today,
    };
    let findings = verify::verify(context, &verification, &mut steps)?;

    let mut manifest =
        finish::manifest(&prepared, &tree, &gathering.wheels, &gathering.left_out, &assembled, &findings, key);
    let artifacts = steps.run(context, "pack", || -> Result<_, Box<dyn Fault>> {
        let parts = finish::parts(context, staging, &tree, &gathering.wheels, &assembled, &mut manifest)?;
        archive::save_manifest(&staging.join(INNER_MANIFEST), &manifest)?;
        let from_wheels =
            &|parts: &[archive::PartSource]| finish::parts_from_wheels(parts, &gathering.wheels, &assembled);
        artifacts::pack(context, &Parts { parts, from_wheels }, &manifest, &packing, ahead)
    })?;
    remote_outcome(context)?;
    prefix.publish()?;
    let product =
        Product { prefix: prefix.target().to_owned(), artifacts: artifacts.paths, manifest: artifacts.manifest };
    Ok(finished(Ending::Built(Box::new(product)), &steps))
}

/// With `--strict`, what went wrong with the remote store.
fn remote_outcome(context: &Context) -> Result<(), Box<dyn Fault>> {
    context.store.remote().map_or(Ok(()), Remote::outcome)
}

fn copy_operations(prepared: &Prepared) -> Vec<CopyOperation> {
    prepared
        .config
        .copy_files_for(prepared.request.target.platform)
        .map(|copy| CopyOperation {
            from: copy.from.clone(),
            to: copy.to.clone(),
            optional: copy.optional,
            place: copy.place.to_string(),
        })
        .collect()
}

/// Of all that the runtime's bytes come from, and of what it is checked against.
fn build_key(
    prepared: &Prepared,
    tree: &BaseTree,
    copies: &[CopyOperation],
    whitelist: &Path,
    options: &BuildOptions,
) -> Result<Digest, Box<dyn Fault>> {
    #[derive(Serialize)]
    struct Key<'a> {
        format: u32,
        builder: &'a str,
        runtime: &'a VersionString,
        /// It stands in the manifest inside the artifact, so equal keys need equal ones.
        config: Digest,
        base: Digest,
        lock: Digest,
        requested: Vec<&'a str>,
        rules: Vec<&'a vocab::RuleRecord>,
        layout: Layout,
        copies: Digest,
        whitelist: Digest,
        mtime: u64,
        strict: bool,
    }
    let key = Key {
        format: BUILD_FORMAT,
        builder: env!("CARGO_PKG_VERSION"),
        runtime: &prepared.config.version,
        config: prepared.config_digest,
        base: tree.identity,
        lock: prepared.rows.digest(),
        requested: prepared.request.requirements.iter().map(|it| it.name.as_str()).collect(),
        rules: prepared.request.decided.iter().chain(&prepared.rows.left_out).collect(),
        layout: prepared.config.layout,
        copies: copy_files::digest_of(copies, &prepared.folder)?,
        whitelist: Digest::of(fs::read(whitelist).unwrap_or_default()),
        mtime: options.source_date_epoch,
        strict: options.strict,
    };
    Ok(Digest::of(serde_json::to_string(&key).expect("plain data with text keys")))
}

/// The former product, if it was made of the same inputs and is still there. A file that somebody changed inside
/// the prefix is not noticed here; `builder clean` and a new build make it anew.
fn up_to_date(prefix: &PrefixFolder, prepared: &Prepared, packing: &Packing, key: Digest) -> Option<Product> {
    let inner = archive::read_manifest(&fs::read(prefix.target().join(INNER_MANIFEST)).ok()?).ok()?;
    let mut artifacts = Vec::new();
    let mut first = None;
    for format in &packing.formats {
        let name = ArtifactName::new(&prepared.config.version, prepared.base.actual, packing.platform, *format);
        let manifest = artifacts::former(packing, &packing.out, &name).filter(|manifest| manifest.build_key == key)?;
        artifacts.push(packing.out.join(name.to_string()));
        first.get_or_insert(manifest);
    }
    let manifest = first?;
    let same = inner.build_key == key
        && !manifest.rules.iter().any(|row| {
            // A source that did not build is tried again.
            row.outcome == vocab::Outcome::LeftOut && !prepared.rows.left_out.contains(row)
        });
    same.then(|| Product { prefix: prefix.target().to_owned(), artifacts, manifest })
}

fn folders_of_this_machine(context: &Context, repository: &Repository, staging: &Path) -> Vec<PathBuf> {
    let mut folders = vec![staging.to_owned(), repository.root().to_owned(), context.store.root().to_owned()];
    for variable in ["HOME", "USERPROFILE"] {
        // `/root` or `/` would be found in innocent files.
        folders.extend(context.environment.path(variable).map(Path::to_owned).filter(|it| it.components().count() > 2));
    }
    folders
}
