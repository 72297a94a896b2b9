//! Secrets that nothing shows: their values are replaced in every text that leaves a call.

/// Shorter values are not looked for: they would black out half of any text.
const SHORTEST: usize = 4;

/// Values of a call that are secret.
#[derive(Clone, Default)]
pub(crate) struct Redaction {
    /// Longest first, so that a part of one does not save the rest of another.
    values: Vec<String>,
}

impl Redaction {
    pub(crate) fn of(values: impl IntoIterator<Item = String>) -> Self {
        let mut values: Vec<String> = values.into_iter().filter(|value| value.len() >= SHORTEST).collect();
        values.sort_by_key(|value| std::cmp::Reverse(value.len()));
        Self { values }
    }

    pub(crate) fn apply(&self, text: String) -> String {
        self.values.iter().fold(text, |text, value| match text.contains(value.as_str()) {
            true => text.replace(value.as_str(), "****"),
            false => text,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_secret_goes_first_and_short_ones_stay() {
        let redaction = Redaction::of(["pass".to_owned(), "password1".to_owned(), "a".to_owned()]);
        assert_eq!(redaction.apply("a password1, a pass".to_owned()), "a ****, a ****");
    }
}
