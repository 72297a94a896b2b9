//! Choosing between sources, mirrors, and what an archive must be to become a base interpreter.
#![allow(clippy::unwrap_used, reason = "what fails in a helper of a test fails the test")]

use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

use config_merger::{ArchiveSource, BaseSource};
use interpreter::{BaseRequest, absolute_paths_left, choose, provide};
use testkit::{HttpMishap, HttpServer, told};
use vocab::Environment;
use vocab::{Digest, Exit, Fault as _, PlatformKey};

use crate::support::{Bench, folder, output, request, small_python, snapshot, table, tar_gz};

const ASSET: &str = "20250529/cpython-3.12.10+20250529-x86_64-unknown-linux-gnu-install_only_stripped.tar.gz";
const ASSET_IN_URLS: &str =
    "/20250529/cpython-3.12.10%2B20250529-x86_64-unknown-linux-gnu-install_only_stripped.tar.gz";

fn from_mirror(mirror: &str, archive: &[u8]) -> BaseRequest {
    BaseRequest {
        mirror: Some(mirror.to_owned()),
        table: Some(table("3.12.10", ASSET, archive)),
        ..request("3.12.10", &[BaseSource::PythonBuildStandalone])
    }
}

/// With the bytes of `archive` at the place of an archive whose digest is that of `expected`.
fn mirror_folder(at: &Path, archive: &[u8]) -> String {
    let place = at.join("mirror").join(ASSET);
    fs::create_dir_all(place.parent().unwrap()).unwrap();
    fs::write(place, archive).unwrap();
    at.join("mirror").display().to_string()
}

#[test]
fn a_release_from_a_mirror_folder_becomes_a_tree_without_traces_of_its_build() {
    let at = folder("mirror-folder");
    let bench = Bench::new(&at);
    let archive = tar_gz(&small_python());
    let choice = choose(&bench.context, &from_mirror(&mirror_folder(&at, &archive), &archive)).unwrap();
    assert!(!choice.stand_in);
    let tree = provide(&bench.context, &choice).unwrap();
    assert_eq!(output(&tree.root.join("bin/python3"), &[]), "a small Python");
    assert_eq!(absolute_paths_left(&tree.root, &["/install/", at.to_str().unwrap()]), []);
    let paths: Vec<String> =
        snapshot(&tree.root).iter().map(|line| line.split(' ').next().unwrap().to_owned()).collect();
    let gone = |name: &str| !paths.iter().any(|path| path.contains(name));
    assert!(gone("__pycache__") && gone("EXTERNALLY-MANAGED"), "{paths:?}");
    assert_eq!(fs::read_link(tree.root.join("bin/python")).unwrap(), Path::new("python3.12"));
    assert_eq!(tree.record.origin, ASSET.rsplit('/').next().unwrap());
    let absent = ["certificates", "ensurepip", "headers", "idlelib", "lib2to3", "terminfo", "test", "tkinter"];
    assert_eq!(tree.record.absent, absent);
}

#[test]
fn a_mirror_on_the_web_is_asked_with_the_plus_sign_escaped() {
    let at = folder("mirror-web");
    let bench = Bench::new(&at);
    let archive = tar_gz(&small_python());
    let server = HttpServer::start();
    server.put(ASSET_IN_URLS, archive.clone());
    let choice = choose(&bench.context, &from_mirror(&server.url("/"), &archive)).unwrap();
    let tree = provide(&bench.context, &choice).unwrap();
    assert!(tree.root.join("bin/python3.12").is_file());
    let seen = server.requests().len();
    // Present now: chosen and provided again without a question.
    let again = choose(&bench.context, &from_mirror(&server.url("/"), &archive)).unwrap();
    assert_eq!(provide(&bench.context, &again).unwrap().identity, tree.identity);
    assert_eq!(server.requests().len(), seen);
}

