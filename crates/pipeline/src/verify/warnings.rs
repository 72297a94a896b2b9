//! Findings that do not fail the build: one line per distribution, and all of them in the manifest.

use std::collections::BTreeMap;
use std::path::PathBuf;

use vocab::{DistributionName, NativeWarning, TreeLayout};

use import_check::AllowedFailure;
use import_check::ImportReport;
use static_checks::module_name_of;
use static_checks::native_files::{AcceptedFault, NativeFault, NativeFaultKind, NativeReport};

/// Faults in what nothing imported loads: native files, and modules that do not import. A module whose file has a
/// fault is reported once.
///
/// Paths of this machine are cut out of the errors: the manifest must not hold any.
pub(crate) fn unneeded(
    native: &NativeReport,
    imports: Option<&ImportReport>,
    layout: TreeLayout,
    machine: &[PathBuf],
) -> Vec<NativeWarning> {
    let mut warnings: Vec<NativeWarning> = native.unneeded.iter().map(of_file).collect();
    let told = |module: &str| {
        native.unneeded.iter().any(|fault| module_name_of(&fault.file, layout).is_some_and(|name| name == module))
    };
    for failure in imports.iter().flat_map(|report| &report.warnings).filter(|failure| !told(&failure.module)) {
        warnings.push(NativeWarning {
            distribution: Some(failure.distribution.clone()),
            subject: failure.module.clone(),
            text: without_folders(&failure.what(), machine),
        });
    }
    warnings.sort();
    warnings
}

/// What the static check warned of, less what does no harm: a place outside the prefix that is searched in vain, and
/// the name of a module, with which nothing is linked. Wheels are full of both.
pub(crate) fn others(native: &NativeReport) -> Vec<NativeWarning> {
    let does_harm = |fault: &&NativeFault| {
        !matches!(fault.kind, NativeFaultKind::SearchesOutside { .. } | NativeFaultKind::AbsoluteName { .. })
    };
    native.warnings.iter().filter(does_harm).map(of_file).collect()
}

fn without_folders(text: &str, machine: &[PathBuf]) -> String {
    let folders = machine.iter().map(|folder| folder.display().to_string()).filter(|folder| folder.len() > 1);
    folders.fold(text.to_owned(), |text, folder| text.replace(&folder, "…"))
}

fn of_file(fault: &NativeFault) -> NativeWarning {
    NativeWarning {
        distribution: fault.distribution.clone(),
        subject: fault.file.to_string(),
        text: fault.kind.to_string(),
    }
}

/// Faults that the import check found in modules that do import.
pub(crate) fn remarks(imports: Option<&ImportReport>, machine: &[PathBuf]) -> Vec<NativeWarning> {
    let remarks = imports.into_iter().flat_map(|report| &report.remarks);
    remarks.map(|it| NativeWarning { text: without_folders(&it.text, machine), ..it.clone() }).collect()
}

/// What the builder's own list accepts in files that modules need and in imports: a library that is expected of the
/// machine, most often. Each with its reason. A module whose file has the fault is reported once.
fn accepted_rows(
    native: &NativeReport,
    imports: Option<&ImportReport>,
    layout: TreeLayout,
    machine: &[PathBuf],
) -> Vec<(NativeWarning, String)> {
    let of_fault = |it: &AcceptedFault| (of_file(&it.fault), it.reason.clone());
    let told = |module: &str| {
        native.accepted.iter().any(|it| module_name_of(&it.fault.file, layout).as_deref() == Some(module))
    };
    let of_import = |it: &AllowedFailure| {
        let (distribution, subject) = (Some(it.distribution.clone()), it.module.clone());
        let warning = NativeWarning { distribution, subject, text: without_folders(&it.what(), machine) };
        (warning, it.reason.clone().unwrap_or_default())
    };
    let allowed = imports.into_iter().flat_map(|report| &report.allowed);
    let allowed = allowed.filter(|it| it.is_accepted && it.gap.is_none() && !told(&it.module));
    native.accepted.iter().map(of_fault).chain(allowed.map(of_import)).collect()
}

/// For the manifest.
pub(crate) fn accepted(
    native: &NativeReport,
    imports: Option<&ImportReport>,
    layout: TreeLayout,
    machine: &[PathBuf],
) -> Vec<NativeWarning> {
    let rows = accepted_rows(native, imports, layout, machine).into_iter();
    rows.map(|(it, reason)| NativeWarning { text: format!("{}; accepted: {reason}", it.text), ..it }).collect()
}

