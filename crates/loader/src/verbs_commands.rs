//! What `pydist list`, `which`, `run` and `default` do, over the library.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use cli::Table;
use installer::{
    AskedVersion, BuildState, CompareDepth, DefaultRuntime, DiskUse, HomeRemains, Installed, InstalledBuild,
    RequestOrigin,
};
use process::{Invocation, ProcessError, ProcessErrorKind};
use serde_json::{Value, json};
use vocab::{Environment, Event, Exit, Fault, Work};

use crate::surroundings::Surroundings;
use crate::verbs_arguments::{DefaultArguments, HomeOption, RunArguments, WhichArguments};

/// What would make the interpreter, or a tool that it starts, use another Python's files. `PYTHONPATH` stays, as with
/// `uv run`: it only adds folders, and whoever set it wants them.
const NOT_PASSED: [&str; 4] = ["PYTHONHOME", "VIRTUAL_ENV", "VIRTUAL_ENV_PROMPT", "__PYVENV_LAUNCHER__"];

/// `pydist list`.
pub fn list(option: &HomeOption, json: bool, around: &Surroundings) -> Result<Exit, Box<dyn Fault>> {
    let home = around.runtimes(option)?;
    let installed = Installed::read(&home)?;
    let default = match DefaultRuntime::read(&home) {
        Ok(default) => default,
        Err(error) => {
            let (code, hint) = (error.code(), error.hint());
            around.printer.tell(Event::Warning { code, text: error.to_string(), place: None, hint });
            None
        }
    };
    let asked = default.map(|it| AskedVersion { request: it.runtime, origin: RequestOrigin::Default });
    let by_default = asked.as_ref().and_then(|asked| installed.chosen(asked).ok());
    let used = DiskUse::of(installed.builds.iter().map(|build| build.folder.as_path()));
    let mut table = Table::new(["version", "build", "state", "size", "channel", "from"]).right(3);
    for (index, build) in installed.builds.iter().enumerate() {
        let state = build.state(CompareDepth::Quick);
        let is_default = by_default.is_some_and(|it| it.folder == build.folder);
        if json {
            let mut row = row_of(build, &state);
            row["default"] = json!(is_default);
            row["size"] = json!(used.size(index));
            row["freed_if_removed"] = json!(used.freed(&[index]));
            around.printer.json("runtime", &row);
            continue;
        }
        let mut words = vec![if build.is_current { "current".to_owned() } else { "not current".to_owned() }];
        words.extend(is_default.then(|| "default".to_owned()));
        words.extend(state.words());
        let from = build.source().map_or("unknown", |source| source.from.as_str());
        let channel = build.channel().map_or_else(|| "unknown".to_owned(), |channel| channel.to_string());
        let size = cli::bytes(used.size(index));
        table.row([&build.version.to_string(), &build.build, &words.join(", "), &size, &channel, from]);
    }
    let remains = installed.remains();
    if json {
        let total = json!({
            "runtimes": home.root(), "builds": installed.builds.len(), "size": used.total(),
            "default": asked.map(|asked| asked.request), "remains": remains,
        });
        around.printer.json("listed", &total);
        return Ok(Exit::Done);
    }
    let folder = home.root().display();
    if table.is_empty() {
        around.printer.say(&format!("no runtime is installed in {folder}; `pydist get` installs one"));
    } else {
        around.printer.data(&table.render(around.printer.settings().width));
        let size = cli::bytes(used.total());
        around.printer.say(&format!("{} in {folder}, {size}", counted(installed.builds.len(), "build")));
    }
    say_remains(&remains, around);
    Ok(Exit::Done)
}

