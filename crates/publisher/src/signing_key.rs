//! Where the secret key is found.

use std::fs;
use std::path::{Path, PathBuf};

use publisher::{Password, Signer};
use vocab::Fault;

use crate::commands::CommandError;

/// The key is in a file or in a variable, its password in a variable or, with `interactive`, asked for. `None` when
/// there is no key.
pub fn signer(
    file: Option<&Path>,
    environment: &dyn Fn(&str) -> Option<String>,
    interactive: bool,
) -> Result<Option<Signer>, Box<dyn Fault>> {
    let file = file.map(Path::to_owned).or_else(|| environment("PYDIST_SIGNING_KEY_FILE").map(PathBuf::from));
    let (text, given) = match (file, environment("PYDIST_SIGNING_KEY")) {
        (Some(path), _) => {
            let text =
                fs::read_to_string(&path).map_err(|source| CommandError::KeyFile { path: path.clone(), source })?;
            (text, format!("`{}`", path.display()))
        }
        (None, Some(text)) => (text, "PYDIST_SIGNING_KEY".to_owned()),
        (None, None) => return Ok(None),
    };
    let password = match environment("PYDIST_SIGNING_PASSWORD") {
        Some(password) => Password::Text(password),
        None if interactive => Password::Ask,
        None => Password::None,
    };
    Ok(Some(Signer::new(&text, &given, password)?))
}
