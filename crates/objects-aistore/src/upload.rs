//! Bringing a file: in one put, or in parts side by side.

use aistore_client::{
    Checksum, ChecksumKind, CustomMetadata, HeadOptions, MultipartUpload, ObjectContent, ObjectHandle,
};
use objects::{ObjectUpload, PlaceErrorKind as Kind, TransferWork, UploadOutcome};
use vocab::side_by_side;

use crate::failure::kind_of;
use crate::{AistorePlace, ClusterResult};

/// What goes in one put, and the size of parts beyond that.
const PART: u64 = 16 << 20;

/// Parts that are sent at once. Each holds about a MiB of memory.
const SIDE_BY_SIDE: usize = 4;

impl AistorePlace {
    pub(crate) fn bring(&self, upload: &ObjectUpload<'_>, work: &TransferWork<'_>) -> ClusterResult<UploadOutcome> {
        let object = self.object(upload.key)?;
        let id = work.begin(upload.key.file_name(), upload.size);
        // Nobody else's object is to be overwritten, and the look before this upload may be long ago.
        let may_be_placed = || -> ClusterResult<bool> {
            upload.approve()?;
            let holds = self.holds(upload.key, &upload.expected())?;
            if !holds {
                work.finish(id);
            }
            Ok(holds)
        };
        if upload.size <= PART {
            if !may_be_placed()? {
                return Ok(UploadOutcome::THEIRS);
            }
            let content = ObjectContent::part_of_file(upload.file, 0, upload.size);
            object.put(content, &self.put_options()?).map_err(kind_of)?;
            work.advance(id, upload.size);
        } else {
            let kind = self.checksum_kind()?;
            let parts = object.begin_multipart(&CustomMetadata::new()).map_err(kind_of)?;
            let placed = send_parts(&parts, upload, work, &|bytes| work.advance(id, bytes))
                .and_then(|count| may_be_placed()?.then(|| complete(&parts, count, upload, kind)).transpose());
            if !matches!(placed, Ok(Some(_))) {
                // What cannot be taken back stays invisible.
                let _ = parts.abort();
            }
            let Some(checksum) = placed? else { return Ok(UploadOutcome::THEIRS) };
            verify(&object, upload, checksum)?;
        }
        work.finish(id);
        Ok(UploadOutcome::sent(upload.size))
    }
}

/// Gives how many parts there are.
fn send_parts(
    to: &MultipartUpload<'_>,
    upload: &ObjectUpload<'_>,
    work: &TransferWork<'_>,
    advanced: &(dyn Fn(u64) + Sync),
) -> ClusterResult<u32> {
    let count = upload.size.div_ceil(PART);
    let send_one = |index: u64| -> ClusterResult<()> {
        (work.watch)()?;
        let from = index * PART;
        let length = PART.min(upload.size - from);
        // The server wants numbers from 1 on; there are never as many parts as numbers.
        let number = u32::try_from(index + 1).unwrap_or(u32::MAX);
        to.put_part(number, ObjectContent::part_of_file(upload.file, from, length)).map_err(kind_of)?;
        advanced(length);
        Ok(())
    };
    let pieces = usize::try_from(count).unwrap_or(usize::MAX);
    side_by_side(SIDE_BY_SIDE, pieces, || (), |(), index| send_one(index as u64))?;
    Ok(u32::try_from(count).unwrap_or(u32::MAX))
}

/// Gives the checksum of the file: the cluster computes that of the object now, and so both are done at once.
fn complete(
    parts: &MultipartUpload<'_>,
    count: u32,
    upload: &ObjectUpload<'_>,
    kind: ChecksumKind,
) -> ClusterResult<Checksum> {
    std::thread::scope(|scope| {
        let checksum = scope.spawn(|| Checksum::of_file(upload.file, kind));
        let completed = parts.complete(count).map_err(kind_of);
        let checksum = checksum.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        completed.and(checksum.map_err(kind_of))
    })
}

/// The cluster does not look at the checksums of parts, so the whole is compared. What is not as it was sent is removed.
fn verify(object: &ObjectHandle<'_>, upload: &ObjectUpload<'_>, mut expected: Checksum) -> ClusterResult<()> {
    let asked = HeadOptions { properties: "size,checksum".to_owned() };
    let found = object.properties(&asked).map_err(kind_of)?;
    if let Some(kind) = found.checksum.as_ref().map(|checksum| checksum.kind).filter(|kind| *kind != expected.kind) {
        expected = Checksum::of_file(upload.file, kind).map_err(kind_of)?;
    }
    let said = if found.size != Some(upload.size) {
        format!("{} bytes were sent, {:?} are there", upload.size, found.size)
    } else if found.checksum.as_ref().is_some_and(|actual| *actual != expected) {
        format!("`{}` has another checksum than was sent", object.name())
    } else {
        return Ok(());
    };
    let _ = object.delete();
    Err(Kind::Checksum { said })
}
