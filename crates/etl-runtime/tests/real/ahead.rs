//! Imports that are done while packages are installed: the server is the same as if they had been there.

use std::fs;
use std::path::Path;

use testkit::{FixtureIndex, WheelBuilder};

use crate::support::{FRAMEWORKS, Pod, Serving, children, pickled, sdk, until};

/// Says which version of `module` it finds, which has to be the one in the folder of packages, before all but the entry module.
fn telling(module: &str) -> String {
    format!(
        "
class Telling(Base):
    def transform(self, data, path, etl_args):
        import {module}, os, sys
        assert sys.path[1] == os.path.dirname(os.path.dirname({module}.__file__)), sys.path
        assert os.environ['PYTHONPATH'].startswith(sys.path[1] + ':')
        return {module}.__version__.encode() + data
"
    )
}

/// What others want of idna, and of a plug-in for pydantic.
const CORE: &str = "
IDNAError = UnicodeError
class Plugin:
    def new_schema_validator(self, *_arguments, **_named):
        return None, None, None
plugin = Plugin()
";

/// Serves with this package from an index, from an empty store. It has an entry point of `group`.
fn serving(framework: &str, package: &str, group: Option<&str>) -> Option<Serving> {
    let python = sdk("3.12")?;
    let wheel = WheelBuilder::new(package, "99.0").file(&format!("{package}/core.py"), CORE);
    let init = format!("from .core import IDNAError\n__version__ = '{package} 99 '\n");
    let mut wheel = wheel.file(&format!("{package}/__init__.py"), init);
    if let Some(group) = group {
        wheel = wheel.entry_point(group, "it", &format!("{package}.core:plugin"));
    }
    let mut index = FixtureIndex::new();
    index.add(wheel.build());
    let served = index.serve();
    let pod = Pod::new(&python, &pickled(&python, framework, &telling(package)));
    let store = pod.folder.path().join("store").display().to_string();
    // For a machine that does much else.
    let pod = pod.set("PYDIST_STORE", &store).set("ETL_LOAD_TIMEOUT", "600");
    let pod = pod.set("PACKAGES", &format!("{package}==99"));
    Some(pod.set("UV_DEFAULT_INDEX", &served.simple_url()).serve())
}

/// What the process that loaded the class was started as.
fn role(server: &Serving) -> String {
    let loaders = children(server.pid());
    assert_eq!(loaders.len(), 1, "{}", server.log());
    let line = fs::read_to_string(format!("/proc/{}/cmdline", loaders[0])).unwrap();
    line.split('\0').nth(2).unwrap_or_default().to_owned()
}

#[track_caller]
fn assert_served(framework: &str, package: &str, group: Option<&str>, begun: &str) {
    let Some(server) = serving(framework, package, group) else { return };
    let answer = server.send("PUT", "/b/o", &[], b"abc");
    assert!(answer.is(200, &format!("{package} 99 abc")), "{framework}: {answer:?} {}", server.log());
    assert_eq!(role(&server), begun, "{framework} {package}");
    let below = children(server.pid());
    let processes: Vec<u32> = below.iter().copied().chain(below.iter().flat_map(|pid| children(*pid))).collect();
    let (status, log) = server.stop();
    assert_eq!(status.code(), Some(0), "{framework} {package}: {log}");
    // Also one that served before somebody watched over it.
    until("all of its processes have ended", || {
        processes.iter().all(|pid| !Path::new(&format!("/proc/{pid}")).exists())
    });
}

#[test]
fn packages_that_nothing_looked_for_join_what_was_imported_ahead() {
    for framework in FRAMEWORKS {
        assert_served(framework, "demo", Some("pyinstaller40"), "ahead");
    }
}

#[test]
fn where_a_package_could_have_made_a_difference_the_process_starts_over() {
    // Imported by all that speaks HTTP; what FastAPI does without; what pydantic looks for in all distributions.
    assert_served("threaded", "idna", None, "again");
    assert_served("fastapi", "orjson", None, "again");
    assert_served("fastapi", "demo", Some("pydantic"), "again");
}
