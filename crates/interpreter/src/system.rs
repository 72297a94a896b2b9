//! Source `system`: a self-contained CPython of this machine, for this machine's own platform.
//!
//! Looked at: pyenv's versions, the installations of uv, and `pythonX.Y` on PATH. Taken are only installations with
//! a prefix of their own; a distribution's Python is spread over `/usr` and tied to its packages.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};
use vocab::{Os, PlatformKey, PythonVersion};

use super::disk::entries;
use super::elf::is_elf;
use super::request::{BaseRequest, BaseSupply, SystemPython};
use super::source_answer::{SourceAnswer, nearest_stand_in};
use process::{Invocation, run};
use store::Context;
use vocab::Environment;

pub(super) use super::system_copy::{content_digest, copy};

/// An interpreter that has not answered by then is broken.
const QUERY_LIMIT: Duration = Duration::from_secs(20);

pub(super) fn ask(context: &Context, request: &BaseRequest) -> SourceAnswer {
    match PlatformKey::host() {
        Some(host) if host != request.platform => {
            return SourceAnswer::Lacks(format!("this machine is {host}, not {}", request.platform));
        }
        Some(host) if host.os() == Os::Linux => {}
        _ => return SourceAnswer::Lacks("copying an interpreter of the machine is known for Linux only".to_owned()),
    }
    let minor = request.python.minor_version();
    let mut pythons = Vec::new();
    let mut skipped = Vec::new();
    for interpreter in interpreters(&context.environment, &minor) {
        match query(context, &interpreter).and_then(|found| usable(found, &minor)) {
            Ok(python) => pythons.push(python),
            Err(reason) => skipped.push(format!("`{}` ({reason})", interpreter.display())),
        }
    }
    let best = nearest_stand_in(request.python, pythons.iter().map(|python| python.version));
    match pythons.into_iter().find(|python| Some(python.version) == best) {
        Some(python) => SourceAnswer::Has {
            version: python.version,
            origin: format!("CPython {} of this machine", python.version),
            supply: BaseSupply::System(python),
        },
        None if skipped.is_empty() => {
            SourceAnswer::Lacks(format!("no CPython {minor} among pyenv's and uv's versions or on PATH"))
        }
        None => SourceAnswer::Lacks(format!("no CPython {minor} that can be used; skipped: {}", skipped.join(", "))),
    }
}

/// Candidates, each once, in the order of preference.
fn interpreters(environment: &Environment, minor: &str) -> Vec<PathBuf> {
    let home = environment.path("HOME");
    let below_home = |path: &str| home.map(|home| home.join(path));
    let pyenv = environment.path("PYENV_ROOT").map(Path::to_owned).or_else(|| below_home(".pyenv"));
    let uv = environment
        .path("UV_PYTHON_INSTALL_DIR")
        .map(Path::to_owned)
        .or_else(|| environment.path("XDG_DATA_HOME").map(|data| data.join("uv/python")))
        .or_else(|| below_home(".local/share/uv/python"));
    let installed = [pyenv.map(|root| root.join("versions")), uv];
    let program = format!("python{minor}");
    let prefixes = installed.into_iter().flatten().flat_map(|folder| entries(&folder).unwrap_or_default());
    let mut candidates: Vec<PathBuf> = prefixes.map(|prefix| prefix.join("bin").join(&program)).collect();
    let path = environment.path("PATH").map(|path| std::env::split_paths(path).collect::<Vec<_>>());
    candidates.extend(path.unwrap_or_default().into_iter().filter(|f| f.is_absolute()).map(|f| f.join(&program)));
    let mut seen = BTreeSet::new();
    candidates
        .into_iter()
        .filter(|candidate| is_program(candidate))
        .filter(|candidate| fs::canonicalize(candidate).is_ok_and(|real| seen.insert(real)))
        .collect()
}

/// Neither absent nor a script: the shims of pyenv stand for programs that are found anyway.
fn is_program(path: &Path) -> bool {
    use std::io::Read as _;
    let mut magic = [0; 4];
    fs::File::open(path).and_then(|mut file| file.read_exact(&mut magic)).is_ok() && is_elf(&magic)
}

/// What an interpreter says about itself, see `system_query.py`.
#[derive(Debug, Deserialize, Serialize)]
struct DescribedInterpreter {
    implementation: String,
    version: PythonVersion,
    #[serde(rename = "final")]
    is_final: bool,
    prefix: PathBuf,
    #[serde(rename = "virtual")]
    is_virtual: bool,
    flags: String,
    stdlib: PathBuf,
    built_for: String,
    built_in: Vec<String>,
}

