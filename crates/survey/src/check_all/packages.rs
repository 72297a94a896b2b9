//! Whether packages, workspace and catalogue agree, as `npm_packages` says.

use config_merger::Repository;
use npm_packages::{RepositoryPackages, disagreements};

use super::SurveyFindings;

pub(super) fn check(repository: &Repository, checked: &mut SurveyFindings) {
    let (packages, unreadable) = RepositoryPackages::read(repository.root());
    // Each for itself, so that each is seen with its hint.
    let unreadable = unreadable
        .into_iter()
        .flat_map(|(place, faults)| faults.into_vec().into_iter().map(move |fault| (place.clone(), fault.into())));
    checked.faults.extend(unreadable);
    for said in disagreements(repository.root(), &packages) {
        checked.faults.push((said.fault.place.file.to_string(), said.fault.into()));
    }
}
