//! What a source's build back end may see of the user's environment. uv also runs back ends, to learn what a source
//! requires, so both it and the source build follow this.

/// Variables that control compilers and build back ends. Every back end gets them.
pub const COMPILER_VARIABLES: [&str; 30] = [
    "AR",
    "ARCHFLAGS",
    "CC",
    "CFLAGS",
    "CARGO_BUILD_TARGET",
    "CMAKE_ARGS",
    "CMAKE_GENERATOR",
    "CMAKE_PREFIX_PATH",
    "CPATH",
    "CPLUS_INCLUDE_PATH",
    "CPPFLAGS",
    "CUDA_HOME",
    "CUDA_PATH",
    "CXX",
    "CXXFLAGS",
    "C_INCLUDE_PATH",
    "DISTUTILS_USE_SDK",
    "FC",
    "FFLAGS",
    "LD",
    "LDFLAGS",
    "LIBRARY_PATH",
    "MACOSX_DEPLOYMENT_TARGET",
    "PKG_CONFIG_LIBDIR",
    "PKG_CONFIG_PATH",
    "RANLIB",
    "RUSTFLAGS",
    "SDKROOT",
    "SETUPTOOLS_SCM_PRETEND_VERSION",
    "SOURCE_DATE_EPOCH",
];

/// What a back end gets of the user's environment beside [`COMPILER_VARIABLES`] and what the configuration lets
/// pass: where things are on this machine and how to reach the network.
const OF_THE_MACHINE: [&str; 46] = [
    "ALL_PROXY",
    "CARGO_HOME",
    "CCACHE_DIR",
    "COMSPEC",
    "CommonProgramFiles",
    "CommonProgramFiles(x86)",
    "CURL_CA_BUNDLE",
    "DEVELOPER_DIR",
    "GOROOT",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "INCLUDE",
    "JAVA_HOME",
    "LANG",
    "LD_LIBRARY_PATH",
    "LIB",
    "LIBPATH",
    "MAKEFLAGS",
    "NO_PROXY",
    "NUMBER_OF_PROCESSORS",
    "OS",
    "PATH",
    "PATHEXT",
    "PROCESSOR_ARCHITECTURE",
    "ProgramData",
    "ProgramFiles",
    "ProgramFiles(x86)",
    "REQUESTS_CA_BUNDLE",
    "RUSTUP_HOME",
    "RUSTUP_TOOLCHAIN",
    "SCCACHE_DIR",
    "SSL_CERT_DIR",
    "SSL_CERT_FILE",
    "SystemDrive",
    "SystemRoot",
    "UCRTVersion",
    "UniversalCRTSdkDir",
    "VCINSTALLDIR",
    "VCToolsInstallDir",
    "VSINSTALLDIR",
    "VisualStudioVersion",
    "WindowsSdkDir",
    "WindowsSDKVersion",
    "no_proxy",
    "http_proxy",
    "https_proxy",
];

/// Whether every back end gets the variable, whose name counts in any case. A proxy with a password is withheld from
/// all code, unless the configuration lets it pass.
pub fn passes_to_back_ends(name: &str, value: &str) -> bool {
    let is_secret = value.contains('@') && name.to_ascii_uppercase().ends_with("_PROXY");
    let mut names = OF_THE_MACHINE.iter().chain(&COMPILER_VARIABLES);
    !is_secret && names.any(|passed| passed.eq_ignore_ascii_case(name))
}

/// The names of all that [`passes_to_back_ends`] may let pass.
pub fn passed_variables() -> impl Iterator<Item = &'static str> {
    OF_THE_MACHINE.iter().chain(&COMPILER_VARIABLES).copied()
}
