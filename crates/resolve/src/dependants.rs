//! What cannot be installed, because something that it requires is left out.

use std::collections::BTreeMap;

use config_merger::MarkerAnswer;
use store::Context;
use vocab::{DistributionName, RuleOutcome, RuleRecord};

use crate::file_metadata::{self, FileMetadata};
use crate::pylock::AnsweredDistribution;
use crate::{LockedSource, PlatformLock, Request, ResolutionSearch};

/// Why something that requires `lacking` is left out with it.
pub fn reason(lacking: &RuleRecord) -> String {
    let how = match lacking.outcome {
        RuleOutcome::Skipped => "is skipped",
        RuleOutcome::Missing => "is missing",
        RuleOutcome::NeedsNativeRunner => "needs a native runner",
        _ => "is left out",
    };
    format!("it requires `{}`, which {how} ({})", lacking.name, lacking.reason)
}

/// The distributions that `dependants: keep` keeps though something that they require is left out, each with the reason.
/// Takes distributions with their lines of `Requires-Dist`. What requires one of those is among them.
pub fn kept<'a>(
    request: &Request,
    left_out: &[RuleRecord],
    members: &[(&'a DistributionName, &[String])],
) -> BTreeMap<&'a DistributionName, String> {
    let mut kept = BTreeMap::new();
    if !request.keeps_dependants {
        return kept;
    }
    let rows = left_out.iter().map(|row| (row.name.clone(), reason(row)));
    let skipped = request.excluded.iter().map(|(name, why)| {
        let row = RuleRecord { name: name.clone(), outcome: RuleOutcome::Skipped, reason: why.clone() };
        (name.clone(), reason(&row))
    });
    let mut gone: BTreeMap<DistributionName, String> = skipped.chain(rows).collect();
    loop {
        let new: Vec<(&DistributionName, String)> = members
            .iter()
            .filter(|(name, _)| !kept.contains_key(name) && !request.no_deps.contains(*name))
            .filter_map(|(name, lines)| Some((*name, required(request, lines).find_map(|it| gone.get(&it).cloned())?)))
            .collect();
        if new.is_empty() {
            return kept;
        }
        for (name, why) in new {
            gone.insert(name.clone(), format!("it requires `{name}`, which lacks something ({why})"));
            kept.insert(name, why);
        }
    }
}

/// The same of locked rows, as far as the metadata of their files is known here.
pub fn kept_rows(context: &Context, request: &Request, rows: &PlatformLock) -> BTreeMap<DistributionName, String> {
    let known = rows.distributions.iter().filter_map(|row| {
        let (LockedSource::Wheel { sha256, .. } | LockedSource::Sdist { sha256, .. }) = &row.source else {
            return None;
        };
        Some((&row.name, file_metadata::recall(context, sha256)?.requires))
    });
    let known: Vec<_> = if request.keeps_dependants { known.collect() } else { Vec::new() };
    let members: Vec<_> = known.iter().map(|(name, requires)| (*name, &requires[..])).collect();
    kept(request, &rows.left_out, &members).into_iter().map(|(name, why)| (name.clone(), why)).collect()
}

fn required<'a>(request: &'a Request, lines: &'a [String]) -> impl Iterator<Item = DistributionName> + 'a {
    let target = &request.target;
    lines.iter().filter_map(|line| {
        let requirement = config_merger::requirement_of_metadata(line)?;
        let applies = requirement.applies(target.platform, target.python, target.system) == MarkerAnswer::Yes;
        applies.then_some(requirement.name)
    })
}

impl ResolutionSearch<'_> {
    /// Leaves out what requires something that is left out, with the outcome of that; its own dependants are found in
    /// the next round. Whether there was any. Of files whose requirements nobody tells before they are here, the build
    /// finds it out.
    pub(super) fn leave_out_dependants(
        &mut self,
        answers: &[AnsweredDistribution],
        metadata: &[Option<FileMetadata>],
    ) -> bool {
        let request = self.request;
        if !request.leaves_out_dependants || (request.excluded.is_empty() && self.left_out.is_empty()) {
            return false;
        }
        let known = answers.iter().zip(metadata).filter_map(|(answer, known)| Some((&answer.name, known.as_ref()?)));
        let known = known.filter(|(name, _)| !request.no_deps.contains(*name));
        let found: Vec<RuleRecord> = known
            .filter_map(|(name, metadata)| {
                let lacking = required(request, &metadata.requires).find_map(|required| self.gone(&required))?;
                Some(RuleRecord { name: name.clone(), outcome: lacking.outcome, reason: reason(&lacking) })
            })
            .collect();
        let any = !found.is_empty();
        found.into_iter().for_each(|row| self.leave_out(&row.name, row.outcome, row.reason));
        any
    }

    fn gone(&self, name: &DistributionName) -> Option<RuleRecord> {
        let skipped =
            |reason: &String| RuleRecord { name: name.clone(), outcome: RuleOutcome::Skipped, reason: reason.clone() };
        self.left_out.get(name).cloned().or_else(|| self.request.excluded.get(name).map(skipped))
    }
}
