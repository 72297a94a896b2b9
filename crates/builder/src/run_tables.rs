//! What a build shows before it begins and when it ends, as plain text or Markdown.

use std::time::Duration;

use cli::{Table, markdown};
use pipeline::build::BuildReport;
use pipeline::plan::BuildPlan;
use pipeline::plan_matrix::plan_matrix;
use pipeline::prepare::PlatformPreparation;
use pipeline::summary;
use vocab::VersionString;

/// The first output of a build: a table of one platform's packages, or of packages by platform.
pub struct PlansShown {
    pub heading: String,
    table: Table,
    /// Why a cell says what it says, for tables without a column for it.
    reasons: Vec<String>,
}

impl PlansShown {
    /// `None` where the only platform has no plan: its fault says why.
    pub fn new(version: &VersionString, preparations: &[PlatformPreparation]) -> Option<Self> {
        let [only] = preparations else {
            let matrix = plan_matrix(preparations);
            let heading = format!("{version} for {} platforms", preparations.len());
            return Some(Self {
                heading,
                table: filled(Table::new(matrix.headers), matrix.rows),
                reasons: matrix.reasons,
            });
        };
        only.plan.as_ref().map(Self::of_one)
    }

    fn of_one(plan: &BuildPlan) -> Self {
        let (headers, rows) = summary::plan_table(plan, &cli::bytes);
        let table = filled(Table::new(headers).right(3), rows);
        Self { heading: summary::plan_line(plan, &cli::bytes), table, reasons: Vec::new() }
    }

    /// Table and reasons, without the heading. `width` is the terminal's.
    pub fn text(&self, width: Option<usize>) -> String {
        let table = self.table.render(width);
        if self.reasons.is_empty() {
            return table;
        }
        format!("{}\n\n{}\n", table.trim_end_matches('\n'), self.reasons.join("\n"))
    }

    /// A section of a job's summary.
    pub fn markdown(&self) -> String {
        let reasons: String = self.reasons.iter().map(|reason| format!("- {}\n", markdown::text(reason))).collect();
        format!("### {}\n\n{}\n\n{reasons}", markdown::text(&self.heading), self.table.markdown())
    }
}

fn filled(mut table: Table, rows: Vec<Vec<String>>) -> Table {
    for row in rows {
        table.row(row);
    }
    table
}

