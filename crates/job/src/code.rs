//! The codes of findings, with their texts. docs/job-codes.md is written from this table, and compared with it by a test.

use std::fmt;
use std::str::FromStr;

use crate::level::Level;

/// `KJ` and three digits. Stable: a code never gets another meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Code(u16);

/// What is known of a code.
#[derive(Debug)]
pub struct CodeRow {
    pub code: Code,
    /// Some findings have another level; then [`when`](Self::when) says so.
    pub level: Level,
    /// With `{name}` for what differs.
    pub message: &'static str,
    /// What to do, or empty.
    pub help: &'static str,
    /// Other levels, and what a reader needs to know beyond the message. Sentences, or empty.
    pub when: &'static str,
}

impl Code {
    /// # Panics
    /// Never: every code is in the table.
    pub fn row(self) -> &'static CodeRow {
        ROWS.iter().find(|row| row.code == self).expect("codes are made by the table alone")
    }

    /// The commands that report it, in the order in which a job meets them. `stage` reports what `check` does, and so does
    /// each command after it.
    pub fn reported_by(self) -> &'static [&'static str] {
        match self {
            KJ050 | KJ061 | KJ062 | KJ064 | KJ069 => &["bake"],
            KJ060 | KJ080 => &["check", "bake"],
            KJ070 | KJ072 | KJ074 => &["verify"],
            KJ075 => &["bake", "image"],
            KJ071 => &["check", "verify"],
            _ => &["check"],
        }
    }

    /// Whether a finding with it means that there is nothing to package, so that `--allow` cannot take it back.
    pub fn is_final(self) -> bool {
        const FINAL: [Code; 15] =
            [KJ001, KJ002, KJ003, KJ004, KJ005, KJ007, KJ008, KJ011, KJ020, KJ021, KJ022, KJ023, KJ030, KJ031, KJ043];
        FINAL.contains(&self)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "KJ{:03}", self.0)
    }
}

/// The text is not a code.
#[derive(Debug, thiserror::Error)]
#[error("`{text}` is not a code of a job finding, such as KJ036")]
pub struct UnknownCode {
    pub text: String,
}

impl FromStr for Code {
    type Err = UnknownCode;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wanted = text.to_ascii_uppercase();
        let found = ROWS.iter().find(|row| row.code.to_string() == wanted);
        found.map(|row| row.code).ok_or_else(|| UnknownCode { text: text.to_owned() })
    }
}

/// All codes, in order.
pub fn all() -> &'static [CodeRow] {
    ROWS
}

macro_rules! codes {
    ($($name:ident $number:literal $level:ident $message:literal, $help:literal, $when:literal;)*) => {
        $(pub const $name: Code = Code($number);)*
        const ROWS: &[CodeRow] = &[$(CodeRow {
            code: $name, level: Level::$level, message: $message, help: $help, when: $when,
        },)*];
    };
}

