//! Known and accepted failures, for the check of native files and the import check:
//! `checker/whitelists/<platform>.json`, and the list shipped with the builder for widely used distributions.
//!
//! ```json
//! { "<distribution>": { "<module or file>": "<part of the error text>",
//!                       "<module or file>": { "error": "…", "reason": "…", "expires": "2027-01-31",
//!                                             "emulated": true } } }
//! ```
//! All keys may be globs. A distribution is its name or the file name of its wheel. A key with a slash names a file,
//! below the prefix or below site-packages; any other a module. An entry with `emulated` holds only where an emulator
//! runs the imports; it says what that emulator lacks.

mod reading;

use std::io;
use std::path::{Path, PathBuf};

use globset::GlobMatcher;
use jiff::civil::Date;
use vocab::{Digest, DistributionName, Fault, PlatformKey, SourceFile, TreeLayout, TreePath};

use super::native_files::{NativeFault, NativeFaultKind};
use crate::module_name::module_name_of;
pub use reading::ShapeFault;

/// The shipped list, by glob of platform keys: faults of distributions that no runtime can change.
const SHIPPED: &str = include_str!("../../data/whitelist.json");

/// The entries for one platform. The default has none.
#[derive(Clone, Debug, Default)]
pub struct Whitelist {
    own: Vec<DistributionEntries>,
    shipped: Vec<DistributionEntries>,
}

#[derive(Clone, Debug)]
struct DistributionEntries {
    /// Pattern for the wheel's file name, as written.
    file: WhitelistPattern,
    /// The same for normalised names; `None` if it can only match file names.
    name: Option<GlobMatcher>,
    modules: Vec<(WhitelistPattern, ExpectedFailure)>,
}

#[derive(Clone, Debug)]
struct WhitelistPattern {
    text: String,
    /// `None` for a text that is not a glob and matches only itself.
    glob: Option<GlobMatcher>,
}

/// A failure that may happen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExpectedFailure {
    /// Parts of the error text, one of which is in it, in any case of letters. An empty one: whatever the error says.
    pub errors: Vec<String>,
    pub reason: Option<String>,
    /// The last day on which the entry counts.
    pub expires: Option<Date>,
    /// Whether it applies only in an emulator.
    pub emulated: bool,
}

/// An entry and its place in the list.
#[derive(Clone, Copy, Debug)]
pub struct WhitelistEntry<'a> {
    /// The distribution's key, as written.
    pub wheel: &'a str,
    /// The module's or file's key, as written.
    pub module: &'a str,
    pub expected: &'a ExpectedFailure,
    /// True for an entry shipped with the builder, which is never reported as unused.
    pub is_shipped: bool,
    pattern: &'a WhitelistPattern,
}

impl WhitelistPattern {
    fn matches(&self, text: &str) -> bool {
        self.text == text || self.glob.as_ref().is_some_and(|glob| glob.is_match(text))
    }
}

impl ExpectedFailure {
    /// Whether the text of an entry occurs in what an import said.
    pub fn matches(&self, error: &str) -> bool {
        let error = error.to_lowercase();
        self.errors.iter().any(|part| error.contains(&part.to_lowercase()))
    }

    /// The same for what the check of native files found, also in the words that the loader has for it.
    pub fn matches_fault(&self, fault: &NativeFaultKind) -> bool {
        self.matches(&fault.to_string()) || self.errors.iter().any(|text| fault.is_told_by(text))
    }
}

impl<'a> WhitelistEntry<'a> {
    /// Whether the module itself is named, not a file.
    pub fn names_module(&self, module: &str) -> bool {
        !self.names_files() && self.pattern.matches(module)
    }

    /// Whether the file is named, or the module that it would be imported as.
    pub fn names_file(&self, file: &TreePath, layout: TreeLayout) -> bool {
        if !self.names_files() {
            return module_name_of(file, layout).is_some_and(|module| self.pattern.matches(&module));
        }
        let below = file.as_str().strip_prefix(layout.site_packages().as_str()).and_then(|rest| rest.strip_prefix('/'));
        std::iter::once(file.as_str()).chain(below).any(|path| self.pattern.matches(path))
    }