/// A line for each distribution and reason: how many there are, and one of them.
pub(crate) fn accepted_lines(
    native: &NativeReport,
    imports: Option<&ImportReport>,
    layout: TreeLayout,
    machine: &[PathBuf],
) -> Vec<String> {
    let mut by_reason: BTreeMap<(Option<DistributionName>, String), Vec<NativeWarning>> = BTreeMap::new();
    for (warning, reason) in accepted_rows(native, imports, layout, machine) {
        by_reason.entry((warning.distribution.clone(), reason)).or_default().push(warning);
    }
    let line = |((_, reason), rows): ((_, String), Vec<NativeWarning>)| {
        let first = rows.first().map(line_of).unwrap_or_default();
        let more = if rows.len() > 1 { format!(", and {} more like it", rows.len() - 1) } else { String::new() };
        format!("{first}{more}; accepted: {reason}")
    };
    by_reason.into_iter().map(line).collect()
}

/// The warning as one line, with its distribution.
pub(crate) fn line_of(warning: &NativeWarning) -> String {
    let owner = warning.distribution.as_ref().map(|owner| format!("{owner}: ")).unwrap_or_default();
    format!("{owner}`{}` {}", warning.subject, warning.text)
}

/// What the static check warned of, a line for each distribution: how many there are, and the first of them. `None` is
/// the interpreter.
pub(crate) fn static_lines(native: &NativeReport) -> Vec<(Option<&DistributionName>, String)> {
    let mut by_owner: BTreeMap<Option<&DistributionName>, Vec<&NativeFault>> = BTreeMap::new();
    for fault in &native.warnings {
        by_owner.entry(fault.distribution.as_ref()).or_default().push(fault);
    }
    let line = |faults: Vec<&NativeFault>| {
        let first = faults.first().map(ToString::to_string).unwrap_or_default();
        match faults.len() {
            1 => first,
            count => format!("{first}, and {} more like it", count - 1),
        }
    };
    by_owner.into_iter().map(|(owner, faults)| (owner, line(faults))).collect()
}

