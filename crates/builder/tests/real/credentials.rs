//! The default index asks for a password: each way to tell uv also serves the downloads of ours, and nobody else is
//! told. And a proxy that asks for one.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::json;
use store::Context;
use store::download::{DownloadSettings, Downloader, fetch_bytes};
use testkit::{FixtureFile, FixtureIndex, HttpServer, WheelBuilder};

use vocab::{Environment, Work};

use crate::support::{self, Bench, PYTHON, assert_says, output};

const USER: &str = "reader";
const SECRET: &str = "hush-4711";

fn demo() -> FixtureFile {
    WheelBuilder::new("demo", "1.0").build()
}

/// Its default index asks for a password.
fn private() -> Bench {
    let bench = Bench::new([demo()]);
    bench.packages(json!({ "dependencies": ["demo"] }));
    bench.index().server.require_basic("/", USER, SECRET);
    bench
}

/// Locks and builds in an empty store; uv has the pages from the index, and our downloads the wheel.
fn builds(bench: &Bench, command: &mut Command, how: &str) {
    let store = bench.make_store("private");
    let run = support::run(command.env("PYDIST_STORE", &store).env("UV_CACHE_DIR", bench.path("private-cache")));
    assert_eq!(run.code, 0, "{how}: {}", run.told());
    assert_eq!(run.installed(), ["demo 1.0"], "{how}");
    let of_ours = bench.index().server.requests().into_iter().filter(|request| request.path.starts_with("/files/"));
    assert!(of_ours.filter(|request| request.headers.contains_key("authorization")).count() > 0, "{how}");
    assert!(!run.told().contains(SECRET), "{how}: {}", run.told());
    let package = bench.repository.at(&format!("python-{PYTHON}"));
    for place in [package.join("logs"), package.join("lock.json"), store.join("memory")] {
        assert_eq!(with_secret(&place), Vec::<PathBuf>::new(), "{how}");
    }
    for place in [package.join("pydist"), bench.path("private-cache"), store] {
        fs::remove_dir_all(place).unwrap();
    }
    fs::remove_file(package.join("lock.json")).unwrap();
}

fn with_secret(place: &Path) -> Vec<PathBuf> {
    let walk = walkdir::WalkDir::new(place).into_iter().filter_map(Result::ok);
    let files = walk.filter(|entry| entry.file_type().is_file()).map(walkdir::DirEntry::into_path);
    files.filter(|path| String::from_utf8_lossy(&fs::read(path).unwrap()).contains(SECRET)).collect()
}

fn uv_settings(bench: &Bench, text: &str) {
    let folder = bench.path("config").join("uv");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("uv.toml"), text).unwrap();
}

