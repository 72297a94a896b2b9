//! What is made before any pod starts: deltas and images. The tests of `bake` ask an index on loopback through the real uv.
#![cfg(target_os = "linux")]

mod bake;
mod delta;
mod image;
mod support;
