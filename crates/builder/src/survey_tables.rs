//! Tables and lines of the commands that change nothing, as plain text or Markdown.

use cli::Table;
use pipeline::plan::brought_by;
use survey::compare::{Comparison, PackageChange, PlatformComparison, Presence, SidePackage, ValueChange};
use survey::outdated::{self, NewerWithin, OutdatedPackage, OutdatedVersion};
use vocab::PlatformKey;
use vocab::foreign_text::printable_line;

/// One table of all versions; releases within ranges come before those beyond pins.
pub fn outdated(all: &[OutdatedVersion]) -> Table {
    let mut table = Table::new(["version", "package", "locked", "newer", "change", "how", "platforms"]);
    for found in all {
        let version = found.version.to_string();
        if let Some(python) = &found.python {
            let locked = found.version.python().to_string();
            let newest = python.newest.to_string();
            let how = "builder new".to_owned();
            table.row([
                version.clone(),
                "Python".to_owned(),
                locked,
                newest,
                "patch".to_owned(),
                how,
                listed(&python.platforms),
            ]);
        }
        for row in &found.packages {
            let (newer, how) = match &row.versions.newer {
                NewerWithin::Range(newer) => (newer.clone().unwrap_or_else(|| "(gone)".to_owned()), "builder lock"),
                NewerWithin::Pin(newest) => (newest.clone(), "beyond the pin"),
            };
            table.row([
                version.clone(),
                name(row),
                row.versions.locked.clone().unwrap_or_else(|| "(new)".to_owned()),
                newer,
                change_word(row.versions.change).to_owned(),
                how.to_owned(),
                listed(&row.platforms),
            ]);
        }
    }
    table
}

fn name(row: &OutdatedPackage) -> String {
    let name = if row.requested { row.name.to_string() } else { format!("  {}", row.name) };
    if row.brought_by.is_empty() { name } else { format!("{name} (for {})", brought_by(&row.brought_by)) }
}

fn change_word(change: outdated::ChangedNumber) -> &'static str {
    match change {
        outdated::ChangedNumber::Major => "MAJOR",
        outdated::ChangedNumber::Minor => "minor",
        outdated::ChangedNumber::Patch => "patch",
        outdated::ChangedNumber::Other => "other",
    }
}

fn listed(platforms: &[PlatformKey]) -> String {
    if platforms == PlatformKey::ALL {
        return "all".to_owned();
    }
    platforms.iter().map(|platform| platform.as_str()).collect::<Vec<_>>().join(" ")
}

/// A heading and a table for each platform.
pub fn diff_text(comparison: &Comparison, width: Option<usize>) -> String {
    let mut text = String::new();
    for platform in &comparison.platforms {
        text.push_str(&format!("{}{}\n", platform.platform, heading(platform)));
        for line in lines(platform) {
            text.push_str(&format!("  {}\n", printable_line(&line)));
        }
        let table = packages(platform);
        if !table.is_empty() {
            text.push_str(&table.render(width));
        }
    }
    if comparison.platforms.is_empty() { "neither side has a platform\n".to_owned() } else { text }
}

/// With the long tables folded away.
pub fn diff_markdown(comparison: &Comparison) -> String {
    let escaped = cli::markdown::text;
    let mut text = format!("### {} → {}\n", escaped(&comparison.before), escaped(&comparison.after));
    for platform in &comparison.platforms {
        text.push_str(&format!("\n#### {}{}\n", platform.platform, heading(platform)));
        let lines: String = lines(platform).iter().map(|line| format!("- {}\n", escaped(line))).collect();
        if !lines.is_empty() {
            text.push_str(&format!("\n{lines}"));
        }
        let table = packages(platform);
        if !table.is_empty() {
            let (count, table) = (platform.packages.len(), table.markdown());
            text.push_str(&format!("\n<details><summary>packages: {count}</summary>\n\n{table}\n</details>\n"));
        }
    }
    text
}

