//! `copyFiles`, spec 2.7, cases T5 to T9.

use std::fs;
use std::sync::{Arc, Mutex};

use pipeline::copy_files::{CopyError, CopyOperation, copy_files, digest_of, preview};
use store::Context;
use testkit::write;
use vocab::TreeLayout;
use vocab::{CopiedFile, Event, Exit, Fault};

/// A package folder and a prefix, side by side.
struct Fixture {
    root: tempfile::TempDir,
    platform: &'static str,
}

impl Fixture {
    fn new(platform: &'static str) -> Self {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("package")).unwrap();
        fs::create_dir(root.path().join("prefix")).unwrap();
        Self { root, platform }
    }

    fn package(&self) -> std::path::PathBuf {
        self.root.path().join("package")
    }

    fn prefix(&self) -> std::path::PathBuf {
        self.root.path().join("prefix")
    }

    fn layout(&self) -> TreeLayout {
        TreeLayout { platform: self.platform.parse().unwrap(), python: "3.10.11".parse().unwrap() }
    }

    fn copy(&self, operations: &[CopyOperation]) -> Result<Vec<CopiedFile>, CopyError> {
        let context = Context::quiet(self.root.path().join("store"));
        copy_files(&context, operations, &self.package(), &self.prefix(), self.layout())
    }

    fn read(&self, path: &str) -> String {
        fs::read_to_string(self.prefix().join(path)).unwrap()
    }
}

fn operation(from: &str, to: &str) -> CopyOperation {
    CopyOperation {
        from: from.parse().unwrap(),
        to: to.parse().unwrap(),
        optional: false,
        place: "python-3.10.11/config.json /packages/copyFiles/0".to_owned(),
    }
}

/// `path`, with `+` when it replaced something.
fn paths(copied: &[CopiedFile]) -> Vec<String> {
    copied.iter().map(|file| format!("{}{}", file.path, if file.overwrote { "+" } else { "" })).collect()
}

#[test]
fn t5_t6_modules_land_in_site_packages_of_the_platform() {
    for (platform, to, expected) in [
        ("linux-x64", "{site-packages}/", "lib/python3.10/site-packages/anarci/__init__.py"),
        ("linux-x64", "<site-packages>", "lib/python3.10/site-packages/anarci/__init__.py"),
        ("windows-x64", "{site-packages}/", "Lib/site-packages/anarci/__init__.py"),
        ("windows-x64", "<site-packages>/", "Lib/site-packages/anarci/__init__.py"),
    ] {
        let fixture = Fixture::new(platform);
        write(&fixture.package(), "modules/anarci/__init__.py", "x = 1\n");
        write(&fixture.package(), "modules/anarci/__pycache__/__init__.cpython-310.pyc", "no");
        let copied = fixture.copy(&[operation("modules/", to)]).unwrap();
        assert_eq!(paths(&copied), [expected], "for {to} on {platform}");
        assert_eq!(fixture.read(expected), "x = 1\n");
    }
}

#[test]
fn t7_a_missing_source_names_its_entry_and_an_optional_one_is_a_note() {
    let fixture = Fixture::new("linux-x64");
    let error = fixture.copy(&[operation("bin", "bin/")]).unwrap_err();
    assert_eq!(error.exit(), Exit::Build);
    assert!(error.to_string().starts_with("python-3.10.11/config.json /packages/copyFiles/0: "), "{error}");

    let events: Arc<Mutex<Vec<Event>>> = Arc::default();
    let told = Arc::clone(&events);
    let context = Context::quiet(fixture.root.path().join("store"))
        .with_listener(Arc::new(move |event| told.lock().unwrap().push(event)));
    let optional = CopyOperation { optional: true, ..operation("bin", "bin/") };
    let copied = copy_files(&context, &[optional], &fixture.package(), &fixture.prefix(), fixture.layout()).unwrap();
    assert_eq!(copied, []);
    let events = events.lock().unwrap();
    assert!(matches!(&events[..], [Event::Note { text }] if text.contains("/packages/copyFiles/0")), "{events:?}");
}