    /// Whether its key is a path rather than a module: it contains a slash.
    pub fn names_files(&self) -> bool {
        self.module.contains('/')
    }

    /// Whether the entry names the file of the fault, and its text the fault.
    pub fn allows_fault(&self, fault: &NativeFault, layout: TreeLayout) -> bool {
        self.names_file(&fault.file, layout) && self.expected.matches_fault(&fault.kind)
    }
}

impl DistributionEntries {
    fn fit(&self, wheel: &str) -> bool {
        let name = || wheel.split('-').next().and_then(|name| name.parse::<DistributionName>().ok());
        let by_name = |glob: &GlobMatcher| name().is_some_and(|name| glob.is_match(name.as_str()));
        self.file.matches(wheel) || self.name.as_ref().is_some_and(by_name)
    }

    fn entries(&self, is_shipped: bool) -> impl Iterator<Item = WhitelistEntry<'_>> {
        let wheel = self.file.text.as_str();
        let entry = move |(pattern, expected)| {
            let pattern: &WhitelistPattern = pattern;
            WhitelistEntry { wheel, module: pattern.text.as_str(), expected, is_shipped, pattern }
        };
        self.modules.iter().map(|(pattern, expected)| (pattern, expected)).map(entry)
    }
}

impl Whitelist {
    /// Path of a platform's whitelist in the repository.
    pub fn path(repository: &Path, platform: PlatformKey) -> PathBuf {
        repository.join("checker").join("whitelists").join(format!("{platform}.json"))
    }

    /// A file that does not exist is an empty whitelist.
    ///
    /// # Errors
    /// The file cannot be read or has another shape; the error lists all faults.
    pub fn read(path: &Path) -> Result<Self, WhitelistError> {
        let failed = |kind| WhitelistError { path: path.to_owned(), kind };
        match vocab::read_regular_text(path) {
            Ok(text) => {
                let name = path.file_name().unwrap_or_default().to_string_lossy();
                Self::parse(&name, &text).map_err(|faults| failed(WhitelistErrorKind::Shape(faults)))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(failed(WhitelistErrorKind::Read(error))),
        }
    }

    /// `name` is for messages.
    fn parse(name: &str, text: &str) -> Result<Self, Vec<ShapeFault>> {
        Ok(Self { own: reading::parse(&SourceFile::new(name, text))?, shipped: Vec::new() })
    }

    /// Adds the builder's own entries for the platform.
    #[must_use]
    pub fn with_shipped(self, platform: PlatformKey) -> Self {
        let all = reading::parse_by_platform(&SourceFile::new("", SHIPPED)).unwrap_or_default();
        let here = all.into_iter().filter(|(pattern, _)| pattern.matches(platform.as_str()));
        Self { shipped: here.flat_map(|(_, entries)| entries).collect(), ..self }
    }

    /// Drops the entries that have expired by that day.
    #[must_use]
    pub fn on(mut self, today: Date) -> Self {
        for distribution in self.own.iter_mut().chain(&mut self.shipped) {
            distribution.modules.retain(|(_, expected)| expected.expires.is_none_or(|last| last >= today));
        }
        self
    }

    /// Digest of the builder's own list, for all platforms.
    pub fn shipped_digest() -> Digest {
        Digest::of(SHIPPED)
    }

    /// The entries for a wheel: the repository's under its exact name, else under the first key that fits; then all
    /// shipped ones that fit. Includes those that apply only in an emulator.
    pub fn entries<'a>(&'a self, wheel: &str) -> impl Iterator<Item = WhitelistEntry<'a>> + use<'a> {
        let exact = self.own.iter().find(|entries| entries.file.text == wheel);
        let own = exact.or_else(|| self.own.iter().find(|entries| entries.fit(wheel)));
        let shipped: Vec<_> = self.shipped.iter().filter(|entries| entries.fit(wheel)).collect();
        let shipped = shipped.into_iter().flat_map(|entries| entries.entries(true));
        own.into_iter().flat_map(|entries| entries.entries(false)).chain(shipped)
    }

