//! What each of the three servers answers to a target: section by section of AIStore's contract for ETL pods, and requests
//! as a target of v1.5.0 sent them.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::process::Command;

use crate::hop::Hop;
use crate::support::{FRAMEWORKS, Pod, Serving, UPPER, encoded_twice, pickled, printed, sdk};

fn serving(framework: &str, hop: &Hop) -> Option<Serving> {
    let python = sdk("3.12")?;
    let target = format!("{}/v1/etl/_object/my-etl/secret", hop.url());
    let pod = Pod::new(&python, &pickled(&python, framework, UPPER)).set("AIS_TARGET_URL", &target);
    Some(pod.set("ETL_PYTHON_VERSION", "3.12").without_an_administrators_rights().serve())
}

// cases 59, 60, 61, 62, 63, 64, 65 and E3, E4, and the requests that the SDK leaves open
#[test]
fn fastapi_keeps_the_contract() {
    contract("fastapi");
}

#[test]
fn flask_keeps_the_contract() {
    contract("flask");
}

#[test]
fn the_threaded_server_keeps_the_contract() {
    contract("threaded");
}

fn contract(framework: &str) {
    assert!(FRAMEWORKS.contains(&framework));
    let hop = Hop::start();
    let Some(server) = serving(framework, &hop) else { return };
    bytes_and_arguments(&server, framework);
    files_of_objects(&server);
    what_is_no_object(&server);
    objects_of_the_target(&server, &hop);
    direct_put(&server, &hop);
    recorded_requests(&server, &hop);
    requests_that_are_open(&server, framework);
    let (status, log) = server.stop();
    assert_eq!(status.code(), Some(0), "{log}");
    assert_eq!(log.matches("3 PUT requests without body and etl_fqn so far").count(), 1, "{log}");
}

// cases 59, 60 and 65
fn bytes_and_arguments(server: &Serving, framework: &str) {
    assert!(server.send("GET", "/health", &[], b"").is(200, "Running"));
    let answer = server.send("PUT", "/b/o", &[], b"abc");
    assert!(answer.is(200, "ABC"), "{answer:?}");
    assert!(answer.headers["content-type"].starts_with("application/octet-stream"));
    assert!(server.send("PUT", "/b/o?etl_args=XY", &[], b"abc").is(200, "ABCXY"));
    let failed = server.send("PUT", "/b/o", &[], b"boom");
    let words = match framework {
        "fastapi" => r#"{"detail":"Processing error: boom!"}"#,
        "flask" => r#"{"error":"boom!"}"#,
        _ => "Internal error during transformation",
    };
    assert!(failed.status == 500 && failed.text().trim().contains(words), "{failed:?}");
    let chunked = server.send("PUT", "/b/o", &[("Transfer-Encoding", "chunked")], b"3\r\nabc\r\n0\r\n\r\n");
    let deleted = server.send("DELETE", "/b/o", &[], b"");
    if framework == "threaded" {
        assert_eq!((chunked.status, deleted.status), (501, 501));
    } else {
        assert!(chunked.is(200, "ABC"), "{chunked:?}");
        assert_eq!(deleted.status, 405);
    }
}

// case 60, E3
fn files_of_objects(server: &Serving) {
    let path = server.pod.mount().join("o 1#é");
    fs::write(&path, "from the file").unwrap();
    let target = format!("/demo/d/o%201%23%C3%A9?etl_fqn={}", encoded_twice(path.to_str().unwrap()));
    for method in ["PUT", "GET"] {
        assert!(server.send(method, &target, &[], b"").is(200, "FROM THE FILE"));
    }
    let large = server.pod.mount().join("large");
    fs::write(&large, "l".repeat(300_000)).unwrap();
    let large = format!("/demo/large?etl_fqn={}", encoded_twice(large.to_str().unwrap()));
    assert!(server.send("PUT", &large, &[], b"").is(200, &"L".repeat(300_000)));
    let absent = encoded_twice(server.pod.mount().join("absent").to_str().unwrap());
    assert_eq!(server.send("PUT", &format!("/demo/o?etl_fqn={absent}"), &[], b"abc").status, 404);
}

