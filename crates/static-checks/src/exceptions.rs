//! Failures as whitelist entries to paste: one text for both checks.

use std::collections::BTreeMap;

use jiff::civil::Date;
use serde_json::{Map, Value, json};
use vocab::DistributionName;

use super::whitelist::{ExpectedFailure, Whitelist};

/// One entry of a whitelist, for any version of the distribution.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DistributionException {
    pub distribution: DistributionName,
    /// A module, or a file or files below site-packages.
    pub key: String,
    /// A part of the error that is the same on other machines.
    pub error: String,
    /// Whether it applies only in an emulator.
    pub emulated: bool,
}

/// What failed, and what the repository's file has for the same distributions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Exceptions {
    pub new: Vec<DistributionException>,
    present: BTreeMap<DistributionName, ExistingObject>,
}

/// The object of the file that applies to a distribution: a second one would be ignored.
#[derive(Clone, Debug, PartialEq, Eq)]
struct ExistingObject {
    key: String,
    entries: Vec<(String, ExpectedFailure)>,
}

impl From<Vec<DistributionException>> for Exceptions {
    fn from(new: Vec<DistributionException>) -> Self {
        Self { new, present: BTreeMap::new() }
    }
}

impl Exceptions {
    /// Adds the entries that the repository has. `wheel_of` gives the file name of a distribution's wheel. Entries
    /// that have expired are left out, so that they are decided again.
    #[must_use]
    pub fn beside(
        mut self,
        whitelist: &Whitelist,
        wheel_of: &dyn Fn(&DistributionName) -> Option<String>,
        today: Date,
    ) -> Self {
        for DistributionException { distribution, .. } in &self.new {
            let Some(wheel) = wheel_of(distribution) else { continue };
            let own: Vec<_> = whitelist.entries(&wheel).filter(|entry| !entry.is_shipped).collect();
            let Some(key) = own.first().map(|entry| entry.wheel.to_owned()) else { continue };
            let of_today = |expected: &ExpectedFailure| ExpectedFailure {
                expires: expected.expires.filter(|last| *last >= today),
                ..expected.clone()
            };
            let entries = own.iter().map(|entry| (entry.module.to_owned(), of_today(entry.expected))).collect();
            self.present.insert(distribution.clone(), ExistingObject { key, entries });
        }
        self
    }

    /// Joins the entries of two checks.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        let new = self.new.iter().chain(&other.new).cloned().collect();
        let present = self.present.iter().chain(&other.present).map(|(name, it)| (name.clone(), it.clone())).collect();
        Self { new, present }
    }

    /// What to paste, and where. `None` if there is nothing.
    pub fn advice(&self) -> Option<String> {
        if self.new.is_empty() {
            return None;
        }
        let file = "`checker/whitelists/<platform>.json`";
        let mut replaced: Vec<String> = self.present.values().map(|it| format!("`{}`", it.key)).collect();
        replaced.sort();
        replaced.dedup();
        let put = if replaced.is_empty() {
            format!("put this into {file}")
        } else {
            let replaced = replaced.join(", ");
            format!("put this into {file}, in place of what is there for {replaced} (its entries are included),")
        };
        Some(format!("if these failures are expected, {put} and fill in the reasons:\n{}", self.snippet()))
    }

    /// JSON in the shape of the file, with whole objects of distributions.
    fn snippet(&self) -> String {
        let mut objects: BTreeMap<&str, WhitelistObject> = BTreeMap::new();
        for exception in &self.new {
            let present = self.present.get(&exception.distribution);
            let key = present.map_or(exception.distribution.as_str(), |present| present.key.as_str());
            let object = objects.entry(key).or_insert_with(|| WhitelistObject::of(present));
            object.add(exception);
        }
        let objects: Map<String, Value> =
            objects.into_iter().map(|(key, object)| (key.to_owned(), object.json())).collect();
        serde_json::to_string_pretty(&objects).unwrap_or_default()
    }
}

/// The entries for one distribution: existing ones in their order, then new ones.
#[derive(Default)]
struct WhitelistObject(Vec<(String, ExpectedFailure)>);

impl WhitelistObject {
    fn of(present: Option<&ExistingObject>) -> Self {
        Self(present.map(|present| present.entries.clone()).unwrap_or_default())
    }

