//! All tests of what is said of a prefix without running it, as one program.

mod native_files;
mod whitelists;
