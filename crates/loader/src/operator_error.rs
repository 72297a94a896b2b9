//! Why an operator was not called.

use std::io;
use std::path::PathBuf;

use vocab::Fault;

/// What was asked for cannot be run; no Python was started for it.
#[derive(Debug, thiserror::Error, Fault)]
#[fault(Usage)]
pub enum OperatorError {
    #[error("the {what} `{port}` is given twice")]
    #[fault("E_PORT", hint("leave out one of them: a port has one file"))]
    Twice { what: &'static str, port: String },
    #[error("`{namespace}` has no operator `{operator}`; it has {}", listed(known))]
    #[fault("E_OP_UNKNOWN", hint("write NAMESPACE:FUNCTION; `pydist extension inspect ZIP` lists what a zip has"))]
    NoOperator { namespace: String, operator: String, known: Vec<String> },
    #[error("`{operator}` cannot be run: its parameter `{parameter}` has the unknown type `{kind}`")]
    #[fault("E_OP_UNSUPPORTED", hint("the extension was made for a newer loader; update this program"))]
    Unsupported { operator: String, parameter: String, kind: String },
    #[error(
        "`{operator}` cannot be run: {}; its inputs are {}, its outputs {}", faults.join(", "), listed(inputs), listed(outputs)
    )]
    #[fault("E_PORT", hint("give each input with --in PORT=FILE, and each output that is kept with --out PORT=FILE"))]
    Ports { operator: String, faults: Vec<String>, inputs: Vec<String>, outputs: Vec<String> },
    #[error("`{one}` and `{other}` both have a module `{module}`, and one server cannot import both")]
    #[fault(
        "E_EXT_MODULE_CLASH",
        hint("their authors have to rename one of the modules, or ask for another distribution")
    )]
    ModuleClash { module: String, one: String, other: String },
    #[error("cannot determine a folder for unpacked extensions: no home folder is set")]
    #[fault("E_EXT_FOLDERS", hint("set loader.cacheDir"))]
    NoCache,
    #[error("cannot read `{}`: {source}", path.display())]
    #[fault("E_EXT_READ", Build)]
    Read { path: PathBuf, source: io::Error },
    #[error("cannot {what} `{}`: {source}", path.display())]
    #[fault("E_RUN_FILES", Build, hint("check that it is there, and that this account may {what} it"))]
    File { what: &'static str, path: PathBuf, source: io::Error },
    #[error("`{}` is not {expected}", path.display())]
    #[fault("E_RUN_INPUT", hint("the ending of a file's name says what it is: .arrow, .json.gz, .csv"))]
    Input { path: PathBuf, expected: &'static str },
    #[error("the output `{port}` cannot be written as asked: it is {found}")]
    #[fault("E_RUN_OUTPUT", hint("change --out {port}=…, or leave it out"))]
    Output { port: String, found: &'static str },
}

fn listed(names: &[String]) -> String {
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}