// E4
fn what_is_no_object(server: &Serving) {
    let mount = server.pod.mount();
    let secret = server.pod.folder.path().join("secret");
    fs::write(&secret, "secret").unwrap();
    fs::create_dir_all(mount.join("folder")).unwrap();
    let fifo = mount.join("fifo");
    assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    symlink(&secret, mount.join("link")).unwrap();
    symlink(server.pod.folder.path(), mount.join("linked-folder")).unwrap();
    symlink("loop", mount.join("loop")).unwrap();
    let unreadable = mount.join("unreadable");
    fs::write(&unreadable, "x").unwrap();
    fs::set_permissions(&unreadable, fs::Permissions::from_mode(0o000)).unwrap();
    let closed = mount.join("closed");
    testkit::write(&closed, "object", "x");
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o000)).unwrap();
    let (inside, outside) = (mount.display(), "outside ETL_FQN_ROOTS");
    let refused = [
        ("/etc/passwd".to_owned(), 404, outside),
        ("/etc/absent".to_owned(), 404, outside),
        (secret.display().to_string(), 404, outside),
        (format!("{inside}/../secret"), 404, outside),
        (format!("{inside}/folder/../../secret"), 404, outside),
        (format!("{inside}x/secret"), 404, outside),
        (format!("{inside}/link"), 404, outside),
        (format!("{inside}/linked-folder/secret"), 404, outside),
        ("/proc/self/environ".to_owned(), 404, outside),
        ("/proc/self/root/etc/passwd".to_owned(), 404, outside),
        ("../../etc/passwd".to_owned(), 404, outside),
        (format!("{inside}/folder"), 404, "not a regular file"),
        (format!("{inside}"), 404, ""),
        (format!("{inside}/fifo"), 404, "not a regular file"),
        (format!("{inside}/loop"), 404, "Too many levels of symbolic links"),
        (format!("{inside}/absent"), 404, "No such file or directory"),
        (format!("{inside}/o\0"), 404, "null"),
        (format!("{inside}/{}", "long".repeat(100)), 404, "File name too long"),
        // One encoding more than a target's: no `..`, but a name.
        (format!("{inside}/%2e%2e/secret"), 404, "No such file or directory"),
        (format!("{inside}/unreadable"), 403, "this user may not read it"),
        (format!("{inside}/closed/object"), 403, "Permission denied"),
    ];
    for (path, status, reason) in refused {
        for method in ["PUT", "GET"] {
            let answer = server.send(method, &format!("/demo/o?etl_fqn={}", encoded_twice(&path)), &[], b"");
            assert_eq!(answer.status, status, "{method} {path}: {answer:?}");
            assert!(
                answer.text().contains("etl_fqn ") && answer.text().contains(reason),
                "{method} {path}: {answer:?}"
            );
            assert!(!answer.text().contains("SECRET") && !answer.text().to_lowercase().contains("root:"), "{answer:?}");
        }
    }
    assert!(server.log().contains("outside ETL_FQN_ROOTS") && server.log().contains("not a regular file"));
    // Links are followed as long as they stay inside; the one with nothing in it is not mistaken for one without a body.
    fs::write(mount.join("object"), "object").unwrap();
    symlink("object", mount.join("linked")).unwrap();
    let linked = encoded_twice(&format!("{inside}/linked"));
    assert!(server.send("PUT", &format!("/demo/o?etl_fqn={linked}"), &[], b"").is(200, "OBJECT"));
}

// case 61
fn objects_of_the_target(server: &Serving, hop: &Hop) {
    hop.taken();
    assert!(server.send("GET", "/bck/obj", &[], b"").is(200, "ABC"));
    let lines: Vec<String> = hop.taken().into_iter().map(|arrived| arrived.line).collect();
    let asked = ["GET /v1/etl/_object/my-etl/secret/bck/obj", "GET /v1/etl/_object/my-etl/secret/bck%2Fobj"];
    assert!(lines.len() == 1 && asked.contains(&lines[0].as_str()), "{lines:?}");
    assert_eq!(server.send("GET", "/bck/missing", &[], b"").status, 404);
    assert_eq!(server.send("GET", "/bck/silent", &[], b"").status, 502);
}

// cases 62, 63 and 64
fn direct_put(server: &Serving, hop: &Hop) {
    let put = |url: &str| server.send("PUT", "/b/o?etl_args=XY", &[("Ais-Node-Url", url)], b"abc");
    let at = |path: &str| format!("{}{path}", hop.url());
    hop.taken();
    let delivered = put(&at("/x/delivered"));
    assert_eq!((delivered.status, delivered.headers["ais-direct-put-length"].as_str()), (204, "17"));
    let arrived = hop.taken().pop().unwrap();
    assert!(arrived.line.starts_with("PUT /v1/etl/_object/my-etl/secret/x/delivered"), "{}", arrived.line);
    assert_eq!(arrived.body, b"ABCXY");
    assert!(put(&at("/body")).is(200, "next"));
    let empty = put(&at("/empty"));
    assert_eq!((empty.status, empty.headers["ais-direct-put-length"].as_str()), (204, "5"));
    assert!(put(&at("/broken")).is(500, "bad"));
    assert_eq!(put("http://127.0.0.1:1/refused").status, 502);

    hop.taken();
    let answer =
        server.send("PUT", "/b/body", &[("Ais-Node-Url", &format!("{},http://127.0.0.1:1/u2", hop.url()))], b"abc");
    assert!(answer.is(200, "next"), "{answer:?}");
    let arrived = hop.taken();
    assert_eq!(arrived.len(), 1);
    assert_eq!((arrived[0].line.as_str(), &arrived[0].body[..]), ("PUT /b/body", &b"ABC"[..]));
    assert_eq!(arrived[0].headers["ais-node-url"], "http://127.0.0.1:1/u2");
    let bad = put(&format!(",{}", at("/x")));
    assert!(bad.status == 400 && bad.text().contains("Pipeline header contains empty entry"), "{bad:?}");
}

