//! Which libraries a Linux runtime may expect of the system it runs on.
//!
//! The list is that of the `manylinux_2_28` policy (PEP 600), plus what belongs to the dynamic loader itself and
//! what a graphics driver installs: these must come from the machine and can never be shipped.

/// By soname.
const MANYLINUX_2_28: [&str; 24] = [
    "libGL.so.1",
    "libICE.so.6",
    "libSM.so.6",
    "libX11.so.6",
    "libXext.so.6",
    "libXrender.so.1",
    "libanl.so.1",
    "libatomic.so.1",
    "libc.so.6",
    "libdl.so.2",
    "libexpat.so.1",
    "libgcc_s.so.1",
    "libglib-2.0.so.0",
    "libgobject-2.0.so.0",
    "libgthread-2.0.so.0",
    "libm.so.6",
    "libmvec.so.1",
    "libnsl.so.1",
    "libpthread.so.0",
    "libresolv.so.2",
    "librt.so.1",
    "libstdc++.so.6",
    "libutil.so.1",
    "libz.so.1",
];

/// Everything before `.so`, for libraries that go with the system's own glibc, accounts and devices.
const SYSTEM_STEMS: [&str; 28] = [
    "libBrokenLocale",
    "libacl",
    "libapparmor",
    "libattr",
    "libaudit",
    "libblkid",
    "libc_malloc_debug",
    "libcap",
    "libcom_err",
    "libcrypt",
    "libmemusage",
    "libmount",
    "libnss_compat",
    "libnss_dns",
    "libnss_files",
    "libnss_hesiod",
    "libpam",
    "libpcprofile",
    "libselinux",
    "libsystemd",
    "libthread_db",
    "libudev",
    // Installed by the graphics driver, in step with its kernel module.
    "libcuda",
    "libcudadebugger",
    "libnvcuvid",
    "libnvidia-encode",
    "libnvoptix",
    // Finds the OpenCL drivers of the machine; comes with them.
    "libOpenCL",
];

/// True for libraries that are the system's to provide.
pub fn is_system_library(soname: &str) -> bool {
    let Some((stem, _)) = soname.split_once(".so") else { return false };
    MANYLINUX_2_28.contains(&soname)
        || SYSTEM_STEMS.contains(&stem)
        || stem.starts_with("ld-linux")
        || stem.starts_with("ld64")
        || stem.starts_with("linux-vdso")
        || stem.starts_with("libnvidia-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t13_the_systems_own_libraries_are_told_from_those_that_must_be_shipped() {
        let cases = [
            ("libc.so.6", true),
            ("libm.so.6", true),
            ("ld-linux-x86-64.so.2", true),
            ("ld-linux-aarch64.so.1", true),
            ("libcuda.so.1", true),
            ("libnvidia-ml.so.1", true),
            ("libcrypt.so.1", true),
            ("libfoo.so.1", false),
            ("libssl.so.3", false),
            ("libgomp.so.1", false),
            // musl's: a wheel for the other C library.
            ("libc.musl-x86_64.so.1", false),
            ("libc.so", false),
            ("", false),
        ];
        for (soname, expected) in cases {
            assert_eq!(is_system_library(soname), expected, "for {soname:?}");
        }
    }
}
