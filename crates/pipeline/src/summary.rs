//! The output before and after a build: rows of tables and a few lines, as plain data.

use std::collections::BTreeMap;

use vocab::foreign_text::printable_line;
use vocab::{Distribution, Manifest, PlatformKey, RuleOutcome};

use crate::build::{BuildEnding, BuildReport};
use crate::plan::{BuildPlan, PlanAction, brought_by};

/// Headers and rows of the plan's table.
pub fn plan_table(plan: &BuildPlan, bytes: &dyn Fn(u64) -> String) -> (Vec<&'static str>, Vec<Vec<String>>) {
    let is_each = plan.is_each();
    let mut headers = vec!["package", "version", "how", "size"];
    headers.extend(is_each.then_some("brought by").into_iter().chain(["why"]));
    let rows = plan.rows.iter().map(|row| {
        let size = match (row.size, row.in_store) {
            (_, true) => "in store".to_owned(),
            (Some(size), false) => bytes(size),
            (None, false) => String::new(),
        };
        let name = if row.requested { row.name.to_string() } else { format!("  {}", row.name) };
        let mut cells = vec![name, row.version.clone().unwrap_or_default(), row.action.as_str().to_owned(), size];
        cells.extend(is_each.then(|| brought_by(&row.brought_by)).into_iter().chain([row.reason.clone()]));
        cells
    });
    (headers, rows.collect())
}

/// One line above the table.
pub fn plan_line(plan: &BuildPlan, bytes: &dyn Fn(u64) -> String) -> String {
    let base = match &plan.base {
        Ok(base) => {
            let stand_in = if base.stand_in { format!(", a STAND-IN for {}", base.requested) } else { String::new() };
            format!("Python {} from {} ({}){stand_in}", base.actual, base.source, base.origin)
        }
        Err(_) => "no interpreter".to_owned(),
    };
    let built = plan.count(|action| {
        matches!(
            action,
            PlanAction::Source | PlanAction::Forced | PlanAction::BuildWheel | PlanAction::Git | PlanAction::Path
        )
    });
    let out = plan.count(|action| !action.installs());
    format!(
        "{} for {}: {base}; {} wheels, {built} built here, {out} not installed; {} to download",
        plan.runtime,
        plan.platform,
        plan.count(|action| matches!(action, PlanAction::Wheel | PlanAction::LocalWheel)),
        bytes(plan.download_size()),
    )
}

/// What was done, what was not and why, sizes, time for each step.
pub fn ending_lines(
    report: &BuildReport,
    bytes: &dyn Fn(u64) -> String,
    time: &dyn Fn(std::time::Duration) -> String,
) -> Vec<String> {
    let mut lines = Vec::new();
    match &report.ending {
        BuildEnding::Planned { .. } => return lines,
        BuildEnding::TestRun { prefix, artifact } => {
            lines.push("TEST_RUN: a stub, not a runtime".to_owned());
            lines.push(format!("artifact  {}", artifact.display()));
            lines.push(format!("runtime   {}", prefix.display()));
            return lines;
        }
        BuildEnding::UpToDate(product) => {
            lines.push(format!(
                "{} for {} is up to date: its files and artifacts are as they were built",
                report.runtime, report.platform
            ));
            lines.extend(left_out_lines(&product.manifest));
            lines.extend(product_lines(&product.manifest, bytes));
            lines.extend(product.artifacts.iter().map(|path| format!("artifact  {}", path.display())));
            lines.push(format!("runtime   {}", product.prefix.display()));
        }
        BuildEnding::Built(product) => {
            let steps: Vec<String> =
                report.steps.iter().map(|(step, elapsed)| format!("{step} {}", time(*elapsed))).collect();
            lines.push(format!("{} for {} is built", report.runtime, report.platform));
            lines.extend(left_out_lines(&product.manifest));
            lines.extend(product_lines(&product.manifest, bytes));
            lines.push(format!("time      {}", steps.join(", ")));
            lines.extend(product.artifacts.iter().map(|path| format!("artifact  {}", path.display())));
            lines.push(format!("runtime   {}", product.prefix.display()));
        }
    }
    lines
}

fn product_lines(manifest: &Manifest, bytes: &dyn Fn(u64) -> String) -> Vec<String> {
    let base = &manifest.base;
    let mut lines = Vec::new();
    let stand_in = if base.stand_in { format!(", STAND-IN for {}", base.requested) } else { String::new() };
    let absent = if base.absent.is_empty() { String::new() } else { format!("; without {}", base.absent.join(", ")) };
    let python = format!("python    {}{stand_in}, {} ({}){absent}", base.actual, base.source, base.origin);
    lines.push(printable_line(&python));
    lines.push(format!(
        "contents  {} packages, {} files, {}; {}",
        manifest.distributions.len(),
        manifest.files,
        bytes(manifest.installed_size),
        imports(manifest),
    ));
    let needs: Vec<String> = manifest.native.needs.keys().map(|provider| need(manifest, provider)).collect();
    if !needs.is_empty() {
        lines.push(format!("needs     {}; {} native files", needs.join(", "), manifest.native.files));
    }
    lines.extend(warnings(manifest));
    if let Some(artifact) = &manifest.artifact {
        lines.push(format!(
            "packed    {} in {} parts, sha256 {}",
            bytes(artifact.size),
            artifact.parts.len(),
            artifact.sha256
        ));
    }
    lines
}

