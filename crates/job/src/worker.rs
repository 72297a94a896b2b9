//! The image of a worker: a Dockerfile, for who builds images from one.

use crate::job_manifest::JobManifest;

pub(crate) const DOCKERFILE: &str = "worker.Dockerfile";
/// Where the runtime is in an image.
pub(crate) const PREFIX: &str = "/opt/pydist/python";
/// Beam's boot program, which the base has.
pub(crate) const BOOT: &str = "/opt/apache/beam/boot";
/// Without it the boot program makes a venv, in which the baked job would be looked for in vain by prefix.
pub(crate) const DEFAULT_ENVIRONMENT: (&str, &str) = ("RUN_PYTHON_SDK_IN_DEFAULT_ENVIRONMENT", "1");

/// Its base must have Beam's boot program; nothing of the base's own Python is used.
pub(crate) fn dockerfile(manifest: &JobManifest, compatible: bool) -> String {
    let beam = manifest.dependencies.iter().find(|it| it.name == "apache-beam");
    let python = manifest.python.version.minor_version();
    let base = match beam {
        Some(beam) => format!("apache/beam_python{python}_sdk:{}", beam.version),
        None => format!("apache/beam_python{python}_sdk"),
    };
    let archive = &manifest.archive.file;
    let mut text = format!(
        "# Build it in the folder that holds it: docker build -f {DOCKERFILE} .\n\
         # Any image with glibc and {BOOT} will do as base; its own Python is not used.\n\
         ARG BASE={base}\n\
         FROM debian:stable-slim AS runtime\n\
         RUN apt-get update && apt-get install --assume-yes --no-install-recommends zstd\n\
         COPY {archive} /runtime.tar.zst\n\
         RUN mkdir -p {PREFIX} && tar --zstd -xf /runtime.tar.zst -C {PREFIX}\n\
         FROM ${{BASE}}\n"
    );
    if !manifest.system_packages.is_empty() {
        let names: Vec<&str> = manifest.system_packages.iter().map(|it| it.name.as_str()).collect();
        let names = names.into_iter().filter(|it| is_package_name(it)).collect::<Vec<_>>().join(" ");
        text.push_str(&format!(
            "# The job's setup.py installs these; a runtime cannot contain them.\n\
             RUN apt-get update && apt-get install --assume-yes --no-install-recommends {names} && rm -rf /var/lib/apt/lists/*\n"
        ));
    }
    text.push_str(&format!("COPY --from=runtime {PREFIX} {PREFIX}\n"));
    if compatible {
        for file in &manifest.data_files {
            let (from, to) = (format!("{PREFIX}/{}", file.path), format!("/usr/local/{}", file.path));
            let folder = to.rsplit_once('/').map_or("/usr/local", |(folder, _)| folder).to_owned();
            text.push_str(&format!("RUN mkdir -p {} && ln -s {} {}\n", quoted(&folder), quoted(&from), quoted(&to)));
        }
    }
    let (name, value) = DEFAULT_ENVIRONMENT;
    text.push_str(&format!("ENV PATH={PREFIX}/bin:$PATH {name}={value}\nENTRYPOINT [\"{BOOT}\"]\n"));
    text
}

/// Operands of a package manager may be anything; only names go into a shell.
fn is_package_name(text: &str) -> bool {
    !text.starts_with('-') && text.chars().all(|it| it.is_ascii_alphanumeric() || "+-.:=~_".contains(it))
}

/// For a shell. Control characters cannot stand in a line of a Dockerfile.
fn quoted(text: &str) -> String {
    let text: String = text.chars().filter(|it| !it.is_control()).collect();
    format!("'{}'", text.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_a_job_runs_in_a_shell() {
        assert_eq!(quoted("a'b\n$(x)"), "'a'\\''b$(x)'");
        assert!(is_package_name("libsndfile1=1.0.31-2+b1") && !is_package_name("a;b") && !is_package_name("-y"));
    }
}
