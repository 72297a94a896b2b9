//! A real cluster on the loopback interface: one proxy and some targets, from the program `aisnode`.

use std::fs;
use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// Starts the nodes, waits for the end of its input, which is that of the tests, and stops them.
const KEEPER: &str = r#"
folder=$1 program=$2 targets=$3
unset $(env | sed -n 's/^\(AIS_[A-Z0-9_]*\)=.*/\1/p')
run() { "$program" -role="$1" -config="$folder/ais.json" -local_config="$folder/$2.json" "$3" \
  >"$folder/$2.out" 2>&1 </dev/null & pids="$! $pids"; echo $! >"$folder/$2.pid"; }
run proxy proxy -ntargets="$targets"
sleep 2
n=1
while [ "$n" -le "$targets" ]; do run target "target$n" -standby=false; n=$((n + 1)); done
read -r _
kill -TERM $pids 2>/dev/null
for _ in 1 2 3 4 5 6 7 8 9 10; do
  left=
  for pid in $pids; do kill -0 "$pid" 2>/dev/null && left=yes; done
  [ -z "$left" ] && break
  sleep 1
done
kill -KILL $pids 2>/dev/null
rm -rf "$folder"
"#;

/// A proxy and some targets, from the program that `PYDIST_AISNODE` names or that is on PATH. Where there is none,
/// whoever starts it gets `None`, and why is printed. Its folder is made in one for temporary files that lies in the
/// target folder, `CARGO_TARGET_TMPDIR`: the disk of the system's may lack extended attributes. Ends when dropped, or with
/// the process of the tests.
pub struct Cluster {
    folder: PathBuf,
    address: SocketAddr,
    keeper: Mutex<Child>,
}

/// `None`, and why, where the program was not found.
#[expect(clippy::print_stderr, reason = "says which tests are left out, and why")]
fn program() -> Option<PathBuf> {
    let named = std::env::var_os("PYDIST_AISNODE").filter(|path| !path.is_empty()).map(PathBuf::from);
    let found = named.or_else(|| which::which("aisnode").ok());
    if found.is_none() {
        eprintln!("skipped: PYDIST_AISNODE names no `aisnode`, and none is on PATH");
    }
    found
}

/// An `aisnode` that was built with the tag `etl`, which PYDIST_AISNODE_ETL names. `None`, and why, where it is unset.
/// `pods.py`, beside this file, stands in for the Kubernetes that its targets ask for pods.
#[expect(clippy::print_stderr, reason = "says which tests are left out, and why")]
pub fn aisnode_with_etl() -> Option<PathBuf> {
    let named = std::env::var_os("PYDIST_AISNODE_ETL").filter(|path| !path.is_empty()).map(PathBuf::from);
    if named.is_none() {
        eprintln!("skipped: PYDIST_AISNODE_ETL names no `aisnode` that was built with the tag `etl`");
    }
    named
}

impl Cluster {
    /// Feature bits: S3 at the root, and without redirects. Clusters start with these.
    pub const S3_AT_THE_ROOT_RELAYED: &str = "8200";
    /// Feature bits: S3 at the root.
    pub const S3_AT_THE_ROOT: &str = "8";

    /// A cluster of its own, for tests that change its configuration. `None` where the programs are missing and may be.
    pub fn start(temporary: &str, targets: usize) -> Option<Self> {
        Self::try_start(Path::new(temporary), targets).map(Result::unwrap)
    }

