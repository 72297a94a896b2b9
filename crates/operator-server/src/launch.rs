//! How a server is started: its program on disk, its arguments, its environment.

use std::ffi::OsString;
use std::fs;
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use disk::FileBeside;
use process::Invocation;
use vocab::{Digest, Work};

use crate::server_error::ServerError;

/// The server's program.
pub(crate) const PROGRAM: &str = include_str!("../python/operator_server.py");

/// Starts it as a module, whose byte code Python keeps. To compile it takes longer than anything else of a start.
const START: &str = "import importlib.util, sys
spec = importlib.util.spec_from_file_location('pydist_operator_server', sys.argv[1])
module = importlib.util.module_from_spec(spec)
sys.modules[spec.name] = module
spec.loader.exec_module(module)
sys.exit(module.main())";

/// Variables that a server inherits; everything else of the host's environment could change what Python does.
const INHERITED: [&str; 24] = [
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "USERPROFILE",
    "USERNAME",
    "APPDATA",
    "LOCALAPPDATA",
    "PROGRAMDATA",
    "TEMP",
    "TMP",
    "TMPDIR",
    "SYSTEMROOT",
    "SYSTEMDRIVE",
    "COMSPEC",
    "PATHEXT",
    "WINDIR",
    "LANG",
    "LC_ALL",
    "LC_CTYPE",
    "TZ",
    "NUMBER_OF_PROCESSORS",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
];
const PROXIES: [&str; 4] = ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"];

/// How tables cross. Source: the setting `loader.tableCodec`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TableCodec {
    /// Arrow where the runtime has pyarrow, else JSON.
    #[default]
    Auto,
    /// Arrow, or an error.
    Arrow,
    Json,
}

/// What a server is started with.
#[derive(Clone, Debug)]
pub struct ServerSettings {
    /// The interpreter.
    pub python: PathBuf,
    /// Folders with programs of the runtime, first on `PATH`.
    pub program_folders: Vec<PathBuf>,
    /// Holds the server's program and byte code. Created.
    pub cache: PathBuf,
    /// Holds the folders in which calls run. Created.
    pub scratch: PathBuf,
    /// Lowest and highest port; `None` leaves it to the system.
    pub ports: Option<(u16, u16)>,
    /// The server ends by itself after that long without work; `None`: never.
    pub idle: Option<Duration>,
    /// How long a start may take.
    pub start_limit: Duration,
    pub codec: TableCodec,
    /// The lowest level of Python's `logging` that is sent: 20 is information.
    pub log_level: u8,
    /// Names of more variables that the server gets.
    pub pass_variables: Vec<String>,
    /// An operator may return files that lie outside of its run's folder and the temporary one.
    pub allow_outside_files: bool,
    /// Of one table, file or blob, in bytes.
    pub largest_body: u64,
    /// Folders of calls stay when they are over.
    pub keep_runs: bool,
}

impl ServerSettings {
    /// The defaults of `docs/loader.md`: any port, ten minutes idle, a minute to start, values up to 8 GiB.
    pub fn new(python: impl Into<PathBuf>, cache: impl Into<PathBuf>, scratch: impl Into<PathBuf>) -> Self {
        Self {
            python: python.into(),
            program_folders: Vec::new(),
            cache: cache.into(),
            scratch: scratch.into(),
            ports: None,
            idle: Some(Duration::from_secs(600)),
            start_limit: Duration::from_secs(60),
            codec: TableCodec::Auto,
            log_level: 20,
            pass_variables: Vec::new(),
            allow_outside_files: false,
            largest_body: 8 << 30,
            keep_runs: false,
        }
    }
}

/// In the cache: byte code of whatever servers import.
pub const BYTE_CODE_FOLDER: &str = "byte-code";

/// The server's program in the cache, written if it is not there as it is here.
pub(crate) fn placed_program(cache: &Path) -> Result<PathBuf, ServerError> {
    let path = cache.join(format!("operator-server-{}.py", Digest::of(PROGRAM.as_bytes())));
    let is_ours = || -> io::Result<bool> {
        let mut text = Vec::new();
        // Longer than ours is not ours.
        fs::File::open(&path)?.take(PROGRAM.len() as u64 + 1).read_to_end(&mut text)?;
        Ok(text == PROGRAM.as_bytes())
    };
    if is_ours().unwrap_or(false) {
        return Ok(path);
    }
    let write = || -> io::Result<()> {
        fs::create_dir_all(cache)?;
        let file = FileBeside::beside(&path, "server-")?;
        file.as_file().write_all(PROGRAM.as_bytes())?;
        disk::set_mode(file.path(), 0o600)?;
        file.replace(&path)
    };
    write().map_err(|source| ServerError::Write { path: path.clone(), source })?;
    Ok(path)
}

