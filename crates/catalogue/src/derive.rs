//! The catalogue from everything that was written, independent of who wrote it and of the order in which it is read.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use crate::catalogue::{CATALOGUE_FORMAT, Catalogue, CatalogueRow, RetractedRow};
use crate::{ArtifactEntry, EntryId, Promotion, Retraction};

impl Catalogue {
    /// Depends on the sets alone: neither order nor repetition of the arguments changes a byte.
    ///
    /// If several entries have one id, the oldest counts: it existed when others began to rely on it. Of several
    /// retractions of an entry the oldest counts, of several promotions the newest. Notices about a missing entry have
    /// no effect.
    pub fn derive(entries: &[ArtifactEntry], retractions: &[Retraction], promotions: &[Promotion]) -> Self {
        let mut chosen: BTreeMap<EntryId, &ArtifactEntry> = BTreeMap::new();
        for entry in entries {
            let kept = chosen.entry(entry.id()).or_insert(entry);
            if seniority(entry) < seniority(kept) {
                *kept = entry;
            }
        }
        let channels = channels(promotions);
        let withdrawn = withdrawn(retractions);
        let mut catalogue = Self { format: CATALOGUE_FORMAT, entries: Vec::new(), retracted: Vec::new() };
        for (id, entry) in chosen {
            let row = CatalogueRow::of(entry, channels.get(&id).map_or(entry.channel, |promotion| promotion.channel));
            match withdrawn.get(&id) {
                None => catalogue.entries.push(row),
                Some(retraction) => catalogue.retracted.push(RetractedRow {
                    reason: retraction.reason.clone(),
                    at: retraction.at,
                    entry: row,
                }),
            }
        }
        catalogue.entries.sort_by_cached_key(place);
        catalogue.retracted.sort_by_cached_key(|row| place(&row.entry));
        catalogue
    }
}

/// The smallest wins. The whole text comes last, so that different entries are never equal.
fn seniority(entry: &ArtifactEntry) -> (crate::Moment, vocab::Digest, String) {
    (entry.created, entry.artifact.sha256, crate::text::to_text(entry))
}

fn channels(promotions: &[Promotion]) -> BTreeMap<&EntryId, &Promotion> {
    let mut newest: BTreeMap<&EntryId, &Promotion> = BTreeMap::new();
    for promotion in promotions {
        let kept = newest.entry(&promotion.entry).or_insert(promotion);
        if (promotion.at, promotion.channel) > (kept.at, kept.channel) {
            *kept = promotion;
        }
    }
    newest
}

fn withdrawn(retractions: &[Retraction]) -> BTreeMap<&EntryId, &Retraction> {
    let mut oldest: BTreeMap<&EntryId, &Retraction> = BTreeMap::new();
    for retraction in retractions {
        let kept = oldest.entry(&retraction.entry).or_insert(retraction);
        if (retraction.at, &retraction.reason) < (kept.at, &kept.reason) {
            *kept = retraction;
        }
    }
    oldest
}

/// The order of rows: one runtime's rows together, the newest first.
fn place(row: &CatalogueRow) -> impl Ord + use<> {
    let newest_first = Reverse(row.created);
    (row.runtime.clone(), row.platform, newest_first, row.build_key, row.artifact.format)
}
