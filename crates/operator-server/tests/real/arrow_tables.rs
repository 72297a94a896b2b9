//! Operators that take and return tables of pyarrow, without pandas.

use operator_server::{Content, InputForm, OperatorServer, OutputForm, TableCodec};
use serde_json::{Value, json};
use vocab::Fault;

use crate::support::{Host, bytes, call, with_input};
use crate::virtual_env::python_with;

const OPERATORS: &str = r#"
import datetime, decimal, io, json
import typing
import pyarrow

ROLE = {"pydist.type": "text", "pydist.role": "id"}


def column(what):
    if what == "float32":
        return pyarrow.array([1.5, None], pyarrow.float32())
    if what == "int8":
        return pyarrow.array([1, None], pyarrow.int8())
    if what == "beyond":
        return pyarrow.array([2**53, -1], pyarrow.int64())
    if what == "bool":
        return pyarrow.array([True, None])
    if what == "string":
        return pyarrow.array(["a", None])
    if what == "dictionary":
        return pyarrow.array(["a", None]).dictionary_encode().cast(pyarrow.dictionary(pyarrow.int8(), pyarrow.string()))
    if what == "date":
        return pyarrow.array([datetime.date(2020, 1, 2), None])
    if what == "naive":
        return pyarrow.array([datetime.datetime(2020, 1, 2, 3), None], pyarrow.timestamp("s"))
    if what == "zoned":
        return pyarrow.array([0, None], pyarrow.timestamp("ns", tz="Europe/Berlin"))
    if what == "time":
        return pyarrow.array([datetime.time(1, 2), None], pyarrow.time32("s"))
    if what == "list":
        return pyarrow.array([["b", "a"], None])
    if what == "decimal":
        return pyarrow.array([decimal.Decimal("1.5"), None])
    if what == "null":
        return pyarrow.nulls(2)
    if what == "struct":
        return pyarrow.array([{"a": 1}, None])
    if what == "item":
        return pyarrow.array([["a", None], None])


def makes(what: str):
    if what == "twice":
        return pyarrow.Table.from_arrays([pyarrow.array([1]), pyarrow.array([2])], names=["c", "c"])
    if what == "text":
        field = pyarrow.field("c", pyarrow.string(), metadata=ROLE)
        return pyarrow.Table.from_arrays([pyarrow.array(["a", None])], schema=pyarrow.schema([field]))
    if what == "empty":
        return pyarrow.table({})
    return pyarrow.table({"c": column(what)})


def shows(table: typing.Optional[pyarrow.Table]):
    fields = [[str(field.type), (field.metadata or {}).get(b"pydist.role", b"").decode()] for field in table.schema]
    values = [[None if value is None else str(value) for value in column.to_pylist()] for column in table.columns]
    return io.BytesIO(json.dumps([fields, values]).encode())


def many(rows: int):
    values = pyarrow.array(range(rows))
    return pyarrow.table({"r": values.cast("float64"), "i": values, "t": pyarrow.array(["x"] * rows)})


def changes(table):
    """A DataFrame, which operators may change in its place."""
    table.loc[0, "r"] = -1.0
    table.loc[1, "i"] = -2
    assert list(table["r"][:2]) == [-1.0, 1.0] and list(table["i"][:2]) == [0, -2], table.head()
    return io.BytesIO(f"{len(table)} {table['t'].iloc[-1]}".encode())
"#;

/// With pandas.
fn host(codec: TableCodec) -> Host {
    let mut host = Host::new(OPERATORS);
    host.settings.python = python_with("2.2", &["pandas==2.2.3", "numpy<2.3", "pyarrow"]);
    host.settings.codec = codec;
    host
}

#[track_caller]
fn made(
    host: &mut Host,
    server: &mut OperatorServer,
    function: &str,
    parameters: &Value,
) -> (String, Vec<Value>, Content) {
    let mut outputs =
        host.run(server, call(function, parameters)).unwrap_or_else(|error| panic!("{parameters}: {error}"));
    match outputs.remove(0).form {
        OutputForm::Table { codec, columns, content, .. } => (codec, columns, content),
        other => panic!("{parameters}: {other:?}"),
    }
}

