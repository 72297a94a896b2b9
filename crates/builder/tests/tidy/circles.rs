//! Files use each other in one direction. A circle of files is one file in several pieces: none of them can be read, or
//! moved, without the others.

use std::collections::{BTreeMap, BTreeSet};

use super::sources;

/// Names of modules, from the crate down: empty for its root.
type Module = Vec<String>;

/// The files of one crate, by module, and what each names.
struct Crate {
    files: BTreeMap<Module, File>,
}

struct File {
    /// Below `crates/`.
    path: String,
    /// What it names anywhere, as it is written.
    paths: Vec<Vec<String>>,
    /// What a name that it imports stands for.
    imports: BTreeMap<String, Vec<String>>,
}

/// Identifiers, `::` and other signs, without comments and texts.
fn tokens(text: &str) -> Vec<String> {
    let mut tokens = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let is_word = |it: char| it.is_alphanumeric() || it == '_';
        let length = if first.is_whitespace() {
            first.len_utf8()
        } else if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if let Some(hashes) = raw_text(rest) {
            let end = format!("\"{}", "#".repeat(hashes));
            let start = hashes + 2;
            rest[start..].find(&end).map_or(rest.len(), |at| start + at + end.len())
        } else if first == '"' {
            let mut escaped = false;
            let end = rest[1..].find(|it| {
                let is_end = it == '"' && !escaped;
                escaped = it == '\\' && !escaped;
                is_end
            });
            end.map_or(rest.len(), |at| at + 2)
        } else if first == '\'' {
            // A character, or the tick of a lifetime.
            let mut after = rest.char_indices().skip(1);
            match (after.next(), after.next(), after.next()) {
                (Some((_, '\\')), Some(_), Some((at, _))) => rest[at..].find('\'').map_or(1, |end| at + end + 1),
                (Some(_), Some((at, '\'')), _) => at + 1,
                _ => 1,
            }
        } else if is_word(first) {
            let length = rest.find(|it| !is_word(it)).unwrap_or(rest.len());
            tokens.push(rest[..length].to_owned());
            length
        } else {
            let length = if rest.starts_with("::") { 2 } else { first.len_utf8() };
            tokens.push(rest[..length].to_owned());
            length
        };
        rest = &rest[length..];
    }
    tokens
}

/// The number of signs around a raw text that begins here.
fn raw_text(text: &str) -> Option<usize> {
    let after = text.strip_prefix('r')?;
    let hashes = after.find(|it| it != '#')?;
    after[hashes..].starts_with('"').then_some(hashes)
}

/// All paths of a `use`, from the token behind it, with the names that they are imported by.
fn imported(tokens: &[String], prefix: &[String], found: &mut Vec<(String, Vec<String>)>) -> usize {
    let mut path = prefix.to_vec();
    let mut at = 0;
    let mut name = None;
    while let Some(token) = tokens.get(at) {
        match token.as_str() {
            "::" => {}
            "{" => {
                loop {
                    at += 1 + imported(&tokens[at + 1..], &path, found);
                    if tokens.get(at).is_none_or(|token| token != ",") {
                        break;
                    }
                }
                // Behind the closing brace.
                return at + 1;
            }
            "as" => {
                at += 1;
                name = tokens.get(at).cloned();
            }
            "," | "}" | ";" => break,
            part => path.push(part.to_owned()),
        }
        at += 1;
    }
    if path.len() > prefix.len() {
        if path.last().is_some_and(|last| last == "self") {
            path.pop();
        }
        let name = name.or_else(|| path.last().cloned()).unwrap_or_default();
        found.push((name, path));
    }
    at
}

fn read(path: String, text: &str) -> File {
    let code = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
    let tokens = tokens(code);
    let (mut paths, mut imports) = (Vec::new(), BTreeMap::new());
    let mut at = 0;
    while at < tokens.len() {
        if tokens[at] == "use" && tokens.get(at + 1).is_some_and(|next| next != "<") {
            let mut found = Vec::new();
            // What is only passed on is not used here.
            let is_passed_on = at > 0 && matches!(tokens[at - 1].as_str(), "pub" | ")");
            at += 1 + imported(&tokens[at + 1..], &[], &mut found);
            if !is_passed_on {
                paths.extend(found.iter().map(|(_, path)| path.clone()));
            }
            imports.extend(found);
        } else if tokens.get(at + 1).is_some_and(|next| next == "::") {
            let mut path = vec![tokens[at].clone()];
            while tokens.get(at + 1).is_some_and(|next| next == "::") && tokens.get(at + 2).is_some() {
                path.push(tokens[at + 2].clone());
                at += 2;
            }
            paths.push(path);
            at += 1;
        } else {
            at += 1;
        }
    }
    File { path, paths, imports }
}

