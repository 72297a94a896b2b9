//! What `pydist verify`, `repair`, `remove` and `prune` do, over the library.

use cli::Printer;
use fetch::FetchWatch;
use installer::{
    AskedVersion, BuildState, BuildVerdict, DefaultRuntime, DiskUse, HeldHome, Home, InstallOutcome, Installed,
    InstalledBuild, InstalledError, PrunePlan, RepairRequest, RequestOrigin, repair as repair_build, users_in_words,
    users_of,
};
use serde_json::json;
use std::time::SystemTime;
use vocab::{Event, Exit, Fault, RuntimeRequest};

use crate::commands::{given_keys, moment_of, settings_of};
use crate::source_choice::{FROM, remembered_sources};
use crate::surroundings::Surroundings;
use crate::verbs_arguments::{PruneArguments, RemoveArguments, RepairArguments, VerifyArguments};
use crate::verbs_commands::{counted, row_of};

/// Paths of one build that are printed before the rest is counted.
const SHOWN: usize = 20;

/// `pydist verify`.
pub fn verify(arguments: &VerifyArguments, json: bool, around: &Surroundings) -> Result<Exit, Box<dyn Fault>> {
    let installed = Installed::read(&around.runtimes(&arguments.home)?)?;
    let builds = asked_for(&installed, &arguments.versions)?;
    let mut damaged = 0;
    for build in &builds {
        around.check()?;
        let verdict = BuildVerdict::of(build);
        damaged += usize::from(!verdict.is_intact());
        if json {
            let mut row = row_of(build, &verdict.state);
            row["files"] = json!(verdict.files);
            row["damage"] = json!(damage_of(&verdict.state).iter().map(path_and_what).collect::<Vec<_>>());
            row["added"] = json!(verdict.added.iter().map(path_and_what).collect::<Vec<_>>());
            around.printer.json("verified", &row);
        } else {
            show(build, &verdict, &around.printer);
        }
    }
    if damaged == 0 {
        around.printer.say(&format!("{} verified, no damage", counted(builds.len(), "build")));
        return Ok(Exit::Done);
    }
    let all = counted(builds.len(), "build");
    around.printer.say(&format!("{damaged} of {all} damaged; `pydist repair` repairs what pydist installed"));
    Ok(Exit::Trust)
}

fn show(build: &InstalledBuild, verdict: &BuildVerdict, printer: &Printer) {
    let files = counted(verdict.files, "file");
    let words = verdict.state.words().unwrap_or_else(|| "intact".to_owned());
    let mut lines = vec![match verdict.state {
        BuildState::Intact | BuildState::Damaged(_) => format!("{}: {words}, {files}", build.name()),
        _ => format!("{}: {words}", build.name()),
    }];
    for list in [damage_of(&verdict.state), verdict.added.as_slice()] {
        lines.extend(list.iter().take(SHOWN).map(|it| format!("  {it}")));
        if list.len() > SHOWN {
            lines.push(format!("  and {} more; --json lists all", list.len() - SHOWN));
        }
    }
    printer.data(&lines.join("\n"));
}

fn damage_of(state: &BuildState) -> &[installer::TreeDamage] {
    match state {
        BuildState::Damaged(damage) => damage,
        _ => &[],
    }
}

fn path_and_what(damage: &installer::TreeDamage) -> serde_json::Value {
    json!({ "path": damage.path, "what": damage.what })
}

/// All builds where nothing is asked for; that there is none is an error.
fn asked_for<'a>(
    installed: &'a Installed,
    versions: &[RuntimeRequest],
) -> Result<Vec<&'a InstalledBuild>, InstalledError> {
    if installed.builds.is_empty() {
        return Err(InstalledError::Nothing { home: installed.home.root().to_owned() });
    }
    if versions.is_empty() {
        return Ok(installed.builds.iter().collect());
    }
    let mut builds: Vec<&InstalledBuild> = Vec::new();
    for request in versions {
        builds.extend(installed.all_of(request)?);
    }
    builds.sort_by_key(|build| &build.folder);
    builds.dedup_by_key(|build| &build.folder);
    Ok(builds)
}

