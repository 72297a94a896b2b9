//! Showing what is published, and comparing it with its digests and signatures.

use catalogue::Catalogue;
use cli::Table;
use objects::Place;
use publisher::{EntrySelection, HeldSignatures, WrittenEntries};
use serde_json::json;
use vocab::{Event, Exit, Fault, PlatformKey};

use super::{PublisherOutcome, PublisherSession, counted, selection};
use crate::arguments::WhichArguments;
use crate::signing_key::public_key;

impl PublisherSession<'_> {
    pub(super) fn list(&self, all: bool) -> PublisherOutcome {
        let from = self.published()?;
        let index = index_of(from.as_ref())?;
        let mut table = Table::new(["runtime", "platform", "channel", "size", "created", "artifact"]).right(3);
        for (row, retracted) in publisher::rows(&index).filter(|(_, retracted)| all || retracted.is_none()) {
            if self.json {
                let mut value = json!(row);
                value["retracted"] = json!(retracted);
                self.printer.json("entry", &value);
                continue;
            }
            let channel = retracted.map_or_else(|| row.channel.to_string(), |reason| format!("retracted: {reason}"));
            table.row([
                row.runtime.to_string(),
                row.platform.to_string(),
                channel,
                cli::bytes(row.artifact.size),
                row.created.date(),
                format!("{}  {}", row.artifact.sha256.short(), row.artifact.file),
            ]);
        }
        if !self.json {
            self.printer.data(&table.render(None));
        }
        Ok(Exit::Done)
    }

    pub(super) fn show(&self, which: &WhichArguments) -> PublisherOutcome {
        let from = self.published()?;
        let written = WrittenEntries::read(from.as_ref())?;
        for entry in selection(which).of(&written, from.as_ref())? {
            if self.json {
                self.printer.json("entry", entry);
            } else {
                self.printer.document(&entry.to_text());
            }
        }
        Ok(Exit::Done)
    }

    pub(super) fn verify(
        &self,
        wanted: Option<String>,
        platform: Option<PlatformKey>,
        key: Option<&str>,
    ) -> PublisherOutcome {
        let from = self.published()?;
        let key = key.map(public_key).transpose()?;
        let selection = EntrySelection { wanted, platform, format: None };
        let mut progress = |entry: &str| self.printer.say(&format!("reading {entry}"));
        let verified = publisher::verify(from.as_ref(), &selection, key.as_deref(), self.now()?, &mut progress)?;
        for finding in &verified.findings {
            self.printer.tell(Event::Warning {
                code: "W_PUBLISHED_DAMAGED",
                text: finding.fault.clone(),
                place: Some(finding.key.clone()),
                hint: None,
            });
        }
        let (entries, objects) =
            (counted(verified.entries, "entry", "entries"), counted(verified.objects, "object", "objects"));
        let told = format!(
            "{entries}, {objects}, {} read; {} held; {} found",
            cli::bytes(verified.read),
            counted(verified.held.sum(), "signature", "signatures"),
            counted(verified.findings.len(), "fault", "faults")
        );
        if self.json {
            let HeldSignatures { artifacts, manifests, statements, catalogues } = verified.held;
            self.printer.json(
                "verified",
                &json!({
                    "entries": verified.entries, "objects": verified.objects, "read": verified.read,
                    "signatures": {
                        "artifacts": artifacts, "manifests": manifests, "provenance": statements,
                        "catalogues": catalogues,
                    },
                    "faults": verified.findings.len(),
                }),
            );
        } else {
            self.printer.data(&told);
        }
        Ok(if verified.findings.is_empty() { Exit::Done } else { Exit::Trust })
    }
}

fn index_of(from: &dyn Place) -> Result<Catalogue, Box<dyn Fault>> {
    // Without an index there may be entries, of a publisher that was interrupted.
    Ok(WrittenEntries::read(from)?.catalogue())
}
