//! An error as text: what happened, why, what to do.

use serde_json::{Value, json};
use vocab::Fault;
use vocab::foreign_text::printable;

use crate::PrinterSettings;
use crate::paint::Paint;

/// ```text
/// error[E_DIGEST]: cannot unpack `python-3.12.10-linux-x64.tar.gz`
///   cause: its SHA-256 is 9f86…, the catalogue says 2c26…
///   hint: delete the archive and fetch it again
/// ```
///
/// Ends without a line break.
pub fn render_fault(fault: &dyn Fault, settings: &PrinterSettings) -> String {
    let paint = Paint { color: settings.color };
    if let Some(text) = fault.in_full() {
        return painted(&printable(text.trim_end()), paint);
    }
    let title = paint.error(&format!("error[{}]:", fault.code()));
    let mut text = format!("{title} {}", indented(&fault.to_string()));
    for cause in causes(fault) {
        text.push_str(&format!("\n  {} {}", paint.strong("cause:"), indented(&cause)));
    }
    if let Some(hint) = fault.hint() {
        text.push_str(&format!("\n  {} {}", paint.hint("hint:"), indented(&hint)));
    }
    text
}

/// `{"event": "error", "code": …, "message": …, "causes": […], "hint": … or null, "exit": 0…255}`.
pub fn fault_json(fault: &dyn Fault) -> Value {
    json!({
        "event": "error",
        "code": fault.code(),
        "message": fault.to_string(),
        "causes": causes(fault),
        "hint": fault.hint(),
        "exit": fault.exit().code(),
    })
}

/// Outermost first. A cause that an earlier line already contains is omitted.
pub(crate) fn causes(fault: &dyn Fault) -> Vec<String> {
    let mut said = vec![fault.to_string()];
    let mut next = fault.source();
    while let Some(cause) = next {
        let text = cause.to_string();
        if !text.is_empty() && !said.iter().any(|earlier| earlier.contains(&text)) {
            said.push(text);
        }
        next = cause.source();
    }
    said.remove(0);
    said
}

/// Several errors and warnings, each of which begins a line.
fn painted(text: &str, paint: Paint) -> String {
    let line = |line: &str| {
        let (head, rest) = match line.split_once("]: ") {
            Some((head, rest)) if head.starts_with("error[") => (paint.error(&format!("{head}]:")), rest),
            Some((head, rest)) if head.starts_with("warning[") => (paint.warning(&format!("{head}]:")), rest),
            _ => match line.strip_prefix("  hint: ") {
                Some(rest) => (format!("  {}", paint.hint("hint:")), rest),
                None => return line.to_owned(),
            },
        };
        format!("{head} {rest}")
    };
    text.lines().map(line).collect::<Vec<_>>().join("\n")
}

/// Indents the second and later lines to the first.
fn indented(text: &str) -> String {
    printable(text.trim_end()).replace('\n', "\n    ")
}

#[cfg(test)]
pub(crate) mod tests {
    use vocab::Exit;

    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("cannot build demo 1.0 from source")]
    pub(crate) struct Outer(#[source] pub(crate) Middle);

    #[derive(Debug, thiserror::Error)]
    #[error("the build failed: {0}")]
    pub(crate) struct Middle(#[source] pub(crate) Inner);

    #[derive(Debug, thiserror::Error)]
    #[error("no compiler\nline one\nline \u{1b}[31mtwo")]
    pub(crate) struct Inner;

    impl Fault for Outer {
        fn code(&self) -> &'static str {
            "E_BUILD_WHEEL"
        }

        fn exit(&self) -> Exit {
            Exit::Build
        }

        fn hint(&self) -> Option<String> {
            Some("install gcc".into())
        }
    }

    #[test]
    fn an_error_shows_each_cause_once_and_its_lines_indented() {
        insta::assert_snapshot!(render_fault(&Outer(Middle(Inner)), &PrinterSettings::default()), @r"
        error[E_BUILD_WHEEL]: cannot build demo 1.0 from source
          cause: the build failed: no compiler
            line one
            line two
          hint: install gcc
        ");
    }

    #[derive(Debug, thiserror::Error)]
    #[error("two faults")]
    struct Several;

    impl Fault for Several {
        fn code(&self) -> &'static str {
            "E_CONFIG_TYPE"
        }

        fn exit(&self) -> Exit {
            Exit::Usage
        }

        fn in_full(&self) -> Option<String> {
            let second = "warning[W_UNUSED]: a.json:2:1 /b: \u{1b}[2Jit matches nothing\n  hint: remove it\n";
            Some(format!("error[E_CONFIG_TYPE]: a.json:1:1 /a: a string is expected\n 1 │ {{ \"a\": 1 }}\n{second}"))
        }
    }

    #[test]
    fn an_error_that_holds_several_shows_each_with_its_code_and_colours_change_no_word() {
        let shown = |color| render_fault(&Several, &PrinterSettings { color, ..PrinterSettings::default() });
        insta::assert_snapshot!(shown(false), @r#"
        error[E_CONFIG_TYPE]: a.json:1:1 /a: a string is expected
         1 │ { "a": 1 }
        warning[W_UNUSED]: a.json:2:1 /b: it matches nothing
          hint: remove it
        "#);
        assert!(shown(true).contains("\u{1b}[") && !shown(true).contains("[2J"));
        assert_eq!(anstream::adapter::strip_str(&shown(true)).to_string(), shown(false));
    }

    #[test]
    fn colours_change_no_word() {
        let colored =
            render_fault(&Outer(Middle(Inner)), &PrinterSettings { color: true, ..PrinterSettings::default() });
        assert!(colored.contains("\u{1b}["));
        let plain = render_fault(&Outer(Middle(Inner)), &PrinterSettings::default());
        assert_eq!(anstream::adapter::strip_str(&colored).to_string(), plain);
    }

    #[test]
    fn the_json_form_says_the_same() {
        insta::assert_snapshot!(fault_json(&Outer(Middle(Inner))), @r#"{"event":"error","code":"E_BUILD_WHEEL","message":"cannot build demo 1.0 from source","causes":["the build failed: no compiler\nline one\nline \u001b[31mtwo"],"hint":"install gcc","exit":1}"#);
    }
}
