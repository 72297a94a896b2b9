//! Scripts that find the interpreter beside themselves, wherever the prefix was moved to.
//!
//! A script's first line can name its interpreter only by an absolute path. So on POSIX the script begins as a shell
//! script, a few lines that Python reads as its first string, and these start the interpreter of their own folder with
//! the same file. The shell follows symbolic links to the script itself, in plain POSIX commands: `realpath` and
//! `readlink -f` are not available everywhere. Windows starts only programs, see [`super::launcher`].

use super::EntryPoint;

/// The lines that start `interpreter`, a path relative to the script's own folder. For Python they are a string.
fn posix_header(interpreter: &str) -> String {
    // A path without a slash comes from `sh script`; `${self%/*}` needs one.
    format!(
        "#!/bin/sh\n\
         ''':'\n\
         case $0 in */*) self=$0 ;; *) self=./$0 ;; esac\n\
         while [ -h \"$self\" ]; do\n\
         link=$(readlink -- \"$self\") || exit 126\n\
         case $link in /*) self=$link ;; *) self=${{self%/*}}/$link ;; esac\n\
         done\n\
         exec \"${{self%/*}}/{interpreter}\" \"$0\" \"$@\"\n\
         '''\n"
    )
}

/// The whole script of an entry point, without a first line for the system. Python 3.8 reads it as well: its strings have no
/// `removesuffix`.
pub(super) fn entry_point_body(point: &EntryPoint) -> String {
    let EntryPoint { module, attribute, .. } = point;
    // The imported name is the first part: `Class` of `Class.method`.
    let imported = attribute.split('.').next().unwrap_or(attribute);
    format!(
        "import sys\n\
         from {module} import {imported}\n\
         if __name__ == \"__main__\":\n    \
         for ending in (\"-script.py\", \"-script.pyw\", \".exe\"):\n        \
         if sys.argv[0].endswith(ending):\n            \
         sys.argv[0] = sys.argv[0][:-len(ending)]\n    \
         sys.exit({attribute}())\n"
    )
}

/// `body`, made directly executable on POSIX.
pub(super) fn posix_script(interpreter: &str, body: &str) -> Vec<u8> {
    format!("{}{body}", posix_header(interpreter)).into_bytes()
}

/// What follows the first line of a script from a wheel's `.data/scripts`, if that line is `#!python` or `#!pythonw`,
/// with which its author requests the installation's own interpreter (PEP 427). The flag is true for `pythonw`.
pub(super) fn python_body(content: &[u8]) -> Option<(&[u8], bool)> {
    let rest = content.strip_prefix(b"#!python")?;
    let end = rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
    let gui = rest[..end].starts_with(b"w");
    let options = &rest[usize::from(gui)..end];
    // `#!python3` and `#!/usr/bin/env python` stay as they are; arguments such as `-E` cannot be kept.
    if !options.first().is_none_or(u8::is_ascii_whitespace) {
        return None;
    }
    Some((rest.get(end + 1..).unwrap_or_default(), gui))
}

/// Like [`posix_script`], for a script in any encoding. Its declaration (PEP 263) counts only within the first two
/// lines, so it moves up.
pub(super) fn rewritten_posix(interpreter: &str, body: &[u8]) -> Vec<u8> {
    let header = posix_header(interpreter);
    let (first, rest) = header.split_at(header.find('\n').map_or(0, |end| end + 1));
    let end = body.iter().position(|byte| *byte == b'\n').map_or(body.len(), |end| end + 1);
    let line = &body[..end];
    let declares = line.trim_ascii_start().starts_with(b"#") && line.windows(6).any(|part| part == b"coding");
    let mut script = first.as_bytes().to_vec();
    if declares {
        script.extend_from_slice(line);
    }
    script.extend_from_slice(rest.as_bytes());
    script.extend_from_slice(body);
    script
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_plain_python_line_asks_for_the_own_interpreter() {
        type Expected = Option<(&'static [u8], bool)>;
        let cases: [(&[u8], Expected); 8] = [
            (b"#!python\nx", Some((b"x", false))),
            (b"#!python -E\r\nx", Some((b"x", false))),
            (b"#!pythonw\nx", Some((b"x", true))),
            (b"#!python", Some((b"", false))),
            (b"#!python3\nx", None),
            (b"#!/usr/bin/env python\nx", None),
            (b"#!/bin/sh\nx", None),
            (b"\x7fELF", None),
        ];
        for (content, expected) in cases {
            assert_eq!(python_body(content), expected, "for {:?}", String::from_utf8_lossy(content));
        }
    }

    #[test]
    fn an_encoding_declaration_stays_within_the_first_two_lines() {
        let script = rewritten_posix("python3.12", b"# -*- coding: latin-1 -*-\nprint('\xe9')\n");
        let second = script.split(|byte| *byte == b'\n').nth(1).unwrap();
        assert_eq!(second, b"# -*- coding: latin-1 -*-");
        let plain = rewritten_posix("python3.12", b"print(1)\n");
        assert_eq!(plain, posix_script("python3.12", "print(1)\n"));
    }
}
