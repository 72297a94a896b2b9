//! A folder laid out like a mirror of python-build-standalone, with real trees: those of the Go module, in archives
//! with upstream's names and layout. Needs the machine's `go`, and its module proxy or cache.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;
use serde_json::Value;
use vocab::{Digest, PlatformKey};

const MODULE: &str = "github.com/kluctl/go-embed-python";

/// `<folder>/<tag>/cpython-<version>+<tag>-<triple>-install_only_stripped.tar.gz` for each platform, and `SHA256SUMS`.
#[derive(Clone, Debug)]
pub struct ReleaseMirror {
    pub folder: PathBuf,
    /// `<tag>/<asset>` and the archive's digest.
    pub releases: BTreeMap<PlatformKey, (String, Digest)>,
}

impl ReleaseMirror {
    /// `tag` is the day of the release, as in the module's version `v0.0.0-<python>-<tag>-1`.
    pub fn of_go_module(folder: &Path, python: &str, tag: &str) -> Self {
        let module = module(&format!("v0.0.0-{python}-{tag}-1"));
        let place = folder.join(tag);
        fs::create_dir_all(&place).expect("folders can be made");
        let pip = ModuleTree::read(&module.join("pip/internal/data"));
        let mut releases = BTreeMap::new();
        let mut sums = String::new();
        for platform in PlatformKey::ALL {
            let asset = format!("cpython-{python}+{tag}-{}-install_only_stripped.tar.gz", platform.triple());
            let tree = ModuleTree::read(&module.join("python/internal/data").join(go_name(platform)));
            let archive = archive(&tree, &pip, platform, python);
            let digest = Digest::of(&archive);
            fs::write(place.join(&asset), archive).expect("files can be written");
            sums.push_str(&format!("{digest}  {asset}\n"));
            releases.insert(platform, (format!("{tag}/{asset}"), digest));
        }
        fs::write(place.join("SHA256SUMS"), sums).expect("files can be written");
        Self { folder: folder.to_owned(), releases }
    }
}

fn go_name(platform: PlatformKey) -> &'static str {
    match platform {
        PlatformKey::LinuxX64 => "linux-amd64",
        PlatformKey::LinuxAarch64 => "linux-arm64",
        PlatformKey::MacosxX64 => "darwin-amd64",
        PlatformKey::MacosxAarch64 => "darwin-arm64",
        PlatformKey::WindowsX64 => "windows-amd64",
    }
}

/// The folder of Go's cache that has the module unpacked.
fn module(version: &str) -> PathBuf {
    let folder = tempfile::tempdir().expect("temporary folders can be made");
    let output = Command::new("go")
        .args(["mod", "download", "-json", &format!("{MODULE}@{version}")])
        .env("GO111MODULE", "on")
        .env("GOWORK", "off")
        .current_dir(folder.path())
        .output()
        .expect("`go` is on PATH");
    let told: Value = serde_json::from_slice(&output.stdout).expect("`go mod download -json` prints JSON");
    told["Dir"].as_str().unwrap_or_else(|| panic!("the module is there: {told}")).into()
}

/// Regular files with their executable bit, and links with their target.
struct ModuleTree {
    files: BTreeMap<String, (Vec<u8>, bool)>,
    links: BTreeMap<String, String>,
}

impl ModuleTree {
    /// What `files.json` of the folder lists.
    fn read(folder: &Path) -> Self {
        const FOLDER: u64 = 1 << 31;
        const LINK: u64 = 1 << 27;
        let text = fs::read(folder.join("files.json")).expect("the module describes its files");
        let list: Value = serde_json::from_slice(&text).expect("files.json is JSON");
        let mut all = Self { files: BTreeMap::new(), links: BTreeMap::new() };
        for item in list["files"].as_array().expect("files.json lists files") {
            let name = item["name"].as_str().expect("every file has a name").to_owned();
            let mode = item["perm"].as_u64().expect("every file has a mode");
            if mode & LINK != 0 {
                all.links.insert(name, item["symlink"].as_str().expect("a link has a target").to_owned());
            } else if mode & FOLDER == 0 {
                let content = content(&folder.join(&name), item["compressed"] == true);
                all.files.insert(name, (content, mode & 0o100 != 0));
            }
        }
        all
    }
}

fn content(path: &Path, compressed: bool) -> Vec<u8> {
    if !compressed {
        return fs::read(path).expect("the module's file is there");
    }
    let file = fs::File::open(format!("{}.gz", path.display())).expect("the module's file is there");
    let mut content = Vec::new();
    MultiGzDecoder::new(file).read_to_end(&mut content).expect("it is gzip");
    content
}

/// An archive like upstream's: everything below `python/`, pip in `site-packages`, modes only where the system has
/// them.
fn archive(tree: &ModuleTree, pip: &ModuleTree, platform: PlatformKey, python: &str) -> Vec<u8> {
    let minor = python.rsplit_once('.').map_or(python, |(minor, _)| minor);
    let site_packages =
        if platform.is_windows() { "Lib/site-packages".to_owned() } else { format!("lib/python{minor}/site-packages") };
    let mut tar = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    let mut put = |name: &str, content: &[u8], executable: bool| {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(if executable { 0o755 } else { 0o644 });
        tar.append_data(&mut header, format!("python/{name}"), content).expect("memory can be written");
    };
    for (name, (content, executable)) in &tree.files {
        put(name, content, *executable && !platform.is_windows());
    }
    // The module's own scripts of pip name a folder of the machine that made it.
    for (name, (content, _)) in pip.files.iter().filter(|(name, _)| !name.starts_with("bin/")) {
        put(&format!("{site_packages}/{name}"), content, false);
    }
    for (name, target) in &tree.links {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(tar::EntryType::Symlink);
        header.set_size(0);
        tar.append_link(&mut header, format!("python/{name}"), target).expect("memory can be written");
    }
    let mut gzip = tar.into_inner().expect("memory can be written");
    gzip.flush().expect("memory can be written");
    gzip.finish().expect("memory can be written")
}
