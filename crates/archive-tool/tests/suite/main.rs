//! All tests of the program, as one, but for `interrupt`, which needs a process of its own.

mod command_line;
