//! What is wrong with the text of one value, without its place.

/// What is wrong with a text, and what to write instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Complaint {
    pub text: String,
    pub hint: Option<String>,
}

pub(crate) fn complain<T>(text: impl Into<String>, hint: &str) -> Result<T, Complaint> {
    Err(Complaint { text: text.into(), hint: Some(hint.to_owned()) })
}
