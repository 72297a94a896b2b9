//! A Go module as a zip file, and its checksum.

use std::fs::File;
use std::io::{BufReader, Read as _};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rayon::prelude::*;
use vocab::Digest;
use zip::ZipArchive;

use super::disk::{Result, at};
use super::error::BaseErrorKind;
use store::Context;

/// Reads `h1:` and base64, the spelling of `go.sum`.
pub(super) fn parse_sum(text: &str) -> Option<Digest> {
    let bytes = STANDARD.decode(text.strip_prefix("h1:")?).ok()?;
    bytes.try_into().ok().map(Digest::from_bytes)
}

pub(super) fn show_sum(digest: &Digest) -> String {
    format!("h1:{}", STANDARD.encode(digest.as_bytes()))
}

/// Every name in it begins with `<module>@<version>/`.
pub(super) struct ModuleZip {
    path: PathBuf,
    /// `<module>@<version>/`.
    top: String,
    names: Vec<String>,
}

type GoArchive = ZipArchive<BufReader<File>>;

impl ModuleZip {
    pub(super) fn open(path: &Path, top: &str) -> Result<Self> {
        let mut module = Self { path: path.to_owned(), top: top.to_owned(), names: Vec::new() };
        let archive = module.archive()?;
        let names: std::result::Result<Vec<String>, _> =
            archive.file_names().map(|name| name.map(std::borrow::Cow::into_owned)).collect();
        module.names = names.map_err(|error| module.damaged("", &error))?;
        Ok(module)
    }

    /// Go's checksum over all files. Source: `golang.org/x/mod/sumdb/dirhash`, `Hash1`.
    pub(super) fn sum(&self, context: &Context) -> Result<Digest> {
        let mut names: Vec<&String> = self.names.iter().collect();
        names.sort();
        let piece = names.len().div_ceil(context.jobs.clamp(1, 16)).max(1);
        let lines: Result<Vec<String>> = names
            .par_chunks(piece)
            .map(|names| {
                let mut archive = self.archive()?;
                let mut lines = String::new();
                for name in names {
                    if context.is_cancelled() {
                        return Err(BaseErrorKind::Cancelled);
                    }
                    let entry = archive.by_name(name).map_err(|error| self.damaged(name, &error))?;
                    let (digest, _) = Digest::of_reader(entry).map_err(|error| self.damaged(name, &error))?;
                    lines.push_str(&format!("{digest}  {name}\n"));
                }
                Ok(lines)
            })
            .collect();
        Ok(Digest::of(lines?.concat()))
    }

    /// One reader of the module's files. Several can work at the same time.
    pub(super) fn reader(&self) -> Result<ModuleReader<'_>> {
        Ok(ModuleReader { module: self, archive: self.archive()? })
    }

    fn archive(&self) -> Result<GoArchive> {
        let file = File::open(&self.path).map_err(at("open", &self.path))?;
        ZipArchive::new(BufReader::with_capacity(1 << 16, file)).map_err(|error| self.damaged("", &error))
    }

    fn damaged(&self, name: &str, error: &dyn std::error::Error) -> BaseErrorKind {
        let file = if name.is_empty() { self.path.display().to_string() } else { name.to_owned() };
        BaseErrorKind::ModuleFile { file, reason: error.to_string() }
    }
}

pub(super) struct ModuleReader<'a> {
    module: &'a ModuleZip,
    archive: GoArchive,
}

impl ModuleReader<'_> {
    /// `name` is below the module's top folder.
    pub(super) fn read(&mut self, name: &str) -> Result<Vec<u8>> {
        let whole = format!("{}{name}", self.module.top);
        let mut entry = self.archive.by_name(&whole).map_err(|error| self.module.damaged(name, &error))?;
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).map_err(|error| self.module.damaged(name, &error))?;
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sum_is_that_of_sorted_lines_of_digest_and_name() {
        use std::io::Write as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("m.zip");
        let mut writer = zip::ZipWriter::new(File::create(&path).unwrap());
        for (name, content) in [("m@v1/b", "two"), ("m@v1/a", "one")] {
            writer.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
            writer.write_all(content.as_bytes()).unwrap();
        }
        writer.finish().unwrap();
        let module = ModuleZip::open(&path, "m@v1/").unwrap();
        let context = store::Context::quiet(folder.path().join("store"));
        let lines = format!("{}  m@v1/a\n{}  m@v1/b\n", Digest::of("one"), Digest::of("two"));
        assert_eq!(module.sum(&context).unwrap(), Digest::of(lines));
        assert_eq!(module.reader().unwrap().read("a").unwrap(), b"one");
    }

    #[test]
    fn a_go_checksum_survives_parse_and_show() {
        let text = "h1:oGUS7++Wm3LgxUfD6AmJgKbKQD2wdQFO9PzyJv6T+E4=";
        assert_eq!(show_sum(&parse_sum(text).unwrap()), text);
        for text in ["", "h2:oGUS", "h1:oGUS", "h1:???"] {
            assert_eq!(parse_sum(text), None, "for {text:?}");
        }
    }
}