/// `PATH` with this script in front, under the name `keyring`.
fn with_keyring(bench: &Bench, script: &str) -> std::ffi::OsString {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = bench.path("bin");
    fs::create_dir_all(&folder).unwrap();
    let program = folder.join("keyring");
    fs::write(&program, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::join_paths(std::iter::once(folder).chain(std::env::split_paths(&path))).unwrap()
}

#[test]
fn what_variables_netrc_and_settings_say_of_an_index_serves_uv_and_our_downloads() {
    let bench = private();
    let url = bench.index().simple_url();
    let ours = || bench.command(&[PYTHON, "-vv"]);

    let run = bench.fail(&[], 1);
    assert_says(&run.told(), &["401"]);

    let mut command = ours();
    let with_user = bench.index().server.url_as(USER, SECRET, "/simple/");
    builds(&bench, command.env("UV_DEFAULT_INDEX", &with_user), "the URL");

    let mut command = ours();
    command.env("UV_DEFAULT_INDEX", format!("my-corp={url}"));
    command.env("UV_INDEX_MY_CORP_USERNAME", USER).env("UV_INDEX_MY_CORP_PASSWORD", SECRET);
    builds(&bench, &mut command, "UV_INDEX_<NAME>_USERNAME and _PASSWORD");

    let netrc = bench.path("netrc");
    fs::write(&netrc, format!("machine 127.0.0.1 login {USER} password {SECRET}\n")).unwrap();
    builds(&bench, ours().env("NETRC", &netrc), "netrc");
    let user_alone = url.replace("://", &format!("://{USER}@"));
    builds(&bench, ours().env("NETRC", &netrc).env("UV_DEFAULT_INDEX", user_alone), "netrc, the user in the URL");

    uv_settings(&bench, &format!("[[index]]\nname = 'corp'\nurl = '{with_user}'\ndefault = true\n"));
    builds(&bench, ours().env_remove("UV_DEFAULT_INDEX"), "uv.toml");
    uv_settings(&bench, &format!("[[index]]\nname = 'corp'\nurl = '{url}'\ndefault = true\n"));
    let mut command = ours();
    command.env_remove("UV_DEFAULT_INDEX").env("UV_INDEX_CORP_USERNAME", USER).env("UV_INDEX_CORP_PASSWORD", SECRET);
    builds(&bench, &mut command, "the name from uv.toml, the rest from variables");
}

#[test]
fn what_uv_auth_and_a_keyring_keep_serves_uv_and_our_downloads() {
    let bench = private();
    let url = bench.index().simple_url();
    let ours = || bench.command(&[PYTHON, "-vv"]);

    let kept = bench.path("kept");
    let mut login = Command::new("uv");
    login.args(["auth", "login", &url, "--username", USER, "--password", SECRET, "--no-config"]);
    output(login.env("UV_CREDENTIALS_DIR", &kept));
    builds(&bench, ours().env("UV_CREDENTIALS_DIR", &kept), "uv auth");

    let script = format!("[ \"$1 $2 $3\" = 'get {url} {USER}' ] || exit 1\necho {SECRET}");
    let mut command = ours();
    command.env("PATH", with_keyring(&bench, &script)).env("UV_KEYRING_PROVIDER", "subprocess");
    command.env("UV_DEFAULT_INDEX", url.replace("://", &format!("://{USER}@")));
    builds(&bench, &mut command, "keyring, the user in the URL");

    let script = format!("[ \"$1 $2 $3 $4\" = 'get {url} --mode creds' ] || exit 1\necho {USER}; echo {SECRET}");
    let mut command = ours();
    command.env("PATH", with_keyring(&bench, &script)).env_remove("UV_DEFAULT_INDEX");
    let index = format!("[[index]]\nname = 'corp'\nurl = '{url}'\ndefault = true\nauthenticate = 'always'\n");
    uv_settings(&bench, &format!("keyring-provider = 'subprocess'\n{index}"));
    builds(&bench, &mut command, "keyring, without a user");

    // Nobody asks it unless the user wants that.
    uv_settings(&bench, &index);
    let run = support::run(command.env("PYDIST_STORE", bench.make_store("refused")));
    assert_eq!(run.code, 1, "{}", run.told());
}

#[test]
#[cfg(target_os = "linux")]
fn an_interrupt_while_a_keyring_thinks_ends_at_once_and_ends_the_keyring() {
    let bench = private();
    let url = bench.index().simple_url();
    let (asked, ended) = (bench.path("asked"), bench.path("ended"));
    // Whether pip, uv or a download of ours wants it: each asks through this program.
    let script = format!("echo $$ > {}\nsleep 100\ntouch {}", asked.display(), ended.display());
    let mut command = bench.command(&[PYTHON]);
    command.env("PATH", with_keyring(&bench, &script));
    let index = format!("[[index]]\nname = 'corp'\nurl = '{url}'\ndefault = true\nauthenticate = 'always'\n");
    uv_settings(&bench, &format!("keyring-provider = 'subprocess'\n{index}"));
    command.env_remove("UV_DEFAULT_INDEX").stdout(Stdio::null()).stderr(Stdio::null());
    let mut builder = testkit::start_interruptible(&mut command).unwrap();
    let pid = until(|| fs::read_to_string(&asked).ok().filter(|text| text.ends_with('\n')));
    testkit::interrupt(&builder);
    let begun = Instant::now();
    let status = until(|| builder.try_wait().unwrap());
    assert_eq!(status.code(), Some(130));
    assert!(begun.elapsed() < Duration::from_secs(50), "it did not wait for the keyring: {:?}", begun.elapsed());
    let process = PathBuf::from(format!("/proc/{}", pid.trim()));
    until(|| (!process.exists()).then_some(()));
    assert!(!ended.exists());
}

/// Looks again and again, for two minutes at most.
#[cfg(target_os = "linux")]
fn until<T>(look: impl FnMut() -> Option<T>) -> T {
    let mut look = look;
    let begun = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(begun.elapsed() < Duration::from_secs(120), "it did not happen");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn the_default_index_of_the_configuration_gets_the_credentials_that_the_user_has_for_it() {
    let bench = private();
    let url = bench.index().simple_url();
    bench.config(json!({ "registries": { "default": url }, "packages": { "dependencies": ["demo"] } }));
    let mut command = bench.command(&[PYTHON, "-vv"]);
    command.env_remove("UV_DEFAULT_INDEX").env("UV_INDEX", format!("corp={url}"));
    command.env("UV_INDEX_CORP_USERNAME", USER).env("UV_INDEX_CORP_PASSWORD", SECRET);
    builds(&bench, &mut command, "registries.default");

    // Another default of the user's is not asked, and that is said.
    let other = HttpServer::start();
    command.env("UV_DEFAULT_INDEX", other.url("/simple/"));
    let store = bench.make_store("other");
    let run = support::run(command.env("PYDIST_STORE", store));
    assert_eq!(run.code, 0, "{}", run.told());
    assert_eq!(other.requests(), []);
    assert_says(&run.told(), &["W_FOREIGN_INDEX", "`UV_DEFAULT_INDEX` is ignored"]);

    // A lock from another default index is not fresh.
    bench.packages(json!({ "dependencies": ["demo"] }));
    let run = support::run(bench.command(&[PYTHON, "--locked", "--offline"]).env("PYDIST_STORE", bench.path("other")));
    assert_eq!((run.code, &run.error()["code"]), (2, &json!("E_LOCK_STALE")), "{}", run.told());
}

#[test]
fn a_proxy_gets_its_password_from_uv_and_from_our_downloads() {
    let proxy = HttpServer::start();
    let folder = tempfile::tempdir().unwrap();
    let mut index = FixtureIndex::new();
    index.add(demo()).write_to(folder.path());
    for entry in walkdir::WalkDir::new(folder.path()).into_iter().map(Result::unwrap) {
        let path = entry.path().strip_prefix(folder.path()).unwrap().to_str().unwrap();
        if entry.file_type().is_file() {
            let path = path.strip_suffix("index.html").unwrap_or(path);
            // What a proxy is asked for is the whole URL.
            proxy.put(&format!("http://index.example/{path}"), fs::read(entry.path()).unwrap());
        }
    }
    let bench = Bench::new([]);
    bench.packages(json!({ "dependencies": ["demo"] }));
    let address = proxy.url("").replace("http://", "");
    let with_user = format!("http://{USER}:{SECRET}@{address}");
    for name in ["HTTP_PROXY", "ALL_PROXY"] {
        let mut command = bench.command(&[PYTHON, "-vv"]);
        command.env("UV_DEFAULT_INDEX", "http://index.example/simple/").env(name, &with_user);
        command.env("PYDIST_STORE", bench.make_store(name)).env("UV_CACHE_DIR", bench.path(&format!("cache-{name}")));
        let run = support::run(&mut command);
        assert_eq!(run.code, 0, "{name}: {}", run.told());
        assert!(!run.told().contains(SECRET), "{name}: {}", run.told());
        fs::remove_dir_all(bench.repository.at(&format!("python-{PYTHON}/pydist"))).unwrap();
        fs::remove_file(bench.repository.at(&format!("python-{PYTHON}/lock.json"))).unwrap();
    }
    let requests = proxy.requests();
    // Base64 of the two.
    let expected = Some("Basic cmVhZGVyOmh1c2gtNDcxMQ==");
    let got = |name: &str| requests.iter().filter(|request| request.path.contains(name)).count();
    assert!(got("/simple/demo/") >= 4 && got("/files/demo-") >= 2, "{requests:?}");
    for request in &requests {
        assert_eq!(request.headers.get("proxy-authorization").map(String::as_str), expected, "{request:?}");
    }
}

/// A case of requests for a page and a file.
struct RequestCase {
    /// What it shows.
    what: &'static str,
    /// What stands in uv's settings file; `HOST` is the server.
    settings: String,
    /// Whether netrc has the server.
    with_netrc: bool,
    /// Where the file is.
    file: &'static str,
    /// What wants a password.
    wanted: &'static [&'static str],
    /// The requests with their user and password.
    expected: &'static [&'static str],
}

