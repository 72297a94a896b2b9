//! Windows: by name. What Microsoft's compiler brings for C++ programs (`msvcp140.dll`, `vcomp140.dll`,
//! `concrt140.dll`) and for C (`vcruntime140.dll`) is not Windows' own; the interpreter brings the last one along.

/// In small letters, without `.dll`. Those of Windows 10, server cores included where it matters little.
const SYSTEM: &str = "\
    activeds advapi32 advpack authz avicap32 avifil32 avrt bcrypt bcryptprimitives bluetoothapis bthprops.cpl \
    cabinet cfgmgr32 clusapi combase comctl32 comdlg32 credui crypt32 cryptbase cryptnet cryptui d2d1 d3d10 d3d11 \
    d3d12 d3d9 d3dcompiler_47 davclnt dbgeng dbghelp dciman32 dcomp ddraw dhcpcsvc dhcpcsvc6 dinput8 dnsapi dsound \
    dwmapi dwrite dxcore dxgi dxva2 esent evr fltlib fwpuclnt gdi32 gdi32full gdiplus glu32 hid hlink httpapi icmp \
    imagehlp imm32 iphlpapi kernel32 kernelbase ktmw32 lz32 mf mfplat mfreadwrite mpr msacm32 mscms mscoree msdmo \
    msi msimg32 msvcrt msvfw32 mswsock ncrypt ndfapi netapi32 newdev normaliz ntdll ntdsapi odbc32 ole32 oleacc \
    oleaut32 opengl32 pdh powrprof propsys psapi rasapi32 rpcrt4 rstrtmgr secur32 sensapi setupapi shcore shell32 \
    shfolder shlwapi sspicli synchronization tbs ucrtbase urlmon user32 userenv usp10 uxtheme version virtdisk \
    webservices wer wevtapi wimgapi windowscodecs winhttp wininet winmm winscard winspool.drv wintrust winusb \
    wlanapi wldap32 ws2_32 wsock32 wtsapi32 xinput1_4 xmllite";

/// Installed by the driver of a device, in step with it.
const DRIVERS: [&str; 7] = ["nvapi64", "nvcuda", "nvcuvid", "nvencodeapi64", "nvml", "opencl", "vulkan-1"];

/// True for libraries that are Windows' to provide.
pub fn is_system_library(name: &str) -> bool {
    let name = name.to_lowercase();
    let stem = name.strip_suffix(".dll").unwrap_or(&name);
    // Names that stand for whichever library has the functions.
    stem.starts_with("api-ms-win-")
        || stem.starts_with("ext-ms-")
        || SYSTEM.split(' ').any(|known| known == stem)
        || DRIVERS.contains(&stem)
}

#[cfg(test)]
mod tests {
    use super::*;

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
            ("python312.dll", false),
            ("libgcc_s_seh-1.dll", false),
            ("", false),
        ];
        for (name, expected) in cases {
            assert_eq!(is_system_library(name), expected, "for {name:?}");
        }
    }
}
