//! What happens at a start with a distribution that has an archive, or was installed from one: the table, and nothing else.

/// What stands at the target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InstalledState {
    None,
    /// Installed from an archive; whether it is as it was installed.
    Complete {
        is_clean: bool,
    },
    /// Made by this program and without a record.
    Partial,
    /// Made by somebody else.
    Foreign,
}

/// The archive beside what was installed from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ArchiveNow {
    Same,
    /// Another content than what was installed, or nothing was.
    Different,
    Gone,
}

/// What to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StartAction {
    Use,
    Install,
    /// Its files have changed.
    Repair,
    /// The archive has changed.
    Update,
    /// The archive has changed and the folder cannot be written: the former content is used, with a warning.
    UseFormer,
    /// Somebody else's folder is used, and never replaced by the archive; with a warning.
    UseForeign,
    /// Nothing is there, and nothing can be written.
    ReadOnly,
    Damaged,
    Incomplete,
}

/// Reads the table. `is_writable` is that of the folder for distributions.
pub fn start_check(installed: InstalledState, archive: ArchiveNow, is_writable: bool) -> StartAction {
    use ArchiveNow::{Different, Gone, Same};
    use InstalledState::{Complete, Foreign, None, Partial};
    use StartAction::{Damaged, Incomplete, Install, ReadOnly, Repair, Update, Use, UseForeign, UseFormer};

    match (installed, archive, is_writable) {
        (None | Partial, Same | Different, true) => Install,
        (None | Partial, Same | Different, false) => ReadOnly,
        (None | Partial, Gone, _) => Incomplete,
        (Complete { is_clean: true }, Same | Gone, _) => Use,
        (Complete { is_clean: false }, Same, true) => Repair,
        (Complete { is_clean: false }, Same, false) | (Complete { is_clean: false }, Gone, _) => Damaged,
        (Complete { .. }, Different, true) => Update,
        (Complete { is_clean: true }, Different, false) => UseFormer,
        (Complete { is_clean: false }, Different, false) => Damaged,
        (Foreign, Same | Different, _) => UseForeign,
        (Foreign, Gone, _) => Use,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The table of `docs/loader.md`, row by row; `None` in the last columns: either.
    #[test]
    fn every_row_of_the_start_check_is_as_the_page_says() {
        use ArchiveNow::{Different, Gone, Same};
        use InstalledState::{Complete, Foreign, Partial};
        let (clean, damaged) = (Complete { is_clean: true }, Complete { is_clean: false });
        let none = InstalledState::None;
        let rows: [(InstalledState, ArchiveNow, Option<bool>, StartAction); 13] = [
            (none, Different, Some(true), StartAction::Install),
            (none, Different, Some(false), StartAction::ReadOnly),
            (clean, Same, None, StartAction::Use),
            (damaged, Same, Some(true), StartAction::Repair),
            (damaged, Same, Some(false), StartAction::Damaged),
            (clean, Different, Some(true), StartAction::Update),
            (clean, Different, Some(false), StartAction::UseFormer),
            (damaged, Different, Some(false), StartAction::Damaged),
            (clean, Gone, None, StartAction::Use),
            (damaged, Gone, None, StartAction::Damaged),
            (Partial, Different, Some(true), StartAction::Install),
            (Partial, Gone, None, StartAction::Incomplete),
            (Foreign, Different, None, StartAction::UseForeign),
        ];
        for (installed, archive, writable, action) in rows {
            for is_writable in [true, false] {
                if writable.is_none_or(|it| it == is_writable) {
                    assert_eq!(start_check(installed, archive, is_writable), action, "{installed:?} {archive:?}");
                }
            }
        }
        assert_eq!(start_check(damaged, Different, true), StartAction::Update);
        assert_eq!(start_check(Foreign, Gone, false), StartAction::Use);
    }
}
