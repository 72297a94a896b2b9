//! versitygw, an S3 server of others, where `scripts/test` has set it up.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use crate::S3Server;

/// A running server with the bucket [`S3Server::BUCKET`], to be used with [`S3Server::KEY`] and [`S3Server::SECRET`]. It
/// ends with its value.
pub struct Versitygw {
    child: Child,
    /// Where it listens, on the loopback interface.
    pub address: SocketAddr,
    folder: tempfile::TempDir,
}

impl Versitygw {
    /// The one that `scripts/test` sets up; `None` where the tests were told to do without it.
    pub fn set_up() -> Option<Self> {
        if crate::is_left_out("versitygw") {
            return None;
        }
        let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/tools/versitygw/bin/versitygw");
        assert!(program.is_file(), "`versitygw` is not there; `scripts/test` sets it up");
        Some(Self::start(&program))
    }

    /// Starts the program.
    pub fn start(program: &Path) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (data, accounts) = (folder.path().join("data"), folder.path().join("accounts"));
        fs::create_dir_all(data.join(S3Server::BUCKET)).expect("an empty folder");
        fs::create_dir_all(&accounts).expect("an empty folder");
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        drop(listener);
        let mut command = Command::new(program);
        command
            .args(["--access", S3Server::KEY, "--secret", S3Server::SECRET, "--region", "eu-north-1", "--port"])
            .arg(address.to_string())
            .arg("--iam-dir")
            .arg(&accounts)
            .arg("--quiet")
            .args(["posix"])
            .arg(&data)
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let child = command.spawn().expect("versitygw starts");
        let server = Self { child, address, folder };
        let up = (0..200).any(|_| {
            thread::sleep(Duration::from_millis(50));
            TcpStream::connect(server.address).is_ok()
        });
        assert!(up, "versitygw listens");
        server
    }

    /// Its URL.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The file that holds an object.
    pub fn object(&self, key: &str) -> PathBuf {
        self.folder.path().join("data").join(S3Server::BUCKET).join(key)
    }
}

impl Drop for Versitygw {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
