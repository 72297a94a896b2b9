//! What programs that write images of containers are asked for. Flattened into their arguments, so the comments of the fields are
//! help texts.

use std::path::PathBuf;

use clap::{ArgGroup, Args};

/// What an image stands on, and how its layers are packed. Whatever has these options also has a group `stands_on`, of all that
/// asks for an image.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
pub struct BaseOptions {
    /// A folder with the OCI image layout of a system with glibc, such as `skopeo copy docker://debian:12-slim oci:FOLDER`
    /// writes.
    #[arg(long, value_name = "DIR")]
    pub base: Option<PathBuf>,
    /// Which image of that layout, if it has several.
    #[arg(long, value_name = "NAME", requires = "base")]
    pub base_name: Option<String>,
    /// Compress layers with gzip, for registries and tools that do not know zstd.
    #[arg(long, requires = "stands_on")]
    pub gzip: bool,
    /// Leave modules uncompiled: a smaller image, whose containers compile them at every start.
    #[arg(long, requires = "stands_on")]
    pub without_byte_code: bool,
}

/// An image in a folder, on a base or without one.
#[derive(Args, Clone, Debug)]
#[command(group(ArgGroup::new("stands_on").required(true).args(["base", "without_base"])))]
pub struct ImageOptions {
    #[command(flatten)]
    pub base: BaseOptions,
    /// Only our own layers, to be stacked on a system by other means.
    #[arg(long, conflicts_with = "base_name")]
    pub without_base: bool,
    /// The folder to write; it must not exist, or be empty.
    #[arg(long, value_name = "DIR")]
    pub to: PathBuf,
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Program {
        #[command(flatten)]
        image: ImageOptions,
    }

    #[test]
    fn an_image_stands_on_a_base_or_says_that_it_does_not() {
        let cases = [
            (vec!["--base", "debian", "--to", "x"], true),
            (vec!["--base", "debian", "--base-name", "12", "--gzip", "--to", "x"], true),
            (vec!["--without-base", "--without-byte-code", "--to", "x"], true),
            (vec!["--to", "x"], false),
            (vec!["--base", "debian", "--without-base", "--to", "x"], false),
            (vec!["--without-base", "--base-name", "12", "--to", "x"], false),
            (vec!["--base", "debian"], false),
        ];
        for (words, is_valid) in cases {
            let parsed = Program::try_parse_from([&["program"], words.as_slice()].concat());
            assert_eq!(parsed.is_ok(), is_valid, "for {words:?}");
        }
    }
}
