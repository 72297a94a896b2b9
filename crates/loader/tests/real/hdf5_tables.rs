//! The extension of `examples/` for tables in the vendor's HDF5 form: what it writes is read by itself and by the vendor's own
//! package, and it reads what that writes.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::examples::Examples;

/// Names a Python with the vendor's package `rapidminer`, which only the test's own programs import.
const VENDOR: &str = "PYDIST_RAPIDMINER_PYTHON";

/// A table as JSON, the same for every type of pandas that holds its values: `[[name, [value or null, …]], …]`.
const SHOWN: &str = r#"
import json, sys
import numpy, pandas

def shown(value):
    if value is None or value is pandas.NaT or value is pandas.NA or (isinstance(value, float) and value != value):
        return None
    if isinstance(value, (bool, numpy.bool_)):
        return "text " + str(bool(value)).lower()
    if isinstance(value, (int, float, numpy.number)):
        return "number " + repr(float(value))
    if isinstance(value, str):
        return "text " + value
    stamp = pandas.Timestamp(value)
    stamp = stamp if stamp.tz is None else stamp.tz_convert("UTC").tz_localize(None)
    seconds = int(stamp.to_datetime64().astype("datetime64[s]").astype("int64"))
    return "time %d %09d" % (seconds, stamp.microsecond * 1000 + stamp.nanosecond)

def table(frame):
    return [[str(name), [shown(value) for value in frame[name].tolist()]] for name in frame]
"#;

