//! What `pydist get` does, over the library.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::time::SystemTime;

use catalogue::Moment;
use cli::{Printer, TransferOptions};
use fetch::{Deadline, FetchSettings, FetchWatch, Pace};
use installer::{GetRequest, Home, InstallOutcome, InstalledRuntime, OfferRequest, PublicKey, TrustError, get};
use serde_json::json;
use vocab::{Event, Exit, Fault, PlatformKey, RuntimeRequest};

use crate::arguments::GetArguments;
use crate::source_choice;
use crate::source_options::SourceOptions;

#[derive(Debug, thiserror::Error, Fault)]
#[fault(Usage)]
pub enum CommandError {
    #[error("this machine's platform is not supported")]
    #[fault("E_GET_PLATFORM", hint("name one with --platform"))]
    Host,
    #[error("cannot determine where runtimes are installed: no home folder is set")]
    #[fault(
        "E_GET_HOME",
        hint("set PYDIST_RUNTIMES; or pass --to to `get` and `update`, --runtimes to other commands")
    )]
    NoHome,
    #[error("this machine's clock is wrong: it shows a time before 1970 or after 9999")]
    #[fault("E_GET_CLOCK", hint("set it; expiry dates are compared with it"))]
    Clock,
    #[error("no {asked} is installed")]
    #[fault("E_UPDATE_MISSING", hint("installed, nearest first: {nearest}"))]
    NoneInstalled { asked: RuntimeRequest, nearest: String },
    #[error("{given_in}: {source}")]
    #[fault("E_GET_PUBLIC_KEY", hint("give the line that begins with RW, or the file that `minisign -G` wrote"))]
    PublicKey { given_in: String, source: TrustError },
    #[error("{given_in}: cannot read `{}`: {source}", path.display())]
    #[fault(
        "E_GET_PUBLIC_KEY",
        hint("make it a readable text file, or give the key itself: the line that begins with RW")
    )]
    KeyFile { given_in: String, path: PathBuf, source: std::io::Error },
}

/// Runs `pydist get`. `environment` returns a variable's value; long work checks `cancelled`.
pub fn run(
    arguments: &GetArguments,
    is_json: bool,
    environment: &dyn Fn(&str) -> Option<String>,
    printer: &Printer,
    cancelled: &AtomicBool,
) -> Result<Exit, Box<dyn Fault>> {
    let GetArguments { version, source, to, verify, reinstall, allow_older, link_mode, transfer } = arguments;
    let offer = offer_request(source, home_of(to.as_deref(), environment)?, environment)?;
    let request = GetRequest {
        verify: *verify,
        reinstall: *reinstall,
        allow_older: *allow_older,
        reuse: link_mode.reuse(),
        ..GetRequest::new(version.clone(), offer)
    };
    let settings = settings_of(transfer, environment);
    let tell = |event: Event| printer.tell(event);
    let got = get(&request, &settings, FetchWatch { tell: &tell, cancelled })?;
    if version.exact().is_none() {
        let OfferRequest { platform, channel, .. } = &request.offer;
        let reason = format!("the newest {version} on offer for {platform} in the channel {channel}");
        printer.say(&format!("{}: {reason}", got.version));
    }
    report(&got, is_json, printer);
    Ok(Exit::Done)
}

/// What the options and the environment say about a source.
pub fn offer_request(
    options: &SourceOptions,
    home: Home,
    environment: &dyn Fn(&str) -> Option<String>,
) -> Result<OfferRequest, Box<dyn Fault>> {
    let SourceOptions { from, channel, platform, public_key, offline } = options;
    let given = given_keys(public_key)?;
    let source = source_choice::chosen(from.as_deref(), given, environment)?;
    Ok(OfferRequest {
        platform: platform_of(*platform, PlatformKey::host())?,
        channel: *channel,
        from: source.place,
        home,
        public_keys: source.public_keys,
        offline: *offline,
        now: moment_of(SystemTime::now())?,
    })
}

/// Prints what was installed, its folder last.
pub fn report(got: &InstalledRuntime, is_json: bool, printer: &Printer) {
    let (fetched, resumed, size, shared) = match got.installed {
        InstallOutcome::Before => (0, 0, 0, 0),
        InstallOutcome::Now { fetched, resumed, size, shared } => (fetched, resumed, size, shared),
    };
    let version = &got.version;
    if is_json {
        let row = json!({
            "version": version, "path": got.folder, "current": got.current, "build_key": got.build_key,
            "manifest_sha256": got.manifest_sha256, "signed": got.verified_by.is_some(), "verified_by": got.verified_by,
            "installed": matches!(got.installed, InstallOutcome::Now { .. }), "fetched": fetched,
            "resumed": resumed, "size": size, "shared": shared,
        });
        printer.json("got", &row);
        return;
    }
    match got.installed {
        InstallOutcome::Before => printer.say(&format!("{version} is installed and up to date")),
        InstallOutcome::Now { .. } => {
            let before = match resumed {
                0 => String::new(),
                bytes => format!(", {} had arrived before", cli::bytes(bytes)),
            };
            let common = match shared {
                0 => String::new(),
                bytes => format!(", {} shared with installed runtimes", cli::bytes(bytes)),
            };
            let (fetched, size) = (cli::bytes(fetched), cli::bytes(size));
            printer.say(&format!("{fetched} of {size} fetched{before}, installed{common}"));
        }
    }
    printer.data(&got.folder.display().to_string());
}

