//! Which remote store is asked for, by option or variable, and what the variables say about its use.

use vocab::{Environment, FlagError};

/// The address, and the option or variable that holds it. The option wins.
pub fn asked<'a>(option: Option<&'a str>, environment: &'a Environment) -> Option<(&'a str, &'static str)> {
    let variable = "PYDIST_REMOTE_STORE";
    let in_variable = || environment.text(variable).map(|text| (text, variable));
    option.map(|text| (text, "--remote-store")).or_else(in_variable)
}

/// Whether nothing in it may be changed.
pub fn is_read_only(environment: &Environment) -> Result<bool, FlagError> {
    environment.flag("PYDIST_REMOTE_STORE_READ_ONLY")
}

/// Whether one that is not a folder is used with `--offline`, too.
pub fn is_used_offline(environment: &Environment) -> Result<bool, FlagError> {
    environment.flag("PYDIST_REMOTE_STORE_OFFLINE")
}
