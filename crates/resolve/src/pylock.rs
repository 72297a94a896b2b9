//! The resolver's answer: a PEP 751 lock, read into what this crate needs of it.

use std::collections::BTreeMap;

use serde::Deserialize;
use vocab::{Digest, DistributionName, Fault, FileName, FileNameError};

use wheel::WheelTarget;

/// One distribution of the answer with its one chosen file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnsweredDistribution {
    pub name: DistributionName,
    /// Absent for a folder with a dynamic version.
    pub version: Option<String>,
    pub source: AnswerSource,
}

/// Where the one chosen file comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AnswerSource {
    Wheel(IndexFile),
    Sdist(IndexFile),
    Git {
        repository: String,
        commit: String,
        subdirectory: Option<String>,
    },
    /// A local file or folder; the caller knows which from its own requirement.
    Local,
}

/// A file that the index offers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexFile {
    pub file_name: FileName,
    /// May carry credentials: not for messages.
    pub url: String,
    pub size: Option<u64>,
    /// Absent if the index gives none.
    pub sha256: Option<Digest>,
}

/// Why uv's answer cannot be used.
#[derive(Debug, thiserror::Error, Fault)]
#[fault("E_RESOLVE", Build)]
pub enum PylockError {
    #[error("the resolver's lock is not TOML of the expected shape")]
    Toml(#[from] toml::de::Error),
    #[error("the resolver named `{name}`, which is not a distribution name")]
    Name { name: String },
    #[error("the index has a file of `{name}` with an invalid name: {source}")]
    #[fault(Trust)]
    FileName { name: DistributionName, source: FileNameError },
    #[error("the resolver named no suitable file for `{name}`")]
    NoFile { name: DistributionName },
}

#[derive(Deserialize)]
struct PylockDocument {
    #[serde(default)]
    packages: Vec<PylockPackage>,
}

#[derive(Deserialize)]
struct PylockPackage {
    name: String,
    version: Option<String>,
    sdist: Option<RawFile>,
    #[serde(default)]
    wheels: Vec<RawFile>,
    archive: Option<RawFile>,
    vcs: Option<PylockVcs>,
    directory: Option<toml::Value>,
}

#[derive(Deserialize)]
struct RawFile {
    name: Option<String>,
    url: Option<String>,
    path: Option<String>,
    size: Option<u64>,
    #[serde(default)]
    hashes: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct PylockVcs {
    url: Option<String>,
    path: Option<String>,
    commit_id: String,
    subdirectory: Option<String>,
}

/// What an answer to a question without sources names for the target: for each distribution the wheel that fits best.
pub fn chosen(text: &str, target: &WheelTarget) -> Result<Vec<AnsweredDistribution>, PylockError> {
    read(text, target, &|_| false)
}

/// `built` are the distributions that must come from source; for all others the best fitting wheel is taken, and the
/// source only if none fits.
pub(crate) fn read(
    text: &str,
    target: &WheelTarget,
    built: &dyn Fn(&DistributionName) -> bool,
) -> Result<Vec<AnsweredDistribution>, PylockError> {
    let document: PylockDocument = toml::from_str(text)?;
    let mut answers: Vec<AnsweredDistribution> = Vec::with_capacity(document.packages.len());
    for package in document.packages {
        let name: DistributionName =
            package.name.parse().map_err(|_| PylockError::Name { name: package.name.clone() })?;
        let best = package
            .wheels
            .iter()
            .filter_map(|wheel| {
                let file = wheel.file()?;
                Some((target.rank(&file.file_name)?, file))
            })
            .min_by(|one, other| (&one.0, &one.1.file_name).cmp(&(&other.0, &other.1.file_name)));
        let wheel = best.map(|(_, file)| AnswerSource::Wheel(file)).filter(|_| !built(&name));
        let sdist = || package.sdist.as_ref().and_then(RawFile::file).map(AnswerSource::Sdist);
        let vcs = || {
            package.vcs.as_ref().and_then(|vcs| {
                Some(AnswerSource::Git {
                    repository: vcs.url.clone().or_else(|| vcs.path.clone())?,
                    commit: vcs.commit_id.clone(),
                    subdirectory: vcs.subdirectory.clone(),
                })
            })
        };
        let archive = || {
            package.archive.as_ref().and_then(|archive| match (&archive.url, archive.file()) {
                (None, _) => Some(AnswerSource::Local),
                (Some(_), Some(file)) if file.file_name.ends_with(".whl") => Some(AnswerSource::Wheel(file)),
                (Some(_), file) => file.map(AnswerSource::Sdist),
            })
        };
        let folder = || package.directory.as_ref().map(|_| AnswerSource::Local);
        let source = wheel.or_else(vcs).or_else(folder).or_else(archive).or_else(sdist);
        let source = source.ok_or_else(|| package.no_file(&name))?;
        answers.push(AnsweredDistribution { name, version: package.version, source });
    }
    answers.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(answers)
}

/// By distribution, the wheels that are as good for the interpreter as the best one, sorted by name.
pub(crate) fn wheels_for_interpreter(
    text: &str,
    target: &WheelTarget,
) -> Result<BTreeMap<DistributionName, Vec<IndexFile>>, PylockError> {
    let document: PylockDocument = toml::from_str(text)?;
    let mut found = BTreeMap::new();
    for package in document.packages {
        let name: DistributionName =
            package.name.parse().map_err(|_| PylockError::Name { name: package.name.clone() })?;
        let mut ranked: Vec<_> = package
            .wheels
            .iter()
            .filter_map(RawFile::file)
            .filter_map(|file| Some((target.rank(&file.file_name)?, file)))
            .collect();
        let Some(best) = ranked.iter().map(|(rank, _)| rank.clone()).min() else { continue };
        ranked.retain(|(rank, _)| rank.is_for_the_interpreter_of(&best));
        let mut files: Vec<IndexFile> = ranked.into_iter().map(|(_, file)| file).collect();
        files.sort_by(|one, other| one.file_name.as_str().cmp(other.file_name.as_str()));
        found.insert(name, files);
    }
    Ok(found)
}

/// Every file of the answer that has a digest, with its URL, fitting or not.
pub(crate) fn all_files(text: &str) -> Result<Vec<(Digest, String)>, PylockError> {
    let document: PylockDocument = toml::from_str(text)?;
    // An archive is what a requirement with a URL of its own becomes.
    let files = document
        .packages
        .iter()
        .flat_map(|package| package.wheels.iter().chain(&package.sdist).chain(&package.archive));
    Ok(files.filter_map(RawFile::file).filter_map(|file| Some((file.sha256?, file.url))).collect())
}

impl PylockPackage {
    fn no_file(&self, name: &DistributionName) -> PylockError {
        let files = self.wheels.iter().chain(&self.sdist).chain(&self.archive);
        match files.filter_map(RawFile::file_name).find_map(Result::err) {
            Some(source) => PylockError::FileName { name: name.clone(), source },
            None => PylockError::NoFile { name: name.clone() },
        }
    }
}

impl RawFile {
    /// Its name in the index, or else the last part of its URL.
    fn file_name(&self) -> Option<Result<FileName, FileNameError>> {
        if let Some(name) = &self.name {
            return Some(name.parse());
        }
        let url = self.url.as_ref().or(self.path.as_ref())?;
        let last = url.split(['?', '#']).next()?.rsplit('/').next()?;
        // A `+` of a local version is written as `%2B`.
        Some(url::form_urlencoded::parse(last.replace('+', "%2B").as_bytes()).next()?.0.parse())
    }

