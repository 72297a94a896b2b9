//! Tables there and back: each type of the host, by Arrow and by JSON.

use operator_server::{Call, Content, InputForm, OperatorServer, OutputForm, RunEvent, TableCodec};
use serde_json::{Value, json};
use vocab::Fault;

use crate::support::{Host, bytes, call, with_input};
use crate::virtual_env::{environment, python_with};

const OPERATORS: &str = r#"
import datetime, decimal, io, json
import numpy
import pandas

UTC = datetime.timezone.utc


def column(kind, rows, missing):
    """Values of one type of the host; `missing` of them, from the first on, are missing."""
    if kind == "real":
        values = pandas.Series([number / 3 for number in range(rows)], dtype="float64")
    elif kind == "integer":
        values = pandas.Series(range(-1, rows - 1), dtype="Int64" if missing else "int64")
    elif kind == "nominal":
        values = pandas.Series(pandas.Categorical([["", "b", "ü"][number % 3] for number in range(rows)]))
    elif kind == "boolean":
        values = pandas.Series([number % 2 == 0 for number in range(rows)], dtype="boolean")
    elif kind == "text":
        values = pandas.Series([f"text {number}\n" if number % 4 else "" for number in range(rows)], dtype="string")
    elif kind == "date-time":
        start = pandas.Timestamp("1999-12-31 23:59:59.123456789", tz="UTC")
        values = pandas.Series([start + pandas.Timedelta(number % 10_000, "D") for number in range(rows)], dtype="datetime64[ns, UTC]")
    elif kind == "time":
        values = pandas.Series([datetime.time(number % 24, 1, 2, 3) for number in range(rows)], dtype="object")
    elif kind == "text-set":
        values = pandas.Series([{"a", str(number)} for number in range(rows)], dtype="object")
    elif kind == "text-list":
        values = pandas.Series([["b", "a", str(number)] for number in range(rows)], dtype="object")
    if missing:
        values[: missing if missing > 0 else rows] = None
    return values


def make(kind: str, rows: int, missing: int):
    frame = pandas.DataFrame({"c": column(kind, rows, missing)})
    frame.attrs["pydist"] = {"c": {"type": "nominal" if kind == "boolean" else kind, "role": "label"}}
    return frame


def check(table, kind: str, rows: int, missing: int):
    seen = table["c"]
    expected = column(kind, rows, missing)
    if kind == "boolean":
        expected = expected.astype("object").map({True: "true", False: "false"}, na_action="ignore")
        seen = seen.astype("object")
    if kind == "nominal":
        seen, expected = seen.astype("object"), expected.astype("object")
    wanted = [None if is_missing(value) else value for value in expected.tolist()]
    found = [None if is_missing(value) else value for value in seen.tolist()]
    assert found == wanted, (found[:5], wanted[:5])
    facts = table.attrs["pydist"]["c"]
    assert facts == {"type": "nominal" if kind == "boolean" else kind, "role": "label"}, facts
    return io.BytesIO(str(seen.dtype).encode())


def is_missing(value):
    return value is None or value is pandas.NA or value is pandas.NaT or (isinstance(value, float) and value != value)


def dates(texts: list):
    return pandas.DataFrame({"d": [None if text is None else datetime.datetime.fromisoformat(text) for text in texts]}, dtype="object")


def shown(table):
    return io.BytesIO(json.dumps([[str(value) for value in table[name]] for name in table] + [[str(kind) for kind in table.dtypes]]).encode())


