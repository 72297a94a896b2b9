//! Which remote store is used, and how.

/// The options and variables of the remote store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteSettings {
    pub address: String,
    /// The option or variable that holds the address, for messages.
    pub given: &'static str,
    pub read_only: bool,
    /// Whether its faults are errors at the end of the step rather than warnings.
    pub strict: bool,
}
