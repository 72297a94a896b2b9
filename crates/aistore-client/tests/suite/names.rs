use aistore_client::{Bucket, Client, Error, Namespace, ObjectName, Provider, Settings};

fn is_invalid<T>(found: &Result<T, Error>) -> bool {
    matches!(found, Err(Error::Invalid { .. }))
}

#[test]
fn ais_11_providers_are_checked_here() {
    for text in ["nope", "AIS ", " ", "Aws", "ht"] {
        assert!(is_invalid(&text.parse::<Provider>()), "{text:?}");
    }
    assert_eq!("".parse::<Provider>().unwrap(), Provider::Ais);
}

#[test]
fn ais_12_bucket_names_are_checked_here() {
    let long = "b".repeat(65);
    for name in ["", "a/b", "..", long.as_str(), ".x", "a..b", "a b", "é", "B%2F", "a#b"] {
        assert!(is_invalid(&Bucket::new(name)), "{name:?}");
    }
    for name in ["b", "A_b-c.d", "b".repeat(64).as_str()] {
        assert!(Bucket::new(name).is_ok(), "{name:?}");
    }
    assert!(is_invalid(&Namespace::new("u", "a b")) && is_invalid(&Namespace::new(&"u".repeat(33), "")));
}

#[test]
fn ais_14_object_names_are_checked_here() {
    for name in ["../x", "a/", "~/x", "", "a/./b", "/a", "a//b", "a/../b", "."] {
        assert!(is_invalid(&ObjectName::new(name)), "{name:?}");
    }
    for name in ["a", "a/b", "dir/o 1#é", "a?b", "~x", "..a", "%2e%2e/x", "a\\b"] {
        assert!(ObjectName::new(name).is_ok(), "{name:?}");
    }
}

#[test]
fn an_endpoint_is_a_url_of_a_server_and_holds_no_secret() {
    for endpoint in ["", "h:1", "ftp://h", "http://", "http://ada:pw@h:1", "http://h:1?x=1"] {
        let failure = Client::new(Settings::new(endpoint)).unwrap_err();
        assert!(matches!(failure, Error::Invalid { .. }), "{endpoint}");
        assert!(!failure.to_string().contains("pw"), "{failure}");
    }
    assert_eq!(Client::new(Settings::new("http://h:1/gate/")).unwrap().endpoint().path(), "/gate/");
}