fn say_remains(remains: &HomeRemains, around: &Surroundings) {
    let printer = &around.printer;
    if remains.is_busy {
        printer.say("another pydist is changing this folder right now");
    } else if remains.unfinished > 0 {
        let what = counted(remains.unfinished, "interrupted command");
        let size = cli::bytes(remains.unfinished_bytes);
        printer.say(&format!("{size} are left of {what}; `pydist prune` removes them"));
    }
    if remains.partial_bytes > 0 {
        let size = cli::bytes(remains.partial_bytes);
        printer.say(&format!("{size} of an interrupted download are kept; the next `pydist get` continues it"));
    }
}

/// `1 build`, `2 builds`.
pub fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

/// What all commands say about a build with `--json`.
pub fn row_of(build: &InstalledBuild, state: &BuildState) -> Value {
    json!({
        "version": build.version, "build": build.build, "path": build.folder, "current": build.is_current,
        "platform": build.platform(), "created": build.created(), "channel": build.channel(),
        "from": build.source().map(|source| &source.from), "verified_by": build.verified_by(),
        "state": state_word(state), "problem": state.words(),
    })
}

fn state_word(state: &BuildState) -> &'static str {
    match state {
        BuildState::Intact => "intact",
        BuildState::Damaged(_) => "damaged",
        BuildState::Gone => "gone",
        BuildState::Unknown(_) => "unknown",
    }
}

/// `pydist which`.
pub fn which(arguments: &WhichArguments, json: bool, around: &Surroundings) -> Result<Exit, Box<dyn Fault>> {
    let installed = Installed::read(&around.runtimes(&arguments.home)?)?;
    let asked = AskedVersion::find(arguments.version.as_ref(), &current_folder(), &installed)?;
    let build = installed.chosen(&asked)?;
    let interpreter = build.interpreter()?;
    if json {
        let row = json!({
            "path": interpreter, "folder": build.folder, "version": build.version, "build": build.build,
            "request": asked.request, "asked_by": origin_word(&asked.origin),
        });
        around.printer.json("interpreter", &row);
    } else {
        around.printer.data(&interpreter.display().to_string());
    }
    Ok(Exit::Done)
}

fn origin_word(origin: &RequestOrigin) -> Value {
    match origin {
        RequestOrigin::CommandLine => json!("command line"),
        RequestOrigin::VersionFile(path) => json!(path),
        RequestOrigin::Default => json!("default"),
    }
}

/// `pydist run`: the exit code of the program, where the system does not replace this one by it.
pub fn run(arguments: &RunArguments, around: &Surroundings) -> Result<i32, Box<dyn Fault>> {
    let installed = Installed::read(&around.runtimes(&arguments.home)?)?;
    let asked = AskedVersion::find(arguments.version.as_ref(), &current_folder(), &installed)?;
    let build = installed.chosen(&asked)?;
    // A runtime without its Python would start the one that comes next on PATH.
    build.interpreter()?;
    let environment = environment_of(&build.program_folders(), &around.environment)?;
    // The command line requires it.
    let program = arguments.command.first().map(OsString::as_os_str).unwrap_or_default();
    let folder = current_folder();
    let path = which::which_in(program, environment.path("PATH"), &folder)
        .map_err(|_| ProcessError { program: PathBuf::from(program), kind: ProcessErrorKind::Missing })?;
    let invocation = Invocation::new(path, folder).args(arguments.command.iter().skip(1));
    Ok(process::hand_over(&Work { environment, ..Work::quiet() }, &invocation)?)
}

/// A path with the separator cannot be on `PATH`.
#[derive(Debug, thiserror::Error, Fault)]
#[error("`{}` cannot be on PATH, which is separated by `{separator}`", folder.display())]
#[fault("E_RUNTIME_PATH", Usage, hint("install runtimes into another folder"))]
struct NotOnPath {
    folder: PathBuf,
    separator: char,
}