#[test]
fn without_pandas_each_arrow_type_becomes_one_of_the_hosts() {
    let cases = [
        // (column, host's type, Arrow's type then, values, words of a warning)
        ("float32", "real", "double", r#"["1.5", null]"#, ""),
        ("int8", "integer", "int64", r#"["1", null]"#, ""),
        ("beyond", "real", "double", r#"["9007199254740992.0", "-1.0"]"#, "beyond 53 bits"),
        ("bool", "nominal", "dictionary<values=string, indices=int32, ordered=0>", r#"["true", null]"#, ""),
        ("string", "nominal", "dictionary<values=string, indices=int32, ordered=0>", r#"["a", null]"#, ""),
        ("dictionary", "nominal", "dictionary<values=string, indices=int8, ordered=0>", r#"["a", null]"#, ""),
        ("text", "text", "string", r#"["a", null]"#, ""),
        ("date", "date-time", "timestamp[us, tz=UTC]", r#"["2020-01-02 00:00:00+00:00", null]"#, ""),
        ("naive", "date-time", "timestamp[us, tz=UTC]", r#"["2020-01-02 03:00:00+00:00", null]"#, "without a zone"),
        ("zoned", "date-time", "timestamp[ns, tz=UTC]", r#"["1970-01-01 00:00:00+00:00", null]"#, ""),
        ("time", "time", "time64[ns]", r#"["01:02:00", null]"#, ""),
        ("list", "text-list", "list<item: string>", r#"["['b', 'a']", null]"#, ""),
        ("decimal", "real", "double", r#"["1.5", null]"#, ""),
        ("null", "real", "double", "[null, null]", ""),
    ];
    let mut host = Host::new(OPERATORS);
    host.settings.python = python_with("arrow", &["pyarrow"]);
    let mut server = host.loaded();
    for (what, kind, arrow, values, warning) in cases {
        host.events.clear();
        let (codec, columns, content) = made(&mut host, &mut server, "makes", &json!({ "what": what }));
        assert_eq!((codec.as_str(), &columns[0]["type"]), ("arrow", &json!(kind)), "{what}");
        let warned: String = host.lines().concat();
        assert!(if warning.is_empty() { warned.is_empty() } else { warned.contains(warning) }, "{what}: {warned}");
        let role = if what == "text" { "id" } else { "" };
        let shown = with_input(call("shows", &json!({})), "table", InputForm::Table { codec, content });
        let shown: Value = serde_json::from_slice(&bytes(host.run(&mut server, shown).unwrap())).unwrap();
        let values: Value = serde_json::from_str(values).unwrap();
        assert_eq!((&shown[0], &shown[1]), (&json!([[arrow, role]]), &json!([values])), "{what}");
    }
    let refused = [
        ("twice", "output result: two columns are called 'c'"),
        ("struct", "output result: column 'c' has the Arrow type struct<a: int64>"),
        ("item", "output result: column 'c' has an item that is not a text"),
    ];
    for (what, words) in refused {
        let error = host.run(&mut server, call("makes", &json!({ "what": what }))).unwrap_err();
        assert_eq!(error.code(), "E_SERIALIZE");
        assert!(error.to_string().starts_with(words), "{what}: {error}");
    }
    let (_, columns, _) = made(&mut host, &mut server, "makes", &json!({ "what": "empty" }));
    assert!(columns.is_empty());
}

#[test]
fn a_large_table_can_be_changed_in_its_place_whatever_the_operator_had() {
    for codec in [TableCodec::Auto, TableCodec::Json] {
        let mut host = host(codec);
        let mut server = host.loaded();
        // Three columns, more values than are copied together, in several parts of a body.
        let (used, columns, content) = made(&mut host, &mut server, "many", &json!({ "rows": 1_200_000 }));
        assert_eq!(columns.len(), 3);
        let changed = with_input(call("changes", &json!({})), "table", InputForm::Table { codec: used, content });
        assert_eq!(bytes(host.run(&mut server, changed).unwrap()), b"1200000 x");
    }
}

#[test]
fn an_operator_of_arrow_takes_a_table_that_came_as_json() {
    let mut host = host(TableCodec::Json);
    let mut server = host.loaded();
    let (codec, _, content) = made(&mut host, &mut server, "makes", &json!({ "what": "text" }));
    assert_eq!(codec, "json");
    let shown = with_input(call("shows", &json!({})), "table", InputForm::Table { codec, content });
    let shown: Value = serde_json::from_slice(&bytes(host.run(&mut server, shown).unwrap())).unwrap();
    assert_eq!((&shown[0], &shown[1]), (&json!([["string", "id"]]), &json!([["a", null]])));
}
