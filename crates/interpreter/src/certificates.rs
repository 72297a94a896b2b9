//! HTTPS on systems that have no certificates where the interpreter's OpenSSL looks, such as RHEL 8 or a bare
//! container.
//!
//! Where OpenSSL looks is compiled into it, and differs between distributions. The module `ssl` is extended by a few
//! lines that look in the other usual places, and at last in a bundle beside it. Environments have the same `ssl`, a
//! moved tree finds its bundle again, and nothing is done before `ssl` is imported. Windows has a store of its own.

use std::path::Path;

use vocab::{Os, TreeLayout, TreePath};

use super::disk::{Result, read, write};

const EXTENSION: &str = include_str!("certificates.py");

/// Mozilla's list as pip has it from certifi; named in the extension, too.
fn bundle(layout: TreeLayout) -> TreePath {
    below(&layout.stdlib(), "_pydist_cacert.pem")
}

/// Leaves a tree without pip as it is: it has no bundle.
pub(super) fn settle_certificates(tree: &Path, layout: TreeLayout) -> Result<()> {
    let ssl = below(&layout.stdlib(), "ssl.py").below(tree);
    let of_pip = below(&layout.site_packages(), "pip/_vendor/certifi/cacert.pem").below(tree);
    if layout.platform.os() == Os::Windows || !ssl.is_file() || !of_pip.is_file() {
        return Ok(());
    }
    write(&bundle(layout).below(tree), &read(&of_pip)?)?;
    let mut code = read(&ssl)?;
    // A system interpreter may come from a runtime of ours.
    if !code.ends_with(EXTENSION.as_bytes()) {
        code.extend_from_slice(EXTENSION.as_bytes());
        write(&ssl, &code)?;
    }
    Ok(())
}

/// Whether HTTPS works wherever the tree is.
pub(super) fn are_there(tree: &Path, layout: TreeLayout) -> bool {
    layout.platform.os() == Os::Windows || bundle(layout).below(tree).is_file()
}

fn below(folder: &TreePath, name: &str) -> TreePath {
    folder.join(&name.parse().expect("a plain path"))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn ssl_is_extended_once_and_only_where_there_is_a_bundle() {
        let layout = TreeLayout { platform: vocab::PlatformKey::LinuxX64, python: "3.12.1".parse().unwrap() };
        let tree = tempfile::tempdir().unwrap();
        let ssl = layout.stdlib().below(tree.path()).join("ssl.py");
        fs::create_dir_all(ssl.parent().unwrap()).unwrap();
        fs::write(&ssl, "import os\n").unwrap();
        settle_certificates(tree.path(), layout).unwrap();
        assert_eq!(
            (fs::read_to_string(&ssl).unwrap().as_str(), are_there(tree.path(), layout)),
            ("import os\n", false)
        );

        let of_pip = layout.site_packages().below(tree.path()).join("pip/_vendor/certifi");
        fs::create_dir_all(&of_pip).unwrap();
        fs::write(of_pip.join("cacert.pem"), "certificates").unwrap();
        for _ in 0..2 {
            settle_certificates(tree.path(), layout).unwrap();
            assert_eq!(fs::read_to_string(&ssl).unwrap(), format!("import os\n{EXTENSION}"));
        }
        assert_eq!(fs::read_to_string(ssl.with_file_name("_pydist_cacert.pem")).unwrap(), "certificates");
        assert!(are_there(tree.path(), layout));
    }
}