/// The user's environment with the runtime's programs first.
fn environment_of(programs: &[PathBuf], environment: &Environment) -> Result<Environment, Box<dyn Fault>> {
    let before = environment.path("PATH").map(|path| std::env::split_paths(path).collect::<Vec<_>>());
    let joined = std::env::join_paths(programs.iter().cloned().chain(before.unwrap_or_default()));
    let path = joined
        .map_err(|_| NotOnPath { folder: programs[0].clone(), separator: if cfg!(windows) { ';' } else { ':' } })?;
    let is_same = |name: &OsString, other: &str| match cfg!(windows) {
        true => name.eq_ignore_ascii_case(other),
        false => name == other,
    };
    let kept = environment.iter().filter(|(name, _)| !NOT_PASSED.iter().chain(&["PATH"]).any(|it| is_same(name, it)));
    let kept = kept.map(|(name, value)| (name.clone(), value.clone()));
    Ok(Environment::new(kept.chain([("PATH".into(), path)])))
}

/// Where `.python-version` is looked for first, and where programs are started.
fn current_folder() -> PathBuf {
    std::env::current_dir().unwrap_or_else(|_| Path::new(".").to_owned())
}

/// `pydist default`.
pub fn default(arguments: &DefaultArguments, json: bool, around: &Surroundings) -> Result<Exit, Box<dyn Fault>> {
    let home = around.runtimes(&arguments.home)?;
    if arguments.unset {
        DefaultRuntime::clear(&home)?;
        around.printer.say("there is no default any more");
        return Ok(Exit::Done);
    }
    let installed = Installed::read(&home)?;
    if let Some(request) = &arguments.version {
        let asked = AskedVersion { request: request.clone(), origin: RequestOrigin::CommandLine };
        let build = installed.chosen(&asked)?;
        DefaultRuntime::new(request.clone()).save(&home)?;
        return Ok(show_default(&asked, build, json, around));
    }
    let Some(default) = DefaultRuntime::read(&home)? else {
        return Err(installer::InstalledError::NoDefault.into());
    };
    let asked = AskedVersion { request: default.runtime, origin: RequestOrigin::Default };
    Ok(show_default(&asked, installed.chosen(&asked)?, json, around))
}

fn show_default(asked: &AskedVersion, build: &InstalledBuild, json: bool, around: &Surroundings) -> Exit {
    if json {
        let row =
            json!({ "request": asked.request, "version": build.version, "build": build.build, "path": build.folder });
        around.printer.json("default", &row);
    } else {
        around.printer.data(&asked.request.to_string());
        around.printer.say(&format!("which is {} in {}", build.version, build.folder.display()));
    }
    Exit::Done
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_runtime_comes_first_and_nothing_leads_to_another_python() {
        let given = [
            ("PATH", "/usr/bin"),
            ("PYTHONHOME", "/usr"),
            ("VIRTUAL_ENV", "/work/.venv"),
            ("PYTHONPATH", "/work/lib"),
            ("PYTHONWARNINGS", "error"),
        ];
        let given = Environment::new(given.map(|(name, value)| (name.into(), value.into())));
        let made = environment_of(&[PathBuf::from("/a b/bin")], &given).map_err(|error| error.to_string()).unwrap();
        let path: Vec<PathBuf> = std::env::split_paths(made.path("PATH").unwrap()).collect();
        assert_eq!(path, [PathBuf::from("/a b/bin"), PathBuf::from("/usr/bin")]);
        let names: Vec<&str> = made.iter().filter_map(|(name, _)| name.to_str()).collect();
        assert_eq!(names, ["PATH", "PYTHONPATH", "PYTHONWARNINGS"]);
        // Windows quotes what has its separator; a quote itself has no place there.
        let bad = if cfg!(windows) { "C:\\a\"b" } else { "/a:b" };
        let error = environment_of(&[PathBuf::from(bad)], &given).err().unwrap();
        let separator = if cfg!(windows) { ';' } else { ':' };
        let text = format!("`{bad}` cannot be on PATH, which is separated by `{separator}`");
        let hint = Some("install runtimes into another folder".to_owned());
        assert_eq!((error.code(), error.to_string(), error.hint()), ("E_RUNTIME_PATH", text, hint));
    }
}
