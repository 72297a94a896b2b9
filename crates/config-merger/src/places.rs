//! Where in the files the parts of a merged configuration came from.

use std::collections::HashMap;

use crate::TextPlace;

/// Keyed by pointer in normalised spelling; an item of a list by the list's pointer and its own text, since merging
/// changes its index.
#[derive(Debug, Default)]
pub(crate) struct ValuePlaces(HashMap<String, TextPlace>);

impl ValuePlaces {
    /// The last place that is set for a pointer counts.
    pub(crate) fn set(&mut self, pointer: &str, place: TextPlace) {
        self.0.insert(pointer.to_owned(), place);
    }

    /// `text` identifies the item, since its index changes in the merge.
    pub(crate) fn set_item(&mut self, list: &str, text: &str, place: TextPlace) {
        // The first of several equal items is shown.
        self.0.entry(item_key(list, text)).or_insert(place);
    }

    /// `pointer` must be in normalised spelling.
    pub(crate) fn get(&self, pointer: &str) -> Option<&TextPlace> {
        self.0.get(pointer)
    }

    /// The place of an item by its text.
    pub(crate) fn get_item(&self, list: &str, text: &str) -> Option<&TextPlace> {
        self.0.get(&item_key(list, text))
    }

    /// Adds `patched`, which wins except for items that were in the same list before: their index does not show which
    /// of them an operation has written.
    pub(crate) fn extend_patched(&mut self, patched: Self) {
        for (key, place) in patched.0 {
            if !key.contains('\n') || !self.0.contains_key(&key) {
                self.0.insert(key, place);
            }
        }
    }

    /// Adds `later`, which wins.
    pub(crate) fn extend(&mut self, later: Self) {
        self.0.extend(later.0);
    }
}

/// Pointers that are looked up contain no line break, since names and platform keys have none.
fn item_key(list: &str, text: &str) -> String {
    format!("{list}\n{text}")
}
