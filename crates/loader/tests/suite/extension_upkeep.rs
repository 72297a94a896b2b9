//! `pydist extension verify`, `clean` and `bundle`.

use std::fs::{self, File};
use std::io::Read as _;
use std::path::Path;
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};
use vocab::Digest;

use crate::site::{PYTHON, Site, assert_refused};

fn os() -> &'static str {
    if cfg!(target_os = "macos") { "macos" } else { "linux" }
}

#[test]
fn verify_reads_every_file_and_repairs_on_demand() {
    let site = Site::new();
    site.extension("a.zip", "a", "custom:1.0.0", &[]);
    site.extension("b.zip", "b", "lacking:1", &[]);
    let (code, _, stderr) = site.run(&["verify"]);
    assert!(code == 5 && stderr.contains("E_DIST_NO_ENVYML"), "{code}: {stderr}");
    let files: [(&str, &[u8]); 2] = [("bin/python3", PYTHON.as_bytes()), ("lib/a.py", b"one")];
    site.tar(&format!("res/pydist-custom-1.0.0-{}.tar.gz", os()), &files);
    let (code, stdout, _) = site.run(&["verify", "a"]);
    assert!(code == 5 && stdout.contains("not installed yet"), "{code}: {stdout}");
    assert_eq!(site.run(&["install", "a"]).0, 0, "another name of prepare");
    let (code, stdout, _) = site.run(&["verify", "custom:1.0.0"]);
    assert!(code == 0 && stdout.contains("custom:1.0.0: intact, 2 files"), "{code}: {stdout}");

    // Size and time stay, and the settings ask for less.
    let changed = site.path("dists/custom-1.0.0/lib/a.py");
    let time = fs::metadata(&changed).unwrap().modified().unwrap();
    fs::write(&changed, "two").unwrap();
    File::options().write(true).open(&changed).unwrap().set_modified(time).unwrap();
    let fast = ["verify", "a", "--set", "loader.verify=fast"];
    let (code, stdout, _) = site.run(&fast);
    assert!(code == 4 && stdout.contains("`lib/a.py` was changed"), "{code}: {stdout}");
    let row = &site.json(&fast)[0];
    assert_eq!((&row["state"], &row["damage"][0]["path"]), (&json!("damaged"), &json!("lib/a.py")));
    assert_eq!(site.run(&[&fast[..], &["--repair"]].concat()).0, 0);
    assert_eq!(fs::read_to_string(&changed).unwrap(), "one");
    assert_eq!(site.run(&fast).0, 0);

    // What somebody else made is not judged.
    site.write("dists/own/bin/python3", PYTHON);
    let row = &site.json(&["verify", "own"])[0];
    assert_eq!(row["state"], "foreign", "{row}");
}

#[test]
fn clean_removes_what_no_zip_needs_and_nothing_young() {
    let site = Site::new();
    let zip = site.extension("a.zip", "a", "k", &[]);
    let cache = site.path("cache");
    let setting = format!("loader.cacheDir={}", cache.display());
    let kept = Digest::of(fs::read(&zip).unwrap()).to_string();
    let gone = Digest::of("gone").to_string();
    let byte_code = |digest: &str| {
        let folder = cache.join("ext").join(digest);
        cache.join("byte-code").join(folder.strip_prefix("/").unwrap())
    };
    let old = SystemTime::now() - Duration::from_secs(2 * 24 * 60 * 60);
    for digest in [&kept, &gone] {
        for folder in [cache.join("ext").join(digest), byte_code(digest), cache.join("runs").join(&digest[..6])] {
            fs::create_dir_all(&folder).unwrap();
            fs::write(folder.join("x"), "x").unwrap();
        }
    }
    fs::create_dir_all(cache.join("ext/mine")).unwrap();
    let clean = |more: &[&str]| site.run(&[&["clean", "--set", &setting], more].concat());
    assert!(clean(&[]).2.contains("nothing to remove"), "all of it is young");
    for folder in [cache.join("ext").join(&kept), cache.join("ext").join(&gone), cache.join("ext/mine")] {
        File::open(&folder).unwrap().set_modified(old).unwrap();
    }
    File::open(cache.join("runs").join(&gone[..6])).unwrap().set_modified(old).unwrap();
    // Where extensions cannot be listed, none is known to be gone.
    let unread = format!("pysdk.pel.extLoc={}", site.write("no-folder", "x").display());
    let (code, stdout, _) = clean(&["--dry-run", "--set", &unread]);
    assert_eq!((code, stdout.lines().count()), (0, 1), "{stdout}");
    let (code, stdout, stderr) = clean(&["--dry-run"]);
    assert_eq!((code, stdout.lines().count()), (0, 3), "{stdout}");
    assert!(stderr.contains("would remove 3 folders") && cache.join("ext").join(&gone).exists(), "{stderr}");
    assert!(clean(&[]).2.contains("3 folders removed"));
    let left: Vec<bool> = [&kept, &gone]
        .iter()
        .flat_map(|it| [cache.join("ext").join(it), byte_code(it), cache.join("runs").join(&it[..6])])
        .map(|folder| folder.exists())
        .collect();
    assert_eq!(left, [true, true, true, false, false, false]);
    assert!(cache.join("ext/mine").exists(), "it only lies there");
}

