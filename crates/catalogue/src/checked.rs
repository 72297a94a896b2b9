//! Whether and how the native modules of a runtime were checked.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use vocab::{Manifest, NativeSummary};

/// How the native modules of one build were checked, as [`NativeSummary`] records it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "how", rename_all = "kebab-case", deny_unknown_fields)]
#[schemars(rename = "Checked")]
pub enum NativeVerdict {
    /// Imported by the runtime itself, on a machine of its platform.
    Imported {
        /// Native modules that were imported.
        modules: u64,
        /// Failures that the whitelist allows.
        allowed: u64,
    },
    /// Imported by the runtime itself, in an emulator.
    Emulated {
        /// Native modules that were imported.
        modules: u64,
        /// Failures that the whitelist allows, or that are the emulator's.
        allowed: u64,
        /// Name and version: `qemu-aarch64 7.2.22`.
        by: String,
    },
    /// Its native files were examined; nothing was imported.
    Statically {
        /// ELF, Mach-O and PE files.
        files: u64,
    },
    /// No distribution has native files.
    NothingNative,
}

impl NativeVerdict {
    /// Decides by what the manifest records; a runtime without native files counts as [`NothingNative`](Self::NothingNative).
    pub fn of(manifest: &Manifest) -> Self {
        let NativeSummary { files, imported, allowed, emulated, .. } = &manifest.native;
        let (files, modules, allowed) = (*files, *imported, *allowed);
        match emulated {
            Some(emulated) => Self::Emulated { modules, allowed, by: emulated.by.clone() },
            None if modules + allowed > 0 => Self::Imported { modules, allowed },
            None if manifest.distributions.iter().any(vocab::Distribution::is_native) => Self::Statically { files },
            None => Self::NothingNative,
        }
    }
}
