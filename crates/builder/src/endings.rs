//! How the builds of one run ended: a line for each, and the exit code of all.

use vocab::Exit;

/// One line of the closing table.
pub struct Ended {
    pub name: String,
    pub exit: Exit,
    /// [`Fault::is_for_another_machine`](vocab::Fault::is_for_another_machine).
    pub elsewhere: bool,
}

impl Ended {
    /// As the closing table of a build shows it.
    pub fn line(&self) -> String {
        self.line_with("PARTIAL: something needs a native runner")
    }

    /// As that of an export does.
    pub fn export_line(&self) -> String {
        self.line_with("PARTIAL: it does not serve all that was asked for; the warnings say what is missing")
    }

    fn line_with(&self, partial: &str) -> String {
        let word = match self.exit {
            Exit::Done => "done",
            Exit::Partial => partial,
            _ if self.elsewhere => "NOT BUILT: it cannot be built here",
            _ => "FAILED",
        };
        format!("{} {word}", self.name)
    }
}

/// Partial if nothing else is wrong, or if something was made besides what cannot be made here; else the code of the
/// first failure.
pub fn combined(endings: &[Ended]) -> Exit {
    let made = |ended: &Ended| matches!(ended.exit, Exit::Done | Exit::Partial);
    let failure = endings.iter().find(|ended| !made(ended) && !ended.elsewhere);
    if let Some(failure) = failure {
        return failure.exit;
    }
    let elsewhere = endings.iter().find(|ended| ended.elsewhere);
    match elsewhere {
        Some(ended) if !endings.iter().any(made) => ended.exit,
        Some(_) => Exit::Partial,
        None if endings.iter().any(|ended| ended.exit == Exit::Partial) => Exit::Partial,
        None => Exit::Done,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(name: &str, exit: Exit, elsewhere: bool) -> Ended {
        Ended { name: name.to_owned(), exit, elsewhere }
    }

    #[test]
    fn each_ending_has_a_line() {
        let endings = [
            ended("3.12.10-slim linux-x64", Exit::Done, false),
            ended("3.12.10-slim linux-aarch64", Exit::Partial, false),
            ended("3.12.10-slim macosx-x64", Exit::Build, true),
            ended("3.12.10-slim windows-x64", Exit::Build, false),
        ];
        let lines: Vec<String> = endings.iter().map(Ended::line).collect();
        insta::assert_snapshot!(lines.join("\n"), @r"
        3.12.10-slim linux-x64 done
        3.12.10-slim linux-aarch64 PARTIAL: something needs a native runner
        3.12.10-slim macosx-x64 NOT BUILT: it cannot be built here
        3.12.10-slim windows-x64 FAILED
        ");
        let exported = endings[1].export_line();
        assert!(exported.contains("PARTIAL: it does not serve all") && !exported.contains("native"), "{exported}");
    }

    #[test]
    fn a_failure_counts_before_what_needs_another_machine() {
        type OnePlatform = (&'static str, Exit, bool);
        let (done, partial) = (("", Exit::Done, false), ("", Exit::Partial, false));
        let (elsewhere, failed) = (("", Exit::Build, true), ("", Exit::Usage, false));
        let cases: [(&[OnePlatform], Exit); 6] = [
            (&[], Exit::Done),
            (&[done, done], Exit::Done),
            (&[done, partial], Exit::Partial),
            (&[done, elsewhere], Exit::Partial),
            (&[elsewhere, elsewhere], Exit::Build),
            (&[done, elsewhere, failed], Exit::Usage),
        ];
        for (index, (endings, exit)) in cases.into_iter().enumerate() {
            let endings: Vec<Ended> = endings.iter().map(|(name, exit, it)| ended(name, *exit, *it)).collect();
            assert_eq!(combined(&endings), exit, "case {index}");
        }
    }
}