const PAGE: &str = "/one/simple/demo/";
const BESIDE: &str = "/files/demo-1.0-py3-none-any.whl";
const BELOW: &str = "/one/files/demo-1.0-py3-none-any.whl";

/// As they were seen of uv 0.13.9.
fn request_cases() -> Vec<RequestCase> {
    let index = |url: &str, more: &str| format!("[[index]]\nname = 'corp'\nurl = '{url}'\ndefault = true\n{more}\n");
    let (plain, given) = ("http://HOST/one/simple/", "http://reader:hush-4711@HOST/one/simple/");
    let (always, never) = ("authenticate = 'always'", "authenticate = 'never'");
    let user = "http://reader@HOST/one/simple/";
    let outer = "[[index]]\nname = 'outer'\nurl = 'http://outer:hush-4711@HOST/simple/'\nexplicit = true\n";
    let nested = |first: &str, then: &str| format!("{first}{then}");
    let case = |what, settings, with_netrc, file, wanted, expected| RequestCase {
        what,
        settings,
        with_netrc,
        file,
        wanted,
        expected,
    };
    let full: &[&str] = &["PAGE full", "FILE -"];
    let refused: &[&str] = &["PAGE full", "FILE -", "FILE full"];
    vec![
        case("given for the index, a public server", index(given, ""), false, BESIDE, &[], full),
        case("given for the index", index(given, ""), false, BESIDE, &["/"], refused),
        case("given for the index, a file below it", index(given, ""), false, BELOW, &[], &["PAGE full", "FILE full"]),
        case("below another index", nested(outer, &index(given, "")), false, BELOW, &[], &["PAGE full", "FILE outer"]),
        case(
            "above another index",
            nested(&index(given, ""), outer),
            false,
            BELOW,
            &[PAGE],
            &["PAGE full", "FILE outer"],
        ),
        case("netrc, a public server", index(plain, ""), true, BESIDE, &[], &["PAGE -", "FILE -"]),
        case("netrc", index(plain, ""), true, BESIDE, &["/"], &["PAGE -", "PAGE full", "FILE -", "FILE full"]),
        case("a user, a public server", index(user, ""), true, BESIDE, &[], full),
        case("a user", index(user, ""), true, BESIDE, &["/"], refused),
        case("always", index(plain, always), true, BESIDE, &[], full),
        case(
            "never, and the files want a password",
            index(plain, never),
            true,
            BESIDE,
            &[BESIDE],
            &["PAGE -", "FILE -", "FILE full"],
        ),
        case("never, and the page wants a password", index(plain, never), true, BESIDE, &[PAGE], &["PAGE -"]),
        case("always, and nobody has any", index(plain, always), false, BESIDE, &[], &[]),
    ]
}

