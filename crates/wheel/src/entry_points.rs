//! The parts of `entry_points.txt` that become scripts.

use serde::{Deserialize, Serialize};

use super::Remark;

/// `name = module:attribute [extra]` in `console_scripts` or `gui_scripts`. Extras are ignored, as by pip and uv.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct EntryPoint {
    /// The script's path below the scripts folder, without `.exe`. Usually a plain file name.
    pub name: String,
    /// `package.module`
    pub module: String,
    /// `function` or `Class.method`
    pub attribute: String,
    /// Without a terminal window on Windows.
    pub gui: bool,
}

#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct EntryPoints {
    /// Sorted by name.
    pub scripts: Vec<EntryPoint>,
    /// Lines that may have been meant as scripts and become none.
    pub remarks: Vec<Remark>,
}

/// The error is the line that must not be used. Source: the entry points specification, an INI file whose only
/// delimiter is `=`.
pub(super) fn parse(text: &str) -> Result<EntryPoints, String> {
    let mut found = EntryPoints::default();
    let mut section = None;
    // Windows editors put a byte order mark first, which is not part of the first header.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    for line in text.lines().map(str::trim) {
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        if let Some(rest) = line.strip_prefix('[') {
            let header = rest.rsplit_once(']').map(|(header, _)| header.trim());
            section = Some(header.map_or(EntryPointSection::Other, EntryPointSection::named));
            found.remarks.extend(header.map_or_else(|| Some(unclosed(line)), remark_of_header));
            continue;
        }
        match section {
            Some(EntryPointSection::Scripts { gui }) => match entry_point(line, gui) {
                Ok(point) => found.scripts.push(point),
                Err(EntryPointFault::Refused) => return Err(line.to_owned()),
                Err(EntryPointFault::LeftOut) => {
                    let text = format!("its script `{}` is left out, because it is called so", line.escape_debug());
                    found.remarks.push(Remark::scripts(text));
                }
            },
            Some(EntryPointSection::Other) => {}
            None => {
                let text =
                    format!("its entry_points.txt begins with no section; `{}` is left out", line.escape_debug());
                found.remarks.push(Remark::scripts(text));
            }
        }
    }
    found.scripts.sort();
    let EntryPoints { scripts, remarks } = &mut found;
    scripts.dedup();
    // If a name is in both sections, the console script wins.
    scripts.sort_by(|one, other| (&one.name, one.gui).cmp(&(&other.name, other.gui)));
    scripts.dedup_by(|later, earlier| {
        let is_same = later.name == earlier.name;
        if is_same {
            remarks.push(Remark::scripts(replaced(later, earlier)));
        }
        is_same
    });
    Ok(found)
}

fn replaced(later: &EntryPoint, earlier: &EntryPoint) -> String {
    let EntryPoint { name, module, attribute, gui } = later;
    let kind = |gui| if gui { "[gui_scripts]" } else { "[console_scripts]" };
    format!(
        "its script `{name} = {module}:{attribute}` of `{}` is left out: `{}` has another of that name",
        kind(*gui),
        kind(earlier.gui)
    )
}

#[derive(Clone, Copy)]
enum EntryPointSection {
    Scripts {
        gui: bool,
    },
    /// Another group, which makes no scripts.
    Other,
}

impl EntryPointSection {
    fn named(header: &str) -> Self {
        match header {
            "console_scripts" => Self::Scripts { gui: false },
            "gui_scripts" => Self::Scripts { gui: true },
            _ => Self::Other,
        }
    }
}

fn unclosed(line: &str) -> Remark {
    Remark::scripts(format!("its entry_points.txt has a section without an end: `{}`", line.escape_debug()))
}

/// Whether a group's name may be a misspelling of one of the two, or cannot be a group's name.
fn remark_of_header(header: &str) -> Option<Remark> {
    if matches!(header, "console_scripts" | "gui_scripts") {
        return None;
    }
    let letters: String = header.chars().filter(char::is_ascii_alphanumeric).collect();
    let meant = match letters.to_ascii_lowercase().as_str() {
        "consolescripts" | "consolescript" => "; `[console_scripts]` may be meant",
        "guiscripts" | "guiscript" => "; `[gui_scripts]` may be meant",
        _ if header.chars().all(|c| c.is_alphanumeric() || "._-:/+ ".contains(c)) && !header.is_empty() => return None,
        _ => "",
    };
    let text = format!(
        "its entry_points.txt has a section `[{}]`, of which no scripts are made{meant}",
        header.escape_debug()
    );
    Some(Remark::scripts(text))
}

enum EntryPointFault {
    /// It could leave the scripts folder, or is more than a name.
    Refused,
    /// An unusual name that does no harm.
    LeftOut,
}

fn entry_point(line: &str, gui: bool) -> Result<EntryPoint, EntryPointFault> {
    let parts = || {
        let (name, value) = line.split_once('=')?;
        let (module, attribute) = value.split('[').next()?.trim().split_once(':')?;
        Some((name.trim(), module.trim(), attribute.trim()))
    };
    let (name, module, attribute) = parts().ok_or(EntryPointFault::Refused)?;
    // The text becomes part of a program, so only dotted names are accepted.
    let dotted = |text: &str| text.split('.').all(is_identifier);
    if !(dotted(module) && dotted(attribute)) || name.is_empty() {
        return Err(EntryPointFault::Refused);
    }
    check_name(name)?;
    Ok(EntryPoint { name: name.to_owned(), module: module.to_owned(), attribute: attribute.to_owned(), gui })
}