    /// In the order of the files, the repository's first.
    pub fn all(&self) -> impl Iterator<Item = WhitelistEntry<'_>> {
        let own = self.own.iter().flat_map(|entries| entries.entries(false));
        own.chain(self.shipped.iter().flat_map(|entries| entries.entries(true)))
    }

    /// The distributions' keys that fit none of these wheels, in the order of the repository's file.
    pub fn unused<'a>(&'a self, wheels: &[&str]) -> Vec<&'a str> {
        let fits = |entries: &&DistributionEntries| wheels.iter().any(|wheel| entries.fit(wheel));
        self.own.iter().filter(|entries| !fits(entries)).map(|entries| entries.file.text.as_str()).collect()
    }

    /// True when an entry for this file, or the module in it, lets the fault pass, whatever runs the imports.
    pub fn allows_fault(&self, wheel: &str, fault: &NativeFault, layout: TreeLayout) -> bool {
        self.entry_for(wheel, fault, layout).is_some()
    }

    /// That entry; the repository's own where there are two.
    pub fn entry_for(&self, wheel: &str, fault: &NativeFault, layout: TreeLayout) -> Option<WhitelistEntry<'_>> {
        let mut always = self.entries(wheel).filter(|entry| !entry.expected.emulated);
        always.find(|entry| entry.allows_fault(fault, layout))
    }
}

/// A whitelist that cannot be used, with its path.
#[derive(Debug, thiserror::Error, Fault)]
#[error("cannot use the whitelist `{}`", path.display())]
#[fault(
    "E_WHITELIST",
    Usage,
    hint("the shape is {{ \"<distribution>\": {{ \"<module or file>\": \"<part of the error text>\" }} }}")
)]
pub struct WhitelistError {
    pub path: PathBuf,
    #[source]
    pub kind: WhitelistErrorKind,
}

/// What is wrong with it.
#[derive(Debug, thiserror::Error)]
pub enum WhitelistErrorKind {
    #[error("it cannot be read")]
    Read(#[source] io::Error),
    /// Never empty.
    #[error("{}", lines(_0))]
    Shape(Vec<ShapeFault>),
}

fn lines(faults: &[ShapeFault]) -> String {
    faults.iter().map(ShapeFault::to_string).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn errors_for(whitelist: &str, wheel: &str) -> Vec<String> {
        let whitelist = Whitelist::parse("w.json", whitelist).unwrap();
        whitelist.entries(wheel).flat_map(|entry| entry.expected.errors.clone()).collect()
    }

    #[test]
    fn c2_the_exact_name_wins_then_the_first_glob_in_the_file() {
        let text = r#"{
            "foo-*.whl": {"foo.a": "by the first glob"},
            "foo-1.0-*.whl": {"foo.a": "by the second glob"},
            "foo-1.0-py3-none-any.whl": {"foo.a": "by name"}
        }"#;
        assert_eq!(errors_for(text, "foo-1.0-py3-none-any.whl"), ["by name"]);
        assert_eq!(errors_for(text, "foo-1.0-cp312-cp312-win_amd64.whl"), ["by the first glob"]);
        assert_eq!(errors_for(text, "bar-1.0-py3-none-any.whl"), [""; 0]);
    }

    #[test]
    fn c3_the_text_is_searched_for_in_any_case_and_an_empty_one_fits_everything() {
        let cases = [
            ("cuda DRIVER", "RuntimeError: CUDA driver version is insufficient", true),
            ("", "anything at all", true),
            ("libtbb.so.12", "ImportError: libgomp.so.1: cannot open shared object file", false),
        ];
        for (error, actual, expected) in cases {
            let entry = ExpectedFailure { errors: vec![error.to_owned()], ..ExpectedFailure::default() };
            assert_eq!(entry.matches(actual), expected, "for {error:?} in {actual:?}");
        }
    }

    fn fault_of(file: &str, library: &str) -> NativeFault {
        NativeFault {
            file: format!("lib/python3.12/site-packages/{file}").parse().unwrap(),
            distribution: Some("pkg".parse().unwrap()),
            kind: NativeFaultKind::MissingLibrary { library: library.to_owned() },
        }
    }

