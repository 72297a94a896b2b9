//! PACKAGES with the real uv.

use std::time::{Duration, Instant};

use testkit::{FixtureIndex, WheelBuilder};

use crate::support::{Pod, pickled, sdk};

const NEEDS_DEMO: &str = "
class NeedsDemo(Base):
    def transform(self, data, path, etl_args):
        import demo, six_of_demo
        return demo.__name__.encode() + data.upper()
";

#[test]
fn what_the_runtime_lacks_is_installed_beside_it() {
    let Some(python) = sdk("3.12") else { return };
    let mut index = FixtureIndex::new();
    index
        .add(WheelBuilder::new("demo", "1.0").file("demo.py", "").requires("six-of-demo").requires("requests").build());
    index.add(WheelBuilder::new("six-of-demo", "2.0").file("six_of_demo.py", "").build());
    index.add(WheelBuilder::new("requests", "99.0").file("requests.py", "raise SystemError('replaced')").build());
    let served = index.serve();
    let pod = Pod::new(&python, &pickled(&python, "threaded", NEEDS_DEMO));
    let pod = pod.set("PACKAGES", "demo>=1,<2, six-of-demo").set("UV_DEFAULT_INDEX", &served.simple_url());
    // The index has another `requests` than the runtime, which stays as it is: that is no answer, and no replacement.
    let (code, said) = pod.ended();
    assert!(code == Some(1) && said.contains("PACKAGES: demo>=1,<2, six-of-demo cannot be installed"), "{said}");

    let mut index = FixtureIndex::new();
    index.add(WheelBuilder::new("demo", "1.0").file("demo.py", "").requires("six-of-demo").build());
    index.add(WheelBuilder::new("six-of-demo", "2.0").file("six_of_demo.py", "").build());
    let served = index.serve();
    let server = pod.set("UV_DEFAULT_INDEX", &served.simple_url()).serve();
    assert!(server.send("PUT", "/b/o", &[], b"abc").is(200, "demoABC"));
}

// E8
#[test]
fn an_index_out_of_reach_is_one_error_with_the_names_in_time() {
    let Some(python) = sdk("3.12") else { return };
    // 192.0.2.0/24 belongs to nobody.
    for index in ["http://127.0.0.1:9/simple/", "http://192.0.2.1/simple/"] {
        let pod = Pod::new(&python, &pickled(&python, "threaded", NEEDS_DEMO));
        let pod = pod.set("PACKAGES", "requests,pydist-demo-of-nobody").set("UV_DEFAULT_INDEX", index);
        let begun = Instant::now();
        let (code, said) = pod.set("UV_NO_CACHE", "1").ended();
        assert_eq!(code, Some(1), "{said}");
        assert_eq!(said.matches("PACKAGES: pydist-demo-of-nobody cannot be installed").count(), 1, "{said}");
        assert!(said.contains(index), "uv says which index it asked: {said}");
        // The claim is 15 s; a machine that does much else gets twice that.
        assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
    }
}