/// A line for each distribution: how many there are, and the first of them. `imported` says whether imports were run;
/// code that was not may still load what they did not.
pub(crate) fn lines(warnings: &[NativeWarning], imported: bool) -> Vec<String> {
    const SHOWN: usize = 2;
    let mut by_owner: BTreeMap<Option<&DistributionName>, Vec<&NativeWarning>> = BTreeMap::new();
    for warning in warnings {
        by_owner.entry(warning.distribution.as_ref()).or_default().push(warning);
    }
    let line = |(owner, rows): (Option<&DistributionName>, Vec<&NativeWarning>)| {
        let owner = owner.map_or("copied files", DistributionName::as_str);
        let shown: Vec<String> = rows.iter().take(SHOWN).map(|row| format!("`{}` {}", row.subject, row.text)).collect();
        let shown = shown.join("; ");
        let why = if imported { "nothing that was imported loads" } else { "no extension module needs" };
        match rows.len() {
            1 => format!("{owner}: {shown}; {why} it"),
            count if count <= SHOWN => format!("{owner}: {shown}; {why} them"),
            count => format!("{owner}: {shown}; and {} more, listed in the manifest; {why} them", count - SHOWN),
        }
    };
    by_owner.into_iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn warning(owner: Option<&str>, subject: &str) -> NativeWarning {
        let distribution = owner.map(|owner| owner.parse().unwrap());
        NativeWarning { distribution, subject: subject.to_owned(), text: "does not import".to_owned() }
    }

    #[test]
    fn each_distribution_has_one_line_however_much_it_brings() {
        let mut warnings = vec![warning(Some("pillow"), "PIL._imagingtk"), warning(None, "lib/x.so")];
        warnings.extend(["a", "b", "c", "d"].map(|name| warning(Some("pyqt6"), name)));
        assert_eq!(
            lines(&warnings, true),
            [
                "copied files: `lib/x.so` does not import; nothing that was imported loads it",
                "pillow: `PIL._imagingtk` does not import; nothing that was imported loads it",
                "pyqt6: `a` does not import; `b` does not import; and 2 more, listed in the manifest; nothing that was \
             imported loads them",
            ]
        );
        let foreign = lines(&warnings[1..2], false);
        assert_eq!(foreign, ["copied files: `lib/x.so` does not import; no extension module needs it"]);
        assert_eq!(lines(&[], true), [""; 0]);
    }

    #[test]
    fn what_the_builders_own_list_accepts_is_told_with_its_reason() {
        let accepted = |name: &str| AcceptedFault {
            fault: NativeFault {
                file: format!("Lib/site-packages/numba/{name}.pyd").parse().unwrap(),
                distribution: Some("numba".parse().unwrap()),
                kind: NativeFaultKind::MissingLibrary { library: "MSVCP140.dll".to_owned() },
            },
            reason: "it is expected of the machine".to_owned(),
        };
        let report = NativeReport { accepted: ["a", "b"].map(accepted).into(), ..NativeReport::default() };
        let allowed = |module: &str, is_accepted| AllowedFailure {
            distribution: "cupy".parse().unwrap(),
            module: module.to_owned(),
            error: "ImportError: libcuda.so.1: cannot open shared object file".to_owned(),
            reason: Some("it is the driver's".to_owned()),
            gap: None,
            is_accepted,
        };
        // The second stands in the repository's list, or nothing loads it; the third is told by its file.
        let rows = [("cupy.cuda", true), ("cupy.own", false), ("numba.a", true)];
        let allowed = rows.map(|(module, is_accepted)| allowed(module, is_accepted)).into();
        let imports = ImportReport { allowed, ..ImportReport::default() };
        let layout = TreeLayout { platform: "windows-x64".parse().unwrap(), python: "3.12.10".parse().unwrap() };
        assert_eq!(
            accepted_lines(&report, Some(&imports), layout, &[]),
            [
                "cupy: `cupy.cuda` does not import: ImportError: libcuda.so.1: cannot open shared object file; accepted: \
                 it is the driver's",
                "numba: `Lib/site-packages/numba/a.pyd` needs MSVCP140.dll, which is neither in the runtime nor provided by the system, and 1 more like it; \
                 accepted: it is expected of the machine",
            ]
        );
        let told = super::accepted(&report, Some(&imports), layout, &[]);
        let told: Vec<String> = told.into_iter().map(|warning| warning.text).collect();
        assert_eq!(
            told[..2],
            ["needs MSVCP140.dll, which is neither in the runtime nor provided by the system; accepted: it is expected of the machine";
                2]
        );
        assert!(told.len() == 3 && told[2].ends_with("; accepted: it is the driver's"), "{told:?}");
    }

    #[test]
    fn what_the_static_check_warned_of_is_a_line_for_each_distribution() {
        let fault = |owner: Option<&str>, file: &str| NativeFault {
            file: file.parse().unwrap(),
            distribution: owner.map(|owner| owner.parse().unwrap()),
            kind: NativeFaultKind::SearchesOutside { entry: "/opt/lib".to_owned() },
        };
        let warnings = vec![fault(Some("b"), "b/1.so"), fault(None, "lib/x.so"), fault(Some("b"), "b/2.so")];
        let report = NativeReport { warnings, ..NativeReport::default() };
        let outside = "searches for libraries in `/opt/lib`, outside the runtime";
        assert_eq!(
            static_lines(&report),
            [
                (None, format!("`lib/x.so` {outside}")),
                (Some(&"b".parse().unwrap()), format!("b: `b/1.so` {outside}, and 1 more like it"))
            ]
        );
    }

    #[test]
    fn what_does_no_harm_is_not_in_the_manifest() {
        let kinds = [
            NativeFaultKind::SearchesOutside { entry: "/opt/lib".to_owned() },
            NativeFaultKind::AbsoluteName { name: "/opt/lib/x.so".to_owned() },
            NativeFaultKind::MissingLibrary { library: "libweak.dylib".to_owned() },
        ];
        let file: vocab::TreePath = "lib/x.so".parse().unwrap();
        let fault = |kind| NativeFault { file: file.clone(), distribution: None, kind };
        let report = NativeReport { warnings: kinds.map(fault).into(), ..NativeReport::default() };
        let told: Vec<String> = others(&report).into_iter().map(|warning| warning.text).collect();
        assert_eq!(told, ["needs libweak.dylib, which is neither in the runtime nor provided by the system"]);
    }

    #[test]
    fn the_manifest_gets_no_folder_of_this_machine() {
        let machine = ["/home/me/repository/.staging", "/home/me/repository", "/"].map(PathBuf::from);
        let text = "OSError: /home/me/repository/.staging/lib/x.so: undefined symbol";
        assert_eq!(without_folders(text, &machine), "OSError: …/lib/x.so: undefined symbol");
    }
}
