//! Libraries from outside the prefix that imports open by themselves, by `ctypes` most often.
//!
//! The check of native files judges what a file of the prefix is linked with, and what such a library loads is up to
//! the system. Any other library from outside the prefix is this machine's, and another machine may lack it. On macOS
//! and Windows, where links are not read, libraries in the system's folders are ignored.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use vocab::{NativeWarning, Os, TreePath};

use super::ImportCheck;
use super::attempt::ImportAttempt;
use super::order::packages_of;
use super::requirements::RequirementGraph;
use static_checks::native_files::linked_libraries;
use static_checks::system_libraries::linux;

/// Notes in each attempt, by name, the libraries that it or the packages on the way to it open, and from where.
pub(crate) fn find(check: &ImportCheck<'_>, attempts: &mut BTreeMap<String, ImportAttempt>) {
    let outside: BTreeSet<&String> = attempts.values().flat_map(|attempt| &attempt.outside).collect();
    if outside.is_empty() {
        return;
    }
    let opened = match check.layout.platform.os() {
        Os::Linux => not_linked(check.prefix, attempts, &outside),
        Os::Macos | Os::Windows => outside.iter().map(|path| ((*path).clone(), file_name(path).to_owned())).collect(),
    };
    let of = |module: &str| -> BTreeMap<String, String> {
        let tried = packages_of(module).chain([module]).filter_map(|name| attempts.get(name));
        let paths = tried.flat_map(|attempt| &attempt.outside);
        paths.filter_map(|path| Some((opened.get(path)?.clone(), path.clone()))).collect()
    };
    let found: Vec<_> = attempts.keys().map(|module| (module.clone(), of(module))).collect();
    for (module, libraries) in found {
        attempts.entry(module).and_modify(|attempt| attempt.opened = libraries);
    }
}

/// Path → name of each library that neither a file of the prefix nor another of these libraries is linked with.
fn not_linked(
    prefix: &Path,
    attempts: &BTreeMap<String, ImportAttempt>,
    outside: &BTreeSet<&String>,
) -> BTreeMap<String, String> {
    let mut open = BTreeMap::new();
    for path in outside {
        let (name, needed) = linked_libraries(Path::new(path)).unwrap_or_default();
        let name = name.unwrap_or_else(|| file_name(path).to_owned());
        // The C library opens its own parts by the machine's settings.
        if !linux::comes_with_libc(&name) && !name.starts_with("libnss_") && !path.contains("/gconv/") {
            open.insert(name, ((*path).clone(), needed));
        }
    }
    if open.is_empty() {
        return BTreeMap::new();
    }
    let own: BTreeSet<_> =
        attempts.values().flat_map(|attempt| &attempt.loaded).map(|file| prefix.join(file)).collect();
    let interpreter = attempts.values().flat_map(|attempt| &attempt.interpreter).map(Into::into);
    let roots = own.into_iter().chain(interpreter);
    let mut pending: Vec<String> = roots.filter_map(|file| linked_libraries(&file)).flat_map(|(_, it)| it).collect();
    // Some are linked by the name of the file.
    let by_file: BTreeMap<String, String> =
        open.iter().map(|(name, (path, _))| (file_name(path).to_owned(), name.clone())).collect();
    while let Some(needed) = pending.pop() {
        let name = if open.contains_key(&needed) { &needed } else { by_file.get(&needed).unwrap_or(&needed) };
        pending.extend(open.remove(name).into_iter().flat_map(|(_, needed)| needed));
    }
    let brought: BTreeSet<String> = open.values().flat_map(|(_, needed)| needed.clone()).collect();
    open.into_iter().filter(|(name, _)| !brought.contains(name)).map(|(name, (path, _))| (path, name)).collect()
}

fn file_name(path: &str) -> &str {
    path.rsplit(['/', '\\']).next().unwrap_or(path)
}

/// A warning for each library and distribution, less distributions that require another one that opens it.
pub(crate) fn warnings(
    check: &ImportCheck<'_>,
    wanted: &BTreeMap<usize, BTreeSet<String>>,
    attempts: &BTreeMap<String, ImportAttempt>,
) -> Vec<NativeWarning> {
    let mut openers: BTreeMap<(&str, &str), BTreeMap<usize, &str>> = BTreeMap::new();
    for (index, modules) in wanted {
        for module in modules {
            for (name, path) in attempts.get(module).into_iter().flat_map(|attempt| &attempt.opened) {
                openers.entry((name, path)).or_default().entry(*index).or_insert(module);
            }
        }
    }
    if openers.is_empty() {
        return Vec::new();
    }
    let requirements = RequirementGraph::of(check.distributions);
    let leads_to = |from: usize, to: usize| requirements.reached([from]).contains(&to);
    let mut warnings = Vec::new();
    for ((name, path), all) in openers {
        let only_requires = |index: usize| all.keys().any(|it| leads_to(index, *it) && !leads_to(*it, index));
        let in_prefix = check.distributions.iter().flat_map(|it| &it.files).find(|file| file.file_name() == name);
        let own = in_prefix.map_or_else(String::new, |file: &TreePath| {
            format!("; `{file}` of the runtime is not where it is looked for")
        });
        for (index, module) in all.iter().filter(|(index, _)| !only_requires(**index)) {
            warnings.push(NativeWarning {
                distribution: Some(check.distributions[*index].name.clone()),
                subject: (*module).to_owned(),
                text: format!(
                    "opens {name} of this machine (`{path}`) when it is imported; `needs` does not name it, and other \
                     systems may lack it{own}"
                ),
            });
        }
    }
    warnings
}