#[test]
fn the_same_archive_gives_the_same_tree_in_every_store() {
    let archive = tar_gz(&small_python());
    let trees = ["same-one", "same-other"].map(|name| {
        let at = folder(name);
        let bench = Bench::new(&at);
        let choice = choose(&bench.context, &from_mirror(&mirror_folder(&at, &archive), &archive)).unwrap();
        let tree = provide(&bench.context, &choice).unwrap();
        (tree.identity, snapshot(&tree.root))
    });
    assert_eq!(trees[0], trees[1]);
}

#[test]
fn t1_an_archive_with_another_digest_or_a_cut_end_is_exit_4_and_leaves_nothing() {
    let archive = tar_gz(&small_python());
    let mut other = archive.clone();
    other[40] ^= 1;
    for (name, served) in [("t1-other", &other[..]), ("t1-cut", &archive[..archive.len() - 9])] {
        let at = folder(name);
        let bench = Bench::new(&at);
        let choice = choose(&bench.context, &from_mirror(&mirror_folder(&at, served), &archive)).unwrap();
        let error = provide(&bench.context, &choice).unwrap_err();
        assert_eq!(error.exit(), Exit::Trust, "for {name}: {}", told(&error));
        assert!(told(&error).contains(&Digest::of(&archive).to_string()), "for {name}: {}", told(&error));
        assert_eq!(bench.stored(), Vec::<String>::new(), "for {name}");
    }
}

#[test]
fn t1_a_pinned_archive_that_is_damaged_inside_is_exit_4_and_leaves_no_tree() {
    let whole = tar_gz(&small_python());
    let cut = &whole[..whole.len() - 20];
    let at = folder("t1-inside");
    let bench = Bench::new(&at);
    let choice = choose(&bench.context, &from_mirror(&mirror_folder(&at, cut), cut)).unwrap();
    let error = provide(&bench.context, &choice).unwrap_err();
    assert_eq!(error.exit(), Exit::Trust, "{}", told(&error));
    assert!(!at.join("store/bases").exists() || fs::read_dir(at.join("store/bases")).unwrap().next().is_none());
}

#[test]
fn t2_an_archive_that_reaches_outside_its_folder_is_exit_4() {
    for (name, path) in [("t2-up", "python/../../escaped"), ("t2-absolute", "/tmp/escaped")] {
        let mut files = small_python();
        files.push((path, "x", false));
        let archive = tar_gz(&files);
        let at = folder(name);
        let bench = Bench::new(&at);
        let choice = choose(&bench.context, &from_mirror(&mirror_folder(&at, &archive), &archive)).unwrap();
        let error = provide(&bench.context, &choice).unwrap_err();
        assert_eq!(error.exit(), Exit::Trust, "for {name}: {}", told(&error));
        assert!(told(&error).contains("escaped"), "for {name}: {}", told(&error));
        assert!(!at.join("store/bases").exists() || fs::read_dir(at.join("store/bases")).unwrap().next().is_none());
    }
}

#[test]
fn t3_an_archive_without_one_top_folder_is_exit_1_and_its_content_is_listed() {
    let mut files = small_python();
    files.push(("licences/LICENSE", "x", false));
    let archive = tar_gz(&files);
    let at = folder("t3");
    let bench = Bench::new(&at);
    let choice = choose(&bench.context, &from_mirror(&mirror_folder(&at, &archive), &archive)).unwrap();
    let error = provide(&bench.context, &choice).unwrap_err();
    assert_eq!(error.exit(), Exit::Build, "{}", told(&error));
    let text = told(&error);
    assert!(text.contains("`licences`") && text.contains("`python`"), "{text}");
}