fn crates() -> BTreeMap<String, Crate> {
    let mut crates: BTreeMap<String, Crate> = BTreeMap::new();
    for (path, text) in sources() {
        let Some((name, below)) = path.split_once("/src/") else { continue };
        if below == "main.rs" {
            // A program names the library beside it like any other crate.
            continue;
        }
        let mut module: Module = below.trim_end_matches(".rs").split('/').map(str::to_owned).collect();
        if module.last().is_some_and(|last| last == "lib" || last == "mod") {
            module.pop();
        }
        let owner = crates.entry(name.to_owned()).or_insert_with(|| Crate { files: BTreeMap::new() });
        owner.files.insert(module, read(path, &text));
    }
    crates
}

impl Crate {
    /// The path from the root of the crate; `None` for what is another crate's, or a type's own.
    fn absolute(&self, from: &Module, path: &[String]) -> Option<Vec<String>> {
        let first = path.first()?.as_str();
        let supers = path.iter().take_while(|part| *part == "super").count();
        match first {
            "crate" => Some(path[1..].to_vec()),
            "self" => Some([from.as_slice(), &path[1..]].concat()),
            "super" => Some([&from[..from.len().checked_sub(supers)?], &path[supers..]].concat()),
            child => {
                let below = [from.as_slice(), path].concat();
                let is_child = self.files.contains_key(&below[..=from.len()]);
                (is_child && !child.is_empty()).then_some(below)
            }
        }
    }

    /// The file that holds what the path names, also where others pass it on.
    fn owner(&self, path: &[String], hops: usize) -> Option<&Module> {
        let (module, file) = (0..=path.len()).rev().find_map(|length| self.files.get_key_value(&path[..length]))?;
        let imported = path.get(module.len()).and_then(|name| file.imports.get(name));
        let passed_on = imported.filter(|_| hops < 8).and_then(|target| self.absolute(module, target));
        match passed_on {
            Some(mut further) => {
                further.extend_from_slice(&path[module.len() + 1..]);
                self.owner(&further, hops + 1)
            }
            None => Some(module),
        }
    }

    /// Which files a file uses. `upwards`: also those of the modules that it is a part of.
    fn uses(&self, from: &Module, upwards: bool) -> BTreeSet<&Module> {
        let paths = self.files[from].paths.iter().filter_map(|path| self.absolute(from, path));
        let owners = paths.filter_map(|path| self.owner(&path, 0));
        owners.filter(|to| *to != from && (upwards || !from.starts_with(to))).collect()
    }

    /// Groups of files that all lead to each other.
    fn circles(&self, upwards: bool) -> Vec<BTreeSet<&Module>> {
        let direct: BTreeMap<&Module, BTreeSet<&Module>> =
            self.files.keys().map(|module| (module, self.uses(module, upwards))).collect();
        let reached = |from: &Module| {
            let mut seen: BTreeSet<&Module> = BTreeSet::new();
            let mut next: Vec<&Module> = direct[from].iter().copied().collect();
            while let Some(module) = next.pop() {
                if seen.insert(module) {
                    next.extend(direct[module].iter().copied());
                }
            }
            seen
        };
        let all: BTreeMap<&Module, BTreeSet<&Module>> =
            direct.keys().map(|module| (*module, reached(module))).collect();
        let circle = |module: &&Module| -> BTreeSet<&Module> {
            all[module].iter().copied().filter(|other| all[other].contains(module)).collect()
        };
        let groups: BTreeSet<BTreeSet<&Module>> = all.keys().map(circle).filter(|group| group.len() > 1).collect();
        groups.into_iter().collect()
    }

    fn paths<'a>(&'a self, circle: &BTreeSet<&Module>) -> BTreeSet<&'a str> {
        circle.iter().map(|module| self.files[*module].path.as_str()).collect()
    }
}

#[test]
fn no_circle_leads_through_files_of_several_folders() {
    for (name, files) in crates() {
        for circle in files.circles(true) {
            let paths = files.paths(&circle);
            let folders: BTreeSet<&str> = paths.iter().filter_map(|path| Some(path.rsplit_once('/')?.0)).collect();
            let within = |module: &Module| {
                let used = files.uses(module, true).into_iter().filter(|to| circle.contains(to));
                format!("  {} -> {}", module.join("::"), used.map(|to| to.join("::")).collect::<Vec<_>>().join(", "))
            };
            let lines: Vec<String> = circle.iter().map(|module| within(module)).collect();
            assert!(folders.len() == 1, "`{name}` has a circle through {folders:?}:\n{}", lines.join("\n"));
        }
    }
}

/// A file and the front of its own module (`mod.rs`, `lib.rs`) are no such circle.
#[test]
fn neighbours_use_each_other_in_one_direction() {
    for (name, files) in crates() {
        let circles: Vec<_> = files.circles(false).iter().map(|circle| files.paths(circle)).collect();
        assert!(
            circles.is_empty(),
            "`{name}` has circles; move what both sides need to a file of its own: {circles:#?}"
        );
    }
}
