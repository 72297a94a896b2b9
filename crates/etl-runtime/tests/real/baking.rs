//! `bake`, with the real uv and an index on loopback.

use std::path::Path;
use std::process::Command;

use config_merger::Requirement;
use etl_runtime::delta::{self, DeltaPlace};
use etl_runtime::{RuntimeFacts, package_list};
use store::Context;
use testkit::{FixtureIndex, WheelBuilder, told};
use vocab::{Environment, Work};

fn requirements(text: &str) -> Vec<Requirement> {
    package_list::parse(text).unwrap()
}

/// An environment of this machine's Python as a runtime, with `six` in it.
fn runtime(folder: &Path) -> RuntimeFacts {
    let prefix = folder.join("runtime");
    let made = Command::new("python3").args(["-m", "venv", "--without-pip"]).arg(&prefix).status().unwrap();
    assert!(made.success(), "python3 makes no environment");
    let interpreter = prefix.join("bin/python3");
    let site = RuntimeFacts::of_interpreter(&interpreter).unwrap().layout.site_packages().below(&prefix);
    testkit::write(&site, "six.py", "VERSION = '1.16.0'\n");
    testkit::write(&site, "six-1.16.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: six\nVersion: 1.16.0\n");
    RuntimeFacts::of_interpreter(&interpreter).unwrap()
}

fn context(folder: &Path, index: &str) -> Context {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let cache = folder.join("uv-cache").into_os_string();
    let variables =
        [("PATH", path), ("UV_DEFAULT_INDEX", index.into()), ("UV_CACHE_DIR", cache), ("UV_HTTP_RETRIES", "0".into())];
    let environment = Environment::new(variables.map(|(name, value)| (name.into(), value)));
    // The quiet context keeps away from servers.
    let context = Context::quiet(folder.join("store"));
    let context = Context { work: Work { offline: false, ..context.work.clone() }, ..context };
    context.in_environment(environment)
}

fn index() -> FixtureIndex {
    let mut index = FixtureIndex::new();
    index.add(
        WheelBuilder::new("alpha", "1.0")
            .file("alpha.py", "import beta, six\n")
            .requires("beta")
            .requires("six")
            .build(),
    );
    index.add(WheelBuilder::new("beta", "2.0").file("beta.py", "VERSION = 2\n").build());
    index.add(WheelBuilder::new("six", "1.16.0").file("six.py", "").build());
    index.add(WheelBuilder::new("six", "1.17.0").file("six.py", "").build());
    index.add(WheelBuilder::new("gamma", "1.0").requires("six>=1.17").build());
    index
}

#[test]
fn a_delta_holds_what_the_runtime_lacks_and_pods_need_no_index() {
    let folder = tempfile::tempdir().unwrap();
    let runtime = runtime(folder.path());
    let served = index().serve();
    let context = context(folder.path(), &served.simple_url());
    let address = folder.path().join("place").display().to_string();
    let place = DeltaPlace::open(&address, "--to", &context).unwrap();
    let packages = requirements("alpha>=1,six");
    let baked = delta::bake(&packages, true, &runtime, &place, &context).map_err(|error| told(error.as_ref()));
    let baked = baked.unwrap().expect("the runtime lacks alpha");
    let names: Vec<&str> = baked.record.files.iter().map(|file| file.name.as_str()).collect();
    assert_eq!(names, ["alpha-1.0-py3-none-any.whl", "beta-2.0-py3-none-any.whl"]);
    assert_eq!(baked.record.relies_on, [("six".parse().unwrap(), "1.16.0".to_owned())].into());
    assert!(baked.sent > 0);
    // Baked again it is the same, and nothing is sent.
    let again = delta::bake(&packages, true, &runtime, &place, &context).unwrap().unwrap();
    assert_eq!((again.sha256, again.sent), (baked.sha256, 0));
    assert!(baked.record.files.iter().all(|file| file.byte_code.is_some()));
    let plain = delta::bake(&packages, false, &runtime, &place, &context).unwrap().unwrap();
    assert!(plain.sha256 != baked.sha256 && plain.record.files.iter().all(|file| file.byte_code.is_none()));

    // attack E8: the index is gone, and so is this machine's store.
    drop(served);
    let pod = Context::quiet(folder.path().join("pod"));
    let place = DeltaPlace::open(&address, "ETL_DELTA", &pod).unwrap();
    let found = delta::find(&place, Some(baked.sha256), &packages, &runtime, &pod).unwrap().unwrap();
    let overlay = folder.path().join("overlay");
    delta::install(&place, &found.record.files, &overlay, &runtime, &pod, None).unwrap();
    let say = "import alpha; print(alpha.beta.VERSION, alpha.six.VERSION)";
    let output = Command::new(&runtime.interpreter).args(["-c", say]).env("PYTHONPATH", &overlay).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "2 1.16.0\n", "{}", String::from_utf8_lossy(&output.stderr));

    // Modules are compiled: Python does not look at what they were made of.
    std::fs::write(overlay.join("beta.py"), "raise SystemExit('not compiled')").unwrap();
    let output = Command::new(&runtime.interpreter).args(["-c", say]).env("PYTHONPATH", &overlay).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "2 1.16.0\n", "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn what_cannot_be_baked_is_named_and_nothing_is_put() {
    let folder = tempfile::tempdir().unwrap();
    let runtime = runtime(folder.path());
    let served = index().serve();
    let context = context(folder.path(), &served.simple_url());
    let address = folder.path().join("place");
    let place = DeltaPlace::open(&address.display().to_string(), "--to", &context).unwrap();
    let bake = |packages: &str| delta::bake(&requirements(packages), true, &runtime, &place, &context);
    // Its requirement would replace what the runtime has.
    for packages in ["gamma", "unknown-to-all"] {
        let error = bake(packages).unwrap_err();
        let text = told(error.as_ref());
        assert!(error.code() == "E_ETL_BAKE" && text.contains(packages), "{text}");
    }
    assert!(bake("six").unwrap().is_none(), "the runtime has it");
    assert!(!address.exists());
    let server = DeltaPlace::open("https://etl.example.com/", "--to", &context).unwrap();
    assert!(delta::bake(&requirements("alpha"), true, &runtime, &server, &context).is_err());
}