/// Writes the table `sys.argv[1]` as an Arrow stream to `sys.argv[2]`, and says what is in it.
const MAKE: &str = r#"
import datetime
import pyarrow
UTC = datetime.timezone.utc
stamps = numpy.array([946684799_123456789, -1, 0, 0], dtype="int64")
many = [f"value {number} of many, ü" for number in range(40_000)]
columns = {
    "ganze Zahl": pyarrow.array([0, -1, 2**53 - 1, 7], pyarrow.int64()),
    "lückenhaft": pyarrow.array([0, None, 2**53 - 1, -5], pyarrow.int64()),
    "réal": pyarrow.array([1.5, None, float("-inf"), 1e-300]),
    "日本 😀": pyarrow.array(["b", None, "", "ü 'x'\n"]).dictionary_encode(),
    "text": pyarrow.array(["NULL", "a" * 300, None, "\t"]),
    "wahr?": pyarrow.array([True, False, None, True]),
    "nano": pyarrow.array(stamps, pyarrow.timestamp("ns", tz="UTC"), mask=numpy.array([False, False, True, False])),
    "date": pyarrow.array(stamps // 1000, pyarrow.timestamp("us", tz="UTC"), mask=numpy.array([False, False, True, False])),
    "old": pyarrow.array(
        [datetime.datetime(1500, 1, 1, tzinfo=UTC), datetime.datetime(9999, 12, 31, 23, 59, 59, 999999, UTC), None, None],
        pyarrow.timestamp("us", tz="UTC"),
    ),
    "missing": pyarrow.array([None] * 4, pyarrow.float64()),
}
whole = pyarrow.table(columns)
tables = {
    "whole": whole,
    "empty": whole.slice(0, 0),
    "many": pyarrow.table({"many": many + [None]}),
    # The vendor's package rounds to microseconds what it reads, and reads no year 9999.
    "shared": whole.drop_columns(["nano", "old"]),
    # Nor whole numbers and times without rows.
    "shared empty": whole.select(["réal", "日本 😀", "text", "wahr?", "missing"]).slice(0, 0),
}
made = tables[sys.argv[1]]
with pyarrow.ipc.new_stream(sys.argv[2], made.schema) as writer:
    writer.write_table(made)
values = [[name, [shown(value) for value in made[name].to_pandas(timestamp_as_object=False).tolist()]] for name in made.column_names]
print(json.dumps(values))
"#;

/// What an Arrow stream holds, with the host's types.
const READ: &str = r#"
import pyarrow
made = pyarrow.ipc.open_stream(sys.argv[1]).read_all()
kinds = [(field.metadata or {}).get(b"pydist.type", b"").decode() for field in made.schema]
values = [[name, [shown(value) for value in made[name].to_pandas().tolist()]] for name in made.column_names]
print(json.dumps({"values": values, "kinds": kinds}))
"#;

/// What the vendor's package reads of the table `sys.argv[2]` in the folder `sys.argv[1]`.
const VENDOR_READS: &str = r#"
import rapidminer
print(json.dumps(table(rapidminer.Project(sys.argv[1]).read(sys.argv[2]))))
"#;

/// Lets it write a table, and read that again.
const VENDOR_WRITES: &str = r#"
import rapidminer
frames = {
    "whole": pandas.DataFrame({
        "ganze Zahl": pandas.Series([0, -1, 2**53 - 1], dtype="int64"),
        "réal": [1.5, float("nan"), 1e-300],
        "日本 😀": pandas.Series(["b", None, "ü 'x'\n"], dtype="object"),
        "Kategorie": pandas.Categorical(["x", None, "y"]),
        "date": pandas.to_datetime(["1999-12-31 23:59:59.123456", None, "1969-12-31 23:59:59.999999"]),
        "wahr?": [True, False, True],
    }),
    "many": pandas.DataFrame({"many": [f"value {number} of many, ü" for number in range(40_000)]}),
    "nano": pandas.DataFrame({"nano": pandas.to_datetime(["1999-12-31 23:59:59.123456789", None, "1969-12-31 23:59:59.999999999"])}),
    "empty": pandas.DataFrame({"a": pandas.Series([], dtype="float64"), "b": pandas.Series([], dtype="object")}),
}
project = rapidminer.Project(sys.argv[1])
project.write(frames[sys.argv[2]], sys.argv[2])
print(json.dumps(table(project.read(sys.argv[2]))))
"#;

struct Tables {
    examples: Examples,
    python: PathBuf,
}

impl Tables {
    fn new() -> Self {
        let python = crate::virtual_env::python_with("newest-with-hdf5", &["pandas", "pyarrow", "h5py"]);
        Self { examples: Examples::on(&python, &["hdf5-tables"]), python }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.examples.path().join(name)
    }

    /// Makes a table as an Arrow stream of this name; what is in it.
    fn made(&self, name: &str) -> Value {
        run(&self.python, MAKE, &[name.as_ref(), self.path(&format!("{name}.arrow")).as_ref()])
    }

    /// By the extension, from an Arrow stream to the vendor's form.
    fn written(&self, from: &str, to: &str) {
        self.operator("write_table", ("table", from), ("file", to));
    }

    /// By the extension, from the vendor's form to an Arrow stream; what is in that.
    fn read(&self, from: &str) -> Value {
        self.operator("read_table", ("file", from), ("table", "back.arrow"));
        run(&self.python, READ, &[self.path("back.arrow").as_ref()])
    }

    fn operator(&self, name: &str, (input, from): (&str, &str), (output, to): (&str, &str)) {
        let word = |port: &str, file: &str| format!("{port}={}", self.path(file).display());
        let words = ["--in".to_owned(), word(input, from), "--out".to_owned(), word(output, to)];
        self.examples.run(&format!("hdf5_tables:{name}"), &words);
    }
}

fn run(python: &Path, script: &str, arguments: &[&OsStr]) -> Value {
    let mut command = Command::new(python);
    command.arg("-I").arg("-c").arg(format!("{SHOWN}{script}")).args(arguments);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn l11_what_the_example_writes_it_reads_again_as_it_was() {
    let tables = Tables::new();
    for name in ["whole", "empty", "many"] {
        let made = tables.made(name);
        tables.written(&format!("{name}.arrow"), &format!("{name}.rmhdf5table"));
        let read = tables.read(&format!("{name}.rmhdf5table"));
        assert!(read["values"] == made, "{name}: {}", if name == "many" { &Value::Null } else { &read["values"] });
        if name == "whole" {
            let text = ["nominal"; 3];
            let kinds = [&["integer", "real", "real"][..], &text, &["date-time"; 3], &["real"]].concat();
            assert_eq!(read["kinds"], json!(kinds), "{name}");
        }
    }
}

#[test]
fn l11_the_vendors_package_reads_what_the_example_writes_and_the_other_way_round() {
    let Some(vendor) = std::env::var_os(VENDOR).filter(|path| !path.is_empty()).map(PathBuf::from) else {
        eprintln!("skipped: {VENDOR} names no Python with `rapidminer`");
        return;
    };
    let tables = Tables::new();
    let folder = tables.path("project");
    std::fs::create_dir(&folder).unwrap();
    for name in ["shared", "shared empty", "many"] {
        let made = tables.made(name);
        tables.written(&format!("{name}.arrow"), &format!("project/ours-{name}.rmhdf5table"));
        let read = run(&vendor, VENDOR_READS, &[folder.as_ref(), format!("ours-{name}").as_ref()]);
        assert!(read == made, "{name}: {}", if name == "many" { &Value::Null } else { &read });
    }
    for name in ["whole", "empty", "many"] {
        let theirs = run(&vendor, VENDOR_WRITES, &[folder.as_ref(), name.as_ref()]);
        let ours = tables.read(&format!("project/{name}.rmhdf5table"));
        assert!(ours["values"] == theirs, "{name}: {}", if name == "many" { &Value::Null } else { &ours["values"] });
        if name == "whole" {
            let first: Vec<&Value> = theirs.as_array().unwrap().iter().map(|column| &column[1][0]).collect();
            let expected = ["number 0.0", "number 1.5", "text b", "text x", "time 946684799 123456000", "number 1.0"];
            assert_eq!(first, expected, "they are there");
        }
    }
    // What is in its file, and not what it reads of that.
    run(&vendor, VENDOR_WRITES, &[folder.as_ref(), "nano".as_ref()]);
    let exact = json!([["nano", ["time 946684799 123456789", null, "time -1 999999999"]]]);
    assert_eq!(tables.read("project/nano.rmhdf5table")["values"], exact);
}
