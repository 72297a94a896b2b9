//! PACKAGES with the real uv.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use testkit::{FixtureIndex, SdistBuilder, SdistStumble, WheelBuilder};

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
    let pod = in_own_store(Pod::new(&python, &pickled(&python, "threaded", NEEDS_DEMO)));
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

/// uv's variables and settings of the user's count, as they did when uv itself installed.
#[test]
fn a_source_is_built_and_a_folder_of_wheels_is_an_index() {
    let Some(python) = sdk("3.12") else { return };
    let pod = Pod::new(&python, &pickled(&python, "threaded", NEEDS_DEMO));
    let wheels = pod.folder.path().join("wheels");
    SdistBuilder::new("demo", "1.0").requires("six-of-demo").build().write_to(&wheels);
    WheelBuilder::new("six-of-demo", "2.0").file("six_of_demo.py", "").build().write_to(&wheels);
    let pod = in_own_store(pod).set("PACKAGES", "demo").set("UV_NO_INDEX", "1");
    let server = pod.set("UV_FIND_LINKS", &wheels.display().to_string()).serve();
    assert!(server.send("PUT", "/b/o", &[], b"abc").is(200, "demoABC"));
    assert!(server.log().contains("demo has no wheel for this machine"), "{}", server.log());

    let failing = SdistStumble::Fail { message: "no compiler".to_owned() };
    let pod = Pod::new(&python, &pickled(&python, "threaded", NEEDS_DEMO));
    let wheels = pod.folder.path().join("wheels");
    SdistBuilder::new("demo", "1.0").stumble(failing).build().write_to(&wheels);
    let pod = in_own_store(pod).set("PACKAGES", "demo").set("UV_NO_INDEX", "1");
    let (code, said) = pod.set("UV_FIND_LINKS", &wheels.display().to_string()).ended();
    assert!(code == Some(1) && said.contains("PACKAGES: demo cannot be installed"), "{said}");
    assert!(said.contains("no compiler"), "{said}");
}

fn in_own_store(pod: Pod) -> Pod {
    let store = pod.folder.path().join("store").display().to_string();
    pod.set("PYDIST_STORE", &store)
}

// E8
#[test]
fn an_index_or_a_place_out_of_reach_is_one_error_with_the_names_in_time() {
    let Some(python) = sdk("3.12") else { return };
    // Takes connections, and says nothing.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = format!("http://{}/simple/", silent.local_addr().unwrap());
    // 192.0.2.0/24 belongs to nobody, and nothing listens at port 9.
    for address in ["http://127.0.0.1:9/simple/", &silent, "http://192.0.2.1/simple/"] {
        for variable in ["UV_DEFAULT_INDEX", "ETL_DELTA"] {
            let pod = Pod::new(&python, &pickled(&python, "threaded", NEEDS_DEMO));
            let pod = in_own_store(pod).set("PACKAGES", "requests,pydist-demo-of-nobody").set("UV_NO_CACHE", "1");
            let pod = pod.set(variable, address);
            let begun = Instant::now();
            let (code, said) = pod.ended();
            assert_eq!(code, Some(1), "{said}");
            if variable == "UV_DEFAULT_INDEX" {
                assert_eq!(said.matches("PACKAGES: pydist-demo-of-nobody cannot be installed").count(), 1, "{said}");
            }
            assert!(said.contains(address.trim_end_matches('/')), "it says what was asked: {said}");
            // The claim is 15 s; a machine that does much else gets twice that.
            assert!(begun.elapsed() < Duration::from_secs(30), "{address} {variable}: {:?}", begun.elapsed());
            println!("{variable}={address}: {:?}", begun.elapsed());
        }
    }
}
