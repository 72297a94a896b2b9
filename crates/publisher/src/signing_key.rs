//! Where keys are found.

use std::fs;
use std::path::{Path, PathBuf};

use publisher::{KeyPassword, Signer};
use vocab::Fault;
use web::Secret;

use crate::command_error::CommandError;

/// The key is in a file or in a variable, its password in a variable or, with `interactive`, asked for. `None` if
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
        Some(password) => KeyPassword::Text(Secret::new(password)),
        None if interactive => KeyPassword::Ask,
        None => KeyPassword::None,
    };
    Ok(Some(Signer::new(&text, &given, password)?))
}

/// The key itself, or a file that holds it in its last line. It is checked once, before anything is verified with it.
pub fn public_key(given: &str) -> Result<String, CommandError> {
    let is_key = |text: &str| publisher::public_key_pem(text).is_ok();
    if is_key(given) {
        return Ok(given.to_owned());
    }
    let path = Path::new(given);
    let text = fs::read_to_string(path).map_err(|source| CommandError::KeyFile { path: path.to_owned(), source })?;
    let key = Some(last_line(&text)).filter(|key| is_key(key));
    key.map(str::to_owned).ok_or_else(|| CommandError::NoPublicKey { path: path.to_owned() })
}

/// The last line that is not blank, trimmed: the key in a minisign `.pub` file, whose first line is a comment.
pub fn last_line(text: &str) -> &str {
    text.lines().rfind(|line| !line.trim().is_empty()).unwrap_or_default().trim()
}
