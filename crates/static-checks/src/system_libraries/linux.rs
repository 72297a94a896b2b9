//! Linux: by the name that is needed. The base is the list of the `manylinux_2_28` policy (PEP 600) with what its
//! libraries bring on every system: `libX11.so.6` cannot be there without `libxcb.so.1`. The rest belongs to the
//! dynamic loader itself, to the machine's accounts and devices, and to its graphics driver.

use std::collections::HashSet;
use std::sync::LazyLock;

/// One a line: a library of the policy, or `by: brought`. Written by `scripts/system-libraries`; its first lines say
/// from which packages.
const POLICY: &str = include_str!("../../data/linux-libraries.txt");

static OF_POLICY: LazyLock<HashSet<&str>> =
    LazyLock::new(|| super::rows(POLICY).map(|row| row.split_once(": ").map_or(row, |(_, brought)| brought)).collect());

/// What a runtime may do with a library that it never takes along.
#[derive(Clone, Copy, PartialEq, Eq)]
enum LibraryCustom {
    /// Part of the C library, so that a system without it has none of these rules.
    Libc,
    /// May be needed: the system has its own, of a matching version.
    Systems,
    /// Nothing may rely on it.
    Neither,
}

use LibraryCustom::{Libc, Neither, Systems};

/// Libraries that must stay the system's own. The rest of the policy may be copied from the machine that a tree was
/// found on. Names as they are needed (`libc.so.6`), or the part before `.so` if any version will do.
const LIBRARIES: [(&str, LibraryCustom); 49] = [
    // The C library and its parts.
    ("libBrokenLocale", Libc),
    ("libanl.so.1", Libc),
    ("libc.so.6", Libc),
    ("libc_malloc_debug", Libc),
    ("libdl.so.2", Libc),
    ("libm.so.6", Libc),
    ("libmemusage", Libc),
    ("libmvec.so.1", Libc),
    ("libnss_compat", Libc),
    ("libnss_dns", Libc),
    ("libnss_files", Libc),
    ("libnss_hesiod", Libc),
    ("libpcprofile", Libc),
    ("libpthread.so.0", Libc),
    ("libresolv.so.2", Libc),
    ("librt.so.1", Libc),
    ("libthread_db", Libc),
    ("libutil.so.1", Libc),
    // No longer part of it everywhere: Red Hat has them in packages of their own.
    ("libcrypt", Systems),
    ("libnsl.so.1", Systems),
    // Of the compiler: wheels expect the newest there is.
    ("libgcc_s.so.1", Systems),
    ("libstdc++.so.6", Systems),
    ("libasan", Neither),
    // Accounts, devices and services of the machine.
    ("libacl", Systems),
    ("libapparmor", Systems),
    ("libattr", Systems),
    ("libaudit", Systems),
    ("libblkid", Systems),
    ("libcap", Systems),
    ("libcom_err", Systems),
    ("libmount", Systems),
    ("libpam", Systems),
    ("libseccomp", Neither),
    ("libselinux", Systems),
    ("libsystemd", Systems),
    ("libudev", Systems),
    // Installed by the graphics driver, in step with its kernel module.
    ("libGL.so.1", Systems),
    ("libGLX.so.0", Systems),
    ("libGLdispatch", Systems),
    ("libEGL", Neither),
    ("libcuda", Systems),
    ("libcudadebugger", Systems),
    ("libcudart_static", Neither),
    ("libdrm", Neither),
    ("libnvcuvid", Systems),
    ("libnvidia-encode", Systems),
    ("libnvoptix", Systems),
    // Finds the OpenCL drivers of the machine; comes with them.
    ("libOpenCL", Systems),
    ("libvulkan", Neither),
];

/// The beginnings of the loader's names, of the kernel's own library, and of a driver's many parts.
const FAMILIES: [(&str, LibraryCustom); 5] = [
    ("ld-linux", Libc),
    ("ld64", Libc),
    // That of another C library.
    ("ld-musl", Neither),
    ("linux-vdso", Libc),
    ("libnvidia-", Systems),
];

