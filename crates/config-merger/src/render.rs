//! Findings as a terminal shows them: the line that tools can parse, the place in the file, the hint.

use miette::{GraphicalReportHandler, GraphicalTheme, LabeledSpan, MietteDiagnostic, NamedSource, Report};

use crate::{ConfigFaults, ConfigFinding};
use vocab::quoted::without_passwords;

/// In a longer line (a file without line breaks) a picture would show nothing useful.
const MAX_LINE: usize = 200;

impl ConfigFaults {
    /// Each finding starts with a line `error[CODE]: file:line:column pointer: text`, the same at every width of the
    /// terminal.
    pub(crate) fn pictured(&self) -> String {
        let theme = GraphicalTheme::unicode_nocolor();
        let handler = GraphicalReportHandler::new_themed(theme).with_wrap_lines(false).with_context_lines(1);
        let mut text = String::new();
        let faults = self.findings.iter().map(|finding| ("error", finding));
        let warnings = self.warnings.iter().map(|finding| ("warning", finding));
        for (kind, finding) in faults.chain(warnings) {
            text.push_str(&format!("{kind}[{}]: {}\n", finding.code.as_str(), finding.headline()));
            if let Some(picture) = self.picture(finding, &handler) {
                text.push_str(&picture);
            }
            if let Some(hint) = &finding.hint {
                text.push_str(&format!("  hint: {hint}\n"));
            }
        }
        if self.unlisted > 0 {
            text.push_str(&format!("and {} more errors\n", self.unlisted));
        }
        text
    }

    /// `None` if there is no text to point at.
    fn picture(&self, finding: &ConfigFinding, handler: &GraphicalReportHandler) -> Option<String> {
        let place = finding.place.as_ref().filter(|place| place.line > 0)?;
        let (name, source) = self.sources.iter().find(|(name, _)| *name == place.file)?;
        let (start, length) = place.span;
        let line = source.get(..start)?.rfind('\n').map_or(0, |newline| newline + 1);
        let first = source[..line.saturating_sub(1)].rfind('\n').map_or(0, |newline| newline + 1);
        // The line before, the line itself and the line after.
        let around = || source[first..].lines().take(if first == line { 2 } else { 3 });
        if around().any(|line| line.len() > MAX_LINE || without_passwords(line) != line) {
            return None;
        }
        // For a value of many lines, the first one is enough.
        let shown = source.get(start..start + length)?.lines().next().unwrap_or_default().len();
        let diagnostic = MietteDiagnostic::new("").with_label(LabeledSpan::new(None, start, shown));
        let source = NamedSource::new(name, source.to_string());
        let report = Report::new(diagnostic).with_source_code(source);
        let mut text = String::new();
        handler.render_report(&mut text, report.as_ref()).ok()?;
        // The headline already contains the message.
        let (_, picture) = text.split_once('\n')?;
        Some(picture.lines().filter(|line| !line.trim().is_empty()).map(|line| format!("{line}\n")).collect())
    }
}
