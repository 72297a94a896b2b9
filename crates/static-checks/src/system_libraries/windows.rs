//! Windows: by name. What Microsoft's compiler brings for C++ programs (`msvcp140.dll`, `vcomp140.dll`,
//! `concrt140.dll`) and for C (`vcruntime140.dll`) is not Windows' own; the interpreter brings the last one along.

use std::collections::HashSet;
use std::sync::LazyLock;

/// What import libraries of the platform's SDK name, one a line, in small letters and without `.dll`.
/// Written by `scripts/system-libraries`; its first lines say from which package.
const NAMED_BY_SDK: &str = include_str!("../../data/windows-libraries.txt");

/// What that package lacks: parts of Windows 10 that Microsoft's API reference gives as the DLL of documented
/// functions, or that other libraries of Windows bring (`bcryptprimitives`, `cryptbase`, `gdi32full`, `kernelbase`).
/// ICU is part of Windows since 1703 as `icuuc` and `icuin`, since 1903 as `icu`.
const ALSO_WINDOWS: [&str; 14] = [
    "bcryptprimitives",
    "combase",
    "cryptbase",
    "dxcore",
    "gdi32full",
    "icu",
    "icuin",
    "icuuc",
    "kernelbase",
    "mscoree",
    "synchronization",
    "uiautomationcore",
    "webservices",
    "xmllite",
];

/// Installed by the driver of a device, in step with it.
const DRIVERS: [&str; 7] = ["nvapi64", "nvcuda", "nvcuvid", "nvencodeapi64", "nvml", "opencl", "vulkan-1"];

static OF_WINDOWS: LazyLock<HashSet<&str>> = LazyLock::new(|| super::rows(NAMED_BY_SDK).chain(ALSO_WINDOWS).collect());

/// True for libraries that Windows provides.
pub fn is_system_library(name: &str) -> bool {
    let name = name.to_lowercase();
    let stem = name.strip_suffix(".dll").unwrap_or(&name);
    // Names that stand for whichever library has the functions.
    stem.starts_with("api-ms-win-")
        || stem.starts_with("ext-ms-")
        || OF_WINDOWS.contains(stem)
        || DRIVERS.contains(&stem)
}

/// True for what Microsoft's compiler brings for programs, and `msvc-runtime` of the Python index for runtimes.
pub fn is_redistributable(name: &str) -> bool {
    const BEGINNINGS: [&str; 4] = ["msvcp140", "vcomp140", "concrt140", "vccorlib140"];
    let name = name.to_lowercase();
    // What `delvewheel` renames has a digest in its name.
    name.strip_suffix(".dll")
        .is_some_and(|stem| !stem.contains('-') && BEGINNINGS.iter().any(|it| stem.starts_with(it)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_field_windows_system_libraries() {
        let of_windows = "loadperf sfc aclui query uiautomationcore icuuc icuin icu";
        for name in of_windows.split(' ') {
            assert!(is_system_library(&format!("{name}.dll")), "for {name}");
        }
        for name in ["mfc140u.dll", "msvcp140.dll"] {
            assert!(!is_system_library(name), "for {name}");
        }
    }

    #[test]
    fn what_msvc_runtime_brings_is_known() {
        let cases = [("MSVCP140_1.dll", true), ("VCOMP140.DLL", true), ("mfc140u.dll", false), ("tbb12.dll", false)];
        for (name, expected) in cases {
            assert_eq!(is_redistributable(name), expected, "for {name}");
        }
    }

    #[test]
    fn the_libraries_of_windows_are_told_from_those_that_must_be_shipped() {
        let cases = [
            ("KERNEL32.dll", true),
            ("api-ms-win-crt-runtime-l1-1-0.dll", true),
            ("ext-ms-win-ntuser-window-l1-1-0.dll", true),
            ("ucrtbase.dll", true),
            ("WINSPOOL.DRV", true),
            ("nvcuda.dll", true),
            ("msvcp140.dll", false),
            ("MSVCP140_1.dll", false),
            ("vcruntime140.dll", false),
            ("vcruntime140_1.dll", false),
            ("vcomp140.dll", false),
            ("concrt140.dll", false),
            // Debug builds need what only a compiler brings; DirectX's helpers were redistributed until 2010.
            ("ucrtbased.dll", false),
            ("d3dcompiler_47.dll", true),
            ("D3DX9_43.dll", false),
            ("xinput1_3.dll", false),
            ("libwinpthread-1.dll", false),
            // Not a name, but a line of the list.
            ("#", false),
            ("python312.dll", false),
            ("libgcc_s_seh-1.dll", false),
            ("", false),
        ];
        for (name, expected) in cases {
            assert_eq!(is_system_library(name), expected, "for {name:?}");
        }
    }
}
