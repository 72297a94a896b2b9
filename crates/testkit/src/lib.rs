//! What the tests of the other crates are made of: small wheels, sdists and native files, a package index, an HTTP
//! server with scripted faults, an S3 server and what goes wrong on the way to one, an AIStore in memory or a real one, a
//! git repository, a pydist repository, hostile text, OCI images before others' programs. Everything is made on the spot, has the
//! same bytes each time, and works without a network (except [`ReleaseMirror`]).
//!
//! ```
//! use testkit::{FixtureIndex, WheelBuilder};
//!
//! let mut index = FixtureIndex::new();
//! index.add(WheelBuilder::new("demo", "1.0").requires("other>=2").build());
//! let served = index.serve();
//! assert!(served.simple_url().starts_with("http://127.0.0.1:"));
//! ```
//!
//! Helpers that need a crate of ours have a feature of its name, so that no test compiles what it does not use: trees and a
//! runtime (`archive`), published runtimes (`catalogue`), what every place of objects has to do (`objects`), a throw-away store (`store`), and wheels in it
//! (`wheel`). They are for `tests/`: a unit test has another copy of its own crate.
//!
//! A helper that cannot do its work panics: in a test that is the failure it should be.

#[cfg(feature = "aistore")]
pub mod aistore;
#[cfg(feature = "objects")]
pub mod conformance;
pub mod elf_file;
mod files;
mod fixture_file;
mod fixture_index;
mod git_repository;
mod hostile_text;
mod http_message;
mod http_server;
#[cfg(unix)]
pub mod images;
mod interrupt;
mod left_out;
pub mod macho_file;
pub mod pe_file;
#[cfg(feature = "catalogue")]
mod published;
mod release_mirror;
#[cfg(feature = "archive")]
pub mod runtime;
mod s3_proxy;
#[cfg(feature = "s3")]
mod s3_server;
mod sdist_builder;
#[cfg(feature = "store")]
pub mod store_bench;
mod test_repository;
#[cfg(feature = "archive")]
pub mod trees;
#[cfg(feature = "s3")]
mod versitygw;
#[cfg(feature = "wheel")]
pub mod wheel_bench;
mod wheel_builder;

pub use elf_file::ElfFile;
pub use files::{files_below, told, write};
pub use fixture_file::FixtureFile;
pub use fixture_index::{FixtureIndex, ServedIndex};
pub use git_repository::GitRepository;
pub use hostile_text::{HOSTILE_TEXT, assert_harmless};
pub use http_server::{HttpMishap, HttpRequest, HttpServer};
pub use interrupt::{interrupt, start_interruptible};
pub use left_out::is_left_out;
pub use macho_file::MachoFile;
pub use pe_file::PeFile;
#[cfg(feature = "catalogue")]
pub use published::{Published, noise};
pub use release_mirror::ReleaseMirror;
pub use s3_proxy::{S3Fault, S3Proxy};
#[cfg(feature = "s3")]
pub use s3_server::S3Server;
pub use sdist_builder::{SdistBuilder, SdistStumble};
pub use test_repository::TestRepository;
#[cfg(feature = "s3")]
pub use versitygw::Versitygw;
pub use wheel_builder::{RecordFault, WheelBuilder};
