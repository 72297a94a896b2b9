//! A store that can be read and not written, such as a read-only volume: what it has is not fetched.

use std::fs::File;
use std::io;

use store::{Context, Store};
use vocab::{Digest, DigestWriter};

use super::DeltaFile;

/// Whether it has all of these wheels unpacked and their byte code, so that it can serve in place of a pod's own store.
///
/// Every file of the wheels is read: who can only read a store neither filled it nor can mend it. Byte code is held to its
/// digest when it is unpacked.
pub fn has_unpacked(warm: &Store, files: &[DeltaFile], context: &Context) -> bool {
    let has_byte_code = |file: &DeltaFile| file.byte_code.as_ref().is_none_or(|it| warm.blob(&it.sha256).is_file());
    let lies_there = |file: &DeltaFile| warm.wheel(&file.sha256).is_dir() && has_byte_code(file);
    let is_sound = |file: &DeltaFile| match wheel::verify_unpacked(&warm.wheel(&file.sha256)) {
        Ok(contents) => contents.sha256 == file.sha256,
        Err(reason) => {
            context.note(format!("`{}` in `{}` is not used: {reason}", file.name, warm.root().display()));
            false
        }
    };
    files.iter().all(lies_there) && files.iter().all(is_sound)
}

/// Copies files that the store of `context` lacks. One that is damaged, or cannot be copied, is fetched like one that is not
/// there.
pub fn take(warm: &Store, digests: impl IntoIterator<Item = Digest>, context: &Context) {
    for sha256 in digests {
        let there = warm.blob(&sha256);
        if !context.store.blob(&sha256).is_file() && there.is_file() {
            let taken = File::open(&there).map_err(drop).and_then(|file| take_one(file, &sha256, context));
            if taken.is_err() {
                context.note(format!("`{}` cannot be used, and is fetched instead", there.display()));
            }
        }
    }
}

/// The error is of no use: the wheel is fetched then, which says what is wrong with this pod's own store.
fn take_one(mut file: File, sha256: &Digest, context: &Context) -> Result<(), ()> {
    let staged = context.store.stage_file().map_err(drop)?;
    let mut writer = DigestWriter::new(File::create_new(staged.path()).map_err(drop)?);
    io::copy(&mut file, &mut writer).map_err(drop)?;
    let (_, actual) = writer.finish();
    if actual != *sha256 {
        return Err(());
    }
    context.store.publish_file(staged, &context.store.blob(sha256)).map_err(drop).map(drop)
}