/// A channel with one package, which repodata.json lists.
fn packages(site: &Site) -> Value {
    let package = b"a package";
    site.write("packages/channel/linux-64/demo-1.0-0.conda", package);
    site.write("packages/channel/osx-64/demo-1.0-0.conda", package);
    let listed = json!({
        "info": { "subdir": "linux-64" }, "packages": {},
        "packages.conda": { "demo-1.0-0.conda": { "name": "demo", "sha256": Digest::of(package).to_string() } },
    });
    site.write("packages/channel/linux-64/repodata.json", listed.to_string());
    site.write("packages/wheels/demo-1.0-py3-none-any.whl", "a wheel");
    listed
}

fn bundle(site: &Site, out: &str) -> (i32, String, String) {
    let (folder, out) = (site.path("packages"), site.path(out));
    let words = [folder.to_str().unwrap(), "--id", "custom:1.0.0", "--os", "linux", "--out", out.to_str().unwrap()];
    site.run(&[&["bundle"], &words[..]].concat())
}

#[test]
fn a_bundle_has_what_is_listed_and_is_found_as_packages_on_disk() {
    let site = Site::new();
    site.extension("a.zip", "a", "custom:1.0.0", &[("env.yml", b"dependencies: [demo]\n")]);
    packages(&site);
    let (code, stdout, stderr) = bundle(&site, "res");
    assert_eq!((code, Path::new(&stdout)), (0, &*site.path("res/pydist-channel-custom-1.0.0-linux.zip")), "{stderr}");
    assert!(stderr.contains("1 package of linux-64, noarch, 1 wheel"), "{stderr}");
    let mut zip = zip::ZipArchive::new(File::open(&stdout).unwrap()).unwrap();
    let names: Vec<String> = zip.file_names().map(|name| name.unwrap().into_owned()).collect();
    let expected = [
        "bundle.json",
        "channel/linux-64/demo-1.0-0.conda",
        "channel/linux-64/repodata.json",
        "channel/noarch/repodata.json",
        "wheels/demo-1.0-py3-none-any.whl",
    ];
    let files: Vec<&String> = names.iter().filter(|name| !name.ends_with('/')).collect();
    assert_eq!(files, expected);
    let mut text = String::new();
    zip.by_name("bundle.json").unwrap().read_to_string(&mut text).unwrap();
    let said: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((&said["format"], &said["key"], &said["version"]), (&json!(1), &json!("custom"), &json!("1.0.0")));
    assert_eq!(said["subdirs"], json!(["linux-64", "noarch"]));
    let row = json!({
        "path": "channel/linux-64/demo-1.0-0.conda", "size": 9, "sha256": Digest::of("a package").to_string(),
    });
    assert_eq!(said["files"][0], row);
    assert_eq!(bundle(&site, "again").0, 0);
    let again = fs::read(site.path("again/pydist-channel-custom-1.0.0-linux.zip")).unwrap();
    assert_eq!(Digest::of(again), Digest::of(fs::read(&stdout).unwrap()), "equal bytes");
    // As the decision finds it.
    if os() == "linux" {
        let row = &site.json(&["resolve", "a", "-D", "pysdk.pel.airGapped=true"])[0];
        assert_eq!((&row["facts"]["offline_source"], &row["row"]), (&json!(true), &json!(2)), "{row}");
    }
}

#[test]
fn a_bundle_with_something_else_in_it_is_refused() {
    let site = Site::new();
    fs::create_dir_all(site.path("packages")).unwrap();
    assert_refused(&bundle(&site, "out"), 2, &["E_BUNDLE_EMPTY", "channel/linux-64", "channel/noarch"]);
    let mut listed = packages(&site);
    let extra = site.write("packages/channel/linux-64/other-1.0-0.conda", "x");
    assert_refused(&bundle(&site, "out"), 2, &["E_BUNDLE_FILE", "other-1.0-0.conda", "is not listed"]);
    fs::remove_file(extra).unwrap();
    let sdist = site.write("packages/wheels/demo-1.0.tar.gz", "x");
    assert_refused(&bundle(&site, "out"), 2, &["E_BUNDLE_FILE", "demo-1.0.tar.gz", "does not end in `.whl`"]);
    fs::remove_file(sdist).unwrap();
    let noarch = site.write("packages/channel/noarch/pure-1.0-0.conda", "x");
    assert_refused(&bundle(&site, "out"), 2, &["E_BUNDLE_FILE", "pure-1.0-0.conda", "is not listed"]);
    fs::remove_file(noarch).unwrap();
    let write = |text: String| site.write("packages/channel/linux-64/repodata.json", text);
    listed["packages.conda"]["demo-1.0-0.conda"]["sha256"] = Digest::of("another").to_string().into();
    write(listed.to_string());
    assert_refused(&bundle(&site, "out"), 4, &["E_PACKAGE_CHECKSUM", "demo-1.0-0.conda", "fetch the package again"]);
    listed["packages"]["missing-1.tar.bz2"] = json!({});
    write(listed.to_string());
    assert_refused(&bundle(&site, "out"), 2, &["E_BUNDLE_FILE", "lists `missing-1.tar.bz2`, which is not there"]);
    write("[]".to_owned());
    assert_refused(&bundle(&site, "out"), 2, &["E_BUNDLE_FILE", "repodata.json", "is not usable"]);
    fs::remove_file(site.path("packages/channel/linux-64/repodata.json")).unwrap();
    assert_refused(&bundle(&site, "out"), 1, &["E_BUNDLE_READ", "repodata.json"]);
    assert!(!site.path("out").exists(), "nothing was written");
}
