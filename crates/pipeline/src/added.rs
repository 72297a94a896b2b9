//! The artifact of a settled runtime and of a few wheels that were given, without the prefix: what they add is laid out and checked
//! alone, and everything else is taken from the store in the form in which it was packed.
//!
//! Only where they stand apart from all that is there ([`SettledRuntime::stands_apart`]). In every other case, whatever it is, the
//! prefix is put together as usual, which also finds the words for what is wrong.

use std::path::{Path, PathBuf};

use vocab::{CopiedFile, Digest, Fault, Manifest, TreePath};

use crate::artifacts::{self, PackedArtifacts, Packing};
use crate::assemble::{self, AssembledPrefix, PrefixPieces};
use crate::build_product::BuildProduct;
use crate::consistency::InstalledMember;
use crate::copy_files::CopyOperation;
use crate::gather::{self, GatherOutcome, GatheredWheel};
use crate::parts;
use crate::prefix_folder::PrefixFolder;
use crate::prepare::PreparedPlatform;
use crate::settled::{SettledMember, SettledRuntime};
use crate::steps::TimedSteps;
use crate::verify;
use crate::warnings::{self, BuildWarnings};
use interpreter::BaseTree;
use static_checks::names::check_names;
use static_checks::native_files::{NativePolicy, SystemCeilings, check_native_files};
use static_checks::paths::leaked_paths;
use store::{Context, Scrutiny};
use wheel::WheelBlob;

/// A build whose given wheels are all that is new.
pub(crate) struct AddedBuild<'a> {
    pub prepared: &'a PreparedPlatform,
    pub tree: &'a BaseTree,
    pub extra: &'a [WheelBlob],
    pub copies: &'a [CopyOperation],
    pub prefix: &'a PrefixFolder,
    /// Folders of this machine that nothing may name.
    pub machine: &'a [PathBuf],
    pub packing: &'a Packing,
    pub scrutiny: Scrutiny,
    pub key: Digest,
}

impl AddedBuild<'_> {
    /// `None` where the prefix has to be put together. The product has none.
    pub fn product(
        &self,
        context: &Context,
        settled: &SettledRuntime,
        warnings: &BuildWarnings,
        steps: &mut TimedSteps,
    ) -> Result<Option<BuildProduct>, Box<dyn Fault>> {
        let wheels = gather::extra_wheels(context, self.extra, self.scrutiny)?;
        let gathering = GatherOutcome { wheels, sources: Vec::new(), left_out: Vec::new() };
        let pieces = PrefixPieces {
            tree: self.tree,
            wheels: &gathering.wheels,
            sources: &gathering.sources,
            copies: self.copies,
            package_folder: &self.prepared.folder,
            layout: self.prepared.config.layout,
            launchers: None,
        };
        let staging = self.prefix.stage()?;
        let made = AddedWheels { build: self, pieces: &pieces, gathering: &gathering, settled, staging }
            .artifacts(context, warnings, steps)?;
        Ok(made.map(|PackedArtifacts { paths, manifest }| BuildProduct {
            prefix: self.prefix.target().to_owned(),
            artifacts: paths,
            manifest,
        }))
    }
}

/// Those wheels, ready to be installed.
struct AddedWheels<'a> {
    build: &'a AddedBuild<'a>,
    pieces: &'a PrefixPieces<'a>,
    gathering: &'a GatherOutcome,
    settled: &'a SettledRuntime,
    /// An empty folder.
    staging: &'a Path,
}

