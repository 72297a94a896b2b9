//! python-build-standalone's archives from a mirror, with real trees of all five platforms in upstream's own layout.
#![allow(clippy::unwrap_used, reason = "what fails in a helper of a test fails the test")]

use std::fs;

use config_merger::BaseSource;
use interpreter::{BaseRequest, BaseTree, PinnedAsset, ReleaseTable, absolute_paths_left, choose, provide};
use testkit::{ReleaseMirror, told};
use vocab::PlatformKey;

use crate::support::{Bench, folder, moved, output, request, snapshot, version};
use crate::{GO_MODULES, SHARED_STORE};

const PYTHON: &str = "3.11.11";

fn provided(bench: &Bench, request: &BaseRequest) -> BaseTree {
    let choice = choose(&bench.context, request).unwrap_or_else(|error| panic!("{}", told(&error)));
    provide(&bench.context, &choice).unwrap_or_else(|error| panic!("{}", told(&error)))
}

/// Without what differs by nature: the module has no ensurepip, so it gets ours, and its pip is installed by us.
fn comparable(tree: &BaseTree) -> Vec<String> {
    let own = |line: &String| {
        !["/ensurepip/", "bin/pip", "Scripts/pip", ".dist-info/"].iter().any(|part| line.contains(part))
    };
    snapshot(&tree.root).into_iter().filter(own).collect()
}

#[test]
fn an_archive_of_upstream_gives_the_same_tree_as_the_module_for_every_platform() {
    let at = folder("mirror");
    let mirror = ReleaseMirror::of_go_module(&at.join("releases"), PYTHON, "20241219");
    let sums = fs::read_to_string(at.join("releases/20241219/SHA256SUMS")).unwrap();
    assert_eq!(sums.lines().count(), 5);
    let row = |(path, sha256): &(String, vocab::Digest)| PinnedAsset { path: path.clone(), sha256: *sha256, url: None };
    let rows = mirror.releases.iter().map(|(platform, release)| (*platform, row(release))).collect();
    let table = ReleaseTable([(version(PYTHON), rows)].into());
    for platform in PlatformKey::ALL {
        let from_mirror = BaseRequest {
            platform,
            mirror: Some(mirror.folder.display().to_string()),
            table: Some(table.clone()),
            ..request(PYTHON, &BaseSource::ALL)
        };
        let from_module =
            BaseRequest { platform, go_modules: GO_MODULES.clone(), ..request(PYTHON, &[BaseSource::GoModule]) };
        let bench = Bench::new(&at.join(platform.as_str()));
        let tree = provided(&bench, &from_mirror);
        assert_eq!(tree.record.source, "python-build-standalone");
        assert_eq!(comparable(&tree), comparable(&provided(&SHARED_STORE, &from_module)), "for {platform}");
        let pip = if platform.is_windows() { "Scripts/pip.exe" } else { "bin/pip" };
        assert!(tree.root.join(pip).is_file(), "for {platform}");
        assert_eq!(absolute_paths_left(&tree.root, &[at.to_str().unwrap()]), []);
        if platform == PlatformKey::LinuxX64 {
            let python = moved(&tree, &at).join("bin/python3");
            assert!(output(&python, &["-I", "-m", "pip", "--version"]).contains("(python 3.11)"));
        }
    }
}