#[test]
fn an_archive_of_another_python_is_refused() {
    let mut files = small_python();
    files[2].1 = "#define PY_VERSION \"3.12.4\"\n";
    let archive = tar_gz(&files);
    let at = folder("other-version");
    let bench = Bench::new(&at);
    fs::write(at.join("py.tar.gz"), &archive).unwrap();
    let source = ArchiveSource { url: at.join("py.tar.gz").display().to_string(), sha256: Digest::of(&archive) };
    let request = BaseRequest {
        archives: [(PlatformKey::LinuxX64, source)].into(),
        ..request("3.12.10", &[BaseSource::Archive])
    };
    let error = provide(&bench.context, &choose(&bench.context, &request).unwrap()).unwrap_err();
    assert!(told(&error).contains("holds Python 3.12.4"), "{}", told(&error));
}

#[test]
fn a_configured_archive_is_taken_by_url_and_by_path() {
    let archive = tar_gz(&small_python());
    let server = HttpServer::start();
    server.put("/any/name.tar.gz", archive.clone());
    let at = folder("archive-source");
    fs::write(at.join("py.tar.gz"), &archive).unwrap();
    for (name, url) in
        [("web", server.url("/any/name.tar.gz?x=1")), ("path", at.join("py.tar.gz").display().to_string())]
    {
        let bench = Bench::new(&at.join(name));
        let source = ArchiveSource { url, sha256: Digest::of(&archive) };
        let request = BaseRequest {
            archives: [(PlatformKey::LinuxX64, source)].into(),
            ..request("3.12.10", &[BaseSource::Archive])
        };
        let choice = choose(&bench.context, &request).unwrap();
        let tree = provide(&bench.context, &choice).unwrap();
        assert_eq!((tree.record.source.as_str(), tree.record.digest), ("archive", Digest::of(&archive)), "for {name}");
    }
}

#[test]
fn t4_a_release_without_build_is_exit_1_and_names_the_nearest() {
    let bench = Bench::new(&folder("t4"));
    let error = choose(&bench.context, &request("3.10.1", &[BaseSource::PythonBuildStandalone])).unwrap_err();
    assert_eq!((error.exit(), error.code()), (Exit::Build, "E_BASE_NO_SOURCE"));
    assert!(told(&error).contains("python-build-standalone: has no build of 3.10.1; the nearest is 3.10.2"));
    assert!(error.hint().unwrap().contains("3.10.2"));
}

#[test]
fn an_exact_release_of_a_later_source_beats_a_stand_in_of_an_earlier_one() {
    let at = folder("exact-first");
    let bench = Bench::new(&at);
    let archive = tar_gz(&small_python());
    let mirror = mirror_folder(&at, &archive);
    let sources = [BaseSource::System, BaseSource::PythonBuildStandalone];
    let choice = choose(&bench.context, &BaseRequest { sources: sources.into(), ..from_mirror(&mirror, &archive) });
    let choice = choice.unwrap();
    assert_eq!((choice.source, choice.stand_in), (BaseSource::PythonBuildStandalone, false));
    assert_eq!(choice.asked.len(), 2);
}

#[test]
fn an_unreachable_mirror_is_asked_once_in_ten_minutes() {
    let at = folder("unreachable");
    let bench = Bench::new(&at);
    let archive = tar_gz(&small_python());
    let server = HttpServer::start();
    server.put(ASSET_IN_URLS, archive.clone());
    server.every_time(ASSET_IN_URLS, HttpMishap::Status(503));
    let request = from_mirror(&server.url(""), &archive);
    for _ in 0..3 {
        let error = choose(&bench.context, &request).unwrap_err();
        assert!(told(&error).contains("cannot be reached: it answered 503"), "{}", told(&error));
    }
    assert_eq!(server.requests().len(), 1);
    // Eleven minutes later it is asked again, and now it answers well.
    let place = format!("the mirror {}", server.url(""));
    let long_ago = SystemTime::now() - Duration::from_secs(660);
    bench.context.store.remember("unreachable", &place, &"it answered 503".into(), long_ago).unwrap();
    server.next_time(ASSET_IN_URLS, HttpMishap::NoRange);
    assert!(choose(&bench.context, &request).is_ok());
    assert_eq!(server.requests().len(), 2);
}

