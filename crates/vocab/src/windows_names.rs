//! Names that Windows cannot store.

use crate::TreePath;

/// Why Windows cannot store a file under this path; `None` if it can.
/// Source: "Naming Files, Paths, and Namespaces" in the Win32 documentation.
pub fn refused_by_windows(path: &TreePath) -> Option<&'static str> {
    path.segments().find_map(|segment| {
        let stem = segment.split('.').next().unwrap_or_default().trim_end().to_ascii_uppercase();
        let numbered = |prefix: &str| {
            stem.strip_prefix(prefix).is_some_and(|rest| {
                let mut rest = rest.chars();
                matches!((rest.next(), rest.next()), (Some('0'..='9' | '¹' | '²' | '³'), None))
            })
        };
        let device = matches!(stem.as_str(), "CON" | "PRN" | "AUX" | "NUL" | "CONIN$" | "CONOUT$");
        if device || numbered("COM") || numbered("LPT") {
            Some("its name belongs to a device on Windows")
        } else if segment.ends_with(['.', ' ']) {
            Some("Windows drops the dot or blank at its end")
        } else if segment.contains(['<', '>', ':', '"', '|', '?', '*']) {
            Some("it holds a character that Windows does not allow")
        } else {
            None
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_windows_cannot_hold_are_known() {
        let cases = [
            ("a/b.py", false),
            ("con", true),
            ("a/Aux.py", true),
            ("nul.tar.gz", true),
            ("com1", true),
            ("com0", true),
            ("com10", false),
            ("console.py", false),
            ("a /b", true),
            ("a./b", true),
            ("ab:c", true),
            ("what?", true),
        ];
        for (text, refused) in cases {
            let path: TreePath = text.parse().unwrap();
            assert_eq!(refused_by_windows(&path).is_some(), refused, "for {text:?}");
        }
    }
}
