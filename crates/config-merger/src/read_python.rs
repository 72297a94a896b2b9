//! Reads the keys `python` (the base interpreter) and `layout` (the form of the result).

use vocab::Digest;

use crate::layer::{ArchiveLayer, PythonLayer, ReleaseLayer};
use crate::read_layer::check_url;
use crate::reader::{ConfigCursor, ConfigReader};
use crate::requirement_text::repository_path;
use crate::{BaseSource, FindingCode, Layout};
use vocab::json::JsonKind;
use vocab::quoted::shown;

impl ConfigReader<'_> {
    /// `provider` is read as a list of one source.
    pub(crate) fn python(&mut self, at: &ConfigCursor<'_>) -> Option<PythonLayer> {
        let mut fields = self.fields(at)?;
        if fields.has("provider") && fields.has("sources") {
            let text = "`provider` and `sources` cannot both be given";
            let hint = "`provider` is short for a list of one source";
            self.fault(at, FindingCode::Conflict, text, Some(hint.into()));
        }
        let provider = fields.take("provider").and_then(|at| self.base_source(&at));
        let sources = fields.take("sources").and_then(|at| self.base_sources(&at));
        let layer = PythonLayer {
            sources: sources.or(provider.map(|source| vec![source])),
            provider: None,
            tag: fields
                .take("tag")
                .inspect(|at| self.remember(at, "/python/tag"))
                .and_then(|at| self.plain_word(&at, "a release such as `20250529`, a string,")),
            flavor: fields
                .take("flavor")
                .inspect(|at| self.remember(at, "/python/flavor"))
                .and_then(|at| self.plain_word(&at, "a build flavour such as `install_only`, a string,")),
            archives: fields
                .take("archives")
                .inspect(|at| self.remember(at, "/python/archives"))
                .and_then(|at| self.by_platform(&at, "/python/archives", |reader, at, _| reader.archive(at))),
            releases: fields.take("releases").inspect(|at| self.remember(at, "/python/releases")).and_then(|at| {
                self.by_version(&at, "/python/releases", |reader, at, pointer| {
                    reader.by_platform(at, pointer, |reader, at, _| reader.release(at))
                })
            }),
            downloads: fields
                .take("downloads")
                .inspect(|at| self.remember(at, "/python/downloads"))
                .and_then(|at| self.archive(&at)),
        };
        self.finish(&fields);
        Some(layer)
    }

    fn base_sources(&mut self, at: &ConfigCursor<'_>) -> Option<Vec<BaseSource>> {
        let mut sources = self.list(at, "a list of sources", |reader, at| reader.base_source(at))?;
        let mut seen = Vec::new();
        sources.retain(|source| {
            !seen.contains(source) && {
                seen.push(*source);
                true
            }
        });
        if let JsonKind::Array(items) = &at.node.kind
            && items.is_empty()
        {
            let hint = "leave the key out for the default order";
            self.fault(at, FindingCode::Value, "a list without any source", Some(hint.into()));
        }
        (!sources.is_empty()).then_some(sources)
    }

    fn base_source(&mut self, at: &ConfigCursor<'_>) -> Option<BaseSource> {
        let words = BaseSource::ALL.map(BaseSource::as_str);
        self.word(at, "a source of base interpreters", &words).map(|index| BaseSource::ALL[index])
    }

    /// Unknown words are reported.
    pub(crate) fn layout(&mut self, at: &ConfigCursor<'_>) -> Option<Layout> {
        const LAYOUTS: [Layout; 3] = [Layout::Installed, Layout::Wheelhouse, Layout::Both];
        self.word(at, "a layout", &["installed", "wheelhouse", "both"]).map(|index| LAYOUTS[index])
    }

    /// The index of one of `words`.
    pub fn word(&mut self, at: &ConfigCursor<'_>, what: &str, words: &[&str]) -> Option<usize> {
        let text = self.string(at, &format!("{what}, a string,"))?;
        let found = words.iter().position(|word| *word == text);
        if found.is_none() {
            let hint = format!("write one of {}", words.join(", "));
            self.fault(at, FindingCode::Value, format!("{} is not {what}", shown(text)), Some(hint));
        }
        found
    }

    /// A word that is safe in a URL and in a file name.
    fn plain_word(&mut self, at: &ConfigCursor<'_>, expected: &str) -> Option<String> {
        let text = self.string(at, expected)?.trim();
        let plain = text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '+'));
        if text.is_empty() || !plain || text.contains("..") {
            let hint = "use ASCII letters, digits, `-`, `_`, `.` and `+`";
            self.fault(at, FindingCode::Value, format!("{} cannot be used here", shown(text)), Some(hint.into()));
            return None;
        }
        Some(text.to_owned())
    }

    fn release(&mut self, at: &ConfigCursor<'_>) -> Option<ReleaseLayer> {
        let mut fields = self.fields(at)?;
        let tag = self.required(&mut fields, at, "tag");
        let tag = tag.and_then(|at| self.plain_word(&at, "a release such as `20250529`, a string,"));
        let asset = self.required(&mut fields, at, "asset").and_then(|at| self.asset(&at));
        let sha256 = self.required(&mut fields, at, "sha256").and_then(|at| self.digest(&at));
        self.finish(&fields);
        Some(ReleaseLayer { tag: tag?, asset: asset?, sha256: sha256? })
    }

    fn asset(&mut self, at: &ConfigCursor<'_>) -> Option<String> {
        let name = self.plain_word(at, "the name of a file of the release, a string,")?;
        if name.ends_with(".tar.gz") || name.ends_with(".tar.zst") {
            return Some(name);
        }
        let hint = "take one that ends with `.tar.gz` or `.tar.zst`, such as `…-install_only.tar.gz`";
        self.fault(at, FindingCode::Value, format!("{} is not an archive", shown(&name)), Some(hint.into()));
        None
    }

    fn archive(&mut self, at: &ConfigCursor<'_>) -> Option<ArchiveLayer> {
        let mut fields = self.fields(at)?;
        let url = self.required(&mut fields, at, "url").and_then(|at| self.archive_url(&at));
        let sha256 = self.required(&mut fields, at, "sha256").and_then(|at| self.digest(&at));
        self.finish(&fields);
        Some(ArchiveLayer { url: url?, sha256: sha256? })
    }

    fn archive_url(&mut self, at: &ConfigCursor<'_>) -> Option<String> {
        let text = self.string(at, "a URL or a path, a string,")?.trim();
        let checked = if text.starts_with("./") || text.starts_with("../") {
            repository_path(text, self.version).map(drop)
        } else {
            check_url(text, "an archive")
        };
        match checked {
            Ok(()) => Some(text.to_owned()),
            Err(complaint) => {
                self.complaint(at, FindingCode::Value, complaint);
                None
            }
        }
    }

    fn digest(&mut self, at: &ConfigCursor<'_>) -> Option<String> {
        let text = self.string(at, "a SHA-256, a string,")?;
        match text.trim().parse::<Digest>() {
            Ok(digest) => Some(digest.to_string()),
            Err(_) => {
                let text = format!("{} is not a SHA-256", shown(text));
                self.fault(at, FindingCode::Value, text, Some("it has 64 hexadecimal digits".into()));
                None
            }
        }
    }
}
