//! Numbers and short words as the pages write them.

use maud::{Markup, html};
use vocab::{PlatformKey, RuleOutcome, WheelOrigin};

use super::builds::SiteBuild;
use crate::NativeVerdict;

/// `213.8 MB`; powers of ten, as package indexes show sizes.
pub(super) fn bytes(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["kB", "MB", "GB", "TB"];
    if bytes < 1000 {
        return format!("{bytes} B");
    }
    let mut value = bytes as f64 / 1000.0;
    let mut unit = 0;
    while value >= 999.95 && unit + 1 < UNITS.len() {
        value /= 1000.0;
        unit += 1;
    }
    format!("{value:.1} {}", UNITS[unit])
}

/// `1 package`, `14 packages`.
pub(super) fn counted(number: u64, one: &str) -> String {
    format!("{number} {one}{}", if number == 1 { "" } else { "s" })
}

/// The names that people use.
pub(super) fn platform(platform: PlatformKey) -> (&'static str, &'static str) {
    match platform {
        PlatformKey::LinuxX64 => ("Linux", "x64"),
        PlatformKey::LinuxAarch64 => ("Linux", "arm64"),
        PlatformKey::MacosxX64 => ("macOS", "Intel"),
        PlatformKey::MacosxAarch64 => ("macOS", "Apple silicon"),
        PlatformKey::WindowsX64 => ("Windows", "x64"),
    }
}

pub(super) fn origin(origin: &WheelOrigin) -> String {
    match origin {
        WheelOrigin::Wheel => "wheel".to_owned(),
        WheelOrigin::Sdist { .. } => "built from source".to_owned(),
        WheelOrigin::Git { repository, commit } => {
            format!("built from {repository} at {}", &commit[..commit.len().min(10)])
        }
        WheelOrigin::Path { path, .. } => format!("from {path}"),
        WheelOrigin::Base => "with the interpreter".to_owned(),
    }
}

pub(super) fn outcome(outcome: RuleOutcome) -> &'static str {
    match outcome {
        RuleOutcome::Skipped => "skipped",
        RuleOutcome::NotApplicable => "does not apply",
        RuleOutcome::Forced => "forced from source",
        RuleOutcome::BuiltWheel => "wheel compiled",
        RuleOutcome::FromSource => "built from source",
        RuleOutcome::Overridden => "version overridden",
        RuleOutcome::WithoutDependencies => "without dependencies",
        RuleOutcome::LeftOut => "left out",
        RuleOutcome::Missing => "missing",
        RuleOutcome::NeedsNativeRunner => "needs a native runner",
        RuleOutcome::ShippedSource => "shipped as its source",
    }
}

/// What a system must provide to run it: `glibc 2.28 or newer, not musl, libz.so.1`. The C++ library's own number is
/// omitted, since it means little to people.
pub(super) fn needs(needs: &std::collections::BTreeMap<String, String>) -> Option<String> {
    let systems = [("glibc", "glibc", ", not musl"), ("macos", "macOS", "")];
    let said = |(key, name, but): &(&str, &str, &str)| Some(format!("{name} {} or newer{but}", needs.get(*key)?));
    let system = systems.iter().find_map(said)?;
    let libraries = needs.keys().filter(|key| key.contains(".so")).cloned();
    Some(std::iter::once(system).chain(libraries).collect::<Vec<_>>().join(", "))
}

/// Whether and how it was checked. `None` where nothing says so: entries of format 1 told of imports alone.
pub(super) fn checked_of(build: &SiteBuild<'_>) -> Option<String> {
    let content = build.entry.map(|entry| &entry.content);
    match build.row.checked.as_ref().or(content.and_then(|content| content.checked.as_ref())) {
        Some(known) => Some(checked(known)),
        None => {
            let imported = content.map(|content| content.imported).filter(|imported| *imported > 0)?;
            Some(format!("{} imported", counted(imported, "native module")))
        }
    }
}

fn checked(checked: &NativeVerdict) -> String {
    let allowed = |allowed: u64| match allowed {
        0 => String::new(),
        _ => format!(", {allowed} failed as expected"),
    };
    match checked {
        NativeVerdict::Imported { modules, allowed: failed } => {
            format!("{} imported natively{}", counted(*modules, "native module"), allowed(*failed))
        }
        NativeVerdict::Emulated { modules, allowed: failed, by } => {
            format!("{} imported in an emulator, {by}{}", counted(*modules, "native module"), allowed(*failed))
        }
        NativeVerdict::Statically { files } => {
            format!("statically only: {}, nothing imported", counted(*files, "native file"))
        }
        NativeVerdict::NothingNative => "nothing native to import".to_owned(),
    }
}

/// The same in one or two words.
pub(super) fn checked_in_short(checked: &NativeVerdict) -> &'static str {
    match checked {
        NativeVerdict::Imported { .. } | NativeVerdict::NothingNative => "imported",
        NativeVerdict::Emulated { .. } => "emulated",
        NativeVerdict::Statically { .. } => "static checks",
    }
}

/// Names between backticks, as in messages, become code on a page.
pub(super) fn prose(text: &str) -> Markup {
    // A backtick without a partner is an ordinary character.
    let (paired, last) = match text.matches('`').count() % 2 {
        0 => (text, ""),
        _ => text.split_at(text.rfind('`').unwrap_or_default()),
    };
    html! {
        @for (index, piece) in paired.split('`').enumerate() {
            @if index % 2 == 1 { code { (piece) } } @else { (piece) }
        }
        (last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_one_decimal_and_never_a_thousand() {
        let cases = [
            (0, "0 B"),
            (999, "999 B"),
            (1000, "1.0 kB"),
            (999_949, "999.9 kB"),
            (999_950, "1.0 MB"),
            (213_795_597, "213.8 MB"),
        ];
        for (number, text) in cases {
            assert_eq!(bytes(number), text);
        }
        assert_eq!(bytes(u64::MAX), "18446744.1 TB");
        assert_eq!((counted(1, "package"), counted(0, "package")), ("1 package".into(), "0 packages".into()));
    }
    #[test]
    fn names_between_backticks_are_code() {
        let cases = [
            ("plain <text>", "plain &lt;text&gt;"),
            ("`a` brings `<b>`", "<code>a</code> brings <code>&lt;b&gt;</code>"),
            ("`a` and one ` more", "<code>a</code> and one ` more"),
            ("", ""),
        ];
        for (text, expected) in cases {
            assert_eq!(prose(text).into_string(), expected, "for {text:?}");
        }
    }
}