    /// One for all tests that leave its configuration alone: two targets.
    pub fn shared(temporary: &str) -> Option<&'static Self> {
        static SHARED: OnceLock<Option<Result<Cluster, String>>> = OnceLock::new();
        let started = SHARED.get_or_init(|| Self::try_start(Path::new(temporary), 2)).as_ref();
        started.map(|started| started.as_ref().unwrap())
    }

    /// One for tests that change its configuration, one after the other: one target.
    pub fn changeable(temporary: &str) -> Option<(&'static Self, MutexGuard<'static, ()>)> {
        static CHANGEABLE: OnceLock<Option<Result<Cluster, String>>> = OnceLock::new();
        static TURN: Mutex<()> = Mutex::new(());
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let started = CHANGEABLE.get_or_init(|| Self::try_start(Path::new(temporary), 1)).as_ref();
        started.map(|started| (started.as_ref().unwrap(), turn))
    }

    /// Why it does not start is kept, so that not every test waits for it again.
    #[expect(clippy::print_stderr, reason = "says which tests are left out, and why")]
    fn try_start(temporary: &Path, targets: usize) -> Option<Result<Self, String>> {
        let program = program()?;
        fs::create_dir_all(temporary).unwrap();
        if let Some(free) = free_percent(temporary).filter(|free| *free < 2) {
            eprintln!("skipped: {free} % of the disk are free, and AIStore refuses jobs there");
            return None;
        }
        // The keeper removes it.
        let folder = tempfile::Builder::new().prefix("aistore-").tempdir_in(temporary).unwrap().keep();
        let ports = free_ports(3 * (targets + 1));
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, ports[0]));
        write(&folder.join("ais.json"), &configuration(&format!("http://{address}")));
        write(&folder.join("proxy.json"), &node(&folder, "proxy", &ports[..3], 0));
        for (index, ports) in ports[3..].chunks(3).enumerate() {
            let name = format!("target{}", index + 1);
            write(&folder.join(format!("{name}.json")), &node(&folder, &name, ports, index));
        }
        fs::create_dir_all(folder.join("store")).unwrap();
        let mut command = Command::new("sh");
        command.args(["-c", KEEPER, "keeper"]).arg(&folder).arg(program).arg(targets.to_string());
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let keeper = Mutex::new(command.spawn().unwrap());
        let cluster = Self { folder, address, keeper };
        Some(cluster.wait_until_ready(targets).map(|()| cluster))
    }

    fn wait_until_ready(&self, targets: usize) -> Result<(), String> {
        let begun = Instant::now();
        while !self.is_ready(targets) {
            if begun.elapsed() > Duration::from_secs(100) {
                let said = fs::read_to_string(self.folder.join("target1.out")).unwrap_or_default();
                return Err(format!("the cluster is not ready: {said}"));
            }
            thread::sleep(Duration::from_millis(250));
        }
        Ok(())
    }

    /// A bucket can be made before a target is there.
    fn is_ready(&self, targets: usize) -> bool {
        let map = self.ask("GET", "/v1/daemon?what=smap", "").ok().map(|(_, map)| map);
        let map: Value = map.and_then(|map| serde_json::from_str(&map).ok()).unwrap_or_default();
        map["tmap"].as_object().is_some_and(|there| there.len() == targets)
            && self.ask("GET", "/v1/health?prr=true", "").is_ok_and(|(status, _)| status == 200)
            && self.create(&fresh_name()).is_ok_and(|status| status == 200)
    }

    /// A new bucket, with what a client has to know of it: its name.
    pub fn new_bucket(&self) -> String {
        let name = fresh_name();
        assert_eq!(self.create(&name).unwrap(), 200);
        name
    }

    fn create(&self, bucket: &str) -> io::Result<u16> {
        let path = format!("/v1/buckets/{bucket}?provider=ais");
        self.ask("POST", &path, r#"{"action":"create-bck"}"#).map(|(status, _)| status)
    }

    /// Puts an object; names need no encoding.
    pub fn put(&self, bucket: &str, name: &str, content: &[u8]) {
        let path = format!("/v1/objects/{bucket}/{name}?provider=ais");
        // The proxy says which target takes it.
        let (status, head, _) = exchange(self.address, "PUT", &path, b"").unwrap();
        let location = head.lines().find_map(|line| line.strip_prefix("Location: http://"));
        let (target, path) = location.and_then(|location| location.split_once('/')).unwrap();
        assert_eq!(status, 307, "{head}");
        let (status, head, _) = exchange(target.parse().unwrap(), "PUT", &format!("/{path}"), content).unwrap();
        assert_eq!(status, 200, "{head}");
    }

    /// Status and text of the proxy's answer.
    fn ask(&self, method: &str, path: &str, content: &str) -> io::Result<(u16, String)> {
        exchange(self.address, method, path, content.as_bytes()).map(|(status, _, text)| (status, text))
    }

    /// Where the proxy listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// URL of the proxy, as AIS_ENDPOINT has it.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Ends a target at once.
    pub fn kill_target(&self, number: usize) {
        let pid = fs::read_to_string(self.folder.join(format!("target{number}.pid"))).unwrap();
        assert!(Command::new("kill").args(["-KILL", pid.trim()]).status().unwrap().success());
    }
}