/// Remembered for as long as the program's file is the same: asking costs a start of Python in every build.
fn query(context: &Context, interpreter: &Path) -> Result<DescribedInterpreter, String> {
    const FACT: &str = "python-query";
    const REMEMBERED: Duration = Duration::from_secs(7 * 24 * 3600);
    let stamp = || -> std::io::Result<String> {
        let found = fs::metadata(interpreter)?;
        Ok(format!(
            "{}\n{}\n{:?}\n{}",
            interpreter.display(),
            found.len(),
            found.modified()?,
            env!("CARGO_PKG_VERSION")
        ))
    };
    let Ok(stamp) = stamp() else { return ask_program(context, interpreter) };
    let (key, now) = (vocab::Digest::of(stamp).to_string(), SystemTime::now());
    let known = context.store.recall(FACT, &key, REMEMBERED, now);
    if let Some(described) = known.and_then(|known| serde_json::from_value(known).ok()) {
        return Ok(described);
    }
    let described = ask_program(context, interpreter)?;
    if let Ok(value) = serde_json::to_value(&described) {
        // If it is not remembered, it is asked again.
        let _ = context.store.remember(FACT, &key, &value, now);
    }
    Ok(described)
}

fn ask_program(context: &Context, interpreter: &Path) -> Result<DescribedInterpreter, String> {
    let folder = interpreter.parent().unwrap_or(Path::new("/"));
    let invocation = Invocation::new(interpreter, folder)
        .args(["-I", "-B", "-c", include_str!("system_query.py")])
        .timeout(Some(QUERY_LIMIT));
    let finished = run(context, &invocation).map_err(|error| error.kind.to_string())?;
    if !finished.succeeded() {
        let errors = finished.stderr_text();
        return Err(format!("it does not run: {}", errors.lines().last().unwrap_or("no reason given")));
    }
    vocab::typed_json::read(&finished.stdout).map_err(|error| format!("it describes itself badly: {error}"))
}

/// The error is the reason why it cannot be used.
fn usable(found: DescribedInterpreter, minor: &str) -> Result<SystemPython, String> {
    let library = found.prefix.join("lib").join(format!("python{minor}"));
    let refusal = if found.implementation != "cpython" {
        Some(format!("it is {}", found.implementation))
    } else if !found.is_final {
        Some("it is a pre-release".to_owned())
    } else if !found.flags.is_empty() {
        Some(format!("it is a special build, `{}`", found.flags))
    } else if found.is_virtual {
        Some("it is a virtual environment".to_owned())
    } else if found.prefix == Path::new("/usr") {
        Some("it belongs to the operating system and is spread over /usr".to_owned())
    } else if found.stdlib != library {
        Some(format!("its standard library is not in its own prefix but in `{}`", found.stdlib.display()))
    } else {
        None
    };
    match refusal {
        Some(reason) => Err(reason),
        None => Ok(SystemPython {
            version: found.version,
            prefix: found.prefix,
            built_for: found.built_for,
            built_in: found.built_in,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn described() -> DescribedInterpreter {
        DescribedInterpreter {
            implementation: "cpython".into(),
            version: "3.12.1".parse().unwrap(),
            is_final: true,
            prefix: "/opt/py".into(),
            is_virtual: false,
            flags: String::new(),
            stdlib: "/opt/py/lib/python3.12".into(),
            built_for: "/opt/py".into(),
            built_in: Vec::new(),
        }
    }

    #[test]
    fn only_a_self_contained_release_of_cpython_is_taken() {
        assert!(usable(described(), "3.12").is_ok());
        let cases: [(DescribedInterpreter, &str); 6] = [
            (DescribedInterpreter { implementation: "pypy".into(), ..described() }, "it is pypy"),
            (DescribedInterpreter { is_final: false, ..described() }, "it is a pre-release"),
            (DescribedInterpreter { flags: "d".into(), ..described() }, "it is a special build, `d`"),
            (DescribedInterpreter { is_virtual: true, ..described() }, "it is a virtual environment"),
            (
                DescribedInterpreter { prefix: "/usr".into(), stdlib: "/usr/lib/python3.12".into(), ..described() },
                "it belongs to the operating system and is spread over /usr",
            ),
            (
                DescribedInterpreter { stdlib: "/srv/lib/python3.12".into(), ..described() },
                "its standard library is not in its own prefix but in `/srv/lib/python3.12`",
            ),
        ];
        for (found, reason) in cases {
            assert_eq!(usable(found, "3.12"), Err(reason.to_owned()));
        }
    }
}
