//! A delta: what a runtime lacks for some requirements, made beforehand, so that a pod needs no index (docs/formats/delta.md).
//!
//! It is a record, wheels and their byte code, in a place of objects: a folder, a bucket, a cluster, or what a web server shows of a folder. The
//! wheels lie there as those of a remote store do, by digest, so that deltas share what they have in common, and a place may be
//! both.

mod bake;
mod byte_code;
mod compile;
mod delta_place;
mod error;
mod install;
mod overlay;
mod record;
mod sources;
mod warm_store;
mod wheels;

pub use bake::{BakedDelta, bake, wheels_for};
pub use delta_place::DeltaPlace;
pub use error::DeltaError;
pub use install::{FoundDelta, find, install};
pub use overlay::{OverlayError, fill_overlay, install_wheels};
pub use record::{ByteCodeFile, DELTA_FORMAT, DeltaFile, DeltaRecord, delta_name, requirement_line};
pub use wheels::{LackingWheels, NoWheels, WheelsFor, lacking_wheels};
