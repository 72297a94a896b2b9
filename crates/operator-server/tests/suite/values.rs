//! Files, bytes, objects and lists; tables are tested with pandas, in `real`.

use std::fs::{self, File};

use operator_server::{Call, Content, InputForm, OutputForm, RunError};
use serde_json::json;
use vocab::Fault;

use crate::support::{Host, bytes, call, with_input};

const OPERATORS: &str = r#"
import io, os, pathlib, tempfile


class Model:
    def __init__(self, text):
        self.text = text

    def to_bytes(self):
        return self.text.encode()

    @classmethod
    def from_bytes(cls, data):
        return cls(data.decode())


class Internal:
    pass


def size(data):
    return io.BytesIO(str(len(data.getbuffer())).encode())


def echo(data):
    return data


def reads(path: pathlib.Path):
    return io.BytesIO((path.name + ":" + path.read_text()).encode())


def writes():
    path = pathlib.Path("out.txt")
    path.write_text("written")
    return path


def outside(path: str):
    return pathlib.Path(path)


def makes():
    return Model("model"), Internal()


def uses(model, internal):
    return io.BytesIO(f"{model.text} {type(internal).__name__}".encode())


def many():
    return [io.BytesIO(b"a"), pathlib.Path(tempfile.mkstemp()[1]), [io.BytesIO(b"b")]]


def counts(items):
    return io.BytesIO(repr([type(item).__name__ for item in items]).encode())


def nothing():
    return None
"#;

#[test]
fn bytes_of_several_frames_go_through_both_ways() {
    let mut host = Host::new(OPERATORS);
    let mut server = host.loaded();
    for length in [0, 1, 8 << 20, (8 << 20) + 1, 20_000_000] {
        let data: Vec<u8> = (0..length).map(|at| (at % 251) as u8).collect();
        let echoed = with_input(call("echo", &json!({})), "data", InputForm::Bytes(data.clone().into()));
        assert!(bytes(host.run(&mut server, echoed).unwrap()) == data, "for {length} bytes");
    }
    host.settings.largest_body = 100;
    let mut server = host.loaded();
    let large = with_input(call("size", &json!({})), "data", InputForm::Bytes(vec![0; 101].into()));
    assert_eq!(host.run(&mut server, large).unwrap_err().code(), "E_RUN_BODY");
}

#[test]
fn files_come_by_path_or_by_content_and_go_out_of_the_runs_folder() {
    let mut host = Host::new(OPERATORS);
    let mut server = host.loaded();
    let path = host.root().join("input é.txt");
    fs::write(&path, "text").unwrap();
    let by_path = with_input(call("reads", &json!({})), "path", InputForm::Path(path.clone()));
    assert_eq!(bytes(host.run(&mut server, by_path).unwrap()), "input é.txt:text".as_bytes());
    let content = Content::of_file(File::open(&path).unwrap()).unwrap();
    let sent = InputForm::File { name: "../../a b.txt".to_owned(), content };
    let outputs = host.run(&mut server, with_input(call("reads", &json!({})), "path", sent)).unwrap();
    assert_eq!(bytes(outputs), b"in-_.._a_b.txt:text", "a name leads nowhere else");
    assert_eq!(bytes(host.run(&mut server, call("writes", &json!({}))).unwrap()), b"written");
}

#[test]
fn pel_77_a_file_outside_of_the_run_is_refused() {
    let mut host = Host::new(OPERATORS);
    let home = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let secret = home.path().join("secret.txt");
    fs::write(&secret, "secret").unwrap();
    let mut server = host.loaded();
    let outside = || call("outside", &json!({ "path": secret.display().to_string() }));
    let error = host.run(&mut server, outside()).unwrap_err();
    assert_eq!(error.code(), "E_SERIALIZE");
    assert!(error.to_string().contains("output result") && error.to_string().contains("allowOutsideFiles"), "{error}");
    host.settings.allow_outside_files = true;
    let mut server = host.loaded();
    assert_eq!(bytes(host.run(&mut server, outside()).unwrap()), b"secret");
}

#[test]
fn pel_76_objects_stay_in_their_server_and_die_with_it() {
    let mut host = Host::new(OPERATORS);
    let mut server = host.loaded();
    let made = Call { outputs: vec!["model".to_owned(), "internal".to_owned()], ..call("makes", &json!({})) };
    let outputs = host.run(&mut server, made).unwrap();
    let forms: Vec<OutputForm> = outputs.into_iter().map(|output| output.form).collect();
    let [OutputForm::Object { class, content }, OutputForm::Handle { handle, server: owner, .. }] =
        <[OutputForm; 2]>::try_from(forms).unwrap()
    else {
        panic!("one of each")
    };
    assert_eq!(class, "ops.Model");
    let model = content.into_bytes().unwrap();
    let use_with = |handle: &str, owner: u32| {
        let object = InputForm::Object { class: class.clone(), content: model.clone().into() };
        let call = with_input(call("uses", &json!({})), "model", object);
        with_input(call, "internal", InputForm::Handle { handle: handle.to_owned(), server: owner })
    };
    assert_eq!(bytes(host.run(&mut server, use_with(&handle, owner)).unwrap()), b"model Internal");
    assert!(server.holds_objects());
    let mut other = host.loaded();
    assert_eq!(host.run(&mut other, use_with(&handle, owner)).unwrap_err().code(), "E_HANDLE_FOREIGN");
    server.release(std::slice::from_ref(&handle)).unwrap();
    assert_eq!(host.run(&mut server, use_with(&handle, owner)).unwrap_err().code(), "E_HANDLE_LOST");
}

#[test]
fn lists_and_nothing_cross_as_well() {
    let mut host = Host::new(OPERATORS);
    let mut server = host.loaded();
    let outputs = host.run(&mut server, call("many", &json!({}))).unwrap();
    let OutputForm::List(items) = &outputs[0].form else { panic!("{outputs:?}") };
    assert!(
        matches!(&items[..], [OutputForm::Bytes(_), OutputForm::File { .. }, OutputForm::List(inner)] if inner.len() == 1),
        "{items:?}"
    );
    let items = InputForm::List(vec![InputForm::None, InputForm::Bytes(vec![1].into()), InputForm::List(Vec::new())]);
    let counted = host.run(&mut server, with_input(call("counts", &json!({})), "items", items)).unwrap();
    assert_eq!(bytes(counted), b"['NoneType', 'BytesIO', 'list']");
    let outputs = host.run(&mut server, call("nothing", &json!({}))).unwrap();
    assert!(matches!(outputs[0].form, OutputForm::None));
    let two = Call { outputs: vec!["a".to_owned(), "b".to_owned()], ..call("nothing", &json!({})) };
    let error = host.run(&mut server, two).unwrap_err();
    assert!(matches!(&error, RunError::Serialize { .. }), "{error:?}");
    assert_eq!(error.to_string(), "the operator has 2 outputs and returned NoneType");
}
