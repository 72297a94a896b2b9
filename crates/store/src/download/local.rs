//! Files that are already on this machine: `file:` URLs and plain paths.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};
use url::Url;
use vocab::Digest;

use super::{DownloadErrorKind, DownloadWatch, FetchRequest};
use crate::StoreError;

/// `None` for anything that is fetched over a network.
pub(super) fn path_of(url: &str) -> Option<PathBuf> {
    // `C:\wheels\x.whl` parses as a URL with the scheme `c`.
    if url.as_bytes().get(1) == Some(&b':') || !url.contains(':') {
        return Some(PathBuf::from(url));
    }
    match Url::parse(url) {
        Ok(parsed) if parsed.scheme() == "file" => parsed.to_file_path().ok(),
        Ok(_) => None,
        // `./odd:name.whl`
        Err(_) => (!url.contains("://")).then(|| PathBuf::from(url)),
    }
}

/// Opens a regular file: anything else may never end.
pub(super) fn open(path: &Path) -> Result<File, DownloadErrorKind> {
    vocab::open_regular(path).map_err(|source| match source.kind() {
        io::ErrorKind::InvalidInput => DownloadErrorKind::NotAFile,
        _ => DownloadErrorKind::Local { path: path.to_owned(), source },
    })
}

/// Copies `source` into the store when its digest is right.
pub(super) fn take_in(
    watch: &DownloadWatch<'_>,
    request: &FetchRequest,
    source: &Path,
) -> Result<(), DownloadErrorKind> {
    let unreadable = |error| DownloadErrorKind::Local { path: source.to_owned(), source: error };
    let store = &watch.context.store;
    let mut from = open(source)?;
    let limit = request.size.unwrap_or(request.largest(watch.context));
    let size = from.metadata().map_err(unreadable)?.len();
    match request.size {
        Some(expected) if expected != size => {
            return Err(DownloadErrorKind::SizeMismatch { expected, actual: size });
        }
        None if size > limit => return Err(DownloadErrorKind::TooLarge { limit }),
        _ => {}
    }
    let staged = store.stage_file()?;
    let unwritable = |error| StoreError::new("write", staged.path(), error);
    let mut to = File::create_new(staged.path()).map_err(unwritable)?;
    let (mut state, mut buffer, mut length) = (Sha256::new(), vec![0; 1 << 18], 0);
    loop {
        watch.check()?;
        let count = from.read(&mut buffer).map_err(unreadable)?;
        if count == 0 {
            break;
        }
        length += count as u64;
        if length > limit {
            // It grew meanwhile.
            return Err(DownloadErrorKind::TooLarge { limit });
        }
        state.update(&buffer[..count]);
        to.write_all(&buffer[..count]).map_err(unwritable)?;
    }
    drop(to);
    let (expected, actual) = (request.sha256, Digest::from_bytes(state.finalize().into()));
    if expected != actual {
        return Err(DownloadErrorKind::DigestMismatch { expected, actual });
    }
    store.publish_file(staged, &store.blob(&expected))?;
    Ok(())
}
