//! `packages.overrides`: other versions for the named distributions.

use vocab::DistributionName;

use crate::places::ValuePlaces;
use crate::report::FindingReport;
use crate::requirement::compact;
use crate::requirement_text::parse_override;
use crate::{Config, FindingCode, RequirementSource, TextPlace};
use vocab::quoted::shown;

/// Name, extras and marker of a requirement stay; its specifier is replaced.
pub(crate) fn apply(config: &mut Config, places: &ValuePlaces, fallback: &TextPlace, report: &mut FindingReport) {
    let version = config.version.clone();
    // A requirement that was refused is not reported missing as well.
    let whole = report.faults.is_empty();
    let packages = &mut config.packages;
    for (name, value) in &packages.overrides {
        let place = places.get(&format!("/packages/overrides/{name}")).unwrap_or(fallback);
        let specifier = match parse_override(value) {
            Ok(specifier) => specifier,
            Err(complaint) => {
                report.fault(FindingCode::Override, place.clone(), complaint.text, complaint.hint);
                continue;
            }
        };
        let own = packages.platform_specific.values_mut().flat_map(|own| &mut own.dependencies);
        let mut matched = false;
        for requirement in packages.dependencies.iter_mut().chain(own).filter(|other| other.name == *name) {
            matched = true;
            let former = match &requirement.source {
                RequirementSource::Index { specifier } => compact(specifier),
                _ => {
                    let text = format!(
                        "`{}` cannot be overridden: {} asks for it as {}",
                        name,
                        requirement.place,
                        shown(&requirement.text)
                    );
                    let hint = "change the requirement itself; only versions from an index can be overridden";
                    report.fault(FindingCode::Override, place.clone(), text, Some(hint.into()));
                    continue;
                }
            };
            let source = RequirementSource::Index { specifier: specifier.clone() };
            requirement.source = source;
            *requirement = requirement.clone().with_text(&version);
            requirement.overridden = Some(former);
        }
        if !matched && whole {
            report.warning(
                FindingCode::Override,
                place.clone(),
                format!("this override of {} matches no dependency", shown(value)),
                Some(unmatched_hint(name)),
            );
        }
    }
}

fn unmatched_hint(name: &DistributionName) -> String {
    format!("add `{name}` to `dependencies`, or remove the override; in a version's file, `null` takes it back")
}
