//! Changing what is offered of what is published, and removing what nothing points at.

use std::time::{Duration, SystemTime};

use catalogue::{Channel, EntryId, IndexSettings};
use cli::Table;
use objects::Place;
use publisher::{IndexSigning, PublishError, WrittenEntries};
use serde_json::json;
use vocab::Exit;

use super::{CommandError, PublisherOutcome, PublisherSession, counted, selection};
use crate::arguments::{SigningArguments, WhichArguments};

impl PublisherSession<'_> {
    pub(super) fn reindex(
        &self,
        signing: &SigningArguments,
        change_key: bool,
        change: &dyn Fn(&mut IndexSettings) -> Result<(), CommandError>,
    ) -> PublisherOutcome {
        let to = self.published()?;
        let signer = self.signer(signing)?;
        let signing = IndexSigning { signer: signer.as_ref(), now: self.now()?, change_key };
        signing.check(to.as_ref())?;
        let before = publisher::read_settings(to.as_ref())?;
        let mut settings = before.clone();
        change(&mut settings)?;
        if settings != before {
            publisher::write_settings(&settings, to.as_ref())?;
        }
        let index = publisher::reindex(to.as_ref(), &signing, true)?;
        self.tell_index(to.as_ref(), &index)?;
        Ok(Exit::Done)
    }

    pub(super) fn retract(&self, which: &WhichArguments, reason: &str, signing: &SigningArguments) -> PublisherOutcome {
        let at = self.now()?;
        self.each(which, signing, |to, id| {
            let new = publisher::retract(to, id, at, reason)?;
            Ok(if new { format!("{id} is retracted") } else { format!("{id} was already retracted") })
        })
    }

    pub(super) fn restore(&self, which: &WhichArguments, signing: &SigningArguments) -> PublisherOutcome {
        let at = self.now()?;
        self.each(which, signing, |to, id| {
            let new = publisher::restore(to, id, at)?;
            Ok(if new { format!("{id} is offered again") } else { format!("{id} is not retracted") })
        })
    }

    pub(super) fn promote(
        &self,
        which: &WhichArguments,
        channel: Channel,
        signing: &SigningArguments,
    ) -> PublisherOutcome {
        let at = self.now()?;
        self.each(which, signing, |to, id| {
            publisher::promote(to, id, at, channel)?;
            Ok(format!("{id} is in {channel}"))
        })
    }

    fn each(
        &self,
        which: &WhichArguments,
        signing: &SigningArguments,
        act: impl Fn(&dyn Place, &EntryId) -> Result<String, PublishError>,
    ) -> PublisherOutcome {
        let to = self.published()?;
        let signer = self.signer(signing)?;
        let signing = IndexSigning { signer: signer.as_ref(), now: self.now()?, change_key: false };
        signing.check(to.as_ref())?;
        let written = WrittenEntries::read(to.as_ref())?;
        for entry in selection(which).of(&written, to.as_ref())? {
            let told = act(to.as_ref(), &entry.id())?;
            if self.json {
                self.printer.json("changed", &json!({ "entry": entry.id(), "told": told }));
            } else {
                self.printer.data(&told);
            }
        }
        let index = publisher::reindex(to.as_ref(), &signing, false)?;
        self.tell_index(to.as_ref(), &index)?;
        Ok(Exit::Done)
    }

    pub(super) fn gc(&self, dry_run: bool, days: u32) -> PublisherOutcome {
        let from = self.published()?;
        let age = Duration::from_secs(u64::from(days) * 24 * 60 * 60);
        let before = SystemTime::now().checked_sub(age).unwrap_or(SystemTime::UNIX_EPOCH);
        let garbage = publisher::collect_garbage(from.as_ref(), before, dry_run)?;
        let mut table = Table::new(["size", "what"]).right(0);
        let objects = garbage.objects.iter().map(|row| (Some(row.size), row.key.to_string()));
        let leftovers = garbage.leftovers.iter().map(|row| (row.size, format!("{} (unfinished)", row.what)));
        let mut bytes = 0;
        let mut count = 0;
        for (size, what) in objects.chain(leftovers) {
            bytes += size.unwrap_or_default();
            count += 1;
            if self.json {
                self.printer.json("garbage", &json!({ "what": what, "size": size, "removed": !dry_run }));
            }
            table.row([size.map_or_else(|| "?".to_owned(), cli::bytes), what]);
        }
        if !self.json && count > 0 {
            self.printer.data(&table.render(None));
        }
        let (verb, count) = (if dry_run { "would go" } else { "removed" }, counted(count, "object", "objects"));
        self.printer.say(&format!("{count}, {} {verb}", cli::bytes(bytes)));
        Ok(Exit::Done)
    }
}