    /// `None` also if its name is not acceptable.
    fn file(&self) -> Option<IndexFile> {
        let url = self.url.clone().or_else(|| self.path.clone())?;
        let file_name = self.file_name()?.ok()?;
        let sha256 = self.hashes.get("sha256").and_then(|digest| digest.parse().ok());
        Some(IndexFile { file_name, url, size: self.size, sha256 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"
lock-version = "1.0"
created-by = "uv"
[[packages]]
name = "torch"
version = "2.7.0+cu126"
wheels = [
  { url = "https://index.example.org/whl/torch-2.7.0%2Bcu126-cp312-cp312-manylinux_2_17_x86_64.whl", hashes = { sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" } },
  { url = "https://index.example.org/whl/torch-2.7.0%2Bcu126-cp312-cp312-manylinux_2_28_x86_64.whl", size = 7, hashes = { sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" } },
]
[[packages]]
name = "pycosat"
version = "0.6.6"
sdist = { url = "https://index.example.org/pycosat-0.6.6.tar.gz", size = 3, hashes = { sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" } }
[[packages]]
name = "tool"
version = "1.0"
vcs = { type = "git", url = "https://git.example.org/tool", commit-id = "69213b1ba1e485ecd2914169abfc0609cdea723e" }
[[packages]]
name = "here"
directory = { path = "here" }
"#;

    #[test]
    fn one_file_is_chosen_for_each_distribution() {
        let target = WheelTarget::new(vocab::PlatformKey::LinuxX64, "3.12.10".parse().unwrap());
        let answers = read(TEXT, &target, &|_| false).unwrap();
        let names: Vec<_> = answers.iter().map(|answer| answer.name.as_str()).collect();
        assert_eq!(names, ["here", "pycosat", "tool", "torch"]);
        let AnswerSource::Wheel(torch) = &answers[3].source else { panic!("{:?}", answers[3]) };
        assert_eq!(torch.file_name.as_str(), "torch-2.7.0+cu126-cp312-cp312-manylinux_2_28_x86_64.whl");
        assert_eq!(torch.size, Some(7));
        assert!(matches!(&answers[1].source, AnswerSource::Sdist(file) if &*file.file_name == "pycosat-0.6.6.tar.gz"));
        assert!(matches!(&answers[2].source, AnswerSource::Git { commit, .. } if commit.len() == 40));
        assert_eq!(answers[0].source, AnswerSource::Local);
    }

    #[test]
    fn a_distribution_without_a_file_is_named() {
        let target = WheelTarget::new(vocab::PlatformKey::WindowsX64, "3.12.10".parse().unwrap());
        let error = read(TEXT, &target, &|_| false).unwrap_err();
        assert_eq!(error.to_string(), "the resolver named no suitable file for `torch`");
        assert!(matches!(read("packages = 3", &target, &|_| false), Err(PylockError::Toml(_))));
    }

    #[test]
    fn attack_13_a_file_whose_name_leads_elsewhere_is_refused() {
        let target = WheelTarget::new(vocab::PlatformKey::LinuxX64, "3.12.10".parse().unwrap());
        for bad in ["-rf.tar.gz", "../pycosat-0.6.6.tar.gz", "..%2Fpycosat.tar.gz"] {
            let (name, url) = if bad.contains('%') { ("", format!("/{bad}")) } else { (bad, "/x.tar.gz".to_owned()) };
            let name = if name.is_empty() { String::new() } else { format!("name = \"{name}\", ") };
            let text = format!(
                "packages = [{{ name = \"pycosat\", sdist = {{ {name}url = \"https://host.example{url}\" }} }}]"
            );
            let error = read(&text, &target, &|_| false).unwrap_err();
            assert!(matches!(error, PylockError::FileName { .. }), "for {bad}: {error}");
        }
    }
}
