//! Names of archives and folders, as the vendor's page has them.

use extension::{DistributionId, Machine, archive_names};
use vocab::PlatformKey;

fn names(id: &str, platform: PlatformKey) -> Vec<String> {
    let id: DistributionId = id.parse().unwrap();
    archive_names(&id, &Machine::of(platform)).into_iter().map(|name| name.file).collect()
}

/// The sentences of the vendor's page.
#[test]
fn l2_names_are_those_of_the_vendors_page() {
    let has = |id: &str, platform, name: &str| assert!(names(id, platform).iter().any(|it| it == name), "{name}");
    has("custom:1.0.0", PlatformKey::WindowsX64, "pydist-custom-1.0.0-windows.zip");
    has("other:0.1.0", PlatformKey::MacosxX64, "pydist-other-0.1.0-macos.tar.gz");
    has("other:0.1.0", PlatformKey::MacosxAarch64, "pydist-other-0.1.0-macos.tar.gz");
    has("atls:3.12.10", PlatformKey::LinuxX64, "pydist-atls-3.12.10-linux-x86_64.tar.zst");
    let folder = |id: &str| id.parse::<DistributionId>().unwrap().folder_name();
    assert_eq!((folder("other:1.0.0"), folder("custom")), ("other-1.0.0".to_owned(), "custom".to_owned()));
}

/// PEL 3, PEL 4, PEL 5, PEL 8, PEL 11: which names, in which order.
#[test]
fn pel_3_names_come_in_their_order() {
    let endings = ["tar", "tar.gz", "zip", "tar.zst"];
    let of = |stem: &str| endings.map(|ending| format!("{stem}.{ending}"));
    let expected = [of("pydist-k-1.0-macos-aarch64"), of("pydist-k-1.0-macos-arm64"), of("pydist-k-1.0-macos")];
    assert_eq!(names("k:1.0", PlatformKey::MacosxAarch64), expected.concat());
    let expected = [of("pydist-custom-linux-x86_64"), of("pydist-custom-linux"), of("pydist-custom--linux")];
    assert_eq!(names("custom", PlatformKey::LinuxX64), expected.concat());
}
