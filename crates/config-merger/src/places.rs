//! Where in the files the parts of a merged configuration came from.

use std::collections::HashMap;

use crate::Place;

/// By pointer in normalised spelling; an item of a list by the list's pointer and its own text, because merging
/// gives it another index.
#[derive(Debug, Default)]
pub(crate) struct Places(HashMap<String, Place>);

impl Places {
    pub fn set(&mut self, pointer: &str, place: Place) {
        self.0.insert(pointer.to_owned(), place);
    }

    pub fn set_item(&mut self, list: &str, text: &str, place: Place) {
        // Of equal items the first is shown.
        self.0.entry(item_key(list, text)).or_insert(place);
    }

    pub fn get(&self, pointer: &str) -> Option<&Place> {
        self.0.get(pointer)
    }

    pub fn get_item(&self, list: &str, text: &str) -> Option<&Place> {
        self.0.get(&item_key(list, text))
    }

    /// What `patched` knows wins, except for items that were in the same list before: which of them an operation
    /// has written cannot be told from their index.
    pub fn extend_patched(&mut self, patched: Self) {
        for (key, place) in patched.0 {
            if !key.contains('\n') || !self.0.contains_key(&key) {
                self.0.insert(key, place);
            }
        }
    }

    /// What `later` knows wins.
    pub fn extend(&mut self, later: Self) {
        self.0.extend(later.0);
    }
}

/// No pointer that is looked up holds a line break: names and platform keys have none.
fn item_key(list: &str, text: &str) -> String {
    format!("{list}\n{text}")
}
