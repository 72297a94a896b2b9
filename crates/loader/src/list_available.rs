//! `pydist list --available`: what a source offers, beside what is installed.

use cli::Table;
use fetch::{FetchSettings, FetchWatch};
use installer::on_offer;
use serde_json::json;
use vocab::{Event, Exit, Fault};

use crate::commands::offer_request;
use crate::surroundings::Surroundings;
use crate::verbs_arguments::ListArguments;
use crate::verbs_commands::counted;

/// Prints a row for each version.
pub fn list_available(arguments: &ListArguments, is_json: bool, around: &Surroundings) -> Result<Exit, Box<dyn Fault>> {
    let variable = around.variable();
    let request = offer_request(&arguments.source, around.runtimes(&arguments.home)?, &variable)?;
    let printer = &around.printer;
    let tell = |event: Event| printer.tell(event);
    let watch = FetchWatch { tell: &tell, cancelled: &around.cancelled };
    let offered = on_offer(&request, &FetchSettings::of(&variable), watch)?;
    let (platform, channel) = (request.platform, request.channel);
    let mut table = Table::new(["version", "build", "channel", "created", "size", "here"]).right(4);
    for build in &offered {
        let here = match (build.is_current, build.is_installed) {
            (true, _) => "current",
            (false, true) => "installed",
            (false, false) => "",
        };
        if is_json {
            let row = json!({
                "version": build.version, "build_key": build.build_key, "platform": platform, "channel": build.channel,
                "created": build.created, "size": build.size, "installed": build.is_installed, "current": build.is_current,
            });
            printer.json("offered", &row);
            continue;
        }
        let (version, channel) = (build.version.to_string(), build.channel.to_string());
        let (created, size) = (build.created.to_string(), cli::bytes(build.size));
        table.row([version.as_str(), &build.build_key.short(), &channel, &created, &size, here]);
    }
    if !is_json {
        let from = fetch::without_secrets(&request.from);
        if table.is_empty() {
            printer.say(&format!("{from} offers nothing for {platform} in the channel {channel}"));
        } else {
            printer.data(&table.render(printer.settings().width));
            printer.say(&format!("{} for {platform} from {from}", counted(offered.len(), "version")));
        }
    }
    Ok(Exit::Done)
}