/// `glibc 2.28 (duckdb and 2 more)`: the version, and the distributions that ask for it. Where none does, the
/// interpreter or a copied file does.
fn need(manifest: &Manifest, provider: &str) -> String {
    let version = &manifest.native.needs[provider];
    let asks = |row: &&Distribution| row.native.as_ref().and_then(|native| native.needs.get(provider)) == Some(version);
    let mut asking = manifest.distributions.iter().filter(asks);
    // A library has no version of its own.
    let what = if version == "any" { provider.to_owned() } else { format!("{provider} {version}") };
    match (asking.next(), asking.count()) {
        (None, _) => what,
        (Some(first), 0) => format!("{what} ({})", first.name),
        (Some(first), more) => format!("{what} ({} and {more} more)", first.name),
    }
}

/// How many warnings the manifest lists, and of which kinds: as many as were shown.
fn warnings(manifest: &Manifest) -> Option<String> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for warning in &manifest.warnings {
        *counts.entry(warning.code.as_str()).or_default() += 1;
    }
    let codes: Vec<String> = counts.iter().map(|(code, count)| format!("{code} {count}")).collect();
    let all = manifest.warnings.len();
    (all > 0).then(|| printable_line(&format!("warnings  {all} ({}); the manifest lists them", codes.join(", "))))
}

/// What ran, and what did not.
fn imports(manifest: &Manifest) -> String {
    let native = &manifest.native;
    let is_foreign = PlatformKey::host() != Some(manifest.platform);
    match &native.emulated {
        None if is_foreign && native.imported == 0 => "static checks only".to_owned(),
        None if native.imported == 0 => "no module was imported".to_owned(),
        None => format!("{} modules import", native.imported),
        Some(emulated) => {
            let gaps = match emulated.gaps {
                0 => String::new(),
                1 => ", which lacks what 1 other needs".to_owned(),
                gaps => format!(", which lacks what {gaps} others need"),
            };
            format!("{} modules import in {}{gaps}", native.imported, emulated.by)
        }
    }
}

/// Nothing is left out silently.
fn left_out_lines(manifest: &Manifest) -> Vec<String> {
    let word = |outcome| match outcome {
        RuleOutcome::Skipped => Some("skipped"),
        RuleOutcome::NotApplicable => Some("not applicable"),
        RuleOutcome::Forced => Some("forced"),
        RuleOutcome::BuiltWheel => Some("built"),
        RuleOutcome::FromSource => Some("from source"),
        RuleOutcome::LeftOut => Some("LEFT OUT"),
        RuleOutcome::Missing => Some("MISSING"),
        RuleOutcome::NeedsNativeRunner => Some("NATIVE RUNNER"),
        RuleOutcome::ShippedSource => Some("source shipped"),
        RuleOutcome::Overridden => Some("overridden"),
        RuleOutcome::WithoutDependencies => Some("no deps"),
    };
    manifest
        .rules
        .iter()
        .filter_map(|row| Some(format!("{:<14} {}: {}", word(row.outcome)?, row.name, printable_line(&row.reason))))
        .collect()
}

#[cfg(test)]
mod tests {
    use vocab::{BuildWarning, NativeFiles};

    use super::*;

    #[test]
    fn what_a_runtime_needs_is_told_with_those_that_need_it() {
        let fixture = include_bytes!("../../../fixtures/manifest/format-4.json");
        let mut manifest = archive::read_manifest(fixture).unwrap();
        let lines = |manifest: &Manifest| product_lines(manifest, &|bytes| bytes.to_string())[2].clone();
        assert_eq!(lines(&manifest), "needs     glibc 2.17 (numpy), glibcxx 3.4.19 (numpy); 21 native files");
        let needs = [("glibc".to_owned(), "2.17".to_owned())].into();
        manifest.distributions[1].native = Some(NativeFiles { files: 1, needs });
        manifest.native.needs.insert("glibcxx".to_owned(), "3.4.21".to_owned());
        assert_eq!(lines(&manifest), "needs     glibc 2.17 (numpy and 1 more), glibcxx 3.4.21; 21 native files");
        let warning = |code: &str, text: &str| BuildWarning { code: code.into(), place: None, text: text.into() };
        manifest.warnings =
            [warning("W_NATIVE", "a"), warning("W_NATIVE", "b"), warning("W_UNMET_REQUIREMENT", "c")].into();
        let expected = "warnings  3 (W_NATIVE 2, W_UNMET_REQUIREMENT 1); the manifest lists them";
        assert_eq!(warnings(&manifest).as_deref(), Some(expected));
        manifest.warnings.clear();
        assert_eq!(warnings(&manifest), None);
        manifest.native.needs.insert("libz.so.1".to_owned(), "any".to_owned());
        assert!(lines(&manifest).contains("glibcxx 3.4.21, libz.so.1; 21"), "{}", lines(&manifest));
    }
}
