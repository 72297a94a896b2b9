//! The repository's own whitelists.

use std::path::Path;

use static_checks::whitelist::Whitelist;
use vocab::PlatformKey;

#[test]
fn every_platform_has_a_whitelist_and_each_entry_a_reason() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../checker/whitelists");
    for platform in PlatformKey::ALL {
        let path = folder.join(format!("{platform}.json"));
        assert!(path.is_file(), "there is no {}", path.display());
        let whitelist = Whitelist::read(&path).unwrap();
        let without: Vec<_> = whitelist.all().filter(|entry| entry.expected.reason.is_none()).collect();
        assert!(without.is_empty(), "{platform}: {without:?}");
    }
}
