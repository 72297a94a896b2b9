//! A client of AIStore's native API: buckets, objects, multipart uploads, jobs, the cluster. It knows nothing of the
//! rest of this project, and stands on [`web`] alone. Callers block.
//!
//! Names are checked before any request. Errors say why by type ([`RefusalKind`]), never guessed from a status that has
//! several reasons. Nothing here reads the environment.
//!
//! ```no_run
//! use aistore_client::{Bucket, Client, CreateOptions, GetOptions, ObjectContent, PutOptions, Settings};
//!
//! # fn main() -> Result<(), aistore_client::Error> {
//! let client = Client::new(Settings::new("http://127.0.0.1:8080"))?;
//! let bucket = client.bucket(Bucket::new("demo")?);
//! bucket.create(&CreateOptions { exist_ok: true, ..CreateOptions::default() })?;
//! let object = bucket.object("dir/greeting")?;
//! object.put(ObjectContent::bytes("hello"), &PutOptions::default())?;
//! assert_eq!(object.get(&GetOptions::default())?.bytes()?, b"hello");
//! # Ok(())
//! # }
//! ```

mod address;
mod bucket;
mod bucket_properties;
mod call;
mod checksum;
mod client;
mod cluster;
mod cluster_map;
mod content;
mod custom_metadata;
mod endpoint;
mod error;
pub mod former;
mod group;
mod hashing;
mod headers;
mod job;
mod listing;
mod multipart;
mod names;
mod object;
mod object_properties;
mod object_reader;
mod placement;
mod settings;

pub use address::Address;
pub use bucket::{
    BucketHandle, BucketPresence, BucketSummary, CopyBucketOptions, CreateOptions, DestroyOptions, EvictOptions,
    SummaryOptions,
};
pub use bucket_properties::BucketProperties;
pub use checksum::{Checksum, ChecksumKind};
pub use client::Client;
pub use cluster::ClusterHealth;
pub use cluster_map::{ClusterMap, ClusterNode, NodeNetwork};
pub use content::ObjectContent;
pub use custom_metadata::CustomMetadata;
pub use error::{Error, Refusal, RefusalKind};
pub use group::{ArchiveOptions, CopyGroupOptions, ObjectGroup};
pub use job::{JobHandle, JobQuery, JobSnapshot, JobStatus, WaitOptions};
pub use listing::{ListFlags, ListOptions, Listing, ListingCoding, ListingEntry, ListingPage};
pub use multipart::MultipartUpload;
pub use names::{Bucket, Namespace, ObjectName, Provider};
pub use object::{
    AppendHandle, CopyOptions, HeadOptions, MetadataUpdate, ObjectHandle, PromoteOptions, PutOptions, PutResult,
};
pub use object_properties::ObjectProperties;
pub use object_reader::{ArchiveMember, ByteRange, GetOptions, ObjectReader};
pub use settings::{Reads, Settings, VARIABLES, Variables};
pub use web::Retries;
