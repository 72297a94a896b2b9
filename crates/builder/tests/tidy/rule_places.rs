//! The table of rules in ARCHITECTURE.md: what it names as the home of a rule is there.

use std::fs;

use super::documents::{code_of, expanded};
use super::{root, sources};

/// A rule, and the code in the cell that says where it lives.
fn rules() -> Vec<(String, Vec<String>)> {
    let text = fs::read_to_string(root().join("ARCHITECTURE.md")).expect("it is there");
    let table = text.split("\n## ").find(|part| part.starts_with("Where each rule lives")).expect("its heading");
    let rows = table.lines().filter(|line| line.starts_with("| ")).skip(1);
    rows.map(|line| {
        let cells: Vec<&str> = line.trim_matches('|').split(" | ").collect();
        (cells[0].trim().to_owned(), code_of(cells.get(1).unwrap_or_else(|| panic!("no place: {line}"))))
    })
    .collect()
}

/// Below the repository. What is neither there nor in a crate lies in the folder of the path before it.
fn paths(places: &[String]) -> Vec<String> {
    let mut folder = String::new();
    let mut found = Vec::new();
    let is_path = |place: &String| !place.contains([' ', '*']) && (place.contains(['/', '.']) || is_crate(place));
    for place in places.iter().flat_map(|place| expanded(place)).filter(is_path) {
        let path = match place.split('/').next() {
            Some(first) if is_crate(first) => format!("crates/{place}"),
            _ if root().join(&place).exists() => place,
            _ => format!("{folder}/{place}"),
        };
        let whole = path.trim_end_matches('/');
        folder = whole.rsplit_once('/').map(|(folder, _)| folder.to_owned()).unwrap_or_default();
        found.push(path);
    }
    found
}

fn is_crate(name: &str) -> bool {
    !name.is_empty() && root().join("crates").join(name).is_dir()
}

/// Whether the text defines it: a function, a type, a constant.
fn defines(text: &str, name: &str) -> bool {
    let words = ["fn", "struct", "enum", "trait", "const", "type", "mod"];
    let after = |at: usize| !text[at..].starts_with(|next: char| next.is_alphanumeric() || next == '_');
    words.iter().any(|word| {
        let definition = format!("{word} {name}");
        text.match_indices(&definition).any(|(at, _)| after(at + definition.len()))
    })
}

#[test]
fn every_place_that_the_table_of_rules_names_is_there() {
    let sources = sources();
    let mut wrong = Vec::new();
    for (rule, places) in rules() {
        let paths = paths(&places);
        wrong.extend(paths.iter().filter(|path| !root().join(path).exists()).map(|path| format!("{rule}: `{path}`")));
        let is_name = |place: &&String| !place.contains(['/', '.', ' ', '-', '{', '*']) && !is_crate(place);
        for name in places.iter().filter(is_name) {
            let segments: Vec<&str> = name.split("::").collect();
            // `vocab::FileName` is looked for in the whole crate; any other name in what its row names, if anything.
            let in_crate = segments.first().filter(|first| segments.len() > 1 && is_crate(first));
            let looked_at = |file: &str| match in_crate {
                Some(owner) => file.starts_with(&format!("{owner}/")),
                None => {
                    paths.is_empty() || paths.iter().any(|path| format!("crates/{file}").starts_with(path.as_str()))
                }
            };
            let last = segments.last().copied().unwrap_or_default();
            if !sources.iter().any(|(file, text)| looked_at(file) && defines(text, last)) {
                wrong.push(format!("{rule}: `{name}`"));
            }
        }
    }
    assert!(wrong.is_empty(), "ARCHITECTURE.md names as the home of a rule what is not there:\n{}", wrong.join("\n"));
}
