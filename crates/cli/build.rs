//! Hands the platform that is compiled for on to `--version`; cargo tells it to build scripts alone.

fn main() {
    let target = std::env::var("TARGET").unwrap_or_default();
    println!("cargo::rustc-env=PYDIST_TARGET={target}");
    println!("cargo::rerun-if-changed=build.rs");
}
