//! Where objects are kept by key: a folder, or a bucket behind the S3 protocol, by one address and through one trait.
//!
//! Runtimes are published to a [`Place`], and builders share one as their remote store. A place knows nothing of
//! artifacts, wheels or catalogues. What it promises is tested by one suite for all kinds
//! (`testkit/src/conformance.rs`): an object is never seen half written, a name that is taken stays as it is unless it
//! is replaced on purpose, and a replacement happens only if nobody else replaced it meanwhile.
//!
//! ```
//! use objects::{FolderPlace, ObjectKey, Place as _, PlaceAddress, PutOutcome};
//!
//! let folder = tempfile::tempdir()?;
//! let address = folder.path().display().to_string();
//! let PlaceAddress::Folder(path) = PlaceAddress::parse(&address, "--to")? else { unreachable!() };
//! let place = FolderPlace::new(path);
//! let key: ObjectKey = "entries/a.json".parse()?;
//! assert_eq!(place.create(&key, b"{}")?, PutOutcome::Ours);
//! assert_eq!(place.create(&key, b"other")?, PutOutcome::Theirs);
//! assert_eq!(place.list("entries/")?.len(), 1);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Buckets have two engines. [`SignedBucket`] signs its requests with keys that it is given or finds in a profile, and
//! needs nothing but `web`: the builder's remote store. The crate `objects-aws` has the other one, with all the ways in
//! which the AWS tools find credentials and with uploads in parts: the publisher's. What answers mean stands here for
//! both, in [`refusal`] and [`conditions`].
//!
//! A new kind of place implements [`Engine`]; what is the same for all is done around it.

mod address;
pub mod conditions;
mod engine;
mod error;
mod folder;
mod object_key;
mod place;
pub mod refusal;
mod signed;
mod turn;

pub use address::{ADDRESS_FORMS, BucketAddress, PlaceAddress, PlaceAddressError, PlaceAddressErrorKind};
pub use engine::{Engine, TurnLock, pass_on, unwritten};
pub use error::{PlaceError, PlaceErrorKind};
pub use folder::FolderPlace;
pub use object_key::{ObjectKey, ObjectKeyError};
pub use place::{
    ExpectedState, FormerObject, Leftover, ListedObject, Object, ObjectHead, ObjectTag, ObjectUpload, Place,
    PutOutcome, ReplaceOutcome, Result, SharedRange, TransferWatch, TransferWork, Turn, UNWATCHED, UploadOutcome,
    WaitingPublisher,
};
pub use signed::{ConnectError, ObjectStream, SignedBucket};
pub use turn::ObjectTurn;
