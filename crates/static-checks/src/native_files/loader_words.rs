//! What the loaders of the systems say about a file that the check finds a fault in: the words of a failed import.

use super::fault::NativeFaultKind;

impl NativeFaultKind {
    /// Whether `text` is a loader's message about this fault. Truncated texts, as in whitelists, count if they name
    /// the library; only Windows' loader names none.
    pub fn is_told_by(&self, text: &str) -> bool {
        let text = text.to_lowercase();
        let says = |words: &[&str]| words.iter().any(|words| text.contains(words));
        match self {
            Self::MissingLibrary { library } | Self::AbsoluteLibrary { library } => {
                let name = library.rsplit('/').next().unwrap_or(library).to_lowercase();
                let is_named = text.contains(&name);
                says(&["dll load failed"])
                    || (is_named && says(&["cannot open shared object file", "library not loaded", "image not found"]))
            }
            Self::AboveCeiling { symbols, needed, .. } => {
                says(&["not found"]) && text.contains(&format!("{symbols}_{needed}'").to_lowercase())
            }
            Self::NotABinary { .. } => says(&[
                "invalid elf header",
                "file too short",
                "not a mach-o file",
                "not valid mach-o",
                "win32 application",
            ]),
            Self::Unsigned | Self::StaleSignature => says(&["code signature"]),
            Self::Architecture { .. } => says(&[
                "wrong elf class",
                "cannot open shared object file",
                "incompatible architecture",
                "win32 application",
            ]),
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_is_known_by_the_words_of_each_loader() {
        let missing = |library: &str| NativeFaultKind::MissingLibrary { library: library.to_owned() };
        let above = NativeFaultKind::AboveCeiling {
            symbols: "GLIBC".to_owned(),
            needed: "2.34".parse().unwrap(),
            ceiling: "2.28".parse().unwrap(),
        };
        let cases = [
            (missing("libtbb.so.12"), "libtbb.so.12: cannot open shared object file: No such file or directory", true),
            (missing("libtbb.so.12"), "libgomp.so.1: cannot open shared object file: No such file or directory", false),
            (missing("libtbb.so.12"), "undefined symbol: libtbb.so.12", false),
            (missing("@rpath/libfoo.dylib"), "Library not loaded: @rpath/libfoo.dylib\n  Referenced from: /x", true),
            (missing("@rpath/libfoo.dylib"), "Library not loaded: @rpath/libbar.dylib", false),
            (missing("tbb12.dll"), "DLL load failed while importing tbbpool: The specified module could not be", true),
            (above.clone(), "/lib/libc.so.6: version `GLIBC_2.34' not found (required by core.so)", true),
            (above, "/lib/libc.so.6: version `GLIBC_2.3' not found (required by core.so)", false),
            (missing("libtbb.so.12"), "", false),
        ];
        for (fault, text, expected) in cases {
            assert_eq!(fault.is_told_by(text), expected, "for {text:?}");
        }
    }
}
