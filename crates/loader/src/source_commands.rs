//! `pydist source`: which source is used, and which are remembered.

use std::path::Path;

use cli::Printer;
use fetch::{FetchSettings, check_place, remembered, without_secrets};
use installer::{NamedBy, SourceError, Sources};
use serde_json::json;
use vocab::{Event, Exit, Fault};

use crate::arguments::{SourceArguments, SourceCommand};
use crate::commands::given_keys;
use crate::source_choice::{FROM, sources_path};

/// Runs `pydist source`.
pub fn run(
    arguments: &SourceArguments,
    is_json: bool,
    environment: &dyn Fn(&str) -> Option<String>,
    printer: &Printer,
) -> Result<Exit, Box<dyn Fault>> {
    let path = sources_path(environment).ok_or(SourceError::Home)?;
    let mut sources = Sources::read(&path)?;
    match &arguments.command {
        None => {}
        Some(SourceCommand::Set { from, public_key, unsigned }) => {
            check_place(from, &FetchSettings::of(environment))?;
            let keys = given_keys(public_key)?;
            let has_keys = !sources.set(from, &keys, *unsigned)?.public_keys.is_empty();
            sources.save(&path)?;
            tell_secrets(from, printer);
            if !has_keys {
                printer.say("no public key is remembered: what is served there is believed without a signature");
            }
        }
        Some(SourceCommand::Remove { from }) => {
            sources.remove(from)?;
            sources.save(&path)?;
        }
    }
    let variable = environment(FROM).filter(|text| !text.is_empty());
    let rows = rows(&sources, variable.as_deref());
    for row in &rows {
        if is_json {
            let row = json!({
                "from": row.from, "public_keys": row.public_keys, "used": row.used, "set_in": row.set_in(&path),
            });
            printer.json("source", &row);
        } else {
            let keys = match row.public_keys.len() {
                0 => "no public key".to_owned(),
                1 => format!("public key {}", row.public_keys[0]),
                count => format!("{count} public keys: {}", row.public_keys.join(", ")),
            };
            let mark = if row.used { '*' } else { ' ' };
            printer.data(&format!("{mark} {}  ({keys}; {})", row.from, row.set_in(&path)));
        }
    }
    if rows.is_empty() && !is_json {
        printer.say("no source is remembered; `pydist source set URL --public-key KEY` does that");
    }
    Ok(Exit::Done)
}

struct SourceRow {
    from: String,
    public_keys: Vec<String>,
    used: bool,
    named_by: NamedBy,
}

impl SourceRow {
    fn set_in(&self, path: &Path) -> String {
        match self.named_by {
            NamedBy::Remembered => path.display().to_string(),
            other => other.as_str().to_owned(),
        }
    }
}

/// That of the variable first, then those that are remembered.
fn rows(sources: &Sources, variable: Option<&str>) -> Vec<SourceRow> {
    let mut rows = Vec::new();
    if let Some(place) = variable {
        let public_keys = sources.known(place).map(|known| known.public_keys.clone()).unwrap_or_default();
        rows.push(SourceRow { from: remembered(place), public_keys, used: true, named_by: NamedBy::Variable });
    }
    for source in &sources.sources {
        let used = variable.is_none() && sources.default.as_ref() == Some(&source.from);
        let (from, public_keys) = (source.from.clone(), source.public_keys.clone());
        rows.push(SourceRow { from, public_keys, used, named_by: NamedBy::Remembered });
    }
    rows
}

fn tell_secrets(from: &str, printer: &Printer) {
    let is_web = ["http://", "https://"].iter().any(|scheme| from.to_ascii_lowercase().starts_with(scheme));
    if is_web && (from.contains('@') || from.contains('?')) {
        printer.tell(Event::Warning {
            code: "W_SOURCE_SECRETS",
            text: format!("user, password and query are not remembered: `{}`", without_secrets(from)),
            place: None,
            hint: Some(format!("if the server needs them, give the whole URL in {FROM}; the keys stay the same")),
        });
    }
}