def odd(what: str):
    if what == "duplicate":
        return pandas.DataFrame([[1, 2]], columns=["a", "a"])
    if what == "none":
        return pandas.DataFrame([[1]], columns=[None])
    if what == "complex":
        return pandas.DataFrame({"z": [1j]})
    if what == "period":
        return pandas.DataFrame({"p": pandas.period_range("2020-01", periods=2, freq="M")})
    if what == "levels":
        return pandas.DataFrame([[1]], columns=pandas.MultiIndex.from_tuples([("a", "b")]))
    if what == "nested":
        return pandas.DataFrame({"n": [{"a": 1}]})
    if what == "null in list":
        return pandas.DataFrame({"l": [["a", None]]})
    if what == "long":
        return pandas.DataFrame({"t": [pandas.Timedelta("25h")]})
    if what == "mixed":
        return pandas.DataFrame({"m": [1, "a", None]}, dtype="object")
    if what == "beyond":
        return pandas.DataFrame({"i": numpy.array([2**53, -(2**53), 2**63 - 1], dtype="int64")})
    if what == "unsigned":
        return pandas.DataFrame({"u": numpy.array([2**64 - 1], dtype="uint64")})
    if what == "decimal":
        return pandas.DataFrame({"d": [decimal.Decimal("1.5"), None]})
    if what == "numbered":
        return pandas.DataFrame([[1, 2]], columns=[0, 1], index=[7])
    if what == "empty":
        return pandas.DataFrame()
    if what == "no columns":
        return pandas.DataFrame(index=range(3))


def adds(table):
    table["new"] = 1
    return table


def drops(table):
    return table.drop(columns=["id"])


def with_roles():
    frame = pandas.DataFrame({"id": [1, 2], "y": ["a", "b"]})
    frame.attrs["pydist"] = {"id": {"type": "integer", "role": "id"}, "y": {"type": "nominal", "role": "label"}}
    return frame
"#;

/// The only output, a table: what describes it, and its content.
#[track_caller]
fn table(host: &mut Host, server: &mut OperatorServer, call: Call) -> (String, u64, Vec<Value>, Content) {
    let function = call.function.clone();
    let mut outputs = host.run(server, call).unwrap_or_else(|error| panic!("{function}: {error} {:?}", host.events));
    match outputs.remove(0).form {
        OutputForm::Table { codec, rows, columns, content } => (codec, rows, columns, content),
        other => panic!("{function}: {other:?}"),
    }
}