/// A slash makes a folder below the scripts folder, as with pip.
fn check_name(name: &str) -> Result<(), EntryPointFault> {
    let leaves = name.parse::<vocab::TreePath>().is_err();
    if leaves || name.contains(char::is_control) {
        return Err(EntryPointFault::Refused);
    }
    let plain = |part: &str| {
        !part.is_empty()
            && !part.starts_with(['.', '-'])
            && part.chars().all(|c| c.is_alphanumeric() || matches!(c, '.' | '-' | '_' | '+' | ' '))
    };
    if name.split('/').all(plain) { Ok(()) } else { Err(EntryPointFault::LeftOut) }
}

fn is_identifier(text: &str) -> bool {
    text.starts_with(|first: char| first.is_alphabetic() || first == '_')
        && text.chars().all(|c| c.is_alphanumeric() || c == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> (Vec<String>, Vec<String>) {
        let found = parse(text).unwrap();
        let script = |point: &EntryPoint| format!("{} {}:{} {}", point.name, point.module, point.attribute, point.gui);
        (found.scripts.iter().map(script).collect(), found.remarks.into_iter().map(|remark| remark.text).collect())
    }

    #[test]
    fn only_the_two_script_sections_are_read_and_extras_are_dropped() {
        let text = "# comment\n[console_scripts]\nf2py = numpy.f2py.f2py2e:main\nx-y=a:B.c [extra1,extra2]\n\n\
                    [other.group]\nnot = a script\n[gui_scripts] ; comment\nwin = g:run\n";
        let (scripts, remarks) = shown(text);
        assert_eq!(scripts, ["f2py numpy.f2py.f2py2e:main false", "win g:run true", "x-y a:B.c false"]);
        assert!(remarks.is_empty(), "{remarks:?}");
    }

    #[test]
    fn a_line_that_could_smuggle_code_or_leave_the_folder_is_refused() {
        let cases = [
            "x = a:b; import os",
            "x = a",
            "../x = a:b",
            "a/../x = a:b",
            "/x = a:b",
            "C:x = a:b",
            "x\\y = a:b",
            "x = a:b()",
            "x = :b",
            "no delimiter",
            "x = a:b\u{2028}c",
        ];
        for line in cases {
            assert_eq!(parse(&format!("[console_scripts]\n{line}\n")), Err(line.trim().to_owned()), "for {line:?}");
        }
    }

    #[test]
    fn case_field_bom_in_entry_points_a_byte_order_mark_hides_no_section() {
        assert_eq!(shown("\u{feff}[console_scripts]\nhbom = hbom:run\n").0, ["hbom hbom:run false"]);
    }

    #[test]
    fn what_makes_no_script_and_might_be_meant_to_is_told() {
        let cases = [
            (
                "[Console_Scripts]\nx = a:b\n",
                "section `[Console_Scripts]`, of which no scripts are made; `[console_scripts]` may be",
            ),
            ("[gui-scripts]\nx = a:b\n", "`[gui_scripts]` may be meant"),
            ("[\u{200b}console_scripts]\nx = a:b\n", "section `[\\u{200b}console_scripts]`"),
            ("[console_scripts\nx = a:b\n", "a section without an end: `[console_scripts`"),
            ("x = a:b\n[console_scripts]\n", "begins with no section; `x = a:b` is left out"),
            ("[other\u{200b}]\nx = a:b\n", "of which no scripts are made"),
            ("[console_scripts]\n-x = a:b\n", "its script `-x = a:b` is left out"),
            ("[console_scripts]\na@b = a:b\n", "its script `a@b = a:b` is left out"),
        ];
        for (text, expected) in cases {
            let (scripts, remarks) = shown(text);
            assert!(scripts.is_empty() && remarks.len() == 1 && remarks[0].contains(expected), "{text:?}: {remarks:?}");
        }
    }

    #[test]
    fn of_scripts_with_one_name_one_is_made_and_the_others_are_told() {
        let text =
            "[gui_scripts]\nx = a:gui\nsame = a:b\n[console_scripts]\nx = z:run\nx = z:run\nsame = b:c\nsame = a:b\n";
        let (scripts, remarks) = shown(text);
        assert_eq!(scripts, ["same a:b false", "x z:run false"]);
        assert_eq!(
            remarks,
            [
                "its script `same = b:c` of `[console_scripts]` is left out: `[console_scripts]` has another of that name",
                "its script `same = a:b` of `[gui_scripts]` is left out: `[console_scripts]` has another of that name",
                "its script `x = a:gui` of `[gui_scripts]` is left out: `[console_scripts]` has another of that name",
            ]
        );
    }

    #[test]
    fn case_field_slash_in_script_name_makes_a_folder() {
        assert_eq!(
            shown("[console_scripts]\nsub/cmd = hsl:main\nhsl = hsl:main\n").0,
            ["hsl hsl:main false", "sub/cmd hsl:main false"]
        );
    }
}