/// Where runtimes are installed; from the root, so that what is printed is usable from any folder.
pub fn home_of(to: Option<&Path>, environment: &dyn Fn(&str) -> Option<String>) -> Result<Home, CommandError> {
    let named = || environment("PYDIST_RUNTIMES").filter(|folder| !folder.is_empty()).map(PathBuf::from);
    let default = || data_folder(environment).map(|data| data.join("runtimes"));
    let folder = to.map(Path::to_owned).or_else(named).or_else(default).ok_or(CommandError::NoHome)?;
    Ok(Home::new(from_root(&folder)))
}

fn from_root(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

pub fn settings_of(transfer: &TransferOptions, environment: &dyn Fn(&str) -> Option<String>) -> FetchSettings {
    FetchSettings {
        pace: Pace { lowest: transfer.min_rate, ..Pace::default() },
        deadline: transfer.max_time.and_then(Deadline::after),
        ..FetchSettings::of(environment)
    }
}

/// The given one, else the machine's.
fn platform_of(given: Option<PlatformKey>, host: Option<PlatformKey>) -> Result<PlatformKey, CommandError> {
    given.or(host).ok_or(CommandError::Host)
}

/// With what expiry dates are compared.
pub fn moment_of(time: SystemTime) -> Result<Moment, CommandError> {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).map_err(|_| CommandError::Clock)?;
    let seconds = i64::try_from(since.as_secs()).ok();
    seconds.and_then(Moment::from_unix_seconds).ok_or(CommandError::Clock)
}

/// The keys of `--public-key`.
pub fn given_keys(texts: &[String]) -> Result<Vec<PublicKey>, CommandError> {
    texts.iter().map(|text| key_of(text, "--public-key")).collect()
}

/// Reads a key file; if there is no such file, takes the text as the key. `given_in` is the option or setting that it is from.
pub fn key_of(text: &str, given_in: &str) -> Result<PublicKey, CommandError> {
    let (path, given_in) = (Path::new(text), given_in.to_owned());
    let text = match path.is_file() {
        true => match fs::read_to_string(path) {
            Ok(text) => text,
            Err(source) => return Err(CommandError::KeyFile { given_in, path: from_root(path), source }),
        },
        false => text.to_owned(),
    };
    PublicKey::of_text(&text).map_err(|source| CommandError::PublicKey { given_in, source })
}

/// This program's, by the conventions of each system.
pub fn data_folder(environment: &dyn Fn(&str) -> Option<String>) -> Option<PathBuf> {
    let set = |name: &str| environment(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let data = if cfg!(windows) {
        set("LOCALAPPDATA")
    } else if cfg!(target_os = "macos") {
        set("HOME").map(|home| home.join("Library/Application Support"))
    } else {
        set("XDG_DATA_HOME").or_else(|| set("HOME").map(|home| home.join(".local/share")))
    };
    data.map(|data| data.join("pydist"))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[track_caller]
    fn assert_said(error: &CommandError, code: &str, text: &str, hint: &str) {
        let (found, exit) = (error.hint(), error.exit());
        assert_eq!((error.code(), &*error.to_string(), found.as_deref(), exit), (code, text, Some(hint), Exit::Usage));
    }

    #[test]
    fn a_machine_without_a_platform_of_its_own_needs_one_that_is_named() {
        let linux = Some(PlatformKey::LinuxX64);
        assert_eq!(platform_of(linux, None).ok(), linux);
        assert_eq!(platform_of(linux, Some(PlatformKey::WindowsX64)).ok(), linux);
        let error = platform_of(None, None).unwrap_err();
        assert_said(&error, "E_GET_PLATFORM", "this machine's platform is not supported", "name one with --platform");
    }

    #[test]
    fn a_clock_that_is_wrong_is_an_error_and_no_date() {
        let after = |seconds| SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds));
        assert_eq!(moment_of(after(86_400).unwrap()).unwrap().date(), "1970-01-02");
        let before = SystemTime::UNIX_EPOCH.checked_sub(Duration::from_secs(1));
        // The second is year 11476; not every system can say it.
        for time in [before, after(300_000_000_000)].into_iter().flatten() {
            let error = moment_of(time).unwrap_err();
            let text = "this machine's clock is wrong: it shows a time before 1970 or after 9999";
            assert_said(&error, "E_GET_CLOCK", text, "set it; expiry dates are compared with it");
        }
    }
}