/// True for libraries that the system has to provide.
pub fn is_promised(name: &str) -> bool {
    let Some((stem, _)) = name.split_once(".so") else { return false };
    let row = LIBRARIES
        .iter()
        .any(|(row, custom)| *custom != Neither && if row.contains(".so") { *row == name } else { *row == stem });
    row || OF_POLICY.contains(name)
        || FAMILIES.iter().any(|(family, custom)| *custom != Neither && stem.starts_with(family))
}

/// True for libraries that come with the C library, so that they are never missing.
pub fn comes_with_libc(name: &str) -> bool {
    let stem = stem_of(name);
    LIBRARIES.iter().any(|(row, custom)| *custom == Libc && stem_of(row) == stem)
        || FAMILIES.iter().any(|(family, custom)| *custom == Libc && stem.starts_with(family))
}

/// True for the parts of the other C library, whose programs and wheels do not run on systems with glibc.
pub fn is_of_musl(name: &str) -> bool {
    name.starts_with("libc.musl-") || name.starts_with("ld-musl-")
}

/// True for libraries that must be those of the machine a tree runs on, whatever their version, and are not taken
/// from the machine it was found on.
pub fn is_kept_out(name: &str) -> bool {
    let stem = stem_of(name);
    LIBRARIES.iter().any(|(row, _)| stem_of(row) == stem) || FAMILIES.iter().any(|(family, _)| stem.starts_with(family))
}

fn stem_of(name: &str) -> &str {
    name.split_once(".so").map_or(name, |(stem, _)| stem)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_field_opencv_libxcb() {
        for name in ["libX11.so.6", "libxcb.so.1", "libXau.so.6"] {
            assert!(is_promised(name), "for {name}");
        }
        // Separate packages: a system may have libxcb without them. Red Hat's libxcb is built without XDMCP.
        for name in ["libxcb-icccm.so.4", "libX11-xcb.so.1", "libxkbcommon.so.0", "libXdmcp.so.6"] {
            assert!(!is_promised(name), "for {name}");
        }
    }

    #[test]
    fn every_row_of_the_list_is_promised() {
        assert!(OF_POLICY.len() > 24, "the policy has 24 libraries alone");
        for name in OF_POLICY.iter() {
            assert!(is_promised(name), "for {name}");
        }
    }

    #[test]
    fn t13_the_systems_own_libraries_are_told_from_those_that_must_be_shipped() {
        let cases = [
            // (name, may be needed, is never taken)
            ("libc.so.6", true, true),
            ("libm.so.6", true, true),
            ("ld-linux-x86-64.so.2", true, true),
            ("ld-linux-aarch64.so.1", true, true),
            ("ld-musl-x86_64.so.1", false, true),
            ("libcuda.so.1", true, true),
            ("libnvidia-ml.so.1", true, true),
            ("libcrypt.so.1", true, true),
            ("libcrypt.so.2", true, true),
            ("libstdc++.so.6", true, true),
            ("libseccomp.so.2", false, true),
            ("libz.so.1", true, false),
            ("libcrypto.so.3", false, false),
            ("libcap-ng.so.0", false, false),
            ("libmpdec.so.3", false, false),
            ("libfoo.so.1", false, false),
            ("libssl.so.3", false, false),
            ("libgomp.so.1", false, false),
            // musl's: a wheel for the other C library, whose stem is another one's.
            ("libc.musl-x86_64.so.1", false, false),
            ("libc.so", false, true),
            ("", false, false),
        ];
        for (name, promised, kept_out) in cases {
            assert_eq!((is_promised(name), is_kept_out(name)), (promised, kept_out), "for {name:?}");
        }
    }

    #[test]
    fn what_comes_with_the_c_library_is_told_from_what_may_be_missing() {
        for name in ["libc.so.6", "libm.so.6", "libpthread.so.0", "ld-linux-x86-64.so.2", "linux-vdso.so.1"] {
            assert!(comes_with_libc(name), "for {name}");
        }
        for name in ["libstdc++.so.6", "libgcc_s.so.1", "libz.so.1", "libcrypt.so.1", "libX11.so.6", "libcuda.so.1"] {
            assert!(is_promised(name) && !comes_with_libc(name), "for {name}");
        }
        assert!(is_of_musl("libc.musl-x86_64.so.1") && !is_of_musl("libc.so.6"));
    }
}
