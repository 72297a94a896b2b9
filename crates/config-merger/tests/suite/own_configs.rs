//! The configurations of this repository itself.

use config_merger::{LoadOptions, Repository};

#[test]
fn every_runtime_of_this_repository_loads_without_a_warning() {
    let repository = Repository::find(env!("CARGO_MANIFEST_DIR").as_ref()).unwrap();
    assert!(repository.versions().len() >= 5);
    for version in repository.versions() {
        let loaded = config_merger::load(&repository, &version, &LoadOptions { strict: true, lenient: false });
        let loaded = loaded.unwrap_or_else(|faults| panic!("{version}:\n{faults}"));
        assert_eq!(loaded.digest, vocab::Digest::of(&loaded.canonical));
        println!("{}", loaded.canonical);
    }
}

#[test]
fn null_takes_a_shared_rule_back() {
    let repository = Repository::find(env!("CARGO_MANIFEST_DIR").as_ref()).unwrap();
    let skipped = |text: &str| {
        let version = repository.version(text).unwrap();
        let config = config_merger::load(&repository, &version, &LoadOptions::default()).unwrap().config;
        config.skip_reason(&"polars".parse().unwrap(), vocab::PlatformKey::LinuxX64).is_some()
    };
    assert!(skipped("3.12.10"));
    assert!(!skipped("3.14.6"));
}