#[test]
fn folders_are_merged_and_later_operations_win() {
    let fixture = Fixture::new("linux-x64");
    write(&fixture.prefix(), "share/kept.txt", "kept");
    write(&fixture.prefix(), "share/replaced.txt", "of the interpreter");
    write(&fixture.package(), "one/replaced.txt", "one");
    write(&fixture.package(), "one/new.txt", "one");
    write(&fixture.package(), "two/new.txt", "two");
    let copied = fixture.copy(&[operation("one", "share"), operation("two", "share/")]).unwrap();
    assert_eq!(paths(&copied), ["share/new.txt", "share/replaced.txt+"]);
    assert_eq!(fixture.read("share/kept.txt"), "kept");
    assert_eq!(fixture.read("share/replaced.txt"), "one");
    assert_eq!(fixture.read("share/new.txt"), "two");
}

#[test]
fn a_replaced_file_that_is_shared_with_the_store_stays_as_it_is_there() {
    let fixture = Fixture::new("linux-x64");
    let stored = write(fixture.root.path(), "store/wheels/x/module.py", "of the store");
    fs::hard_link(&stored, fixture.prefix().join("module.py")).unwrap();
    write(&fixture.package(), "module.py", "copied");
    let copied = fixture.copy(&[operation("module.py", "")]).unwrap();
    assert_eq!(paths(&copied), ["module.py+"]);
    assert_eq!(fixture.read("module.py"), "copied");
    assert_eq!(fs::read_to_string(stored).unwrap(), "of the store");
}

#[test]
fn a_file_does_not_replace_a_folder_and_nothing_lies_below_a_file() {
    let fixture = Fixture::new("linux-x64");
    write(&fixture.prefix(), "share/doc/a", "a");
    write(&fixture.package(), "tool", "x");
    for to in ["share", "share/doc/a/tool"] {
        let error = fixture.copy(&[operation("tool", to)]).unwrap_err();
        assert_eq!(error.exit(), Exit::Usage, "for {to}");
    }
    assert_eq!(fixture.read("share/doc/a"), "a");
}

#[test]
fn the_digest_follows_names_contents_and_targets_and_nothing_else() {
    let fixture = Fixture::new("linux-x64");
    write(&fixture.package(), "files/a.txt", "a");
    let digest = |to: &str| digest_of(&[operation("files", to)], &fixture.package()).unwrap();
    let first = digest("share");
    write(&fixture.package(), "files/__pycache__/a.pyc", "no");
    write(&fixture.package(), "files/a.txt", "a");
    assert_eq!(digest("share"), first);
    assert_ne!(digest("bin"), first);
    write(&fixture.package(), "files/a.txt", "b");
    assert_ne!(digest("share"), first);
    fs::rename(fixture.package().join("files/a.txt"), fixture.package().join("files/b.txt")).unwrap();
    write(&fixture.package(), "files/b.txt", "a");
    assert_ne!(digest("share"), first);
}

#[test]
fn the_preview_lists_in_one_order_what_will_be_done() {
    let fixture = Fixture::new("linux-x64");
    for name in ["b/2", "b/1", "a", "c"] {
        write(&fixture.package(), &format!("files/{name}"), name);
    }
    let optional = CopyOperation { optional: true, ..operation("gone", "x") };
    let plan = preview(&[operation("files", "share"), optional], &fixture.package(), fixture.layout()).unwrap();
    let targets: Vec<_> = plan.copies.iter().map(|copy| copy.target.as_str()).collect();
    assert_eq!((targets, plan.absent), (vec!["share/a", "share/b/1", "share/b/2", "share/c"], vec![1]));
    assert_eq!(fs::read_dir(fixture.prefix()).unwrap().count(), 0);
}

