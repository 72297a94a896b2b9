//! Measures calls of operators: the start to the first result, small calls one after another, large tables both ways.
//! `operator_rates PYTHON [RUNS]`, with an interpreter that has pandas and pyarrow; prints JSON with one list of seconds
//! per measurement. `scripts/bench/operators` runs it and writes the page.
#![expect(clippy::print_stdout, reason = "a program")]

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use operator_server::{
    Call, Content, ImportFolder, InputForm, InputValue, LoadRequest, OperatorServer, OutputForm, OutputValue,
    ServerSettings,
};
use serde_json::{Map, Value, json};
use vocab::Work;

const OPERATORS: &str = r#"
import numpy
import pandas
import pyarrow

KEPT = {}


def nothing():
    return None


def makes(rows: int, columns: int):
    return pandas.DataFrame({f"c{number}": numpy.linspace(0.0, 1.0, rows) for number in range(columns)})


def keeps(rows: int, columns: int):
    """Made once, so that what is measured is the way to the host alone."""
    KEPT["pandas"] = makes(rows, columns)
    KEPT["arrow"] = pyarrow.table({f"c{number}": numpy.linspace(0.0, 1.0, rows) for number in range(columns)})


def gives(form: str):
    return KEPT[form]


def takes_pandas(table):
    return None


def takes_arrow(table: pyarrow.Table):
    return None


def passes_pandas(table):
    return table


def passes_arrow(table: pyarrow.Table):
    return table
"#;

fn main() -> ExitCode {
    match measure() {
        Ok(figures) => {
            println!("{figures}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            println!("{}", json!({ "error": error.to_string() }));
            ExitCode::FAILURE
        }
    }
}

fn request(module: &str, path: PathBuf) -> LoadRequest {
    let folder = ImportFolder { extension: "bench".to_owned(), module: module.to_owned(), path };
    LoadRequest { version: "1".to_owned(), folders: vec![folder] }
}

fn measure() -> Result<Value, Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let python = arguments.next().ok_or("usage: operator_rates PYTHON [RUNS]")?;
    let runs: usize = arguments.next().map_or(Ok(1000), |text| text.parse())?;
    let folder = tempfile::tempdir()?;
    std::fs::create_dir(folder.path().join("ext"))?;
    std::fs::write(folder.path().join("ext/ops.py"), OPERATORS)?;
    let work = Work::quiet();
    let settings = ServerSettings::new(python, folder.path().join("cache"), folder.path().join("scratch"));
    let request = request("ops", folder.path().join("ext"));
    let rates = Rates { work, settings, request };

    // The module imports pandas, which is not the server's own time; `bare` imports nothing.
    let mut starts = Vec::new();
    for _ in 0..6 {
        starts.push(rates.bare_start()?);
    }
    let mut server = rates.loaded()?;
    let call = |function: &str, parameters: Value, input: Option<(String, Content)>| Call {
        extension: "bench".to_owned(),
        function: function.to_owned(),
        parameters: parameters.as_object().cloned().unwrap_or_else(Map::new),
        inputs: input
            .map(|(codec, content)| InputValue { port: "table".to_owned(), form: InputForm::Table { codec, content } })
            .into_iter()
            .collect(),
        outputs: vec!["result".to_owned()],
        ..Call::default()
    };
    let timed = |server: &mut OperatorServer, call: Call| -> Result<(f64, Vec<OutputValue>), Box<dyn Error>> {
        let began = Instant::now();
        let outputs = server.run(&rates.work, call, &mut |_| {})?;
        Ok((began.elapsed().as_secs_f64(), outputs))
    };

    let mut calls = Vec::new();
    for _ in 0..runs {
        calls.push(timed(&mut server, call("nothing", json!({}), None))?.0);
    }
    let ten = call("makes", json!({ "rows": 10, "columns": 3 }), None);
    let (codec, bytes) = table(timed(&mut server, ten)?.1)?;
    let mut small = Vec::new();
    for _ in 0..runs {
        let input = Some((codec.clone(), Content::from(bytes.clone())));
        small.push(timed(&mut server, call("passes_pandas", json!({}), input))?.0);
    }
    let memory_after_calls = memory_of(server.welcome().pid);

    let mut large = Map::new();
    let mut size = 0;
    timed(&mut server, call("keeps", json!({ "rows": 10_000_000, "columns": 10 }), None))?;
    for form in ["pandas", "arrow"] {
        let (takes, passes) = (format!("takes_{form}"), format!("passes_{form}"));
        let (mut given, mut taken, mut passed) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..5 {
            let gives = || call("gives", json!({ "form": form }), None);
            let (seconds, outputs) = timed(&mut server, gives())?;
            given.push(seconds);
            let input = content(outputs)?;
            size = input.1.length();
            taken.push(timed(&mut server, call(&takes, json!({}), Some(input)))?.0);
            let input = content(timed(&mut server, gives())?.1)?;
            passed.push(timed(&mut server, call(&passes, json!({}), Some(input)))?.0);
        }
        large.insert(format!("{form}_out"), json!(given));
        large.insert(format!("{form}_in"), json!(taken));
        large.insert(format!("{form}_both"), json!(passed));
    }
    Ok(json!({
        "first_result": starts, "call": calls, "table_of_10_rows": small, "bytes_of_large_table": size,
        "large_table": large, "host_peak_bytes": peak(), "server_bytes": memory_after_calls,
    }))
}

struct Rates {
    work: Work,
    settings: ServerSettings,
    request: LoadRequest,
}

impl Rates {
    fn loaded(&self) -> Result<OperatorServer, Box<dyn Error>> {
        let mut server = OperatorServer::start(&self.work, &self.settings)?;
        server.load(&self.work, &self.request, &mut |_| {})?;
        Ok(server)
    }

    /// From nothing to the first result of an operator that imports nothing.
    fn bare_start(&self) -> Result<f64, Box<dyn Error>> {
        let folder = tempfile::tempdir()?;
        std::fs::write(folder.path().join("bare.py"), "def nothing():\n    return None\n")?;
        let request = request("bare", folder.path().to_owned());
        let began = Instant::now();
        let mut server = OperatorServer::start(&self.work, &self.settings)?;
        server.load(&self.work, &request, &mut |_| {})?;
        let call = Call { extension: "bench".to_owned(), function: "nothing".to_owned(), ..Call::default() };
        server.run(&self.work, call, &mut |_| {})?;
        let seconds = began.elapsed().as_secs_f64();
        server.patience.shutdown = Duration::from_secs(5);
        server.stop();
        Ok(seconds)
    }
}

fn content(outputs: Vec<OutputValue>) -> Result<(String, Content), Box<dyn Error>> {
    match outputs.into_iter().next().map(|output| output.form) {
        Some(OutputForm::Table { codec, content, .. }) => Ok((codec, content)),
        other => Err(format!("a table was expected, not {other:?}").into()),
    }
}

fn table(outputs: Vec<OutputValue>) -> Result<(String, Vec<u8>), Box<dyn Error>> {
    let (codec, content) = content(outputs)?;
    Ok((codec, content.into_bytes()?))
}

/// Largest resident size of this process so far, in bytes; 0 where the system does not say.
fn peak() -> u64 {
    status("self", "VmHWM:")
}

fn memory_of(process: u32) -> u64 {
    status(&process.to_string(), "VmRSS:")
}

fn status(process: &str, line: &str) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let kilobytes = text.lines().find_map(|known| known.strip_prefix(line)?.trim().strip_suffix(" kB")?.parse().ok());
    kilobytes.unwrap_or(0_u64) * 1024
}