    /// Adds an entry. An error whose text contains that of another one is dropped.
    fn add(&mut self, exception: &DistributionException) {
        let occurs_in = |text: &str, part: &str| text.to_lowercase().contains(&part.to_lowercase());
        let index = self.0.iter().position(|(key, _)| *key == exception.key).unwrap_or_else(|| {
            self.0.push((exception.key.clone(), ExpectedFailure { emulated: true, ..ExpectedFailure::default() }));
            self.0.len() - 1
        });
        let expected = &mut self.0[index].1;
        expected.emulated &= exception.emulated;
        if !expected.errors.iter().any(|known| occurs_in(&exception.error, known)) {
            expected.errors.retain(|known| !occurs_in(known, &exception.error));
            expected.errors.push(exception.error.clone());
        }
    }

    fn json(&self) -> Value {
        self.0.iter().map(|(key, expected)| (key.clone(), entry(expected))).collect::<Map<String, Value>>().into()
    }
}

fn entry(expected: &ExpectedFailure) -> Value {
    let error = match expected.errors.as_slice() {
        [error] => json!(error),
        errors => json!(errors),
    };
    let mut entry = json!({ "error": error, "reason": expected.reason.as_deref().unwrap_or_default() });
    if let Some(expires) = expected.expires {
        entry["expires"] = expires.to_string().into();
    }
    if expected.emulated {
        entry["emulated"] = true.into();
    }
    entry
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_entry_holds_for_both_checks() {
        let exception = |key: &str, error: &str, emulated| DistributionException {
            distribution: "numba".parse().unwrap(),
            key: key.to_owned(),
            error: error.to_owned(),
            emulated,
        };
        let exceptions = Exceptions::from(vec![
            exception("numba.tbbpool", "libtbb.so.12: cannot open shared object file", true),
            exception("numba.tbbpool", "libtbb.so.12", false),
            exception("numba.x", "one", true),
            exception("numba/*", "one", false),
            exception("numba/*", "two", false),
        ]);
        let text = exceptions.snippet();
        let expected = serde_json::json!({ "numba": {
            "numba.tbbpool": { "error": "libtbb.so.12", "reason": "" },
            "numba.x": { "error": "one", "reason": "", "emulated": true },
            "numba/*": { "error": ["one", "two"], "reason": "" },
        } });
        assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap(), expected);
        assert_eq!(Exceptions::default().advice(), None);
    }

    /// A key that is written twice would be refused, and a second object for the same wheel never looked at.
    #[test]
    fn what_is_pasted_is_the_whole_object_with_the_entries_that_are_there() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("linux-x64.json");
        let text = r#"{
            "pkg-*.whl": {
                "pkg.z": { "error": "one", "reason": "known", "expires": "2026-01-31" },
                "pkg.b": "libx.so"
            },
            "other": { "other": "" }
        }"#;
        std::fs::write(&path, text).unwrap();
        let (whitelist, today) = (Whitelist::read(&path).unwrap(), "2026-06-01".parse().unwrap());
        let wheel_of = |name: &DistributionName| Some(format!("{name}-1.0-py3-none-any.whl"));
        let exception = |distribution: &str, key: &str, error: &str| DistributionException {
            distribution: distribution.parse().unwrap(),
            key: key.to_owned(),
            error: error.to_owned(),
            emulated: false,
        };
        let new = vec![
            exception("pkg", "pkg.z", "two"),
            exception("pkg", "pkg.a", "three"),
            exception("new", "new.a", "four"),
        ];
        let advice = Exceptions::from(new).beside(&whitelist, &wheel_of, today).advice().unwrap();
        assert!(advice.contains("in place of what is there for `pkg-*.whl` (its entries are included)"), "{advice}");
        let pasted = &advice[advice.find('{').unwrap()..];
        let expected = serde_json::json!({
            "new": { "new.a": { "error": "four", "reason": "" } },
            "pkg-*.whl": {
                "pkg.z": { "error": ["one", "two"], "reason": "known" },
                "pkg.b": { "error": "libx.so", "reason": "" },
                "pkg.a": { "error": "three", "reason": "" },
            },
        });
        assert_eq!(serde_json::from_str::<serde_json::Value>(pasted).unwrap(), expected);
    }
}