/// `pydist repair`. All damaged builds are tried; the first fault is that of the command.
pub fn repair(arguments: &RepairArguments, json: bool, around: &Surroundings) -> Result<Exit, Box<dyn Fault>> {
    let home = around.runtimes(&arguments.home)?;
    let installed = Installed::read(&home)?;
    let builds = asked_for(&installed, &arguments.versions)?;
    let keys = given_keys(&arguments.public_key)?;
    let variable = around.variable();
    let (sources, named) = (remembered_sources(&variable)?, variable(FROM).filter(|text| !text.is_empty()));
    let settings = settings_of(&arguments.transfer, &variable);
    let mut failed: Vec<Box<dyn Fault>> = Vec::new();
    for build in builds {
        around.check()?;
        let verdict = BuildVerdict::of(build);
        if verdict.is_intact() {
            around.printer.say(&format!("{} is intact", build.name()));
            continue;
        }
        // What somebody else put there is not ours to repair, unless it was asked for.
        if !build.is_ours() && arguments.versions.is_empty() {
            continue;
        }
        let request = RepairRequest {
            home: &home,
            build,
            from: arguments.from.as_deref(),
            given: named.as_deref(),
            sources: &sources,
            public_keys: &keys,
            now: moment_of(SystemTime::now())?,
        };
        let tell = |event: Event| around.printer.tell(event);
        match repair_build(&request, &settings, FetchWatch { tell: &tell, cancelled: &around.cancelled }) {
            Ok(outcome) => say_repaired(build, &verdict, outcome, json, &around.printer),
            Err(error) => failed.push(error.into()),
        }
    }
    let mut failed = failed.into_iter();
    let Some(first) = failed.next() else { return Ok(Exit::Done) };
    for error in failed {
        around.printer.fault(&*error);
    }
    Err(first)
}

fn say_repaired(
    build: &InstalledBuild,
    verdict: &BuildVerdict,
    outcome: InstallOutcome,
    json: bool,
    printer: &Printer,
) {
    let (fetched, size) = match outcome {
        InstallOutcome::Before => (0, 0),
        InstallOutcome::Now { fetched, size, .. } => (fetched, size),
    };
    if json {
        let mut row = row_of(build, &BuildState::Intact);
        row["damage"] = json!(damage_of(&verdict.state).iter().map(path_and_what).collect::<Vec<_>>());
        row["kept"] = json!(verdict.added.iter().map(|it| &it.path).collect::<Vec<_>>());
        row["fetched"] = json!(fetched);
        row["size"] = json!(size);
        printer.json("repaired", &row);
        return;
    }
    let kept = match verdict.added.len() {
        0 => String::new(),
        count => format!("; {} kept", counted(count, "added path")),
    };
    printer.say(&format!("{} repaired: {} of {} fetched{kept}", build.name(), cli::bytes(fetched), cli::bytes(size)));
    printer.data(&build.folder.display().to_string());
}

/// `pydist remove`.
pub fn remove(arguments: &RemoveArguments, json: bool, around: &Surroundings) -> Result<Exit, Box<dyn Fault>> {
    let home = around.runtimes(&arguments.home)?;
    // Before anything is changed, everything that was asked for is known to be possible.
    going(&Installed::read(&home)?, arguments)?;
    let held = hold(&home, around)?;
    let installed = Installed::read(&home)?;
    let builds = going(&installed, arguments)?;
    let used = DiskUse::of(builds.iter().map(|build| build.folder.as_path()));
    let freed = used.freed(&(0..builds.len()).collect::<Vec<_>>());
    for build in &builds {
        around.check()?;
        held.remove(build)?;
        told_removed(build, json, &around.printer);
    }
    drop(held);
    if json {
        around.printer.json("freed", &json!({ "builds": builds.len(), "freed": freed }));
    } else {
        around.printer.say(&format!("{} removed, {} freed", counted(builds.len(), "build"), cli::bytes(freed)));
    }
    warn_of_default(&home, around)?;
    Ok(Exit::Done)
}

fn told_removed(build: &InstalledBuild, json: bool, printer: &Printer) {
    match json {
        true => {
            printer.json("removed", &json!({ "version": build.version, "build": build.build, "path": build.folder }));
        }
        false => printer.data(&build.folder.display().to_string()),
    }
}

