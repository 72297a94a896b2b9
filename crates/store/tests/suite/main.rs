//! All tests of the store and its downloads, as one program.

mod download;
mod remote;
mod shared;
mod support;