/// Status, head and text of an answer. Knows no client, since this is what clients are tested with.
fn exchange(address: SocketAddr, method: &str, path: &str, content: &[u8]) -> io::Result<(u16, String, String)> {
    let mut connection = TcpStream::connect(address)?;
    connection.set_read_timeout(Some(Duration::from_secs(30)))?;
    write!(
        connection,
        "{method} {path} HTTP/1.0\r\nHost: {address}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        content.len()
    )?;
    connection.write_all(content)?;
    let mut answer = String::new();
    connection.read_to_string(&mut answer)?;
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok());
    let parts = answer.split_once("\r\n\r\n");
    let parts = status.zip(parts).map(|(status, (head, text))| (status, head.to_owned(), text.to_owned()));
    parts.ok_or_else(|| io::ErrorKind::InvalidData.into())
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let keeper = self.keeper.get_mut().unwrap_or_else(PoisonError::into_inner);
        drop(keeper.stdin.take());
        let _ = keeper.wait();
    }
}

/// Not used by another test.
fn fresh_name() -> String {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    format!("b{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed))
}

/// `None` where `df` does not say.
fn free_percent(folder: &Path) -> Option<u64> {
    let output = Command::new("df").arg("-P").arg(folder).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let columns: Vec<&str> = text.lines().nth(1)?.split_whitespace().collect();
    let (whole, free): (u64, u64) = (columns.get(1)?.parse().ok()?, columns.get(3)?.parse().ok()?);
    Some(free * 100 / whole.max(1))
}

fn free_ports(count: usize) -> Vec<u16> {
    // All at once, or one could be given twice.
    let open: Vec<_> = (0..count).map(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap()).collect();
    open.iter().map(|listener| listener.local_addr().unwrap().port()).collect()
}

fn write(path: &Path, value: &Value) {
    fs::write(path, value.to_string()).unwrap();
}

fn configuration(endpoint: &str) -> Value {
    json!({
        "backend": {},
        "proxy": { "primary_url": endpoint, "original_url": endpoint, "discovery_url": "", "non_electable": false },
        "timeout": {
            "cplane_operation": "2s", "max_keepalive": "5s", "cold_get_conflict": "5s", "max_host_busy": "20s",
            "startup_time": "30s", "join_startup_time": "2m", "send_file_time": "5m", "ec_streams_time": "10m",
            "object_md": "2h"
        },
        // Higher than by default: the disk of whoever runs the tests may be nearly full.
        "space": { "cleanupwm": 97, "lowwm": 98, "highwm": 99, "out_of_space": 100 },
        "memsys": {
            "min_free": "128mb", "default_buf": "32kb", "to_gc": "1gb", "hk_time": "3m", "min_pct_total": 0,
            "min_pct_free": 0
        },
        "versioning": { "enabled": true, "validate_warm_get": false },
        "resilver": { "enabled": true },
        "net": {
            "l4": { "proto": "tcp", "sndrcv_buf_size": 131_072 },
            "http": {
                "use_https": false, "idle_conn_time": "6s", "idle_conns_per_host": 32, "idle_conns": 256,
                "chunked_transfer": true
            },
            "use_ipv6": false
        },
        "auth": {},
        "features": Cluster::S3_AT_THE_ROOT_RELAYED
    })
}

fn node(folder: &Path, name: &str, ports: &[u16], instance: usize) -> Value {
    let of = |what: &str| {
        let path = folder.join(name).join(what);
        fs::create_dir_all(&path).unwrap();
        path.display().to_string()
    };
    let host = "127.0.0.1";
    json!({
        "confdir": of("conf"),
        "log_dir": of("log"),
        "host_net": {
            "hostname": host, "hostname_intra_control": host, "hostname_intra_data": host,
            "port": ports[0].to_string(), "port_intra_control": ports[1].to_string(),
            "port_intra_data": ports[2].to_string()
        },
        "fspaths": {},
        "test_fspaths": { "root": folder.join("store"), "count": 1, "instance": instance }
    })
}
