//! What can be done with wheels on a throw-away store.
#![allow(clippy::unwrap_used, reason = "a helper that cannot do its work is a failed test")]

use std::path::Path;

use crate::FixtureFile;
use crate::store_bench::StoreBench;
use store::Scrutiny;
use vocab::{Digest, PlatformKey, TreeLayout};
use wheel::windows_launcher::WindowsLaunchers;
use wheel::{InstallDestination, InstallRequest, InstalledAll, UnpackError, UnpackedWheel, WheelBlob, WheelToInstall};

/// Python 3.12.10 on linux-x64.
pub const LINUX: TreeLayout = layout(PlatformKey::LinuxX64);
/// Python 3.12.10 on windows-x64.
pub const WINDOWS: TreeLayout = layout(PlatformKey::WindowsX64);

const fn layout(platform: PlatformKey) -> TreeLayout {
    TreeLayout { platform, python: vocab::PythonVersion { major: 3, minor: 12, patch: 10 } }
}

impl StoreBench {
    /// Writes the wheel beside the store and unpacks it.
    pub fn unpack(&self, wheel: &FixtureFile) -> Result<UnpackedWheel, UnpackError> {
        wheel::unpack(&self.context, &self.blob(wheel), Scrutiny::Glance)
    }

    /// Writes the wheel beside the store; it is not unpacked yet.
    pub fn blob(&self, wheel: &FixtureFile) -> WheelBlob {
        let path = self.path(&wheel.file_name);
        std::fs::write(&path, &wheel.bytes).unwrap();
        WheelBlob { path, sha256: Digest::of(&wheel.bytes), file_name: wheel.file_name.parse().unwrap() }
    }

    /// All of them as requested ones.
    pub fn install(&self, wheels: &[FixtureFile], prefix: &Path, layout: TreeLayout) -> InstalledAll {
        let unpacked: Vec<_> = wheels.iter().map(|wheel| self.unpack(wheel).unwrap()).collect();
        let wheels: Vec<_> =
            unpacked.iter().map(|wheel| WheelToInstall { wheel, request: InstallRequest::new(true) }).collect();
        let launchers = launchers();
        let destination = InstallDestination { launchers: Some(&launchers), ..destination(prefix, layout) };
        wheel::install_all(&self.context, &wheels, &destination).unwrap()
    }
}

/// A prefix without an interpreter of its own, and without launchers.
pub fn destination(prefix: &Path, layout: TreeLayout) -> InstallDestination<'_> {
    static NOTHING: std::collections::BTreeSet<vocab::TreePath> = std::collections::BTreeSet::new();
    InstallDestination { prefix, layout, base: &NOTHING, launchers: None }
}

/// Not the real ones, whose bytes play no part where nothing is started.
pub fn launchers() -> WindowsLaunchers {
    WindowsLaunchers { console: b"MZ console\n".to_vec(), gui: b"MZ gui\n".to_vec() }
}
