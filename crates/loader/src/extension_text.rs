//! Extensions and decisions in words, for people.

use std::fmt::Write as _;
use std::path::Path;

use cli::Table;
use extension::{Decision, DistributionMode, Extension, Probe, SignatureStatus, archive_names, row_text};
use loader::{AskedDistribution, ExtensionHost};
use vocab::{Fault, quoted};

/// All extensions in a table.
pub fn list_table(host: &ExtensionHost) -> Table {
    let mut table = Table::new(["extension", "version", "state", "distribution", "signature", "operators"]);
    for active in host.set.active.values() {
        let extension = &active.extension;
        let id = host.find(extension.namespace()).map(|asked| asked.id.to_string()).unwrap_or_default();
        let signature = match &active.signature {
            SignatureStatus::Trusted(_) => "trusted",
            SignatureStatus::Unsigned => "unsigned",
            SignatureStatus::BadSignature(_) => "bad signature",
            SignatureStatus::UnknownKey => "unknown key",
        };
        let operators = extension.descriptor.operators.len().to_string();
        table.row([extension.namespace(), extension.version(), "available", &id, signature, &operators]);
    }
    for (older, _) in &host.set.shadowed {
        table.row([older.namespace(), older.version(), "shadowed", "", "", ""]);
    }
    for error in &host.set.unavailable {
        let name = error.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        table.row([&*name, "", &format!("{}: {}", error.code(), error.kind), "", "", ""]);
    }
    table
}

/// What `inspect` shows.
pub fn inspection(extension: &Extension) -> String {
    let head = &extension.descriptor.extension;
    let mut text = format!("{} {} ({})\n", extension.namespace(), extension.version(), head.name);
    let mut line = |name: &str, value: &str| {
        let _ = writeln!(text, "  {name:<13} {value}");
    };
    line("module", &head.module);
    line("environment", &extension.environment.to_string());
    line("env.yml", if extension.env_yml.is_some() { "yes" } else { "no" });
    if !extension.offline_subdirs.is_empty() {
        line("packages for", &extension.offline_subdirs.join(", "));
    }
    if let Some(license) = &head.license {
        line("license", license);
    }
    if let Some(version) = &head.sdk_version {
        line("sdk version", version);
    }
    for dependency in &head.dependencies {
        line("needs", &format!("{} {}", dependency.name, dependency.min_version.as_deref().unwrap_or_default()));
    }
    for name in head.unknown.keys().chain(extension.descriptor.unknown.keys()) {
        line("unknown", name);
    }
    for operator in &extension.descriptor.operators {
        let names =
            |ports: &[extension::Port]| ports.iter().map(|port| port.name.clone()).collect::<Vec<_>>().join(", ");
        let _ = writeln!(
            text,
            "  {}:{} ({}) → {}",
            extension.namespace(),
            operator.implementation,
            names(&operator.inputs),
            names(&operator.outputs)
        );
        for parameter in &operator.parameters {
            let known = if parameter.kind.is_some() { "" } else { ", unknown type: the operator cannot run" };
            let optional = if parameter.optional { ", optional" } else { "" };
            let default = parameter.default.as_ref().map_or(String::new(), |value| format!(" = {value}"));
            let limits = &parameter.limits;
            let pattern = limits.pattern.as_ref().map(|it| format!(", pattern {}", quoted::shown(it.as_str())));
            let (pattern, name, kind) = (pattern.unwrap_or_default(), &parameter.name, &parameter.type_name);
            let _ = writeln!(text, "    {name}: {kind}{default}{optional}{limits}{pattern}{known}");
        }
    }
    text
}

