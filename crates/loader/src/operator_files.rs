//! Inputs and outputs of operators as files.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use disk::FileBeside;
use extension::Operator;
use loader::OperatorError;
use operator_server::{Content, InputForm, OutputForm};
use serde_json::{Value, json};

/// The port's type decides; where it says nothing, the ending of the file's name.
pub fn input(operator: &Operator, port: &str, path: &Path) -> Result<InputForm, OperatorError> {
    let kind = operator.inputs.iter().find(|known| known.name == port).and_then(|known| known.type_name.as_deref());
    let open = || File::open(path).and_then(Content::of_file).map_err(read_error(path));
    let codec = codec_of(path);
    match (kind, codec) {
        (Some(kind), _) if kind.ends_with("BytesIO") => Ok(InputForm::Bytes(open()?)),
        (Some(kind), None) if kind.ends_with("DataFrame") => {
            Err(OperatorError::Input { path: path.to_owned(), expected: "a table" })
        }
        (None, Some(codec)) => table(codec, path, open()?),
        (Some(kind), Some(codec)) if kind.ends_with("DataFrame") => table(codec, path, open()?),
        _ => {
            // So that a missing file is an error here, and not in the operator.
            open()?;
            Ok(InputForm::Path(std::path::absolute(path).map_err(read_error(path))?))
        }
    }
}

fn table(codec: &str, path: &Path, mut content: Content) -> Result<InputForm, OperatorError> {
    let mut start = [0; 6];
    let length = content.read(&mut start).map_err(read_error(path))?;
    // A file with an index at its end begins so; only streams are read.
    if codec == "arrow" && start[..length] == *b"ARROW1" {
        return Err(OperatorError::Input {
            path: path.to_owned(),
            expected: "an Arrow stream, it is an Arrow file (Feather)",
        });
    }
    Ok(InputForm::Table { codec: codec.to_owned(), content })
}

pub fn codec_of(path: &Path) -> Option<&'static str> {
    let name = path.file_name()?.to_string_lossy().to_ascii_lowercase();
    let endings = [(".arrow", "arrow"), (".arrows", "arrow"), (".json.gz", "json"), (".csv", "csv")];
    endings.into_iter().find(|(ending, _)| name.ends_with(ending)).map(|(_, codec)| codec)
}

pub fn read_error(path: &Path) -> impl Fn(io::Error) -> OperatorError {
    let path = path.to_owned();
    move |source| OperatorError::File { what: "read", path: path.clone(), source }
}

/// Writes an output to its file, and says what it is.
pub fn keep(port: &str, form: OutputForm, target: Option<&Path>) -> Result<Value, OperatorError> {
    let refused = |found| Err(OperatorError::Output { port: port.to_owned(), found });
    let write = |content: Content| write(content, target);
    let mut said = json!({ "port": port, "path": target.map(|path| path.display().to_string()) });
    let more = match form {
        OutputForm::None if target.is_some() => return refused("nothing (None)"),
        OutputForm::None => json!({ "form": "none" }),
        OutputForm::Handle { .. } if target.is_some() => return refused("an object that stays in its server"),
        OutputForm::Handle { class, .. } => json!({ "form": "object", "class": class }),
        OutputForm::List(_) if target.is_some() => return refused("a list"),
        OutputForm::List(items) => json!({ "form": "list", "items": items.len() }),
        OutputForm::Table { codec, .. } if target.is_some_and(|path| codec_of(path) != Some(codec.as_str())) => {
            return refused("a table; name its file .arrow, .csv or .json.gz");
        }
        OutputForm::Table { rows, columns, content, .. } => {
            write(content)?;
            json!({ "form": "table", "rows": rows, "columns": columns })
        }
        OutputForm::File { name, content } => {
            let size = content.length();
            write(content)?;
            json!({ "form": "file", "name": name, "size": size })
        }
        OutputForm::Bytes(content) => {
            let size = content.length();
            write(content)?;
            json!({ "form": "bytes", "size": size })
        }
        OutputForm::Object { class, content } => {
            let size = content.length();
            write(content)?;
            json!({ "form": "data object", "class": class, "size": size })
        }
    };
    if let (Some(said), Some(more)) = (said.as_object_mut(), more.as_object()) {
        said.extend(more.clone());
    }
    Ok(said)
}

fn write(mut content: Content, target: Option<&Path>) -> Result<(), OperatorError> {
    let Some(target) = target else { return Ok(()) };
    let mut copy = || -> io::Result<()> {
        content.rewind()?;
        let mut file = FileBeside::beside(target, ".pydist-")?;
        io::copy(&mut content, &mut file)?;
        file.replace(target)
    };
    copy().map_err(|source| OperatorError::File { what: "write", path: target.to_owned(), source })
}
