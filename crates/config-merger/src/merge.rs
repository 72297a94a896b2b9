//! One document from the shared layer and the version's.
//!
//! RFC 7396 defines it: objects are merged key by key, the version's value wins, `null` removes. Keys that these
//! configurations treat differently are first brought into a form for which RFC 7396 does the right thing: lists that
//! are united are united in the version's layer, objects that are replaced as a whole are removed from the shared one.

use std::collections::{HashMap, HashSet};

use serde_json::{Value, json};
use url::Url;
use vocab::PlatformKey;

use crate::read_layer::copy_key;

/// Both documents are serialised layers, hence normalised.
pub(crate) fn merge(shared: &Value, mut own: Value, notes: &mut Vec<String>) -> Value {
    let mut merged = json!({});
    json_patch::merge(&mut merged, shared);

    choose_dependencies(&merged, &mut own);
    unite(&merged, &mut own, "/registries/additional", index_key, notes);
    unite(&merged, &mut own, "/registries/allowHttp", text_key, &mut Vec::new());
    let platforms = PlatformKey::ALL.map(|platform| format!("/packages/platformSpecific/{platform}"));
    for packages in platforms.iter().map(String::as_str).chain(["/packages"]) {
        unite(&merged, &mut own, &format!("{packages}/copyFiles"), copy_file_key, notes);
        if packages != "/packages" {
            unite(&merged, &mut own, &format!("{packages}/dependencies"), text_key, &mut Vec::new());
        }
        for list in ["allowSourceList", "forceNoBinaryList", "onlyBinaryList", "shipSourceList"] {
            unite(&merged, &mut own, &format!("{packages}/resolution/{list}"), text_key, &mut Vec::new());
        }
    }
    unite(&merged, &mut own, "/packages/noDeps", text_key, &mut Vec::new());
    replace_whole(&mut merged, &own, "/packages/buildWheel", 2);
    replace_whole(&mut merged, &own, "/python/archives", 1);

    json_patch::merge(&mut merged, &own);
    if let Some(packages) = merged.pointer_mut("/packages").and_then(Value::as_object_mut) {
        packages.shift_remove("inheritDependencies");
    }
    merged
}

/// Absent: the shared list. Present: only the version's, or, with `inheritDependencies`, the shared list followed by
/// it, without the distributions that the version names itself.
fn choose_dependencies(shared: &Value, own: &mut Value) {
    let inherit = [&*own, shared].iter().find_map(|layer| layer.pointer("/packages/inheritDependencies")?.as_bool());
    let shared = items(shared, "/packages/dependencies");
    let Some(Value::Array(list)) = own.pointer_mut("/packages/dependencies") else { return };
    if inherit == Some(true) {
        let named: HashSet<String> = list.iter().map(requirement_name).collect();
        let kept = shared.iter().filter(|item| !named.contains(&requirement_name(item)));
        let mut all: Vec<Value> = kept.cloned().collect();
        all.append(list);
        *list = all;
    }
}

/// The shared requirements, in canonical text, that an empty list of the version replaces. None if the version sets
/// `inheritDependencies` either way, since that is then deliberate.
pub(crate) fn replaced_by_nothing<'a>(shared: &'a Value, own: &Value) -> &'a [Value] {
    let is_empty = own.pointer("/packages/dependencies").and_then(Value::as_array).is_some_and(Vec::is_empty);
    let own_word = own.pointer("/packages/inheritDependencies").and_then(Value::as_bool);
    let word = own_word.or_else(|| shared.pointer("/packages/inheritDependencies")?.as_bool());
    if is_empty && own_word.is_none() && word != Some(true) { items(shared, "/packages/dependencies") } else { &[] }
}

/// In canonical text the normalised name comes first.
pub(crate) fn requirement_name(item: &Value) -> String {
    let text = item.as_str().unwrap_or_default();
    text.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '-').collect()
}

/// Puts the shared items before the version's. Of items with equal keys the first keeps its place, and the version's
/// other settings win.
fn unite(shared: &Value, own: &mut Value, list: &str, key: fn(&Value) -> String, notes: &mut Vec<String>) {
    let own_items = items(own, list);
    let shared_items = items(shared, list);
    // If there are none, the key stays absent, or an empty list if it was one.
    if own_items.is_empty() && shared_items.is_empty() || is_taken_back(own, list) {
        return;
    }
    let mut united: Vec<Value> = Vec::new();
    let mut index_of: HashMap<String, usize> = HashMap::new();
    for item in shared_items.iter().chain(own_items) {
        match index_of.get(&key(item)) {
            None => {
                index_of.insert(key(item), united.len());
                united.push(item.clone());
            }
            Some(&index) => {
                if item.is_object() {
                    united[index] = item.clone();
                }
                notes.push(format!("`{list}` has {} twice; once is enough", shown(item)));
            }
        }
    }
    set(own, list, Value::Array(united));
}

fn items<'a>(document: &'a Value, list: &str) -> &'a [Value] {
    document.pointer(list).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// Whether something above the list is `null` in the version's layer.
fn is_taken_back(own: &Value, list: &str) -> bool {
    let ends = list.char_indices().filter(|(index, c)| *c == '/' && *index > 0).map(|(index, _)| index);
    ends.chain([list.len()]).any(|end| own.pointer(&list[..end]).is_some_and(Value::is_null))
}

/// Creates the objects on the way. `pointer` contains no escapes.
fn set(document: &mut Value, pointer: &str, value: Value) {
    let mut at = document;
    for step in pointer.split('/').skip(1) {
        if !at.is_object() {
            *at = json!({});
        }
        at = &mut at[step];
    }
    *at = value;
}

/// Removes from the shared document the entries below `pointer`, `depth` levels down, that the version has too.
fn replace_whole(shared: &mut Value, own: &Value, pointer: &str, depth: usize) {
    if let (Some(shared), Some(own)) = (shared.pointer_mut(pointer), own.pointer(pointer)) {
        remove_common(shared, own, depth);
    }
}

fn remove_common(shared: &mut Value, own: &Value, depth: usize) {
    let (Some(shared), Some(own)) = (shared.as_object_mut(), own.as_object()) else { return };
    for (key, own) in own {
        if depth == 1 {
            shared.shift_remove(key);
        } else if let Some(shared) = shared.get_mut(key) {
            remove_common(shared, own, depth - 1);
        }
    }
}

fn text_key(item: &Value) -> String {
    item.as_str().unwrap_or_default().to_owned()
}

fn copy_file_key(item: &Value) -> String {
    let text = |key: &str| item[key].as_str().unwrap_or_default();
    copy_key(text("from"), text("to"))
}

/// Equal for two spellings of one index: a trailing slash and the case of the host make no difference.
fn index_key(item: &Value) -> String {
    index_url_key(item.as_str().unwrap_or_default())
}

pub(crate) fn index_url_key(text: &str) -> String {
    let url = Url::parse(text).map_or_else(|_| text.to_owned(), String::from);
    url.trim_end_matches('/').to_owned()
}

fn shown(item: &Value) -> String {
    match item {
        Value::String(text) => format!("`{text}`"),
        _ => {
            format!("`{}` to `{}`", item["from"].as_str().unwrap_or_default(), item["to"].as_str().unwrap_or_default())
        }
    }
}
