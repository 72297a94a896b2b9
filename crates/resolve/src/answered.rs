//! What the resolver has answered in this run: a question that is asked again, for another version or in another round,
//! starts no program.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use vocab::Digest;

use crate::UvError;
use store::pinned_tool::SetUpError;

/// uv's lock, or its reason for finding none.
type UvAnswer = Result<String, String>;

/// Held while its question is asked.
type AnswerSlot = Arc<Mutex<Option<UvAnswer>>>;

/// Shared by its clones.
#[derive(Clone, Debug, Default)]
pub struct AnsweredQuestions {
    answers: Arc<Mutex<HashMap<Digest, AnswerSlot>>>,
    /// The URL of the index that the resolver asks by default, once that was needed.
    default_index: Arc<OnceLock<Option<String>>>,
    /// The resolver on PATH, if it is the pinned one.
    on_path: Arc<OnceLock<Option<PathBuf>>>,
    /// Why it could not be set up, once that was tried. Held while it is tried.
    not_set_up: Arc<Mutex<Option<String>>>,
}

impl AnsweredQuestions {
    pub(crate) fn default_index_or(&self, ask: impl FnOnce() -> Option<String>) -> Option<&str> {
        self.default_index.get_or_init(ask).as_deref()
    }

    /// Programs are looked for and asked for their version once.
    pub(crate) fn on_path_or<E>(
        &self,
        find: impl FnOnce() -> Result<Option<PathBuf>, E>,
    ) -> Result<Option<PathBuf>, E> {
        if let Some(known) = self.on_path.get() {
            return Ok(known.clone());
        }
        let found = find()?;
        Ok(self.on_path.get_or_init(|| found).clone())
    }

    /// Whether the resolver was needed in this run and the one on PATH was taken.
    pub fn uses_path(&self) -> bool {
        matches!(self.on_path.get(), Some(Some(_)))
    }

    /// One thread tries it, and the others wait for its success; a failure is not tried again.
    pub(crate) fn set_up_once(&self, set_up: impl FnOnce() -> Result<(), SetUpError>) -> Result<(), SetUpError> {
        let mut failed = self.not_set_up.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(reason) = &*failed {
            return Err(SetUpError::Before { reason: reason.clone() });
        }
        set_up().inspect_err(|error| *failed = Some(error.to_string()))
    }

    /// The same question waits while it is asked. What says nothing of the question, such as a server that does not
    /// answer, is not kept.
    pub(crate) fn or_ask(
        &self,
        question: Digest,
        ask: impl FnOnce() -> Result<String, UvError>,
    ) -> Result<String, UvError> {
        let slot = Arc::clone(self.answers.lock().unwrap_or_else(PoisonError::into_inner).entry(question).or_default());
        let mut slot = slot.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = &*slot {
            return known.clone().map_err(|reason| UvError::Refused { reason });
        }
        let answer = ask();
        match &answer {
            Ok(text) => *slot = Some(Ok(text.clone())),
            Err(UvError::Refused { reason }) => *slot = Some(Err(reason.clone())),
            Err(_) => {}
        }
        answer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resolver_that_could_not_be_set_up_is_tried_once_for_all_platforms() {
        let answered = AnsweredQuestions::default();
        assert!(answered.set_up_once(|| Ok(())).is_ok());
        let first =
            answered.set_up_once(|| Err(SetUpError::Pip { output: "no route to host".to_owned(), proxy: None }));
        let again = answered.clone().set_up_once(|| panic!("it is known"));
        assert_eq!(first.unwrap_err().to_string(), again.unwrap_err().to_string(), "the same words");
    }

    #[test]
    fn a_question_is_asked_once_unless_nobody_answered() {
        let answered = AnsweredQuestions::default();
        let key = Digest::of("question");
        let silent = || Err(UvError::Unreachable { reason: "no answer".to_owned() });
        assert!(answered.or_ask(key, silent).is_err());
        assert_eq!(answered.or_ask(key, || Ok("rows".to_owned())).unwrap(), "rows");
        assert_eq!(answered.clone().or_ask(key, || panic!("it is known")).unwrap(), "rows");
        let refuse = || Err(UvError::Refused { reason: "they exclude each other".to_owned() });
        for ask in [true, false] {
            let error = answered.or_ask(Digest::of("another"), || if ask { refuse() } else { panic!("it is known") });
            assert!(matches!(error, Err(UvError::Refused { reason }) if reason == "they exclude each other"));
        }
    }
}
