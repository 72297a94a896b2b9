//! A wheel to install, and how it came to be.

use crate::UnpackedWheel;

/// How a wheel came to be installed; recorded in its `.dist-info` folder.
#[derive(Clone, Debug, PartialEq)]
pub struct InstallRequest {
    /// Named in the configuration, rather than required by another distribution.
    pub requested: bool,
    /// For wheels from a repository or a path. Source: the direct URL specification (PEP 610).
    pub direct_url: Option<serde_json::Value>,
    /// Content of `INSTALLER`.
    pub installer: &'static str,
}

impl InstallRequest {
    /// For a wheel from an index: no `direct_url.json`; the installer is `pydist`.
    pub fn new(requested: bool) -> Self {
        Self { requested, direct_url: None, installer: "pydist" }
    }
}

/// A wheel and how it came to be installed.
#[derive(Clone, Debug)]
pub struct WheelToInstall<'a> {
    pub wheel: &'a UnpackedWheel,
    pub request: InstallRequest,
}