#[test]
fn a_tag_without_a_row_is_an_error_that_no_later_source_hides() {
    let bench = Bench::without_home(&folder("tag"));
    let request = BaseRequest { tag: Some("20991231".into()), ..request("3.14.6", &BaseSource::ALL) };
    let error = choose(&bench.context, &request).unwrap_err();
    let known = interpreter::ReleaseTable::embedded().release(request.python, request.platform).unwrap();
    let known = known.path.split('/').next().unwrap();
    assert_eq!(
        told(&error),
        format!(
            "no base interpreter Python 3.14.6 for linux-x64: no file of release `20991231` of python-build-standalone \
             is known for it; known: {known}"
        )
    );
    assert_eq!((error.code(), error.exit()), ("E_BASE_TAG", Exit::Usage));
    assert!(error.hint().unwrap().contains("`python.releases`"));
    // The known one may be named; that it is out of reach is another error.
    let request = BaseRequest { tag: Some(known.to_owned()), mirror: Some("nowhere".into()), ..request };
    let request = BaseRequest { sources: vec![BaseSource::PythonBuildStandalone], ..request };
    assert_eq!(choose(&bench.context, &request).unwrap_err().code(), "E_BASE_NO_SOURCE");
    // So is a flavour that the known file does not have.
    let error = choose(&bench.context, &BaseRequest { flavor: Some("debug-full".into()), ..request.clone() });
    let error = error.unwrap_err();
    assert_eq!((error.code(), error.exit()), ("E_BASE_TAG", Exit::Usage));
    assert!(told(&error).ends_with("is not of the flavour `debug-full`"), "{}", told(&error));
    for flavor in ["install_only", "only", "install_only_stripped"] {
        let code = choose(&bench.context, &BaseRequest { flavor: Some(flavor.into()), ..request.clone() });
        let is_known = flavor == "install_only_stripped";
        let expected = if is_known { "E_BASE_NO_SOURCE" } else { "E_BASE_TAG" };
        assert_eq!(code.unwrap_err().code(), expected, "for {flavor}");
    }
}

#[test]
fn a_release_of_the_users_own_comes_before_the_tables_and_from_the_mirror() {
    let at = folder("own-release");
    let bench = Bench::new(&at);
    let archive = tar_gz(&small_python());
    let newer = ASSET.replace("20250529", "20261103");
    let mirror = mirror_folder(&at, b"that of the table");
    let place = at.join("mirror").join(&newer);
    fs::create_dir_all(place.parent().unwrap()).unwrap();
    fs::write(place, &archive).unwrap();
    let known = BaseRequest { own: table("3.12.10", &newer, &archive), ..from_mirror(&mirror, b"that of the table") };
    let cases = [(None, "20261103"), (Some("20250529"), "20250529"), (Some("20261103"), "20261103")];
    for (tag, expected) in cases {
        let choice = choose(&bench.context, &BaseRequest { tag: tag.map(str::to_owned), ..known.clone() }).unwrap();
        assert!(choice.origin.contains(expected), "for {tag:?}: {}", choice.origin);
    }
    assert!(provide(&bench.context, &choose(&bench.context, &known).unwrap()).is_ok());
}