fn going<'a>(installed: &'a Installed, arguments: &RemoveArguments) -> Result<Vec<&'a InstalledBuild>, InstalledError> {
    let mut builds: Vec<&InstalledBuild> = Vec::new();
    for request in &arguments.versions {
        builds.extend(installed.all_of_one(request)?);
    }
    builds.sort_by_key(|build| &build.folder);
    builds.dedup_by_key(|build| &build.folder);
    if let Some(foreign) = builds.iter().find(|build| !build.is_ours()) {
        return Err(InstalledError::Foreign { folder: foreign.folder.clone() });
    }
    if !arguments.force {
        let folders: Vec<_> = builds.iter().map(|build| build.folder.as_path()).collect();
        let in_use = users_of(&folders);
        if let Some((build, users)) = builds.iter().zip(&in_use.users).find(|(_, users)| !users.is_empty()) {
            return Err(InstalledError::InUse { name: build.name(), users: users_in_words(users) });
        }
    }
    Ok(builds)
}

fn hold<'a>(home: &'a Home, around: &Surroundings) -> Result<HeldHome<'a>, InstalledError> {
    HeldHome::wait(home, &|event| around.printer.tell(event), &|| around.is_cancelled())
}

/// The default asks for something that may be gone now.
fn warn_of_default(home: &Home, around: &Surroundings) -> Result<(), Box<dyn Fault>> {
    let Some(default) = DefaultRuntime::read(home)? else { return Ok(()) };
    let asked = AskedVersion { request: default.runtime, origin: RequestOrigin::Default };
    if Installed::read(home)?.chosen(&asked).is_err() {
        around.printer.tell(Event::Warning {
            code: "W_RUNTIME_DEFAULT",
            text: format!("the default is {}, and no current build matches it now", asked.request),
            place: None,
            hint: Some(
                "set another one with `pydist default VERSION`, or remove it with `pydist default --unset`".into(),
            ),
        });
    }
    Ok(())
}

/// `pydist prune`.
pub fn prune(arguments: &PruneArguments, json: bool, around: &Surroundings) -> Result<Exit, Box<dyn Fault>> {
    let home = around.runtimes(&arguments.home)?;
    // A dry run changes nothing, not even what interrupted commands left.
    let held = match arguments.dry_run || !home.root().is_dir() {
        true => None,
        false => Some(hold(&home, around)?),
    };
    let installed = Installed::read(&home)?;
    let plan = PrunePlan::of(&installed);
    let (mut removed, mut gone) = (Vec::new(), Vec::new());
    let mut kept: Vec<(&InstalledBuild, String)> =
        plan.used.iter().map(|(build, users)| (build, format!("in use by {}", users_in_words(users)))).collect();
    let mut has_failed = false;
    for (index, build) in plan.old.iter().enumerate() {
        around.check()?;
        match held.as_ref().map(|held| held.remove(build)) {
            None | Some(Ok(())) => {
                removed.push(build);
                gone.push(index);
            }
            // Windows: a program runs from it.
            Some(Err(error)) => {
                kept.push((build, error.to_string()));
                has_failed = true;
            }
        }
    }
    if let Some(held) = &held {
        held.clear_remains(&installed)?;
    }
    for build in &removed {
        told_removed(build, json, &around.printer);
    }
    for (build, why) in &kept {
        if json {
            let row = json!({ "version": build.version, "build": build.build, "path": build.folder, "why": why });
            around.printer.json("kept", &row);
        } else {
            around.printer.say(&format!("kept {}: {why}", build.name()));
        }
    }
    if let Some(unseen) = plan.unseen.filter(|_| !removed.is_empty() || !kept.is_empty()) {
        around.printer.tell(Event::Note { text: unseen });
    }
    let freed = plan.disk.freed(&gone);
    if json {
        let total = json!({ "builds": removed.len(), "freed": freed, "dry_run": arguments.dry_run });
        around.printer.json("freed", &total);
    } else {
        let (builds, freed) = (counted(removed.len(), "old build"), cli::bytes(freed));
        around.printer.say(&match (removed.is_empty(), arguments.dry_run) {
            (true, _) => "no old build to remove".to_owned(),
            (false, true) => format!("would remove {builds} and free {freed}"),
            (false, false) => format!("{builds} removed, {freed} freed"),
        });
    }
    Ok(if has_failed { Exit::Partial } else { Exit::Done })
}
