//! Whether a marker (PEP 508) holds on a target, as far as that can be known before the runtime is used.

use std::cmp::Ordering;

use pep440_rs::Version;
use pep508_rs::{MarkerExpression, MarkerOperator, MarkerTree, MarkerValueString};
use vocab::{Os, PlatformKey, PythonVersion, SystemVersion};

use crate::marker_environment;

/// The answer for one marker on one target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MarkerAnswer {
    /// The marker is true, or there is none.
    Yes,
    /// The marker is false.
    No,
    /// It depends on the kernel of the machine that a runtime is used on.
    Unknown,
}

/// `system` is the oldest that the runtime runs on. A macOS version determines its kernel's release; a glibc version
/// says nothing about the kernel, and Windows has no such setting.
pub(crate) fn applies(
    marker: &MarkerTree,
    platform: PlatformKey,
    python: PythonVersion,
    system: Option<SystemVersion>,
) -> MarkerAnswer {
    let Some(target) = marker_environment(platform, python) else { return MarkerAnswer::Yes };
    let release = system.filter(|_| platform.os() == Os::Macos).map(darwin_release);
    // A runtime's own list requests no extra.
    let one = |expression: &MarkerExpression| match kernel_comparison(expression) {
        Some((MarkerValueString::PlatformRelease, operator, value)) => {
            release.as_deref().and_then(|release| compare(release, operator, value))
        }
        Some(_) => None,
        None => Some(MarkerTree::expression(expression.clone()).evaluate(&target, &[])),
    };
    if marker.is_true() {
        return MarkerAnswer::Yes;
    }
    let mut result = MarkerAnswer::No;
    for alternative in marker.to_dnf() {
        let answers: Vec<Option<bool>> = alternative.iter().map(one).collect();
        if answers.iter().all(|answer| *answer == Some(true)) {
            return MarkerAnswer::Yes;
        }
        if !answers.contains(&Some(false)) {
            result = MarkerAnswer::Unknown;
        }
    }
    result
}

fn kernel_comparison(expression: &MarkerExpression) -> Option<(&MarkerValueString, MarkerOperator, &str)> {
    let MarkerExpression::String { key, operator, value } = expression else { return None };
    let of_kernel = matches!(
        key,
        MarkerValueString::PlatformRelease
            | MarkerValueString::PlatformVersion
            | MarkerValueString::PlatformVersionDeprecated
    );
    of_kernel.then_some((key, *operator, value.as_str()))
}

/// macOS 10.x has Darwin x + 4, macOS 11 to 15 have Darwin 20 to 24, macOS 26 has Darwin 25.
fn darwin_release(macos: SystemVersion) -> String {
    let darwin = match macos.major {
        ..=10 => macos.minor.saturating_add(4),
        11..=15 => macos.major + 9,
        later => later - 1,
    };
    format!("{darwin}.0.0")
}

/// Compares as versions if both are versions, as installers do; `None` if the operator means nothing for such texts.
fn compare(release: &str, operator: MarkerOperator, value: &str) -> Option<bool> {
    let versions = release.parse::<Version>().ok().zip(value.parse::<Version>().ok());
    let order = versions.map_or_else(|| release.cmp(value), |(release, value)| release.cmp(&value));
    Some(match operator {
        MarkerOperator::Equal => order == Ordering::Equal,
        MarkerOperator::NotEqual => order != Ordering::Equal,
        MarkerOperator::GreaterThan => order == Ordering::Greater,
        MarkerOperator::GreaterEqual => order != Ordering::Less,
        MarkerOperator::LessThan => order == Ordering::Less,
        MarkerOperator::LessEqual => order != Ordering::Greater,
        MarkerOperator::In => value.contains(release),
        MarkerOperator::NotIn => !value.contains(release),
        MarkerOperator::Contains => release.contains(value),
        MarkerOperator::NotContains => !release.contains(value),
        MarkerOperator::TildeEqual => return None,
    })
}