/// As a target of v1.5.0 sent them, with other addresses and another folder of objects.
fn recorded_requests(server: &Serving, hop: &Hop) {
    let mount = server.pod.mount();
    let object = |below: &str, name: &str| {
        let path = format!("{below}/%ob/dir/{name}");
        testkit::write(&mount, &path, "recorded");
        encoded_twice(&format!("{}/{path}", mount.display()))
    };
    let fqn = object("2/@ais/demo2", "obj 1.txt");
    assert!(server.send("PUT", &format!("/demo2/dir/obj%201.txt?etl_fqn={fqn}"), &[], b"").is(200, "RECORDED"));
    hop.taken();
    let fqn = object("@ais/demo2", "obj 0.txt");
    let target = format!("/demo2/dir/obj%200.txt?etl_fqn={fqn}");
    let direct = format!("{}/ais%2F@%23%2Fempty%2Fdir%2Fobj%200.txt?owt=3&uuid=cu1O8rvy1", hop.url());
    let answer = server.send("PUT", &target, &[("Ais-Node-Url", &direct)], b"");
    assert_eq!((answer.status, answer.headers["ais-direct-put-length"].as_str()), (204, "8"), "{answer:?}");
    let arrived = hop.taken().pop().unwrap();
    let line = "PUT /v1/etl/_object/my-etl/secret/ais%2F@%23%2Fempty%2Fdir%2Fobj%200.txt?owt=3&uuid=cu1O8rvy1";
    assert_eq!((arrived.line.as_str(), &arrived.body[..]), (line, &b"RECORDED"[..]));

    let next =
        format!("{},http://127.0.0.1:1/ais%2F@%23%2Frecdst2%2Fdir%2Fobj%200.txt?owt=3&uuid=JvHO8rvyT", hop.url());
    let answer = server.send("PUT", &target, &[("Ais-Node-Url", &next)], b"");
    assert!(answer.is(200, "abc"), "{answer:?}");
    let arrived = hop.taken().pop().unwrap();
    assert_eq!(arrived.line, "PUT /demo2/dir/obj%200.txt");
    assert!(arrived.headers["ais-node-url"].starts_with("http://127.0.0.1:1/ais%2F@%23%2Frecdst2"));

    // A client after its redirect.
    let pulled = "/ais%2F@%23%2Fdemo2%2Fdir%2Fobj%200.txt?etl_args=XY&latest-ver=true";
    assert!(server.send("GET", pulled, &[("Ais-Client", "sdk")], b"").is(200, "ABCXY"));
    // The body comes along if the target may not pass paths.
    assert!(server.send("PUT", "/demo2/dir/obj%201.txt", &[], b"latest").is(200, "LATEST"));
}

fn requests_that_are_open(server: &Serving, framework: &str) {
    let download = server.send("POST", "/download?link=http%3A%2F%2Fexample.com", &[], b"");
    assert!(download.status == 501 && download.text().contains("do not download"), "{download:?}");
    // An object `d/o 1#x.txt`, as a target asks for it.
    for _ in 0..3 {
        assert!(server.send("PUT", "/demo/d/o%201", &[], b"").is(200, ""), "{framework}");
    }
    assert_eq!(server.log().matches("its name holds `#`").count(), 1, "explained once for all workers");
}

// case 66
#[test]
fn fastapi_serves_web_sockets() {
    let hop = Hop::start();
    let Some(server) = serving("fastapi", &hop) else { return };
    let client = "
import json, os, websockets.sync.client as client
with client.connect(f'ws://127.0.0.1:{os.environ[\"PORT\"]}/ws') as socket:
    def ask(data, **control):
        socket.send(json.dumps({'path': 'b/o', **control}).encode())
        socket.send(data)
        return socket.recv()
    print(ask(b'abc'))
    print(ask(b'abc', etl_args='XY'))
    print(ask(b'abc', pipeline=',http://x'))
    print(ask(b'boom'))
";
    let told = printed(&sdk("3.12").unwrap(), client, &[("PORT", &server.pod.port.to_string())]);
    let lines: Vec<&str> = told.lines().collect();
    assert_eq!(lines[..2], ["b'ABC'", "b'ABCXY'"]);
    assert!(lines[2].starts_with("Invalid pipeline header"), "{told}");
    assert!(lines[3].starts_with("Transform error: "), "{told}");
}

// case 67
#[test]
fn a_path_is_passed_on_where_the_class_wants_it() {
    let Some(python) = sdk("3.12") else { return };
    for framework in FRAMEWORKS {
        let pod = Pod::new(&python, &pickled(&python, framework, UPPER)).set("ETL_DIRECT_FQN", "true");
        let path = pod.mount().join("object");
        fs::write(&path, "content").unwrap();
        let server = pod.serve();
        let answer = server.send("PUT", &format!("/b/o?etl_fqn={}", encoded_twice(path.to_str().unwrap())), &[], b"");
        assert!(answer.is(200, &format!("path {}", path.display())), "{answer:?}");
        let outside = server.send("PUT", "/b/o?etl_fqn=%252Fetc%252Fpasswd", &[], b"");
        assert_eq!(outside.status, 404, "{framework}");
    }
}
