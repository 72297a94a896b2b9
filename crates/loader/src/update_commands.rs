//! `pydist update`: each installed runtime from where it came. One that fails does not keep the others from being updated.

use std::sync::atomic::AtomicBool;
use std::time::SystemTime;

use cli::{Printer, Table};
use fetch::{FetchSettings, FetchWatch};
use installer::{InstallOutcome, UpdatePlan, UpdateRequest, plan_update, updatable, update};
use serde_json::json;
use vocab::{Event, Exit, Fault, VersionString};

use crate::arguments::UpdateArguments;
use crate::commands::{CommandError, home_of, moment_of, report, settings_of};
use crate::source_choice::{FROM, remembered_sources};

/// Runs `pydist update`.
pub fn run(
    arguments: &UpdateArguments,
    is_json: bool,
    environment: &dyn Fn(&str) -> Option<String>,
    printer: &Printer,
    cancelled: &AtomicBool,
) -> Result<Exit, Box<dyn Fault>> {
    let UpdateArguments { versions, to, dry_run, link_mode, transfer } = arguments;
    let request = UpdateRequest {
        home: home_of(to.as_deref(), environment)?,
        sources: remembered_sources(environment)?,
        given: environment(FROM).filter(|text| !text.is_empty()),
        reuse: link_mode.reuse(),
        now: moment_of(SystemTime::now())?,
    };
    let installed = updatable(&request.home);
    let is_asked = |version: &&VersionString| versions.is_empty() || versions.iter().any(|it| it.matches(version));
    let chosen: Vec<VersionString> = installed.iter().filter(is_asked).cloned().collect();
    if let Some(asked) = versions.iter().find(|asked| asked.newest(&installed).is_none()) {
        let nearest: Vec<String> = asked.nearest(&installed).into_iter().map(ToString::to_string).collect();
        return Err(CommandError::NoneInstalled { asked: asked.clone(), nearest: nearest.join(", ") }.into());
    }
    if chosen.is_empty() {
        printer.say("no runtime is installed");
    }
    let tell = |event: Event| printer.tell(event);
    let each = EachUpdate {
        request: &request,
        settings: &settings_of(transfer, environment),
        watch: FetchWatch { tell: &tell, cancelled },
        is_json,
        printer,
    };
    if *dry_run { each.show(&chosen) } else { each.carry_out(&chosen) }
}

struct EachUpdate<'a> {
    request: &'a UpdateRequest,
    settings: &'a FetchSettings,
    watch: FetchWatch<'a>,
    is_json: bool,
    printer: &'a Printer,
}

impl EachUpdate<'_> {
    fn show(&self, versions: &[VersionString]) -> Result<Exit, Box<dyn Fault>> {
        let mut exit = Exit::Done;
        let mut table = Table::new(["version", "installed", "newest", "to fetch", "from"]).right(3);
        for version in versions {
            match plan_update(self.request, version, self.settings, self.watch) {
                Ok(plan) if self.is_json => self.printer.json("update", &row_of(&plan)),
                Ok(plan) => {
                    table.row(cells_of(&plan));
                }
                Err(error) => exit = self.failed(exit, &error)?,
            }
        }
        if !self.is_json && !table.is_empty() {
            self.printer.data(&table.render(None));
        }
        Ok(exit)
    }

    fn carry_out(&self, versions: &[VersionString]) -> Result<Exit, Box<dyn Fault>> {
        let mut exit = Exit::Done;
        for version in versions {
            match update(self.request, version, self.settings, self.watch) {
                Ok(got) => {
                    if versions.len() > 1 && matches!(got.installed, InstallOutcome::Now { .. }) {
                        self.printer.say(&format!("{version}:"));
                    }
                    report(&got, self.is_json, self.printer);
                }
                Err(error) => exit = self.failed(exit, &error)?,
            }
        }
        Ok(exit)
    }

    /// The exit code of the first that failed. An interruption ends everything.
    fn failed(&self, exit: Exit, error: &installer::UpdateError) -> Result<Exit, Box<dyn Fault>> {
        self.printer.fault(error);
        Ok(match (exit, error.exit()) {
            (_, Exit::Interrupted) => Exit::Interrupted,
            (Exit::Done, now) => now,
            (before, _) => before,
        })
    }
}

fn row_of(plan: &UpdatePlan) -> serde_json::Value {
    let UpdatePlan { version, from, channel, before, after, fetched, size } = plan;
    json!({
        "version": version, "from": from, "channel": channel, "before": before, "after": after,
        "changes": before != after, "fetched": fetched, "size": size,
    })
}

fn cells_of(plan: &UpdatePlan) -> [String; 5] {
    let newest = if plan.after == plan.before { "up to date".to_owned() } else { plan.after.short() };
    let bytes = if plan.after == plan.before { String::new() } else { cli::bytes(plan.fetched) };
    [plan.version.to_string(), plan.before.short(), newest, bytes, plan.from.clone()]
}