#[cfg(unix)]
mod unix {
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::path::Path;

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::symlink_metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn t9_programs_in_the_scripts_folder_are_executable() {
        let fixture = Fixture::new("linux-x64");
        for (name, content) in
            [("script", "#!/bin/sh\n"), ("elf", "\x7fELF..."), ("data.txt", "text"), ("kept", "any text")]
        {
            let path = write(&fixture.package(), &format!("bin/{name}"), content);
            fs::set_permissions(path, fs::Permissions::from_mode(if name == "kept" { 0o744 } else { 0o600 })).unwrap();
        }
        fixture.copy(&[operation("bin", "{bin}"), operation("bin/script", "share/")]).unwrap();
        let modes = ["bin/script", "bin/elf", "bin/data.txt", "bin/kept", "share/script"]
            .map(|path| mode(&fixture.prefix().join(path)));
        assert_eq!(modes, [0o755, 0o755, 0o644, 0o755, 0o644]);
    }

    #[test]
    fn links_inside_the_source_are_kept_and_become_copies_for_windows() {
        for (platform, is_link) in [("linux-x64", true), ("windows-x64", false)] {
            let fixture = Fixture::new(platform);
            write(&fixture.package(), "lib/v1/libx.so.1.0", "library");
            symlink("v1/libx.so.1.0", fixture.package().join("lib/libx.so")).unwrap();
            symlink("v1", fixture.package().join("lib/current")).unwrap();
            fixture.copy(&[operation("lib", "lib")]).unwrap();
            for link in ["lib/libx.so", "lib/current"] {
                let found = fs::symlink_metadata(fixture.prefix().join(link)).unwrap().is_symlink();
                assert_eq!(found, is_link, "for {link} on {platform}");
            }
            assert_eq!(fixture.read("lib/libx.so"), "library");
            assert_eq!(fixture.read("lib/current/libx.so.1.0"), "library");
        }
    }

    #[test]
    fn links_that_leave_the_source_dangle_or_loop_are_refused() {
        for (text, platform) in [
            ("/etc/passwd", "linux-x64"),
            ("../secret", "linux-x64"),
            ("../../outside", "linux-x64"),
            ("gone", "linux-x64"),
            (".", "windows-x64"),
        ] {
            let fixture = Fixture::new(platform);
            write(&fixture.package(), "secret", "s");
            write(fixture.root.path(), "outside", "o");
            fs::create_dir(fixture.package().join("files")).unwrap();
            symlink(text, fixture.package().join("files/link")).unwrap();
            let error = fixture.copy(&[operation("files", "share")]).unwrap_err();
            assert_eq!(error.exit(), Exit::Usage, "for {text}");
        }
    }

    #[test]
    fn t8_a_source_behind_a_link_out_of_the_package_folder_is_refused() {
        let fixture = Fixture::new("linux-x64");
        write(fixture.root.path(), "shared/x", "x");
        symlink("../shared", fixture.package().join("files")).unwrap();
        for from in ["files", "files/x"] {
            let error = fixture.copy(&[operation(from, "share/")]).unwrap_err();
            assert_eq!(error.exit(), Exit::Usage, "for {from}");
        }
    }

    #[test]
    fn nothing_is_written_through_links_of_the_runtime() {
        let fixture = Fixture::new("linux-x64");
        write(&fixture.prefix(), "lib/libx.so.1", "library");
        symlink("lib", fixture.prefix().join("lib64")).unwrap();
        symlink("libx.so.1", fixture.prefix().join("lib/libx.so")).unwrap();
        write(&fixture.package(), "libx.so", "new");
        let error = fixture.copy(&[operation("libx.so", "lib64/")]).unwrap_err();
        assert_eq!(error.exit(), Exit::Usage);
        // A link that stands where the file goes is replaced.
        let copied = fixture.copy(&[operation("libx.so", "lib/")]).unwrap();
        assert_eq!(paths(&copied), ["lib/libx.so+"]);
        assert_eq!(fixture.read("lib/libx.so.1"), "library");
        assert_eq!(fixture.read("lib/libx.so"), "new");
    }
}
