//! Every Python that there are servers for, with the SDK that its runtimes carry.

use std::fs;

use crate::support::{FRAMEWORKS, PYTHONS, Pod, UPPER, encoded_twice, pickled, printed, sdk, sdk_version};

#[test]
fn every_server_serves_on_every_python() {
    for minor in PYTHONS {
        let Some(python) = sdk(minor) else { continue };
        let script = "import sys, importlib.metadata as metadata; print('{}.{}'.format(*sys.version_info), metadata.version('aistore'))";
        assert_eq!(printed(&python, script, &[]), format!("{minor} {}\n", sdk_version(minor)));
        for framework in FRAMEWORKS {
            let pod = Pod::new(&python, &pickled(&python, framework, UPPER)).set("ETL_PYTHON_VERSION", minor);
            let path = pod.mount().join("object");
            fs::write(&path, "from the file").unwrap();
            let server = pod.without_an_administrators_rights().serve();
            let named = format!("{minor}, {framework}");
            let answer = server.send("PUT", "/b/o?etl_args=XY", &[], b"abc");
            assert!(answer.is(200, "ABCXY"), "{named}: {answer:?}");
            let file = |name: &std::path::Path| format!("/b/o?etl_fqn={}", encoded_twice(name.to_str().unwrap()));
            let answer = server.send("PUT", &file(&path), &[], b"");
            assert!(answer.is(200, "FROM THE FILE"), "{named}: {answer:?}");
            let answer = server.send("GET", &file("/etc/passwd".as_ref()), &[], b"");
            assert!(answer.status == 404 && answer.text().contains("outside ETL_FQN_ROOTS"), "{named}: {answer:?}");
            fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o0)).unwrap();
            let answer = server.send("PUT", &file(&path), &[], b"");
            assert!(answer.status == 403 && answer.text().contains("may not read"), "{named}: {answer:?}");
            assert_eq!(server.send("POST", "/download", &[], b"").status, 501, "{named}");
            let (status, log) = server.stop();
            assert_eq!(status.code(), Some(0), "{named}: {log}");
        }
    }
}