codes! {
    KJ001 1 Error "cannot read job config {path}: {reason}", "name another file", "";
    KJ002 2 Error "not valid YAML: {reason}", "correct the line",
        "Includes documents beyond the limits: 16 MiB, 200,000 values, 100 levels, and what aliases multiply.";
    KJ003 3 Error "the top level must be a mapping, found {kind}", "begin the file with `job_name: …`", "";
    KJ004 4 Error "required key `{key}` is missing", "add `{key}`", "";
    KJ005 5 Error "unknown top-level key `{key}` (known: job_name, version, pipeline_options, job_config)",
        "remove it, or move it below `job_config`", "";
    KJ006 6 Error "`{key}` must be {type}, found {kind}", "write {type}",
        "A warning if the value can be converted, as Klio does.";
    KJ007 7 Error "template variable `{name}` has no value", "pass -T {name}=…, or write $$ for a dollar sign", "";
    KJ008 8 Error "`{argument}` is not of the form key=value", "write key=value", "Ends with exit code 2.";
    KJ009 9 Error "job name `{name}` is not accepted by Dataflow",
        "use lower-case letters, digits and `-`, starting with a letter", "A warning unless the runner is Dataflow.";
    KJ010 10 Warning "config version {n} is not supported; expected 2", "write `version: 2`",
        "An error unless the version is 1.";
    KJ011 11 Error "key `{key}` given twice; first in line {first}", "remove one of the two",
        "YAML loaders in Python let the last one win silently.";
    KJ012 12 Warning "Dataflow needs {keys}; submission will be refused", "set them below `pipeline_options`", "";
    KJ020 20 Error "pipeline_options.setup_file is not set, so workers would receive none of the job's modules",
        "write `setup_file: setup.py`", "";
    KJ021 21 Error "setup file {path} does not exist", "write it, or correct `pipeline_options.setup_file`", "";
    KJ022 22 Error "setup file must be named setup.py or pyproject.toml, not {name}", "rename it",
        "Beam refuses other names at submission.";
    KJ023 23 Error "setup file {path} must be in the root of the job directory", "move it there", "";
    KJ024 24 Error "setup_file and the beam_fn_api experiment exclude each other in Klio", "remove one of the two",
        "A warning if the conflict is allowed.";
    KJ025 25 Error "requirements_file and the beam_fn_api experiment exclude each other in Klio",
        "remove one of the two", "A warning if the conflict is allowed.";
    KJ026 26 Warning "requirements_file alone does not install the job; its entries are staged, but belong in setup.py",
        "move them to install_requires", "";
    KJ027 27 Error "requirements file {path} does not exist", "write it, or correct `pipeline_options.requirements_file`",
        "";
    KJ028 28 Error "configs {a} and {b} disagree on `{key}`", "package them separately", "";
    KJ029 29 Error "setup.py ships {shipped} but the job is configured by {selected}; workers would read the wrong file",
        "list {selected} in data_files", "";
    KJ030 30 Error "setup.py failed before setup(): {exception}", "correct it: the same happens at submission",
        "Includes a setup.py that waits for input, never ends (120 s), or ends Python itself, and a build back end of \
         pyproject.toml that fails.";
    KJ031 31 Error "setup.py never called setup()", "call setuptools.setup(…) unconditionally", "";
    KJ032 32 Error "py_modules lists `{m}` but {m}.py does not exist", "remove it from py_modules, or add the file", "";
    KJ033 33 Error "setup() names neither py_modules nor packages and the directory has several modules: {list}",
        "list them in py_modules", "";
    KJ034 34 Error "run.py is not packaged", "add \"run\" to py_modules", "";
    KJ035 35 Error "imports `{m}`, a file of the job directory that is not packaged", "add \"{m}\" to py_modules", "";
    KJ036 36 Error "data file {src} is {what}", "list regular files by name", "";
    KJ037 37 Error "{src} lies outside the job directory", "copy it into the job directory", "";
    KJ038 38 Error "data destination {dest} {what}", "name a folder relative to the runtime's prefix",
        "An absolute destination is a warning: its files land inside site-packages.";
    KJ039 39 Error "{src} is a data file but MANIFEST.in removes it from the source archive", "remove that rule", "";
    KJ040 40 Error "{file} is needed to install the job but is not in the source archive",
        "add `include {file}` to MANIFEST.in", "";
    KJ041 41 Error "MANIFEST.in is missing while installing needs {file}", "create it with `include {file}`", "";
    KJ042 42 Warning "{what}", "correct or remove the line", "";
    KJ043 43 Error "this line removes setup.py", "remove the line", "";
    KJ044 44 Warning "setup() has no {name}; using {value}", "add {name}=…", "";
    KJ045 45 Warning "command class {c} is defined but `build` never runs it", "add it to build.sub_commands", "";
    KJ046 46 Error "`build` runs {c}, which cmdclass does not define", "add it to cmdclass", "";
    KJ047 47 Warning "distutils is gone from Python {v}", "import build from setuptools.command.build",
        "An error if setup.py fails on it.";
    KJ048 48 Error "the job requires Python {spec}; the target is {v}", "choose another one with --python", "";
    KJ049 49 Note "ignored leftovers from earlier builds: {list}", "remove them",
        "The original reads them back: files that MANIFEST.in no longer includes would still be packed.";
    KJ050 50 Error "custom command {argv} failed with exit code {n}: {output}", "run it alone to see why", "";
    KJ051 51 Error "custom command {argv} cannot be reproduced: {reason}", "leave it out, or use install_requires", "";
    KJ052 52 Warning "the job wants OS packages {list}; a portable runtime cannot contain them",
        "install them in the worker image", "An error if they are not allowed.";
    KJ053 53 Error "index {url} has no scheme", "write https://{url}", "pip warns and then ignores it.";
    KJ054 54 Warning "index {url} is not encrypted", "use https", "";
    KJ055 55 Warning "the address {url} carries credentials", "keep them in ~/.netrc", "No output of ours shows them.";
    KJ056 56 Note "no sandbox available; setup.py ran with your rights", "", "Linux with user namespaces has one.";
    KJ058 58 Warning "custom command runs pip; with isolated builds (pip 25.3 and later) it fails on the worker",
        "use install_requires, or a Beam release from 2.77 on",
        "Beam 2.77's boot program turns build isolation off: then it is a note, unless the experiment \
         pip_use_build_isolation turns it on. A baked runtime is not affected.";
    KJ060 60 Error "no solution for {reqs}: {explanation}", "loosen one of the requirements",
        "`job check` compares exact pins alone: an error in one file, a warning across files.";
    KJ061 61 Error "{pkg} has no wheel for {platform}", "build for another platform", "";
    KJ062 62 Error "{wheel} does not fit {platform}", "build it for that platform", "";
    KJ063 63 Warning "apache-beam is not among the dependencies; Beam workers refuse such an environment",
        "add it to install_requires", "";
    KJ064 64 Error "{file} hash differs from the lock", "lock again, or get the original file", "";
    KJ065 65 Error "{what} is {a} for {who_a}, but {b} for {who_b}", "name one version everywhere",
        "Driver and workers exchange pickled code, and Beam refuses workers of another release. Compared are the image \
         of the Dockerfile's last stage, `sdk_container_image`, the exact pin of apache-beam, and the target's Python.";
    KJ066 66 Warning "Beam builds without isolation: {requires} must be installed in the driver and on its workers",
        "install it in the image of both, or use setuptools", "Beam's stager builds so since 2.56, its workers since 2.77.";
    KJ067 67 Error "Beam {beam} does not take pyproject.toml as setup file", "use setup.py, or Beam 2.66 or newer", "";
    KJ068 68 Warning "{path} of `{key}` is not staged: {why}", "put it into the job directory, or stage it yourself",
        "An error if Beam refuses it: a file that is missing, or an extra package with another ending.";
    KJ069 69 Warning "{list} of `extra_packages` is not in the baked runtime: each worker installs it at its start",
        "name it in install_requires, or in the requirements file, at an index", "`beam-options.json` still has the option.";
    KJ070 70 Error "import of `{m}` failed in the baked runtime: {exception}", "add what it lacks", "";
    KJ071 71 Error "run.py defines neither run() nor run_basic()", "define one of them",
        "A warning of `job check`, which only reads run.py.";
    KJ072 72 Error "data file {path} is not in the baked runtime", "list it in data_files", "";
    KJ073 73 Warning "uses the fixed path {literal}; data files are at the runtime's prefix",
        "find it below sys.prefix, or with importlib.metadata.files", "";
    KJ074 74 Note "verification skipped: cannot run {platform} here", "verify it on such a machine", "";
    KJ075 75 Error "the base {base} has no {boot}, which starts workers", "take Beam's image as base, or one that has it",
        "Nothing is baked or written then. The names in its layers are read.";
    KJ080 80 Error "{a} and {b} both install {path}", "rename one of the two",
        "A warning where a module of the job hides one of the standard library or of a dependency.";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_in_order_and_read_as_they_are_written() {
        assert!(all().windows(2).all(|pair| pair[0].code < pair[1].code));
        assert_eq!("kj036".parse::<Code>().unwrap(), KJ036);
        assert!("KJ999".parse::<Code>().is_err());
    }

    #[test]
    fn texts_are_as_all_messages_are() {
        for row in all() {
            let is_sentence = |text: &str| text.ends_with('.') || text.starts_with(' ');
            assert!(!is_sentence(row.message) && !is_sentence(row.help), "for {}", row.code);
            assert!(row.when.is_empty() || row.when.ends_with('.'), "for {}", row.code);
        }
    }
}