fn environments() -> [(Host, &'static str); 3] {
    let host = |name: &str, requirements: &[&str], codec| {
        let mut host = Host::new(OPERATORS);
        host.settings.python = python_with(name, requirements);
        host.settings.codec = codec;
        host
    };
    [
        (host("2.2", &["pandas==2.2.3", "numpy<2.3", "pyarrow"], TableCodec::Auto), "arrow"),
        (host("2.2", &["pandas==2.2.3", "numpy<2.3", "pyarrow"], TableCodec::Json), "json"),
        (host("newest", &["pandas"], TableCodec::Auto), "json"),
    ]
}

fn asked_for_large_tables() -> bool {
    std::env::var_os("PYDIST_TESTS_TABLE_GIB").is_some()
}

#[test]
fn pel_69_each_type_comes_back_as_it_went() {
    for (mut host, codec) in environments() {
        let mut server = host.loaded();
        for kind in ["real", "integer", "nominal", "boolean", "text", "date-time", "time", "text-set", "text-list"] {
            // (rows, missing); -1 is all
            let small: [(u64, i64); 4] = [(0, 0), (5, 0), (5, 2), (5, -1)];
            // A million of each take a minute and more, most of it in the comparison.
            let large: &[(u64, i64)] = match (codec, kind) {
                _ if asked_for_large_tables() => &[(1_000_000, 3)],
                ("arrow", "real" | "integer") => &[(1_000_000, 3)],
                // More than one group of rows in JSON.
                (_, "integer") => &[(70_000, 3)],
                _ => &[],
            };
            for &(rows, missing) in small.iter().chain(large) {
                let parameters = json!({ "kind": kind, "rows": rows, "missing": missing });
                let (used, counted, columns, content) = table(&mut host, &mut server, call("make", &parameters));
                assert_eq!((used.as_str(), counted), (codec, rows), "{kind}");
                assert_eq!(columns[0]["role"], "label", "{kind}");
                let input = InputForm::Table { codec: used, content };
                let checked = with_input(call("check", &parameters), "table", input);
                let outcome = host.run(&mut server, checked);
                let dtype = outcome.unwrap_or_else(|error| panic!("{codec} {kind} {rows} {missing}: {error}"));
                let dtype = String::from_utf8(bytes(dtype)).unwrap();
                match (kind, missing) {
                    ("integer", 0) => assert_eq!(dtype, "int64"),
                    ("integer", _) => assert_eq!(dtype, "Int64", "{codec} {rows} {missing}"),
                    ("date-time", _) => assert_eq!(dtype, "datetime64[ns, UTC]"),
                    ("nominal", _) if rows > 0 => assert_eq!(dtype, "object"),
                    _ => {}
                }
            }
        }
    }
}

#[test]
fn pel_70_71_what_a_table_cannot_hold_is_changed_with_a_word_or_refused() {
    for (mut host, codec) in environments() {
        let mut server = host.loaded();
        // (table, what becomes of it, what is said)
        let accepted = [
            ("beyond", r#"["9007199254740992.0", "-9007199254740992.0", "9.223372036854776e+18"]"#, "beyond 53 bits"),
            ("unsigned", r#"["1.8446744073709552e+19"]"#, "beyond 53 bits"),
            ("decimal", r#"["1.5", "nan"]"#, "decimals"),
            ("mixed", r#"["1", "a", "nan"]"#, "several types"),
            ("numbered", r#"[["1"], ["2"]"#, "the index of the table is dropped"),
            ("empty", "[[]]", ""),
        ];
        for (what, expected, said) in accepted {
            host.events.clear();
            let (used, _, _, content) = table(&mut host, &mut server, call("odd", &json!({ "what": what })));
            let warned = host.lines().iter().any(|line| line.contains(said));
            assert!(warned || said.is_empty(), "{codec} {what}: {:?}", host.events);
            let shown = with_input(call("shown", &json!({})), "table", InputForm::Table { codec: used, content });
            let text = String::from_utf8(bytes(host.run(&mut server, shown).unwrap())).unwrap();
            assert!(text.contains(expected), "{codec} {what}: {text}");
        }
        let texts = json!({ "texts": ["1500-01-01T00:00:00", "9999-12-31T23:59:59.999999+01:00", null] });
        host.events.clear();
        let (used, _, _, content) = table(&mut host, &mut server, call("dates", &texts));
        let naive = host
            .events
            .iter()
            .filter(|event| matches!(event, RunEvent::Log { text, .. } if text.contains("without a zone")));
        assert_eq!(naive.count(), 1, "{:?}", host.events);
        let shown = with_input(call("shown", &json!({})), "table", InputForm::Table { codec: used, content });
        let text = String::from_utf8(bytes(host.run(&mut server, shown).unwrap())).unwrap();
        let dates = r#"["1500-01-01 00:00:00+00:00", "9999-12-31 22:59:59.999999+00:00", "NaT"]"#;
        assert!(text.contains(dates) && text.contains("datetime64[us, UTC]"), "{codec}: {text}");
    }
}

/// The first is the newest before 2; it has wheels for 3.11 and not for what came later.
#[test]
fn pel_71_a_pandas_that_has_nanoseconds_alone_refuses_dates_that_they_do_not_reach() {
    if testkit::is_left_out("python-3.11") {
        return;
    }
    let python = environment("1.5", "3.11", &["pandas==1.5.3", "numpy<2", "pyarrow<18"]);
    let stream = |texts: &Value| {
        let (mut host, _) = environments().into_iter().next().unwrap();
        let mut server = host.loaded();
        table(&mut host, &mut server, call("dates", &json!({ "texts": texts })))
    };
    let mut host = Host::new(OPERATORS);
    host.settings.python = python;
    let mut server = host.loaded();
    let (codec, _, _, content) = stream(&json!(["1999-12-31T00:00:00", null, "2262-01-01T00:00:00"]));
    let shown = with_input(call("shown", &json!({})), "table", InputForm::Table { codec, content });
    let text = String::from_utf8(bytes(host.run(&mut server, shown).unwrap())).unwrap();
    assert!(text.contains(r#"["1999-12-31 00:00:00+00:00", "NaT", "2262-01-01 00:00:00+00:00"]"#), "{text}");
    for texts in
        [json!(["1999-12-31T00:00:00", null, "1500-01-01T00:00:00"]), json!([null, null, "9999-12-31T00:00:00"])]
    {
        let (codec, _, _, content) = stream(&texts);
        let shown = with_input(call("shown", &json!({})), "table", InputForm::Table { codec, content });
        let error = host.run(&mut server, shown).unwrap_err();
        assert_eq!(error.code(), "E_SERIALIZE", "{error}");
        assert_eq!(error.to_string(), "port table: column 'd' has a date in row 2 that pandas before 2 cannot hold");
    }
}

#[test]
fn pel_72_a_refused_column_is_named() {
    let (mut host, _) = environments().into_iter().next().unwrap();
    let mut server = host.loaded();
    // (table, words of the error)
    let refused = [
        ("duplicate", "two columns are called 'a'"),
        ("none", "a column is called None"),
        ("complex", "column 'z' has the type complex128"),
        ("period", "column 'p' has the type period[M]"),
        ("levels", "more than one level of column names"),
        ("nested", "column 'n' has nested values"),
        ("null in list", "column 'l' has an item in row 0 that is not a text"),
        ("long", "column 't' has the duration"),
    ];
    for (what, words) in refused {
        let error = host.run(&mut server, call("odd", &json!({ "what": what }))).unwrap_err();
        assert_eq!(error.code(), "E_SERIALIZE", "{what}: {error}");
        assert!(
            error.to_string().starts_with("output result: ") && error.to_string().contains(words),
            "{what}: {error}"
        );
    }
}

#[test]
fn pel_73_a_role_stays_with_its_column() {
    for (mut host, codec) in environments() {
        let mut server = host.loaded();
        let (used, _, _, content) = table(&mut host, &mut server, call("with_roles", &json!({})));
        let added = with_input(call("adds", &json!({})), "table", InputForm::Table { codec: used, content });
        let (used, _, columns, content) = table(&mut host, &mut server, added);
        let roles: Vec<&Value> = columns.iter().map(|column| &column["role"]).collect();
        assert_eq!(roles, [&json!("id"), &json!("label"), &Value::Null], "{codec}");
        let dropped = with_input(call("drops", &json!({})), "table", InputForm::Table { codec: used, content });
        let (_, _, columns, _) = table(&mut host, &mut server, dropped);
        assert_eq!(columns[0], json!({ "name": "y", "type": "nominal", "role": "label" }), "{codec}");
    }
}

#[test]
fn pel_74_without_pyarrow_arrow_is_an_error_that_names_it() {
    let mut host = Host::new(OPERATORS);
    host.settings.python = python_with("newest", &["pandas"]);
    host.settings.codec = TableCodec::Arrow;
    let mut server = host.loaded();
    assert_eq!(server.welcome().codecs, ["json"]);
    let error = host.run(&mut server, call("with_roles", &json!({}))).unwrap_err();
    assert_eq!(error.code(), "E_SERIALIZE");
    assert!(error.to_string().contains("pyarrow is not installed"), "{error}");
    let arrow = InputForm::Table { codec: "arrow".to_owned(), content: vec![1, 2].into() };
    let error = host.run(&mut server, with_input(call("shown", &json!({})), "table", arrow)).unwrap_err();
    assert!(error.to_string().contains("port table") && error.to_string().contains("pyarrow"), "{error}");
}
