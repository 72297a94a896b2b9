//! Making a pair of keys.

use std::fs;
use std::io::Write as _;
use std::path::Path;

use publisher::KeyPassword;
use serde_json::json;
use vocab::Exit;
use web::Secret;

use super::{CommandError, PublisherOutcome, PublisherSession};
use crate::signing_key::last_line;

impl PublisherSession<'_> {
    pub(super) fn keygen(&self, folder: &Path, ask: bool) -> PublisherOutcome {
        let password = match (self.environment)("PYDIST_SIGNING_PASSWORD") {
            Some(password) => KeyPassword::Text(Secret::new(password)),
            None if ask => KeyPassword::Ask,
            None => KeyPassword::None,
        };
        let (secret, public) = publisher::new_key_pair(password)?;
        let file = |extension: &str| folder.join("pydist").with_extension(extension);
        let (key, public_file, pem_file) = (file("key"), file("pub"), file("pem"));
        let pem = publisher::public_key_pem(last_line(&public))?;
        write_new(&key, &secret, true)?;
        write_new(&public_file, &public, false)?;
        write_new(&pem_file, &pem, false)?;
        if self.json {
            self.printer.json("keys", &json!({ "secret": key, "public": public_file, "pem": pem_file }));
        } else {
            self.printer.say(&format!("the secret key is `{}`: keep it secret, and never commit it", key.display()));
            self.printer.data(&public_file.display().to_string());
        }
        Ok(Exit::Done)
    }
}

fn write_new(path: &Path, text: &str, secret: bool) -> Result<(), CommandError> {
    let write = || {
        if let Some(folder) = path.parent().filter(|folder| *folder != Path::new("")) {
            fs::create_dir_all(folder)?;
        }
        let mut options = fs::OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        if secret {
            std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        }
        // Elsewhere a folder of the user's own protects what is in it.
        #[cfg(not(unix))]
        let _ = secret;
        options.open(path)?.write_all(text.as_bytes())
    };
    write().map_err(|source| CommandError::Write { path: path.to_owned(), source })
}
