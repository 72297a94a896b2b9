//! On which machines a CI system runs a job for a platform.

use std::collections::BTreeMap;

use config_merger::Runners;
use vocab::PlatformKey;

/// Who runs the jobs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CiSystem {
    Github,
    Gitlab,
    Kubernetes,
}

impl CiSystem {
    /// The key below `runners` in the configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Github => "github",
            Self::Gitlab => "gitlab",
            Self::Kubernetes => "kubernetes",
        }
    }

    /// What this CI system calls a runner's name.
    pub fn runner_word(self) -> &'static str {
        match self {
            Self::Github => "label",
            Self::Gitlab => "tag",
            Self::Kubernetes => "image",
        }
    }

    /// The hosted machines of github.com and gitlab.com. Source: "GitHub-hosted runners reference" and "Hosted runners
    /// on Linux, macOS and Windows" of their documentation, November 2026. GitLab has no Intel macOS; the image of a
    /// Kubernetes job is the user's own, and no cluster has macOS nodes.
    pub fn default_runner(self, platform: PlatformKey) -> Option<&'static str> {
        Some(match (self, platform) {
            (Self::Github, PlatformKey::LinuxX64) => "ubuntu-24.04",
            (Self::Github, PlatformKey::LinuxAarch64) => "ubuntu-24.04-arm",
            (Self::Github, PlatformKey::MacosxX64) => "macos-15-intel",
            (Self::Github, PlatformKey::MacosxAarch64) => "macos-15",
            (Self::Github, PlatformKey::WindowsX64) => "windows-2025",
            (Self::Gitlab, PlatformKey::LinuxX64) => "saas-linux-small-amd64",
            (Self::Gitlab, PlatformKey::LinuxAarch64) => "saas-linux-small-arm64",
            (Self::Gitlab, PlatformKey::MacosxAarch64) => "saas-macos-medium-m1",
            (Self::Gitlab, PlatformKey::WindowsX64) => "saas-windows-medium-amd64",
            (Self::Gitlab, PlatformKey::MacosxX64) | (Self::Kubernetes, _) => return None,
        })
    }

    /// The runner from the command line, else from the configuration, else the default.
    pub fn runner(
        self,
        platform: PlatformKey,
        asked: &BTreeMap<PlatformKey, String>,
        configured: &Runners,
    ) -> Option<String> {
        let configured = match self {
            Self::Github => &configured.github,
            Self::Gitlab => &configured.gitlab,
            Self::Kubernetes => &configured.kubernetes,
        };
        let own = asked.get(&platform).or_else(|| configured.get(&platform)).cloned();
        own.or_else(|| self.default_runner(platform).map(str::to_owned))
    }
}