/// One line: how, and from where.
pub fn mode_line(probe: &Probe, mode: DistributionMode, env_yml: Option<&Path>) -> String {
    let shown = |path: Option<&Path>| path.map(|path| path.display().to_string()).unwrap_or_default();
    match mode {
        DistributionMode::CondaOnline => format!("created with downloads from env.yml in {}", shown(env_yml)),
        DistributionMode::CondaOffline => format!("created from packages on disk and env.yml in {}", shown(env_yml)),
        DistributionMode::Archive => {
            let archive = probe.archive.as_ref().map(|archive| &*archive.path);
            format!("archive {}, installed as {}", shown(archive), probe.target.display())
        }
        DistributionMode::Local => format!("folder {}", shown(probe.folder.as_deref())),
        DistributionMode::Skipped => "none: distributions are not registered".to_owned(),
    }
}

/// Every fact with what was looked at, and the row that decided.
pub fn explanation(asked: &AskedDistribution, probe: &Probe, decision: Decision) -> String {
    let mut text = asked_line(asked, probe);
    let mut last = ' ';
    for look in &probe.looks {
        if look.fact != last {
            let _ = writeln!(text, "{}", fact_line(look.fact, probe));
            last = look.fact;
        }
        let _ = writeln!(text, "     {} {}", if look.found { "+" } else { "-" }, look.at);
    }
    let row = if decision.row == 0 { "no row".to_owned() } else { format!("row {}", decision.row) };
    let _ = writeln!(text, "{row}: {}", row_text(decision.row));
    let outcome = match decision.outcome {
        Ok(mode) => mode_line(probe, mode, asked.env_yml.as_deref()),
        Err(_) => "not available".to_owned(),
    };
    let _ = writeln!(text, "→ {outcome}");
    text
}

fn asked_line(asked: &AskedDistribution, probe: &Probe) -> String {
    let mut line = asked.id.to_string();
    if probe.id != asked.id {
        let _ = write!(line, ", the latest is {}", probe.id);
    }
    if asked.chain.len() > 1 {
        let _ = write!(line, ", through {}", asked.chain.join(" → "));
    }
    if !asked.namespaces.is_empty() {
        let _ = write!(line, ", for {}", asked.namespaces.join(", "));
    }
    line + "\n"
}

fn fact_line(fact: char, probe: &Probe) -> String {
    let facts = probe.facts;
    let (is_so, what) = match fact {
        'K' => (facts.skipped, "distributions are not registered"),
        'D' => (facts.disabled, "environments are disabled"),
        'Y' => (facts.env_yml, "env.yml"),
        'A' => (facts.air_gapped, "air-gapped"),
        'I' => (facts.offline_source, "packages on disk, or an environment"),
        'R' => (facts.archive, "archive"),
        _ => (facts.folder, "folder"),
    };
    format!("  {fact}  {} {what}", if is_so { "yes" } else { "no " })
}

/// What there is, or what would do.
pub fn doctor_text(
    host: &ExtensionHost,
    asked: &AskedDistribution,
    probe: &Probe,
    decision: Decision,
    is_there: bool,
) -> String {
    let verb = if asked.namespaces.len() == 1 { "needs" } else { "need" };
    let mut text = format!("{} {verb} {}\n", asked.namespaces.join(", "), asked.id);
    if let (true, Ok(mode)) = (is_there, decision.outcome) {
        let _ = writeln!(text, "  ok: {}", mode_line(probe, mode, asked.env_yml.as_deref()));
        return text;
    }
    let _ = writeln!(text, "  not available: {}", row_text(decision.row));
    if decision.outcome.is_ok() {
        let _ = writeln!(text, "  this program creates no environments: set pysdk.pel.disableMiniforge to true, then");
    }
    let _ = writeln!(text, "  put one of these files into {}", host.settings.resources.value.display());
    for name in archive_names(&asked.id, &host.machine).into_iter().filter(|name| !name.is_literal) {
        let _ = writeln!(text, "    {}", name.file);
    }
    let folder = host.settings.distributions.value.join(asked.id.folder_name());
    let _ = writeln!(text, "  or a Python that runs from any folder to {}", folder.display());
    text
}