/// The call of the interpreter; `first_line` is what the server reads from standard input.
pub(crate) fn invocation(work: &Work, settings: &ServerSettings, program: &Path, first_line: &str) -> Invocation {
    let mut invocation = Invocation::new(&settings.python, &settings.scratch)
        // No variables of Python, no folder of the user, UTF-8 everywhere, nothing held back.
        .args(["-I", "-X", "utf8", "-u"]);
    invocation = match byte_code_folder(&settings.cache) {
        Some(folder) => {
            let invocation = invocation.args(["-X"]).arg(prefixed("pycache_prefix=", &folder));
            invocation.args(["-c", START]).arg(program)
        }
        // Byte code of the runtime's own modules is used where it lies, and none is written.
        None => invocation.args(["-B"]).arg(program),
    };
    invocation.clear_environment = true;
    invocation.stdin = format!("{first_line}\n").into_bytes();
    invocation.environment = server_environment(work, settings);
    invocation
}

/// Where Python keeps byte code, by the path, time and size of its source, whose name has its digest. `None` where another
/// user could put something there: Python runs byte code as it finds it.
fn byte_code_folder(cache: &Path) -> Option<PathBuf> {
    let folder = cache.join(BYTE_CODE_FOLDER);
    create_private(&folder).ok()?;
    is_ours_alone(&folder).unwrap_or(false).then_some(folder)
}

#[cfg(unix)]
fn create_private(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};

    match fs::DirBuilder::new().mode(0o700).create(folder) {
        // Made by a former version, it may be readable by others; only its owner can change that.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            let found = fs::symlink_metadata(folder)?;
            if found.is_dir() && found.permissions().mode() & 0o077 != 0 {
                fs::set_permissions(folder, fs::Permissions::from_mode(0o700))?;
            }
            Ok(())
        }
        other => other,
    }
}

#[cfg(not(unix))]
fn create_private(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)
}

/// Whether nobody but this user and the system's administrator can write there, or exchange a folder on the way to it.
#[cfg(unix)]
fn is_ours_alone(folder: &Path) -> io::Result<bool> {
    use std::os::unix::fs::MetadataExt as _;

    const WRITABLE_BY_OTHERS: u32 = 0o022;
    const STICKY: u32 = 0o1000;
    // What this process makes belongs to this user.
    let own = tempfile::tempfile_in(folder)?.metadata()?.uid();
    let found = fs::symlink_metadata(folder)?;
    if !found.is_dir() || found.uid() != own || found.mode() & 0o077 != 0 {
        return Ok(false);
    }
    // From the root on: what is below a closed folder is out of reach.
    let whole = fs::canonicalize(folder)?;
    let mut parents: Vec<&Path> = whole.ancestors().skip(1).collect();
    while let Some(parent) = parents.pop() {
        let found = fs::symlink_metadata(parent)?;
        let is_open = found.mode() & WRITABLE_BY_OTHERS != 0 && found.mode() & STICKY == 0;
        if is_open || ![0, own].contains(&found.uid()) {
            return Ok(false);
        }
        if found.uid() == own && found.mode() & 0o077 == 0 {
            break;
        }
    }
    Ok(true)
}

/// Folders of a user are closed to others by the lists that they inherit.
#[cfg(not(unix))]
fn is_ours_alone(folder: &Path) -> io::Result<bool> {
    Ok(fs::symlink_metadata(folder)?.is_dir())
}

fn prefixed(text: &str, path: &Path) -> OsString {
    let mut argument = OsString::from(text);
    argument.push(path);
    argument
}

