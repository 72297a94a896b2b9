//! The `config-merger` command: the merged configuration of a runtime, or a JSON Schema of the files it is merged from. `cli` is
//! its frame.

mod arguments;

use std::process::ExitCode;

use arguments::MergerArguments;
use cli::Printer;
use config_merger::{LoadOptions, Repository};
use serde_json::{Value, json};
use vocab::{Exit, Fault};

fn main() -> ExitCode {
    cli::run(&cli::build!(), |arguments: &MergerArguments, process| run(arguments, &process.printer))
}

fn run(arguments: &MergerArguments, printer: &Printer) -> Result<Exit, Box<dyn Fault>> {
    if let Some(schema) = arguments.schema {
        printer.document(&config_merger::schema(schema.kind()));
        return Ok(Exit::Done);
    }
    let repository = match &arguments.repository {
        Some(folder) => Repository::at(folder),
        None => Repository::find(".".as_ref())?,
    };
    let version = repository.version(arguments.runtime.as_deref().unwrap_or_default())?;
    let options = LoadOptions { strict: arguments.strict, lenient: arguments.lenient_config };
    let loaded = config_merger::load(&repository, &version, &options)?;
    loaded.warning_events().chain(loaded.note_events()).for_each(|event| printer.tell(event));
    if arguments.show.json {
        let config = serde_json::from_str(&loaded.canonical).unwrap_or(Value::Null);
        printer.json("config", &json!({ "runtime": version, "digest": loaded.digest, "config": config }));
    } else if arguments.digest {
        printer.data(&loaded.digest.to_string());
    } else {
        printer.document(&loaded.canonical);
    }
    Ok(Exit::Done)
}
