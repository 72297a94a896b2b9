//! On macOS, tells the linker that Python's symbols are those of the process that loads the module.

fn main() {
    pyo3_build_config::add_extension_module_link_args();
}
