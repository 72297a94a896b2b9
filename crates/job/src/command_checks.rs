//! What the commands of setup.py, and the requirements files they name, ask for that fails on workers or cannot be had.

use std::collections::BTreeSet;

use crate::code;
use crate::commands::{CommandPlan, CommandRule};
use crate::effective_config::EffectiveConfig;
use crate::finding::Finding;
use crate::job_folder::{JobFolder, inside};
use crate::job_indexes::JobIndexes;
use crate::level::Level;
use crate::requirements;
use crate::secrets::{has_credentials, shown_index, without_secrets};

/// From this release on Beam's workers install without build isolation.
const WITHOUT_ISOLATION: (u64, u64) = (2, 77);

/// Files of the job that pip is to read, with those that they name.
pub(crate) fn named_files(folder: &JobFolder, plan: &CommandPlan) -> BTreeSet<String> {
    let files = plan.pip.iter().flat_map(|it| it.files.iter().chain(&it.constraints));
    files.filter_map(|it| inside(it)).flat_map(|file| requirements::with_named(folder, &file)).collect()
}

/// KJ051 to KJ055 and KJ058, for what setup.py starts. `beam`: the release that the job names.
pub(crate) fn commands(
    plan: &CommandPlan,
    rule: CommandRule,
    configs: &[EffectiveConfig],
    beam: Option<&str>,
    script: &str,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    if !plan.system_packages.is_empty() {
        let names: Vec<&str> = plan.system_packages.iter().map(|it| it.name.as_str()).collect();
        let list = names.join(", ");
        findings.push(Finding::new(code::KJ052, [("list", list.as_str())]).in_file(script));
    }
    let denied = plan.others.iter().filter(|_| rule == CommandRule::Deny);
    let denied = denied.map(|call| (call.argv.join(" "), "--commands deny allows no other programs".to_owned()));
    for (argv, reason) in plan.refused.iter().cloned().chain(denied) {
        let (argv, reason) = (format!("`{}`", without_secrets(&argv)), without_secrets(&reason));
        let values = [("argv", argv.as_str()), ("reason", reason.as_str())];
        findings.push(Finding::new(code::KJ051, values).in_file(script));
    }
    if !plan.pip.is_empty() {
        let asks_for_isolation =
            configs.iter().any(|it| it.packaging.experiments.iter().any(|it| it == "pip_use_build_isolation"));
        let harmless = beam.and_then(release).is_some_and(|beam| beam >= WITHOUT_ISOLATION) && !asks_for_isolation;
        let level = if harmless { Level::Note } else { Level::Warning };
        findings.push(Finding::new(code::KJ058, []).at_level(level).in_file(script));
    }
    let of_commands = plan.pip.iter().flat_map(|it| it.index.iter().chain(&it.extra_indexes));
    findings.extend(of_commands.flat_map(|address| index(address)).map(|it| it.in_file(script)));
    findings
}

/// KJ055 for requirements that name an address.
pub(crate) fn addresses(requirements: &[String], script: &str) -> Vec<Finding> {
    let of = |text: &String| {
        let address = text.split_whitespace().find(|word| word.contains("://")).unwrap_or_default();
        let address = address.trim_start_matches('@');
        has_credentials(address).then(|| Finding::new(code::KJ055, [("url", shown_index(address).as_str())]))
    };
    requirements.iter().filter_map(of).map(|it| it.in_file(script)).collect()
}

/// KJ053 to KJ055 for the command line's indexes.
pub(crate) fn given_indexes(indexes: &JobIndexes) -> Vec<Finding> {
    indexes.default.iter().chain(&indexes.additional).flat_map(|address| index(address)).collect()
}

/// KJ053 to KJ055 of the lines of a requirements file.
pub(crate) fn requirements_file(folder: &JobFolder, file: &str) -> Vec<Finding> {
    const OPTIONS: [&str; 3] = ["--extra-index-url", "--index-url", "-i"];
    let mut findings = Vec::new();
    for (line, text) in requirements::lines(folder, file) {
        let rest = OPTIONS.iter().find_map(|option| text.strip_prefix(option));
        let address = rest.filter(|rest| rest.starts_with([' ', '=', '\t'])).map(|it| it[1..].trim());
        let own = address.map(index).unwrap_or_default();
        findings.extend(own.into_iter().map(|it| it.in_file(file).in_line(line)));
    }
    findings
}

fn index(address: &str) -> Vec<Finding> {
    let shown = shown_index(address);
    let values = [("url", shown.as_str())];
    let mut findings = Vec::new();
    if !address.contains("://") {
        findings.push(Finding::new(code::KJ053, values));
    } else if address.to_ascii_lowercase().starts_with("http://") {
        findings.push(Finding::new(code::KJ054, values));
    }
    if has_credentials(address) {
        findings.push(Finding::new(code::KJ055, values));
    }
    findings
}

/// `2.77` of `2.77.0`.
pub(crate) fn release(version: &str) -> Option<(u64, u64)> {
    let mut numbers = version.split('.').map(|it| it.parse::<u64>().ok());
    Some((numbers.next()??, numbers.next()??))
}