#[test]
fn the_same_requests_have_credentials_as_uvs() {
    for RequestCase { what, settings, with_netrc, file, wanted, expected } in request_cases() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let wheel = demo();
        let server = HttpServer::start();
        let seen = |run: &dyn Fn()| -> Vec<String> {
            let before = server.requests().len();
            run();
            let user = |request: &testkit::HttpRequest| match request.headers.get("authorization").map(String::as_str) {
                None => "-",
                Some("Basic cmVhZGVyOmh1c2gtNDcxMQ==") => "full",
                Some("Basic b3V0ZXI6aHVzaC00NzEx") => "outer",
                Some(other) => panic!("{what}: {other}"),
            };
            let kind = |path: &str| if path == PAGE { "PAGE" } else { "FILE" };
            let requests = server.requests().split_off(before);
            requests.iter().map(|request| format!("{} {}", kind(&request.path), user(request))).collect()
        };
        server.put(PAGE, format!("<a href=\"{file}\">{}</a>", wheel.file_name));
        server.put(file, wheel.bytes.clone());
        for prefix in wanted {
            server.require_basic(prefix, USER, SECRET);
        }
        let host = server.url("").replace("http://", "");
        fs::write(at("uv.toml"), settings.replace("HOST", &host)).unwrap();
        let machine = if with_netrc { "127.0.0.1" } else { "nowhere.example" };
        fs::write(at("netrc"), format!("machine {machine} login {USER} password {SECRET}\n")).unwrap();
        let variables = [
            ("HOME", folder.path().as_os_str().to_owned()),
            ("PATH", std::env::var_os("PATH").unwrap()),
            ("NETRC", at("netrc").into_os_string()),
            ("UV_CONFIG_FILE", at("uv.toml").into_os_string()),
            ("UV_CREDENTIALS_DIR", at("kept").into_os_string()),
        ];
        let mut uv = Command::new("uv");
        uv.env_clear().envs(variables.clone()).env("UV_CACHE_DIR", at("cache")).env("UV_HTTP_RETRIES", "0");
        uv.args(["pip", "install", "--no-deps", "--python-version", "3.14", "--only-binary", ":all:", "demo"]);
        uv.arg("--target").arg(at("tree"));
        let uv = std::cell::RefCell::new(uv);
        assert_eq!(seen(&|| drop(uv.borrow_mut().output().unwrap())), expected, "uv: {what}");

        let environment = Environment::new(variables.map(|(name, value)| (name.into(), value)));
        let given = DownloadSettings { attempts: 1, ..DownloadSettings::of(&environment) };
        let work = Work { offline: false, ..Work::quiet() };
        let context = Context { work, downloader: Downloader::new(given), ..Context::quiet(at("store")) };
        let ours = || {
            for path in [PAGE, file] {
                if fetch_bytes(&context, &server.url(path), 1 << 20).is_err() {
                    break;
                }
            }
        };
        assert_eq!(seen(&ours), expected, "ours: {what}");
    }
}
