//! OCI images in the hands of others' programs: unpacked layer by layer, pushed to a registry, and what a program needs of the
//! system below them.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

/// What a program prints; it must end well.
#[track_caller]
pub fn printed_by(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// The libraries that the dynamic linker loads for programs and libraries, and itself, by the paths that they are looked for at;
/// sorted, none twice. Those below `without` belong to the image.
pub fn system_libraries(files: &[PathBuf], without: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for file in files {
        // It fails for what is linked statically, or is not a program at all.
        let Ok(output) = Command::new("ldd").arg(file).stdin(Stdio::null()).output() else { continue };
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let paths = text.lines().filter_map(|line| line.split_whitespace().find(|word| word.starts_with('/')));
        found.extend(paths.map(PathBuf::from).filter(|path| path.is_file() && !path.starts_with(without)));
    }
    found.sort();
    found.dedup();
    found
}

/// Unpacks the layers of an image of an OCI layout with `skopeo` and `tar`, one over the other. It knows no whiteouts.
pub fn unpack_with_tar(layout: &Path, name: &str, root: &Path) {
    let folder = tempfile::tempdir().expect("temporary folders can be made");
    let copy = folder.path().join("copy");
    let (from, to) = (format!("oci:{}:{name}", layout.display()), format!("dir:{}", copy.display()));
    printed_by(Command::new("skopeo").args(["copy", "--insecure-policy", &from, &to]));
    let manifest = fs::read(copy.join("manifest.json")).expect("skopeo writes it");
    let manifest: Value = serde_json::from_slice(&manifest).expect("skopeo writes JSON");
    for layer in manifest["layers"].as_array().expect("an image has layers") {
        let digest = layer["digest"].as_str().and_then(|digest| digest.strip_prefix("sha256:")).expect("a SHA-256");
        let how = if layer["mediaType"].as_str().is_some_and(|it| it.ends_with("zstd")) { "--zstd" } else { "--gzip" };
        printed_by(Command::new("tar").arg(how).arg("-xf").arg(copy.join(digest)).arg("-C").arg(root));
    }
}

/// Unpacks an image of an OCI layout with `umoci`, as rootless engines do. Before 0.5 it knows gzip alone.
pub fn unpack_with_umoci(layout: &Path, name: &str, root: &Path) {
    let folder = tempfile::tempdir_in(root.parent().expect("not the root")).expect("temporary folders can be made");
    let bundle = folder.path().join("bundle");
    let image = format!("{}:{name}", layout.display());
    printed_by(Command::new("umoci").args(["unpack", "--rootless", "--image", &image]).arg(&bundle));
    fs::remove_dir(root).expect("an empty folder");
    fs::rename(bundle.join("rootfs"), root).expect("on the same disk");
}

/// How containers of an image start: the `config` of its configuration, as `skopeo` reads it.
pub fn config_of(image: &str) -> Value {
    let text = printed_by(Command::new("skopeo").args(["inspect", "--tls-verify=false", "--config", image]));
    let mut config: Value = serde_json::from_str(&text).expect("skopeo prints JSON");
    config["config"].take()
}

/// `docker-registry` of Debian, with its blobs in a folder. It ends with its value.
pub struct ImageRegistry {
    child: Child,
    port: u16,
    storage: PathBuf,
}

impl ImageRegistry {
    /// On the loopback interface.
    pub fn start(folder: &Path) -> Self {
        let free = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = free.local_addr().expect("it is bound").port();
        drop(free);
        let storage = folder.join("registry");
        let settings = format!(
            "version: 0.1\nlog: {{level: info}}\nstorage:\n  filesystem: {{rootdirectory: {}}}\nhttp: {{addr: '127.0.0.1:{port}'}}\n",
            storage.display()
        );
        let file = crate::write(folder, "registry.yml", settings);
        let mut command = Command::new("docker-registry");
        command.arg("serve").arg(file).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the registry starts");
        // It says when it listens, and then its pipe is read to the end so that it never waits for us.
        let mut lines = BufReader::new(child.stderr.take().expect("it is a pipe")).lines();
        let listens = lines.by_ref().map_while(Result::ok).any(|line| line.contains("listening on"));
        assert!(listens, "the registry ended");
        std::thread::spawn(move || lines.map_while(Result::ok).for_each(drop));
        Self { child, port, storage }
    }

    /// As `skopeo` spells an image of it.
    pub fn at(&self, name: &str) -> String {
        format!("docker://127.0.0.1:{}/{name}", self.port)
    }

    /// Copies an image of an OCI layout there, unchanged; the digest that it has there.
    pub fn push(&self, layout: &Path, reference: &str, name: &str) -> String {
        let from = format!("oci:{}:{reference}", layout.display());
        let copy = ["copy", "--insecure-policy", "--preserve-digests", "--dest-tls-verify=false"];
        printed_by(Command::new("skopeo").args(copy).args([&from, &self.at(name)]));
        printed_by(
            Command::new("skopeo")
                .args(["inspect", "--tls-verify=false", "--format", "{{.Digest}}"])
                .arg(self.at(name)),
        )
    }

    /// Copies an image from there into an OCI layout, unchanged.
    pub fn pull(&self, name: &str, layout: &Path, reference: &str) {
        let to = format!("oci:{}:{reference}", layout.display());
        let copy = ["copy", "--insecure-policy", "--preserve-digests", "--src-tls-verify=false"];
        printed_by(Command::new("skopeo").args(copy).args([&self.at(name), &to]));
    }

    /// Files of the blobs that it has.
    pub fn blobs(&self) -> std::collections::BTreeSet<PathBuf> {
        crate::files_below(&self.storage.join("docker/registry/v2/blobs")).into_iter().map(PathBuf::from).collect()
    }
}

impl Drop for ImageRegistry {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