#[test]
fn a_list_in_uvs_format_has_what_the_table_lacks_and_is_pinned_by_its_digest() {
    let at = folder("uv-list");
    let bench = Bench::new(&at);
    let archive = tar_gz(&small_python());
    let server = HttpServer::start();
    server.put("/files/base.tar.gz", archive.clone());
    let row = |patch: u16, url: String| {
        serde_json::json!({
            "name": "cpython", "arch": { "family": "x86_64", "variant": null }, "os": "linux", "libc": "gnu",
            "major": 3, "minor": 12, "patch": patch, "prerelease": "", "url": url,
            "sha256": Digest::of(&archive).to_string(), "variant": null, "build": "20261103",
        })
    };
    let list = serde_json::json!({ "one": row(10, server.url("/files/base.tar.gz")) }).to_string();
    server.put("/list.json", list.clone());
    let request = |url: String, sha256: Digest| BaseRequest {
        table: Some(interpreter::ReleaseTable::default()),
        list: Some(ArchiveSource { url, sha256 }),
        ..request("3.12.10", &[BaseSource::PythonBuildStandalone])
    };
    let asked = request(server.url("/list.json"), Digest::of(&list));
    let choice = choose(&bench.context, &asked).unwrap();
    assert_eq!((choice.origin.as_str(), choice.stand_in), ("base.tar.gz", false));
    assert!(provide(&bench.context, &choice).is_ok());
    // The list is in the store: nobody is asked for it again.
    choose(&bench.context, &asked).unwrap();
    assert_eq!(server.requests_of("/list.json").len(), 1);

    // A file in the repository, and one with other bytes than were pinned.
    let file = at.join("list.json");
    fs::write(&file, &list).unwrap();
    assert!(choose(&bench.context, &request(file.display().to_string(), Digest::of(&list))).is_ok());
    let error = choose(&bench.context, &request(file.display().to_string(), Digest::of("other"))).unwrap_err();
    assert_eq!(error.exit(), Exit::Trust, "{}", told(&error));
    // An older build is found by its tag while the list has it.
    let built = |build: &str, place: &str| {
        let mut row = row(10, server.url(place));
        row["build"] = build.into();
        row
    };
    let list = serde_json::json!({ "a": built("20261103", "/files/base.tar.gz"), "b": built("20260101", "/files/base-1.tar.gz") });
    fs::write(&file, list.to_string()).unwrap();
    server.put("/files/base-1.tar.gz", archive.clone());
    let of_tag = |tag: Option<&str>| {
        let asked = request(file.display().to_string(), Digest::of(list.to_string()));
        choose(&bench.context, &BaseRequest { tag: tag.map(str::to_owned), ..asked })
    };
    for (tag, expected) in
        [(None, "base.tar.gz"), (Some("20261103"), "base.tar.gz"), (Some("20260101"), "base-1.tar.gz")]
    {
        assert_eq!(of_tag(tag).unwrap().origin, expected, "for {tag:?}");
    }
    let error = of_tag(Some("20200101")).unwrap_err();
    assert!(told(&error).ends_with("known: 20261103, 20260101"), "{}", told(&error));
    // One that is too large is not even received.
    server.put("/large.json", vec![b' '; (64 << 20) + 1]);
    let error = choose(&bench.context, &request(server.url("/large.json"), Digest::of("large"))).unwrap_err();
    assert_eq!(error.code(), "E_DOWNLOAD_LARGE", "{}", told(&error));
    // A list that cannot be used.
    let broken = serde_json::json!({ "one": row(10, "ftp://x/a.tar.gz".into()) }).to_string();
    fs::write(&file, &broken).unwrap();
    let error = choose(&bench.context, &request(file.display().to_string(), Digest::of(&broken))).unwrap_err();
    assert_eq!((error.code(), error.exit()), ("E_BASE_LIST", Exit::Usage));
    assert!(told(&error).contains("its row `one`: `ftp://x/a.tar.gz` has the scheme `ftp`"), "{}", told(&error));
}

#[test]
fn a_mirror_that_lacks_the_release_is_told_with_its_answer() {
    let bench = Bench::new(&folder("mirror-404"));
    let server = HttpServer::start();
    let error = choose(&bench.context, &from_mirror(&server.url(""), b"x")).unwrap_err();
    assert!(told(&error).contains("answered 404"), "{}", told(&error));
}

