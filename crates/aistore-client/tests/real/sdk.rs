//! The Python SDK on one side, the client on the other.

use std::process::Command;

use aistore_client::{ChecksumKind, CreateOptions, CustomMetadata, GetOptions, ObjectContent, PutOptions};
use serde_json::{Value, json};
use testkit::aistore::{FakeAIStore, reply};

use crate::scratch::{Scratch, client_of, shared};

/// Runs a script with the SDK; it gets the arguments, and its standard output is JSON. `None`, and why, without the SDK.
#[expect(clippy::print_stderr, reason = "says which tests are left out, and why")]
fn python(script: &str, arguments: &[&str]) -> Option<Result<Value, String>> {
    let Some(python) = std::env::var_os("PYDIST_AISTORE_PYTHON").filter(|path| !path.is_empty()) else {
        eprintln!("skipped: PYDIST_AISTORE_PYTHON names no Python with `aistore`");
        return None;
    };
    let mut command = Command::new(python);
    let output = command.args(["-c", script]).args(arguments).output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    if !output.status.success() {
        return Some(Err(error));
    }
    Some(serde_json::from_slice(&output.stdout).map_err(|_| error))
}

const NAMES: [&str; 7] = ["a#b", "a?b=c", "100%", "%41", "a b", "é", "dir/x#y?z"];

#[test]
fn names_and_bytes_go_from_us_to_the_sdk_and_back() {
    let Some(cluster) = shared() else { return };
    let client = client_of(cluster);
    let scratch = Scratch::new(&client);
    for name in NAMES {
        let object = scratch.bucket.object(&format!("ours/{name}")).unwrap();
        object.put(ObjectContent::bytes(name), &PutOptions::default()).unwrap();
    }
    let script = "\
import json, sys
from aistore.sdk import Client
endpoint, bucket, names = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
bucket = Client(endpoint).bucket(bucket)
read = {name: bucket.object('ours/' + name).get_reader().read_all().decode() for name in names}
listed = sorted(entry.name for entry in bucket.list_all_objects(prefix='ours/'))
for name in names:
    bucket.object('theirs/' + name).get_writer().put_content(name.encode())
print(json.dumps({'read': read, 'listed': listed}))
";
    let names = json!(NAMES).to_string();
    let Some(said) = python(script, &[&cluster.endpoint(), scratch.bucket.bucket().name(), &names]) else { return };
    let said = said.unwrap();
    for name in NAMES {
        assert_eq!(said["read"][name], json!(name));
        let object = scratch.bucket.object(&format!("theirs/{name}")).unwrap();
        assert_eq!(object.get(&GetOptions::default()).unwrap().bytes().unwrap(), name.as_bytes(), "{name}");
    }
    let mut expected: Vec<_> = NAMES.iter().map(|name| format!("ours/{name}")).collect();
    expected.sort();
    assert_eq!(said["listed"], json!(expected));
}

#[test]
fn ais_a11_the_sdk_reads_an_object_of_ours_with_its_metadata_and_checksum() {
    let Some(cluster) = shared() else { return };
    let client = client_of(cluster);
    let options =
        CreateOptions { properties: Some(json!({ "checksum": { "type": "md5" } })), ..CreateOptions::default() };
    let scratch = Scratch::with(&client, &options);
    let custom =
        CustomMetadata::from([("build".to_owned(), "k-1".to_owned()), ("python".to_owned(), "3.12".to_owned())]);
    let options =
        PutOptions { custom: custom.clone(), checksum_kind: Some(ChecksumKind::Md5), ..PutOptions::default() };
    let stored = scratch.bucket.object("a").unwrap().put(ObjectContent::bytes("hello"), &options).unwrap();
    assert!(stored.is_verified);
    let script = "\
import hashlib, json, sys
from aistore.sdk import Client
reader = Client(sys.argv[1]).bucket(sys.argv[2]).object('a').get_reader()
content, attributes = reader.read_all(), reader.attributes
assert hashlib.md5(content).hexdigest() == attributes.checksum_value
print(json.dumps({'content': content.decode(), 'type': attributes.checksum_type, 'value': attributes.checksum_value,
                  'custom': attributes.custom_metadata}))
";
    let Some(said) = python(script, &[&cluster.endpoint(), scratch.bucket.bucket().name()]) else { return };
    let said = said.unwrap();
    assert_eq!((&said["content"], &said["type"]), (&json!("hello"), &json!("md5")));
    assert_eq!(said["value"], json!(stored.checksum.unwrap().value));
    assert_eq!(said["custom"], json!(custom));
}

#[test]
fn ais_46_the_sdk_lists_from_a_server_that_answers_in_messagepack_alone() {
    let script = "\
import json, sys
from aistore.sdk import Client
print(json.dumps([entry.name for entry in Client(sys.argv[1]).bucket('b').list_all_objects()]))
";
    let packed = rmp_serde::to_vec_named(&json!({
        "UUID": "U", "ContinuationToken": "", "Flags": 0, "Entries": [{ "n": "a", "s": 5, "f": 64 }],
    }));
    let answer = reply(200, packed.unwrap()).header("Content-Type", "application/msgpack");
    let server = FakeAIStore::always(answer);
    let Some(said) = python(script, &[&server.url("")]) else { return };
    assert_eq!(said.unwrap(), json!(["a"]));
    assert_eq!(server.only().header("accept"), "application/msgpack");
    let text = json!({ "uuid": "U", "continuation_token": "", "entries": [{ "name": "a", "size": "5", "flags": 64 }] });
    let server = FakeAIStore::always(reply(200, text.to_string()).header("Content-Type", "application/json"));
    assert!(python(script, &[&server.url("")]).unwrap().is_err());
}