    fn layout() -> TreeLayout {
        TreeLayout { platform: PlatformKey::ALL[0], python: "3.12.10".parse().unwrap() }
    }

    #[test]
    fn distributions_are_named_by_their_name_or_by_their_file_or_by_patterns_of_both() {
        let wheel = "Cupy_CUDA12x-13.6.0-cp312-cp312-manylinux2014_x86_64.whl";
        let cases = [
            ("cupy-cuda12x", true),
            ("cupy_cuda12x", true),
            ("cupy-cuda*", true),
            ("CuPy.CUDA1?x", true),
            ("Cupy_CUDA12x-*", true),
            ("Cupy_CUDA12x-13.*.whl", true),
            (wheel, true),
            ("cupy", false),
            ("cupy-cuda11x", false),
            ("cupy_cuda12x-13.*.whl", false),
        ];
        for (key, expected) in cases {
            let text = serde_json::json!({ key: { "m": "x" } }).to_string();
            assert_eq!(errors_for(&text, wheel).len(), usize::from(expected), "for {key}");
        }
    }

    #[test]
    fn one_entry_names_modules_and_files_by_patterns_without_the_version_of_python() {
        let cases = [
            // (key, file below site-packages, allowed)
            ("numba.np.ufunc.tbbpool", "numba/np/ufunc/tbbpool.cpython-312-x86_64-linux-gnu.so", true),
            ("numba.np.*", "numba/np/ufunc/tbbpool.cpython-312-x86_64-linux-gnu.so", true),
            ("numba/np/ufunc/tbbpool.*", "numba/np/ufunc/tbbpool.cpython-312-x86_64-linux-gnu.so", true),
            ("lib/python3.12/site-packages/numba/libx.so.1", "numba/libx.so.1", true),
            ("numba/libx.so*", "numba/libx.so.1", true),
            ("*/libx.so*", "numba/libx.so.1", true),
            ("numba.*", "numba/libx.so.1", false), // a library is no module
            ("numba", "numba/np/ufunc/tbbpool.cpython-312-x86_64-linux-gnu.so", false),
            ("libx.so.1", "numba/libx.so.1", false),
        ];
        for (key, file, expected) in cases {
            let whitelist =
                Whitelist::parse("w.json", &serde_json::json!({"pkg": {key: "libtbb"}}).to_string()).unwrap();
            let allowed = whitelist.allows_fault("pkg-1.0-py3-none-any.whl", &fault_of(file, "libtbb.so.12"), layout());
            assert_eq!(allowed, expected, "for {key} and {file}");
        }
    }

