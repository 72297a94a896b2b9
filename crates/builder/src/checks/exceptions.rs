//! What failed, as whitelist entries to be pasted: one text for both checks.

use std::collections::BTreeMap;

use vocab::DistributionName;

/// One entry of a whitelist, for any version of the distribution.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exception {
    pub distribution: DistributionName,
    /// A module, or a file or files below site-packages.
    pub key: String,
    /// A part of the error that stays the same elsewhere.
    pub error: String,
    /// It holds in an emulator alone.
    pub emulated: bool,
}

/// What to paste, and where to. `None` when there is nothing.
pub fn advice(exceptions: &[Exception]) -> Option<String> {
    let text = snippet(exceptions);
    (!text.is_empty()).then(|| {
        format!(
            "if these failures are expected, put this into `checker/whitelists/<platform>.json` and fill in the \
             reasons:\n{text}"
        )
    })
}

/// JSON in the shape of the file. Empty when there is nothing to paste.
pub fn snippet(exceptions: &[Exception]) -> String {
    let mut distributions: BTreeMap<&str, BTreeMap<&str, Merged<'_>>> = BTreeMap::new();
    for exception in exceptions {
        let keys = distributions.entry(exception.distribution.as_str()).or_default();
        keys.entry(&exception.key).or_insert_with(|| Merged { errors: Vec::new(), emulated: true }).add(exception);
    }
    if distributions.is_empty() {
        return String::new();
    }
    let entries = |keys: &BTreeMap<&str, Merged<'_>>| -> serde_json::Map<String, serde_json::Value> {
        keys.iter().map(|(key, merged)| ((*key).to_owned(), merged.entry())).collect()
    };
    let distributions: serde_json::Map<String, serde_json::Value> =
        distributions.iter().map(|(name, keys)| ((*name).to_owned(), entries(keys).into())).collect();
    serde_json::to_string_pretty(&distributions).unwrap_or_default()
}

/// What one key stands for.
struct Merged<'a> {
    errors: Vec<&'a str>,
    emulated: bool,
}

impl<'a> Merged<'a> {
    /// An error that says more than another one is not needed beside it.
    fn add(&mut self, exception: &'a Exception) {
        let occurs_in = |text: &str, part: &str| text.to_lowercase().contains(&part.to_lowercase());
        self.emulated &= exception.emulated;
        if !self.errors.iter().any(|known| occurs_in(&exception.error, known)) {
            self.errors.retain(|known| !occurs_in(known, &exception.error));
            self.errors.push(&exception.error);
        }
    }

    fn entry(&self) -> serde_json::Value {
        let error = match self.errors.as_slice() {
            [error] => serde_json::json!(error),
            errors => serde_json::json!(errors),
        };
        let mut entry = serde_json::json!({ "error": error, "reason": "" });
        if self.emulated {
            entry["emulated"] = true.into();
        }
        entry
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_entry_holds_for_both_checks() {
        let exception = |key: &str, error: &str, emulated| Exception {
            distribution: "numba".parse().unwrap(),
            key: key.to_owned(),
            error: error.to_owned(),
            emulated,
        };
        let text = snippet(&[
            exception("numba.tbbpool", "libtbb.so.12: cannot open shared object file", true),
            exception("numba.tbbpool", "libtbb.so.12", false),
            exception("numba.x", "one", true),
            exception("numba/*", "one", false),
            exception("numba/*", "two", false),
        ]);
        let expected = serde_json::json!({ "numba": {
            "numba.tbbpool": { "error": "libtbb.so.12", "reason": "" },
            "numba.x": { "error": "one", "reason": "", "emulated": true },
            "numba/*": { "error": ["one", "two"], "reason": "" },
        } });
        assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap(), expected);
        assert_eq!((snippet(&[]), advice(&[])), (String::new(), None));
    }
}
