//! The warnings of a build. Those about the runtime are in its manifest, so that a run which finds it up to date
//! repeats them. With `--strict` every warning is an error.

use std::sync::{Arc, Mutex, PoisonError};

use vocab::{BuildWarning, Event, Exit, Fault};
use wheel::RemarkKind;

use store::Context;

/// Warnings about the runtime itself, the same in every run that has it.
const OF_RUNTIME: [&str; 7] = [
    "W_FILE_CLASH",
    "W_IMPORT",
    "W_NATIVE",
    "W_PATH_LENGTH",
    "W_UNMET_REQUIREMENT",
    "W_WHEEL_RECORD",
    "W_WHEEL_SCRIPTS",
];

/// Warnings that an option or setting of their own decides about: `--exact`, `--fail-on-missing` and `strictMissing`.
/// The remote store has its own error.
const DECIDED_ELSEWHERE: [&str; 4] = ["W_LEFT_OUT", "W_REMOTE_STORE", "W_REMOTE_STORE_DAMAGED", "W_STAND_IN"];

/// The warnings so far.
#[derive(Clone, Default)]
pub struct BuildWarnings(Arc<Mutex<Vec<(&'static str, BuildWarning)>>>);

impl BuildWarnings {
    /// The same context, with every warning kept.
    pub fn listen(&self, context: &Context) -> Context {
        let (warnings, listener) = (Arc::clone(&self.0), Arc::clone(&context.listener));
        context.with_listener(Arc::new(move |event| {
            if let Event::Warning { code, text, place, .. } = &event {
                let warning = BuildWarning { code: (*code).to_owned(), place: place.clone(), text: text.clone() };
                warnings.lock().unwrap_or_else(PoisonError::into_inner).push((code, warning));
            }
            listener(event);
        }))
    }

    fn kept(&self, is_wanted: impl Fn(&str) -> bool) -> Vec<BuildWarning> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut wanted: Vec<_> = kept.iter().filter(|(code, _)| is_wanted(code)).map(|(_, it)| it.clone()).collect();
        wanted.sort();
        wanted.dedup();
        wanted
    }

    /// For the manifest.
    pub fn of_runtime(&self) -> Vec<BuildWarning> {
        self.kept(|code| OF_RUNTIME.contains(&code))
    }

    /// # Errors
    /// If there were any that `--strict` turns into errors.
    pub fn refuse(&self) -> Result<(), StrictError> {
        let warnings = self.kept(|code| !DECIDED_ELSEWHERE.contains(&code));
        if warnings.is_empty() { Ok(()) } else { Err(StrictError { warnings }) }
    }
}

/// Repeats the warnings kept in a manifest.
pub fn repeat(context: &Context, warnings: &[BuildWarning]) {
    for BuildWarning { code, place, text } in warnings {
        if let Some(code) = OF_RUNTIME.iter().find(|known| *known == code) {
            context.warn(code, text.as_str(), place.clone(), None);
        }
    }
}

/// The warnings themselves have been reported.
#[derive(Debug, thiserror::Error)]
#[error("--strict: {}", in_short(warnings))]
pub struct StrictError {
    /// Never empty.
    pub warnings: Vec<BuildWarning>,
}

fn in_short(warnings: &[BuildWarning]) -> String {
    let lines = warnings.iter().map(|it| format!("\n  {} {}", it.code, it.text)).collect::<String>();
    match warnings.len() {
        1 => format!("the build has a warning{lines}"),
        count => format!("the build has {count} warnings{lines}"),
    }
}

impl Fault for StrictError {
    fn code(&self) -> &'static str {
        "E_STRICT"
    }

    /// As `E_WHEEL` where a wheel itself is odd.
    fn exit(&self) -> Exit {
        let is_of_wheel = |it: &BuildWarning| RemarkKind::ALL.iter().any(|kind| kind.code() == it.code);
        if self.warnings.iter().any(is_of_wheel) { Exit::Trust } else { Exit::Check }
    }

    fn hint(&self) -> Option<String> {
        Some("fix what it warns about, accept it in `checker/whitelists/<platform>.json` where it is about a file or module, or \
              build without --strict"
            .to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strict_refuses_every_warning_but_those_with_an_option_of_their_own() {
        let store = tempfile::tempdir().unwrap();
        let warnings = BuildWarnings::default();
        let context = warnings.listen(&Context::quiet(store.path().join("store")));
        context.note("a note");
        context.warn("W_STAND_IN", "a stand-in", None, None);
        context.warn("W_LEFT_OUT", "left out", None, None);
        assert!(warnings.refuse().is_ok());
        context.warn("W_RESOLVER", "odd", None, None);
        assert!(warnings.of_runtime().is_empty(), "it is not about the runtime");
        for _ in 0..2 {
            context.warn("W_FILE_CLASH", "two bring it", Some("beta".to_owned()), None);
        }
        let refused = warnings.refuse().unwrap_err();
        assert_eq!(
            (refused.code(), refused.exit(), refused.to_string().as_str()),
            (
                "E_STRICT",
                Exit::Check,
                "--strict: the build has 2 warnings\n  W_FILE_CLASH two bring it\n  W_RESOLVER odd"
            )
        );
        context.warn("W_WHEEL_SCRIPTS", "two scripts", None, None);
        assert_eq!(warnings.refuse().unwrap_err().exit(), Exit::Trust);
        let kept: Vec<String> = warnings.of_runtime().into_iter().map(|it| it.code).collect();
        assert_eq!(kept, ["W_FILE_CLASH", "W_WHEEL_SCRIPTS"]);
    }
}
