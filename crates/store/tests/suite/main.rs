//! All tests of the store and its downloads, as one program.

#[cfg(unix)]
mod credentials;
mod download;
mod export;
mod remote;
mod shared;