impl AddedWheels<'_> {
    fn artifacts(
        &self,
        context: &Context,
        warnings: &BuildWarnings,
        steps: &mut TimedSteps,
    ) -> Result<Option<PackedArtifacts>, Box<dyn Fault>> {
        let assembled = steps.run(context, "install", || self.installed(context))?;
        let Some(assembled) = assembled else { return Ok(None) };
        if !steps.run(context, "check paths and binaries", || self.passes(&assembled))? {
            return Ok(None);
        }
        steps.run(context, "pack", || self.packed(context, warnings, &assembled))
    }

    fn installed(&self, context: &Context) -> Result<Option<AssembledPrefix>, Box<dyn Fault>> {
        let (settled, layout) = (self.settled, self.pieces.tree.layout);
        if self.gathering.wheels.iter().any(|gathered| settled.known.has_distribution(&gathered.name, layout)) {
            return Ok(None);
        }
        let Some(assembled) = assemble::added(context, self.pieces, self.staging, &settled.known.files) else {
            return Ok(None);
        };
        Ok(settled.stands_apart(&added_paths(&assembled), layout).then_some(assembled))
    }

    /// Whether the checks find nothing at all in what was added.
    fn passes(&self, assembled: &AssembledPrefix) -> Result<bool, Box<dyn Fault>> {
        let layout = self.pieces.tree.layout;
        let (known, added) = (&self.settled.known, added_paths(assembled));
        let all = known.files.iter().chain(&known.empty_folders).map(|path| (path, "the runtime"));
        if check_names(all.chain(added.iter().map(|path| (path, "what is added"))), layout.platform).is_err() {
            return Ok(false);
        }
        let needles: Vec<&Path> =
            std::iter::once(self.staging).chain(self.build.machine.iter().map(PathBuf::as_path)).collect();
        if !leaked_paths(self.staging, &needles)?.is_empty() {
            return Ok(false);
        }
        let target = self.build.prepared.request.target;
        let policy = NativePolicy::strict(SystemCeilings::for_system(target.platform, target.system));
        let native = check_native_files(self.staging, layout, &policy, &|_| None)?;
        let is_plain = native.whole.files == 0 && native.foreign == 0 && native.files.is_empty();
        let faultless = native.faults.is_empty() && native.warnings.is_empty() && native.unneeded.is_empty();
        Ok(is_plain && faultless && verify::verify_python(self.build.prepared, &self.gathering.wheels).is_ok())
    }

    fn packed(
        &self,
        context: &Context,
        warnings: &BuildWarnings,
        assembled: &AssembledPrefix,
    ) -> Result<Option<PackedArtifacts>, Box<dyn Fault>> {
        let tree = self.pieces.tree;
        let mut owned = parts::owned(context, self.staging, tree, self.gathering, assembled)?;
        // The interpreter's is known, and has no entries here.
        let base = owned.parts.remove(0);
        if !base.entries.is_empty() {
            return Ok(None);
        }
        let settled = self.settled;
        let given: Vec<InstalledMember<'_>> = self.gathering.wheels.iter().map(GatheredWheel::member).collect();
        let members: Vec<_> = settled.members.iter().map(SettledMember::member).chain(given).collect();
        let prepared = self.build.prepared;
        verify::tell_unmet(context, prepared, &verify::unmet_requirements(prepared, &members));
        warnings::repeat(context, &settled.manifest.warnings);
        let mut manifest = Manifest {
            build_key: self.build.key,
            copied_files: assembled.copied.clone(),
            warnings: warnings.of_runtime(),
            files: settled.files + owned.files,
            installed_size: settled.size + owned.size,
            ..settled.manifest.clone()
        };
        manifest.distributions.extend(self.gathering.wheels.iter().map(|it| parts::distribution(it, None)));
        manifest.distributions.sort_by(|one, other| one.name.cmp(&other.name));
        owned.parts.push(parts::metadata(&manifest)?);
        artifacts::join(context, &settled.parts, &owned.parts, &manifest, self.build.packing)
    }
}

fn added_paths(assembled: &AssembledPrefix) -> Vec<TreePath> {
    let installed = assembled.installed.iter().flat_map(|all| &all.distributions).flat_map(|it| &it.files);
    let copied = assembled.copied.iter().map(|CopiedFile { path, .. }| path);
    installed.map(|file| &file.path).chain(copied).cloned().collect()
}