/// The last output of a build, empty after a plan.
pub fn ending(report: &BuildReport) -> String {
    let time = |elapsed: Duration| cli::duration(u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX));
    summary::ending_lines(report, &cli::bytes, &time).join("\n")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use pipeline::build::BuildEnding;
    use pipeline::build_product::BuildProduct;
    use pipeline::plan::{PlanAction, PlanRow, PlannedBase};
    use unicode_width::UnicodeWidthStr;
    use vocab::{Manifest, PlatformKey};

    use super::*;
    use crate::session::UsageError;

    fn version() -> VersionString {
        "3.12.10-slim".parse().unwrap()
    }

    fn base(actual: &str) -> Result<PlannedBase, String> {
        Ok(PlannedBase {
            source: "go-module".to_owned(),
            requested: "3.12.10".parse().unwrap(),
            actual: actual.parse().unwrap(),
            stand_in: actual != "3.12.10",
            origin: "v0.0.0-20250409".to_owned(),
        })
    }

    fn row(name: &str, version: Option<&str>, action: PlanAction, reason: &str) -> PlanRow {
        PlanRow {
            name: name.parse().unwrap(),
            version: version.map(str::to_owned),
            action,
            requested: true,
            brought_by: BTreeSet::new(),
            reason: reason.to_owned(),
            size: None,
            in_store: false,
        }
    }

    fn wheel(name: &str, version: &str, size: u64) -> PlanRow {
        PlanRow { size: Some(size), ..row(name, Some(version), PlanAction::Wheel, "") }
    }

    /// What each sort of row, and text that others wrote, look like.
    fn rows() -> Vec<PlanRow> {
        let python_dateutil = PlanRow { requested: false, ..wheel("python-dateutil", "2.9.0.post0", 229_892) };
        vec![
            row("cudf-cu12", None, PlanAction::Skipped, "no CUDA on this platform"),
            row("demo", Some("1.0+local"), PlanAction::Git, "https://git.example/demo at 0123456789ab"),
            PlanRow { in_store: true, ..wheel("numpy", "2.2.6", 16_500_000) },
            row(
                "parasail",
                Some("1.3.4"),
                PlanAction::Forced,
                "its wheel needs a newer processor | ![](http://x.example/y.png) than the oldest one that this runtime has to support",
            ),
            python_dateutil,
            row("pycosat", Some("0.6.6"), PlanAction::NeedsNativeRunner, "no wheel for this platform"),
        ]
    }

    fn plan(platform: &str, base: Result<PlannedBase, String>, rows: Vec<PlanRow>) -> BuildPlan {
        BuildPlan { runtime: version(), platform: platform.parse().unwrap(), base, rows }
    }

    /// Whether it can be built here is said elsewhere.
    fn preparation(plan: BuildPlan) -> PlatformPreparation {
        PlatformPreparation { platform: plan.platform, plan: Some(plan), ready: Err(UsageError::NoPlatform.into()) }
    }

    fn shown(preparations: &[PlatformPreparation]) -> PlansShown {
        PlansShown::new(&version(), preparations).unwrap()
    }

    /// All five platforms: another version, a stand-in, none at all, and one that was not resolved.
    fn five() -> Vec<PlatformPreparation> {
        let mut windows = rows();
        windows[2].version = Some("2.1.3".to_owned());
        let reason = "go-module has no CPython for macosx-x64".to_owned();
        let mut all = vec![
            preparation(plan("linux-x64", base("3.12.10"), rows())),
            preparation(plan("linux-aarch64", base("3.12.9"), rows()[1..].to_vec())),
            preparation(plan("macosx-x64", Err(reason), rows()[2..4].to_vec())),
            preparation(plan("windows-x64", base("3.12.10"), windows)),
        ];
        let platform = PlatformKey::MacosxAarch64;
        all.insert(3, PlatformPreparation { platform, plan: None, ready: Err(UsageError::NoPlatform.into()) });
        all
    }

    #[test]
    fn the_plan_of_one_platform_is_a_table_with_reasons() {
        let shown = shown(&[preparation(plan("linux-x64", base("3.12.9"), rows()))]);
        insta::assert_snapshot!("plan_of_one_platform", format!("{}\n{}", shown.heading, shown.text(None)));
        insta::assert_snapshot!("plan_of_one_platform_markdown", shown.markdown());
    }

    #[test]
    fn a_narrow_terminal_wraps_the_reasons_of_a_plan() {
        let shown = shown(&[preparation(plan("linux-x64", base("3.12.10"), rows()))]);
        let text = shown.text(Some(100));
        assert!(text.lines().all(|line| line.width() <= 100), "{text}");
        insta::assert_snapshot!("plan_in_100_columns", text);
        // The last column keeps enough for a word; the terminal breaks the lines.
        insta::assert_snapshot!("plan_in_30_columns", shown.text(Some(30)));
    }

    #[test]
    fn plans_of_five_platforms_are_one_table_with_their_reasons_below() {
        let shown = shown(&five());
        insta::assert_snapshot!("plans_of_five_platforms", format!("{}\n{}", shown.heading, shown.text(Some(80))));
        insta::assert_snapshot!("plans_of_five_platforms_markdown", shown.markdown());
    }

    #[test]
    fn requirements_that_are_resolved_each_for_itself_say_what_brings_a_row() {
        let brought = |names: &[&str]| names.iter().map(|name| name.parse().unwrap()).collect();
        let rows = || {
            vec![
                PlanRow { brought_by: brought(&["pandas"]), ..wheel("numpy", "1.26.4", 18_000_000) },
                PlanRow { brought_by: brought(&["numpy", "scipy"]), ..wheel("numpy", "2.2.6", 16_500_000) },
                PlanRow { brought_by: brought(&["a", "b", "c", "d", "e"]), ..wheel("six", "1.17.0", 11_050) },
            ]
        };
        let one = shown(&[preparation(plan("linux-x64", base("3.12.10"), rows()))]);
        let two = ["linux-x64", "windows-x64"].map(|it| preparation(plan(it, base("3.12.10"), rows())));
        insta::assert_snapshot!("plans_of_each", format!("{}\n{}", one.text(None), shown(&two).text(None)));
    }

    #[test]
    fn a_lone_platform_without_a_plan_shows_none() {
        let none = PlatformPreparation {
            platform: PlatformKey::LinuxX64,
            plan: None,
            ready: Err(UsageError::NoPlatform.into()),
        };
        assert!(PlansShown::new(&version(), &[none]).is_none());
    }

    fn report(ending: BuildEnding) -> BuildReport {
        let steps = vec![("fetch", Duration::from_millis(1_540)), ("check imports", Duration::from_secs(75))];
        BuildReport { runtime: version(), platform: PlatformKey::LinuxX64, ending, steps }
    }

    fn product(change: impl FnOnce(&mut Manifest)) -> Box<BuildProduct> {
        let mut manifest = archive::read_manifest(include_bytes!("../../../fixtures/manifest/format-5.json")).unwrap();
        change(&mut manifest);
        let prefix = "repo/python-3.12.10-slim/pydist/linux-x64".into();
        let artifacts = ["tar.zst", "zip"].map(|format| format!("dist/runtime.{format}").into()).to_vec();
        Box::new(BuildProduct { prefix, artifacts, manifest })
    }

    #[test]
    fn the_summary_of_a_build_names_all_that_was_not_installed_as_usual_and_every_warning() {
        let built = report(BuildEnding::Built(product(|_| ())));
        insta::assert_snapshot!("summary_of_a_build", ending(&built));
        insta::assert_snapshot!("summary_of_a_build_markdown", markdown::fenced(&ending(&built)));
    }

    #[test]
    fn the_summary_of_a_runtime_that_is_up_to_date_has_no_times() {
        // Nothing to say but where things are.
        let plain = product(|manifest| {
            manifest.rules.clear();
            manifest.warnings.clear();
            manifest.native.needs.clear();
            manifest.base.stand_in = false;
            manifest.base.absent.clear();
        });
        insta::assert_snapshot!("summary_up_to_date", ending(&report(BuildEnding::UpToDate(plain))));
    }

    #[test]
    fn the_summary_of_a_test_run_says_that_it_is_a_stub() {
        let ends = BuildEnding::TestRun { prefix: "pydist/linux-x64".into(), artifact: "dist/stub.tar.zst".into() };
        insta::assert_snapshot!("summary_of_a_test_run", ending(&report(ends)));
        assert_eq!(ending(&report(BuildEnding::Planned { whole: true })), "");
    }
}