#[test]
fn the_error_lists_what_every_source_answered() {
    let at = folder("all-asked");
    let bench = Bench::without_home(&at);
    let request = BaseRequest {
        platform: PlatformKey::WindowsX64,
        mirror: Some(at.join("no-mirror").display().to_string()),
        ..request("3.12.10", &BaseSource::ALL)
    };
    let text = told(&choose(&bench.context, &request).unwrap_err()).replace(at.to_str().unwrap(), "FOLDER");
    let host = PlatformKey::host().unwrap();
    assert_eq!(
        text.replace(host.as_str(), "HOST"),
        "no base interpreter Python 3.12.10 for windows-x64: no source has it\n  \
         python-build-standalone: the mirror `FOLDER/no-mirror` does not hold `20250529/cpython-3.12.10+20250529-\
         x86_64-pc-windows-msvc-install_only_stripped.tar.gz`\n  \
         archive: no archive is configured for windows-x64\n  \
         go-module: has no 3.12, only 3.10.16, 3.11.11, 3.14.6\n  \
         system: this machine is HOST, not windows-x64"
    );
}

/// A `go` that lists the module and names a zip file of ours with the given checksum, and notes each call.
fn with_go(at: &Path, sum: &str, list_fails: bool) -> Bench {
    use std::os::unix::fs::PermissionsExt as _;
    let bin = at.join("bin");
    fs::create_dir_all(&bin).unwrap();
    fs::write(at.join("module.zip"), b"PK\x05\x06\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0").unwrap();
    let listing = if list_fails {
        "echo 'go: dial tcp: lookup proxy.invalid: no such host' >&2; exit 1"
    } else {
        "echo github.com/kluctl/go-embed-python v0.0.0-3.14.6-20260610-1"
    };
    let folder = at.display();
    let script = format!(
        "#!/bin/sh\necho \"$1\" >>'{folder}/calls'\ncase $1 in\nlist) {listing} ;;\nmod) echo '{{\"Zip\": \"{folder}/module.zip\", \
         \"Sum\": \"{sum}\"}}' ;;\nesac\n"
    );
    let text = at.join("go.sh");
    fs::write(&text, script).unwrap();
    fs::set_permissions(&text, fs::Permissions::from_mode(0o755)).unwrap();
    // By another process: a program that this one has open for writing while another test forks is "text file busy".
    assert!(std::process::Command::new("cp").arg("-p").arg(&text).arg(bin.join("go")).status().unwrap().success());
    let path = format!("{}:/usr/bin:/bin", bin.display());
    Bench::with_environment(at, Environment::new([("PATH".into(), path.into())]))
}

#[test]
fn a_module_with_another_checksum_is_exit_4_whether_go_says_so_or_its_file_shows_it() {
    let pinned = "h1:oGUS7++Wm3LgxUfD6AmJgKbKQD2wdQFO9PzyJv6T+E4=";
    let other = "h1:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
    for (name, said) in [("go-says-other", other), ("go-file-is-other", pinned)] {
        let at = folder(name);
        let bench = with_go(&at, said, false);
        let choice = choose(&bench.context, &request("3.14.6", &[BaseSource::GoModule])).unwrap();
        let error = provide(&bench.context, &choice).unwrap_err();
        assert_eq!((error.exit(), error.code()), (Exit::Trust, "E_BASE_MODULE"), "for {name}");
        assert!(told(&error).contains(&format!("the module's checksum is {other}, the table says {pinned}")));
        assert_eq!(bench.stored(), Vec::<String>::new(), "for {name}");
    }
}

#[test]
fn a_module_proxy_that_cannot_be_reached_is_asked_once_in_ten_minutes() {
    let at = folder("go-unreachable");
    let bench = with_go(&at, "", true);
    for _ in 0..3 {
        let error = choose(&bench.context, &request("3.14.6", &[BaseSource::GoModule])).unwrap_err();
        assert!(told(&error).contains("no such host"), "{}", told(&error));
    }
    assert_eq!(fs::read_to_string(at.join("calls")).unwrap(), "list\n");
}