fn heading(platform: &PlatformComparison) -> String {
    let count = platform.packages.len();
    match platform.presence {
        Presence::Added => format!(": only in the newer, packages: {count}"),
        Presence::Removed => format!(": only in the older, packages: {count}"),
        Presence::Both if platform.is_empty() => ": no difference".to_owned(),
        Presence::Both => String::new(),
    }
}

/// All but the packages.
fn lines(platform: &PlatformComparison) -> Vec<String> {
    let mut lines = Vec::new();
    if platform.presence != Presence::Both {
        return lines;
    }
    if let Some(base) = &platform.base {
        lines.push(format!("Python: {} → {}", base.before, base.after));
    }
    for (name, change) in &platform.sizes {
        lines.push(size_line(name, change));
    }
    if let Some(update) = &platform.update {
        lines.push(format!("update: {} of {}", cli::bytes(update.fetched), cli::bytes(update.size)));
    }
    for (word, rules) in [("no longer", &platform.rules_removed), ("now", &platform.rules_added)] {
        for rule in rules {
            let outcome = serde_json::to_value(rule.outcome).ok();
            let outcome = outcome.as_ref().and_then(|outcome| outcome.as_str()).unwrap_or_default().replace('-', " ");
            lines.push(format!("{word} {outcome}: {} ({})", rule.name, rule.reason));
        }
    }
    lines
}

fn size_line(name: &str, change: &ValueChange<u64>) -> String {
    let (sign, difference) = if change.after < change.before {
        ('-', change.before - change.after)
    } else {
        ('+', change.after - change.before)
    };
    if name == "files" {
        return format!("files: {} → {} ({sign}{difference})", change.before, change.after);
    }
    let (before, after) = (cli::bytes(change.before), cli::bytes(change.after));
    format!("{name}: {before} → {after} ({sign}{})", cli::bytes(difference))
}

fn packages(platform: &PlatformComparison) -> Table {
    let mut table = Table::new(["change", "package", "before", "after", "size"]).right(4);
    // For a platform that one side lacks everything would be listed; the heading counts it.
    let compared = platform.packages.iter().filter(|_| platform.presence == Presence::Both);
    for change in compared {
        let word = match (&change.before, &change.after) {
            (None, _) => "added",
            (_, None) => "removed",
            (Some(_), Some(_)) => "changed",
        };
        let other_origin = change.before.as_ref().zip(change.after.as_ref()).is_some_and(|(b, a)| b.origin != a.origin);
        let same_version =
            change.before.as_ref().zip(change.after.as_ref()).is_some_and(|(b, a)| b.version == a.version);
        let registry =
            |package: &SidePackage| package.registry.map_or("the default index".to_owned(), |n| format!("index {n}"));
        let other_registry = change
            .before
            .as_ref()
            .zip(change.after.as_ref())
            .is_some_and(|(b, a)| b.tells_registry && a.tells_registry && b.registry != a.registry);
        let side = |package: &Option<SidePackage>| match package {
            None => String::new(),
            Some(package) => {
                let version = package.version.clone().unwrap_or_default();
                match (other_origin, same_version) {
                    _ if change.several => format!("{version} (for {})", brought_by(&package.brought_by)),
                    _ if other_registry => format!("{version} (from {})", registry(package)),
                    (true, _) => format!("{version} ({})", package.origin),
                    // Only the file tells the two apart.
                    (false, true) => format!("{version} ({})", package.file),
                    (false, false) => version,
                }
            }
        };
        table.row([word.to_owned(), change.name.to_string(), side(&change.before), side(&change.after), size(change)]);
    }
    table
}

/// By how much it grew or shrank, where both are known.
fn size(change: &PackageChange) -> String {
    let of = |package: &Option<SidePackage>| package.as_ref().map_or(Some(0), |package| package.size);
    match (of(&change.before), of(&change.after)) {
        (Some(before), Some(after)) if after == before => String::new(),
        (Some(before), Some(after)) if after < before => format!("-{}", cli::bytes(before - after)),
        (Some(before), Some(after)) => format!("+{}", cli::bytes(after - before)),
        _ => String::new(),
    }
}
