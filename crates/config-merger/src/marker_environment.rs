//! What markers (PEP 508) are evaluated against: the platform a runtime is built for, never the building machine.

use pep508_rs::{MarkerEnvironment, MarkerEnvironmentBuilder};
use vocab::{Arch, Os, PlatformKey, PythonVersion};

/// `None` only for a version that is invalid by PEP 440, which a [`PythonVersion`] cannot be.
pub fn marker_environment(platform: PlatformKey, python: PythonVersion) -> Option<MarkerEnvironment> {
    let (sys_platform, platform_system, os_name) = match platform.os() {
        Os::Linux => ("linux", "Linux", "posix"),
        Os::Macos => ("darwin", "Darwin", "posix"),
        Os::Windows => ("win32", "Windows", "nt"),
    };
    let platform_machine = match (platform.os(), platform.arch()) {
        (Os::Windows, Arch::X64) => "AMD64",
        (_, Arch::X64) => "x86_64",
        (Os::Macos, Arch::Aarch64) => "arm64",
        (Os::Windows, Arch::Aarch64) => "ARM64",
        (Os::Linux, Arch::Aarch64) => "aarch64",
    };
    MarkerEnvironment::try_from(MarkerEnvironmentBuilder {
        implementation_name: "cpython",
        implementation_version: &python.to_string(),
        os_name,
        platform_machine,
        platform_python_implementation: "CPython",
        // What can be known about the kernel is decided in `applies`.
        platform_release: "",
        platform_system,
        platform_version: "",
        python_full_version: &python.to_string(),
        python_version: &python.minor_version(),
        sys_platform,
    })
    .ok()
}