/// The environment of a server: few variables of the host's, and the runtime's programs first on `PATH`.
pub fn server_environment(work: &Work, settings: &ServerSettings) -> Vec<(OsString, OsString)> {
    let is_wanted = |name: &str| {
        let is = |known: &str| name.eq_ignore_ascii_case(known);
        INHERITED.into_iter().chain(PROXIES).any(is) || settings.pass_variables.iter().any(|known| known == name)
    };
    let mut variables = Vec::new();
    let mut path = OsString::new();
    for (name, value) in work.environment.iter() {
        let Some(text) = name.to_str().filter(|name| is_wanted(name)) else { continue };
        if text.eq_ignore_ascii_case("PATH") {
            path.clone_from(value);
        } else {
            variables.push((name.clone(), value.clone()));
        }
    }
    let folders = settings.program_folders.iter().cloned().chain(std::env::split_paths(&path));
    // A folder whose name holds the separator cannot stand on PATH.
    let path = std::env::join_paths(folders).unwrap_or(path);
    variables.push(("PATH".into(), path));
    // For Pythons that operators start; `-I` holds for the server alone.
    variables.push(("PYTHONNOUSERSITE".into(), "1".into()));
    variables
}

#[cfg(test)]
mod tests {
    use vocab::Environment;

    use super::*;

    #[test]
    fn pel_63_nothing_that_moves_python_is_inherited() {
        let junk =
            ["PYTHONPATH", "PYTHONHOME", "CONDA_PREFIX", "VIRTUAL_ENV", "LD_PRELOAD", "DYLD_LIBRARY_PATH", "SECRET"];
        let kept = ["HOME", "https_proxy", "MINE"];
        let variables = junk.into_iter().chain(kept).map(|name| (OsString::from(name), OsString::from("x")));
        let environment = Environment::new(variables.chain([("PATH".into(), "/usr/bin".into())]));
        let work = Work { environment, ..Work::quiet() };
        let mut settings = ServerSettings::new("python", "cache", "scratch");
        settings.pass_variables = vec!["MINE".to_owned()];
        settings.program_folders = vec![PathBuf::from("runtime-bin")];
        let given = server_environment(&work, &settings);
        let names: Vec<&str> = given.iter().filter_map(|(name, _)| name.to_str()).collect();
        assert_eq!(names.len(), 5, "{names:?}");
        assert!(kept.iter().all(|name| names.contains(name)) && names.contains(&"PYTHONNOUSERSITE"), "{names:?}");
        let path = &given.iter().find(|(name, _)| name == "PATH").unwrap().1;
        assert_eq!(std::env::split_paths(path).next(), Some(PathBuf::from("runtime-bin")));
    }

    #[cfg(unix)]
    #[test]
    fn byte_code_is_kept_only_where_nobody_else_can_write() {
        use std::os::unix::fs::PermissionsExt as _;

        let root = tempfile::tempdir().unwrap();
        let shared = root.path().join("shared");
        let cache = shared.join("cache");
        fs::create_dir_all(&cache).unwrap();
        let set = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        let mode = |path: &Path| fs::symlink_metadata(path).unwrap().permissions().mode() & 0o777;
        set(root.path(), 0o755);
        let kept = Some(cache.join("byte-code"));
        assert_eq!(byte_code_folder(&cache), kept);
        assert_eq!(mode(&cache.join("byte-code")), 0o700);
        // One of a former version is closed.
        set(&cache.join("byte-code"), 0o777);
        assert_eq!(byte_code_folder(&cache), kept);
        assert_eq!(mode(&cache.join("byte-code")), 0o700);
        for open in [&cache, &shared] {
            set(open, 0o777);
            assert_eq!(byte_code_folder(&cache), None, "for {}", open.display());
            let settings = ServerSettings::new("python", &cache, root.path());
            let arguments = invocation(&Work::quiet(), &settings, Path::new("p.py"), "").arguments;
            assert_eq!(arguments, ["-I", "-X", "utf8", "-u", "-B", "p.py"]);
            // Others cannot get there, or cannot exchange what is not theirs.
            set(root.path(), 0o700);
            assert_eq!(byte_code_folder(&cache), kept, "for {}", open.display());
            set(root.path(), 0o755);
            set(open, 0o1777);
            assert_eq!(byte_code_folder(&cache), kept, "for {}", open.display());
            set(open, 0o755);
        }
        fs::remove_dir(cache.join("byte-code")).unwrap();
        std::os::unix::fs::symlink(root.path(), cache.join("byte-code")).unwrap();
        assert_eq!(byte_code_folder(&cache), None, "a link");
        assert_eq!(mode(root.path()), 0o755);
    }

    #[test]
    fn a_changed_program_in_the_cache_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = placed_program(folder.path()).unwrap();
        fs::write(&path, "import evil").unwrap();
        assert_eq!(placed_program(folder.path()).unwrap(), path);
        assert_eq!(fs::read_to_string(&path).unwrap(), PROGRAM);
    }
}