    #[test]
    fn case_seed_numba_public_whitelist() {
        let text = r#"{ "numba-0.*.whl": { "numba.np.ufunc.tbbpool":
            "libtbb.so.12: cannot open shared object file: No such file or directory" } }"#;
        let whitelist = Whitelist::parse("w.json", text).unwrap();
        let wheel = "numba-0.61.2-cp312-cp312-manylinux2014_x86_64.manylinux_2_17_x86_64.whl";
        let file = "numba/np/ufunc/tbbpool.cpython-312-x86_64-linux-gnu.so";
        let allows = |library| whitelist.allows_fault(wheel, &fault_of(file, library), layout());
        assert!(allows("libtbb.so.12"));
        assert!(!allows("libgomp.so.1"), "the entry is about another library");
    }

    #[test]
    fn shipped_entries_stand_beside_those_of_the_repository_and_are_sound() {
        reading::parse_by_platform(&SourceFile::new("", SHIPPED)).unwrap();
        for platform in PlatformKey::ALL {
            let shipped = Whitelist::default().with_shipped(platform);
            let without: Vec<_> = shipped.all().filter(|entry| entry.expected.reason.is_none()).collect();
            assert!(without.is_empty(), "{platform}: {without:?}");
            assert!(shipped.unused(&[]).is_empty());
        }
        let linux = "linux-x64".parse().unwrap();
        let both = Whitelist::parse("w.json", r#"{"numba": {"numba.mine": "x"}}"#).unwrap().with_shipped(linux);
        let modules: Vec<_> = both.entries("numba-0.61.2-cp312.whl").map(|it| (it.module, it.is_shipped)).collect();
        assert!(modules.contains(&("numba.mine", false)), "{modules:?}");
        assert!(modules.contains(&("numba.np.ufunc.tbbpool", true)), "{modules:?}");
    }

    #[test]
    fn an_expired_entry_excuses_no_fault() {
        let text = r#"{"pkg": {"m": {"error": "", "expires": "2026-06-15"}, "n": ""}}"#;
        for (today, expected) in [("2026-06-15", [true, true]), ("2026-06-16", [false, true])] {
            let whitelist = Whitelist::parse("w.json", text).unwrap().on(today.parse().unwrap());
            let allows = |file| whitelist.allows_fault("pkg-1.0-py3-none-any.whl", &fault_of(file, "x"), layout());
            assert_eq!(["m.so", "n.so"].map(allows), expected, "on {today}");
        }
    }

    #[test]
    fn what_holds_only_in_an_emulator_excuses_no_fault() {
        let text = r#"{"pkg": {"m": {"error": "", "emulated": true}, "n": {"error": "", "emulated": false}}}"#;
        let whitelist = Whitelist::parse("w.json", text).unwrap();
        let allows = |file| whitelist.allows_fault("pkg-1.0-py3-none-any.whl", &fault_of(file, "x"), layout());
        assert_eq!(["m.so", "n.so"].map(allows), [false, true]);
    }

    #[test]
    fn c5_every_wrong_shape_is_named_by_its_place() {
        let cases = [
            ("[]", "w.json:1:1: an object of distributions is expected, not a list"),
            (r#"{"a.whl": ["x"]}"#, "w.json:1:11 /a.whl: an object of modules is expected, not a list"),
            (
                r#"{"a.whl": {"m": 3}}"#,
                "w.json:1:17 /a.whl/m: an error text, or an object with `error`, is expected, not the number 3",
            ),
            (
                "{\"a/b~.whl\":\n{\"m\": null}}",
                "w.json:2:7 /a~1b~0.whl/m: an error text, or an object with `error`, is expected, not null",
            ),
            (
                r#"{"a.whl": {"m": {"expires": "soon"}}}"#,
                "w.json:1:29 /a.whl/m/expires: `soon` is not a date; write YYYY-MM-DD",
            ),
            (
                r#"{"a.whl": {"m": {"reason": " "}}}"#,
                "w.json:1:28 /a.whl/m/reason: a string is expected, not an empty string",
            ),
            (
                r#"{"a.whl": {"m": {"why": "x"}}}"#,
                "w.json:1:18 /a.whl/m/why: the keys are `error`, `reason`, `expires` and `emulated`",
            ),
            (
                r#"{"a.whl": {"m": {"error": ["x", 3]}}}"#,
                "w.json:1:33 /a.whl/m/error/1: a string is expected, not the number 3",
            ),
            (r#"{"a.whl": {"m": {"error": []}}}"#, "w.json:1:27 /a.whl/m/error: a string is expected, not a list"),
            (
                r#"{"a.whl": {"m": {"emulated": "wine"}}}"#,
                "w.json:1:30 /a.whl/m/emulated: `true` or `false` is expected, not the string `wine`",
            ),
            (
                r#"{"a.whl": {"m": [], "[": true}, "[": {}}"#,
                "w.json:1:17 /a.whl/m: an error text, or an object with `error`, is expected, not a list\n\
                 w.json:1:26 /a.whl/[: an error text, or an object with `error`, is expected, not true\n\
                 w.json:1:33 /[: it is not a valid glob: unclosed character class; missing ']'",
            ),
            ("", "w.json:1:1: the file is empty"),
            ("{", "w.json:1:1: not JSON: EOF while parsing an object"),
            (r#"{"a": {}, "a": {}}"#, "w.json:1:11 /a: duplicate key; the first is in line 1, column 2"),
        ];
        for (text, message) in cases {
            let faults = Whitelist::parse("w.json", text).unwrap_err();
            assert_eq!(WhitelistErrorKind::Shape(faults).to_string(), message, "for {text}");
        }
    }
}
