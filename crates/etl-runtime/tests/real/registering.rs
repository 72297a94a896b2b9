//! `pydist_etl.init_class`: what AIStore is asked for, and the example of the documentation.

use serde_json::Value;

use crate::hop::Hop;
use crate::support::{Pod, printed, script_output, sdk, text};

/// Registers `source` with a server that writes the request down.
fn registered(python: &std::path::Path, hop: &Hop, source: &str) -> Value {
    hop.taken();
    printed(python, source, &[("AIS_ENDPOINT", &hop.url())]);
    let request = hop.taken().into_iter().find(|arrived| arrived.line.starts_with("PUT /v1/etl")).unwrap();
    serde_json::from_slice(&request.body).unwrap()
}

fn variable<'a>(spec: &'a Value, name: &str) -> &'a str {
    let variables = spec["runtime"]["env"].as_array().unwrap();
    variables
        .iter()
        .find(|variable| variable["name"] == name)
        .map_or("", |variable| variable["value"].as_str().unwrap())
}

/// The first example of docs/etl.md, without the lines that need a cluster.
fn example() -> String {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/etl.md")).unwrap();
    let block = page.split("```python\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    block.replace("\"http://ais-endpoint:8080\"", "__import__(\"os\").environ[\"AIS_ENDPOINT\"]")
}

// case 72
#[test]
fn the_example_of_the_documentation_registers_and_serves() {
    let Some(python) = sdk("3.12") else { return };
    let hop = Hop::start();
    let spec = registered(&python, &hop, &example());
    assert_eq!((&spec["name"], &spec["communication"]), (&"my-etl".into(), &"hpush://".into()), "{spec}");
    assert_eq!(spec["runtime"]["image"], "registry.example.com/etl:3.12");
    assert_eq!(spec["runtime"]["command"], serde_json::json!(["etl-runtime"]));
    assert_eq!((variable(&spec, "PACKAGES"), variable(&spec, "NUM_WORKERS")), ("requests", "8"));
    assert_eq!((variable(&spec, "OS_PACKAGES"), variable(&spec, "ETL_PYTHON_VERSION")), ("", "3.12"));

    let mut pod = Pod::new(&python, variable(&spec, "ETL_CLASS_PAYLOAD"));
    for name in ["PACKAGES", "ETL_PYTHON_VERSION", "NUM_WORKERS"] {
        pod = pod.set(name, variable(&spec, name));
    }
    let server = pod.serve();
    assert!(server.send("PUT", "/demo/hello.txt", &[], b"hello ais!").is(200, "HELLO AIS!"));
    assert!(server.log().contains("is in the runtime"), "{}", server.log());
}

#[test]
fn the_former_spelling_is_understood_and_another_refused() {
    let Some(python) = sdk("3.12") else { return };
    let hop = Hop::start();
    let source = |arguments: &str| {
        format!(
            "import os, pydist_etl\nfrom aistore import Client\n\
             from aistore.sdk.etl.webserver.flask_server import FlaskServer\n\
             @pydist_etl.init_class(Client(os.environ['AIS_ENDPOINT']).etl('my-etl'), image='i', {arguments})\n\
             class My(FlaskServer):\n    def transform(self, data, path, etl_args):\n        return data\n\
             assert My.__name__ == 'My'"
        )
    };
    let spec = registered(&python, &hop, &source("comm_type='hpull', arg_type='fqn', os_packages=['a', 'b']"));
    assert_eq!((&spec["communication"], variable(&spec, "ETL_DIRECT_FQN")), (&"hpull://".into(), "true"), "{spec}");
    assert_eq!(variable(&spec, "OS_PACKAGES"), "a,b");
    let refused = script_output(&python, &source("arg_type='url'"), &[("AIS_ENDPOINT", &hop.url())]);
    assert!(text(&refused.stderr).contains("arg_type is 'url'"));
}

// E10, case 71
#[test]
fn a_class_of_120_kib_is_served_and_one_of_130_kib_refused_where_it_is_packed() {
    let Some(python) = sdk("3.12") else { return };
    let payload = |size: usize| {
        let source = format!(
            "import pydist_etl, sys\nfrom aistore.sdk.etl import serialize_class\n\
             from aistore.sdk.etl.webserver.http_multi_threaded_server import HTTPMultiThreadedServer\n\
             def made(length):\n    class Large(HTTPMultiThreadedServer):\n        data = 'x' * length\n        \
             def transform(self, data, path, etl_args):\n            return str(len(self.data)).encode()\n    return Large\n\
             length = {size} * 3 // 4 - 2000\n\
             while len(serialize_class(made(length + 1))) <= {size}: length += 1\n\
             print(pydist_etl.payload_of(made(length)), end='')"
        );
        script_output(&python, &source, &[])
    };
    let fits = payload(120 * 1024);
    assert!(fits.status.success(), "{}", text(&fits.stderr));
    let fits = text(&fits.stdout);
    assert_eq!(fits.len(), 120 * 1024);
    let server = Pod::new(&python, &fits).serve();
    assert_eq!(server.send("PUT", "/b/o", &[], b"").status, 200);
    let refused = payload(130 * 1024);
    let said = text(&refused.stderr);
    assert!(said.contains("ValueError: Large takes 133120 bytes pickled, and a pod can be given 122880"), "{said}");
}
