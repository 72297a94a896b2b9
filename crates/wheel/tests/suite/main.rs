//! All tests of wheels, unpacked and laid out in a prefix, as one program.

mod hostile;
mod install;
#[cfg(unix)]
mod many;
