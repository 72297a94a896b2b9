//! `entry_points.txt`, as far as it makes scripts.

use serde::{Deserialize, Serialize};

/// `name = module:attribute [extra]` in `console_scripts` or `gui_scripts`. Extras are read over, as pip and uv do.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct EntryPoint {
    /// The script's name, a plain file name without ending.
    pub name: String,
    /// `package.module`
    pub module: String,
    /// `function` or `Class.method`
    pub attribute: String,
    /// Without a terminal window on Windows.
    pub gui: bool,
}

/// Sorted by name. The error is the line that cannot be used. Source: the entry points specification, an INI file
/// whose only delimiter is `=`.
pub(super) fn parse(text: &str) -> Result<Vec<EntryPoint>, String> {
    let mut found = Vec::new();
    let mut gui = None;
    for line in text.lines().map(str::trim) {
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        if let Some(section) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            gui = match section.trim() {
                "console_scripts" => Some(false),
                "gui_scripts" => Some(true),
                _ => None,
            };
        } else if let Some(gui) = gui {
            found.push(entry_point(line, gui).ok_or_else(|| line.to_owned())?);
        }
    }
    found.sort();
    // A name in both sections: the console script, which sorts first, is made.
    found.dedup_by(|later, earlier| later.name == earlier.name);
    Ok(found)
}

fn entry_point(line: &str, gui: bool) -> Option<EntryPoint> {
    let (name, value) = line.split_once('=')?;
    let reference = value.split('[').next()?.trim();
    let (module, attribute) = reference.split_once(':')?;
    let (name, module, attribute) = (name.trim(), module.trim(), attribute.trim());
    // The text goes into a program; nothing but dotted names may.
    let dotted = |text: &str| text.split('.').all(is_identifier);
    let plain_name = !name.is_empty()
        && !name.starts_with(['.', '-'])
        && name.chars().all(|c| c.is_alphanumeric() || matches!(c, '.' | '-' | '_' | '+' | ' '));
    (plain_name && dotted(module) && dotted(attribute)).then(|| EntryPoint {
        name: name.to_owned(),
        module: module.to_owned(),
        attribute: attribute.to_owned(),
        gui,
    })
}

fn is_identifier(text: &str) -> bool {
    text.starts_with(|first: char| first.is_alphabetic() || first == '_')
        && text.chars().all(|c| c.is_alphanumeric() || c == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_two_script_sections_are_read_and_extras_are_dropped() {
        let text = "# comment\n[console_scripts]\nf2py = numpy.f2py.f2py2e:main\nx-y=a:B.c [extra1,extra2]\n\n\
                    [other]\nnot = a script\n[gui_scripts]\nwin = g:run\n";
        let found = parse(text).unwrap();
        let shown: Vec<_> = found
            .iter()
            .map(|point| format!("{} {}:{} {}", point.name, point.module, point.attribute, point.gui))
            .collect();
        assert_eq!(shown, ["f2py numpy.f2py.f2py2e:main false", "win g:run true", "x-y a:B.c false"]);
    }

    #[test]
    fn a_line_that_could_smuggle_code_or_leave_the_folder_is_refused() {
        let cases = [
            "x = a:b; import os",
            "x = a",
            "../x = a:b",
            ".x = a:b",
            "x/y = a:b",
            "x = a:b()",
            "x = :b",
            "no delimiter",
            "x = a:b\u{2028}c",
        ];
        for line in cases {
            assert_eq!(parse(&format!("[console_scripts]\n{line}\n")), Err(line.trim().to_owned()), "for {line:?}");
        }
    }
}
