//! What cannot be installed, because something that it requires is left out.

use config_merger::Applies;
use vocab::{DistributionName, Outcome, RuleRecord};

use crate::Search;
use crate::file_metadata::FileMetadata;
use crate::pylock::Answer;

/// Why something that requires `lacking` is left out with it.
pub fn reason(lacking: &RuleRecord) -> String {
    let how = match lacking.outcome {
        Outcome::Skipped => "is skipped",
        Outcome::Missing => "is missing",
        Outcome::NeedsNativeRunner => "needs a native runner",
        _ => "is left out",
    };
    format!("it requires `{}`, which {how} ({})", lacking.name, lacking.reason)
}

impl Search<'_> {
    /// Leaves out what requires something that is left out, with the outcome of that; its own dependants are found in
    /// the next round. Whether there was any. Of files whose requirements nobody tells before they are here, the build
    /// finds it out.
    pub(super) fn leave_out_dependants(&mut self, answers: &[Answer], metadata: &[Option<FileMetadata>]) -> bool {
        let request = self.request;
        if !request.leaves_out_dependants || (request.excluded.is_empty() && self.left_out.is_empty()) {
            return false;
        }
        let target = &request.target;
        let known = answers.iter().zip(metadata).filter_map(|(answer, known)| Some((&answer.name, known.as_ref()?)));
        let known = known.filter(|(name, _)| !request.no_deps.contains(*name));
        let found: Vec<RuleRecord> = known
            .filter_map(|(name, metadata)| {
                let requirements = metadata.requires.iter().filter_map(|line| {
                    let requirement = config_merger::requirement_of_metadata(line)?;
                    let applies = requirement.applies(target.platform, target.python, target.system) == Applies::Yes;
                    applies.then_some(requirement.name)
                });
                let lacking = requirements.filter_map(|required| self.gone(&required)).next()?;
                Some(RuleRecord { name: name.clone(), outcome: lacking.outcome, reason: reason(&lacking) })
            })
            .collect();
        let any = !found.is_empty();
        found.into_iter().for_each(|row| self.leave_out(&row.name, row.outcome, row.reason));
        any
    }

    fn gone(&self, name: &DistributionName) -> Option<RuleRecord> {
        let skipped =
            |reason: &String| RuleRecord { name: name.clone(), outcome: Outcome::Skipped, reason: reason.clone() };
        self.left_out.get(name).cloned().or_else(|| self.request.excluded.get(name).map(skipped))
    }
}
