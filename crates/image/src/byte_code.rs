//! Byte code of an image's modules: whatever is not compiled when the image is made is compiled at every start of a container,
//! since its root is new each time. Runtimes themselves come without it.

use std::collections::BTreeSet;
use std::path::Path;

use archive::{EntryKind, PartSource, TreeEntry};
use process::{Invocation, run_telling};
use vocab::{Fault, TreeLayout, TreePath, Work};

/// The runtime whose modules are compiled: unpacked, for this machine's platform.
#[derive(Clone, Copy, Debug)]
pub struct CompiledTree<'a> {
    pub tree: &'a Path,
    pub interpreter: &'a Path,
    pub layout: TreeLayout,
    /// Where it will be in the image.
    pub prefix: &'a TreePath,
    /// Those that change more often than all others: the name of their layer, and their sources.
    pub own: Option<(&'a str, &'a BTreeSet<TreePath>)>,
}

/// Modules cannot be compiled.
#[derive(Debug, thiserror::Error, Fault)]
#[error("the runtime's interpreter cannot compile its modules: {reason}")]
#[fault("E_BYTE_CODE", Build, hint("leave them uncompiled with --without-byte-code"))]
pub struct ByteCodeError {
    reason: String,
}

/// Compiles every module of a runtime, in place. Two layers: the interpreter's, which stays as long as the interpreter does,
/// and that of packages; and a third one above them for its own modules, if it names any.
///
/// Equal trees give equal bytes: one process compiles in the order of names, without the user's settings, with one seed of
/// hashes. A module that does not compile has no byte code, as after an installation by pip.
pub fn byte_code_layers(work: &Work, runtime: CompiledTree<'_>) -> Result<Vec<PartSource>, Box<dyn Fault>> {
    let CompiledTree { tree, prefix, .. } = runtime;
    let files = |entry: &TreeEntry| entry.kind != EntryKind::Directory;
    let before: BTreeSet<TreePath> = archive::scan(tree)?.into_iter().filter(files).map(|entry| entry.path).collect();
    let site = runtime.layout.site_packages();
    let library = site.parent().unwrap_or_else(|| site.clone());
    compile_modules(work, runtime.interpreter, &library.below(tree), tree, &format!("/{prefix}"))?;
    let made = archive::scan(tree)?.into_iter().filter(files).filter(|entry| !before.contains(&entry.path));
    let (packages, interpreter): (Vec<TreeEntry>, Vec<TreeEntry>) =
        made.filter(|entry| entry.path.as_str().ends_with(".pyc")).partition(|entry| entry.path.starts_with(&site));
    let is_own = |entry: &TreeEntry| {
        runtime.own.is_some_and(|(_, files)| source_of(&entry.path).is_some_and(|source| files.contains(&source)))
    };
    let (own, packages): (Vec<TreeEntry>, Vec<TreeEntry>) = packages.into_iter().partition(is_own);
    // An interpreter that does not start ends as one does that met a module it cannot compile.
    if interpreter.is_empty() && before.iter().any(|path| path.as_str().ends_with(".py")) {
        return Err(ByteCodeError { reason: "it made no byte code".to_owned() }.into());
    }
    let layer = |name: &str, entries: Vec<TreeEntry>| {
        let below = entries.into_iter().map(|entry| TreeEntry { path: prefix.join(&entry.path), ..entry });
        PartSource::new(name, below.collect())
    };
    let layers = [
        layer("byte code of the interpreter", interpreter),
        layer("byte code of packages", packages),
        layer(runtime.own.map_or("", |(name, _)| name), own),
    ];
    Ok(layers.into_iter().filter(|layer| !layer.entries.is_empty()).collect())
}

/// `a/x.py` of `a/__pycache__/x.cpython-312.pyc`.
fn source_of(byte_code: &TreePath) -> Option<TreePath> {
    let folder = byte_code.parent().filter(|folder| folder.file_name() == "__pycache__")?.parent()?;
    let name = byte_code.file_name().split('.').next()?;
    Some(folder.join(&format!("{name}.py").parse().ok()?))
}

/// Compiles the modules below `folder`, in place, with equal bytes from equal modules. The byte code names its modules as if
/// `tree` were at `shown`; Python puts the real place in when it imports them.
///
/// `unchecked-hash` files are believed without a look at their source, so this is for trees that nobody changes.
pub fn compile_modules(
    work: &Work,
    interpreter: &Path,
    folder: &Path,
    tree: &Path,
    shown: &str,
) -> Result<(), Box<dyn Fault>> {
    let words = ["-s", "-S", "-m", "compileall", "-qq", "-f", "--invalidation-mode", "unchecked-hash"];
    let mut invocation = Invocation::new(interpreter, tree).args(words);
    invocation = invocation.arg("-s").arg(tree);
    if !shown.is_empty() {
        invocation = invocation.arg("-p").arg(shown);
    }
    invocation = invocation.arg(folder);
    invocation = invocation.env("PYTHONHASHSEED", "0");
    invocation.clear_environment = true;
    let finished = run_telling(work, &invocation, "compileall")?;
    // 1: some modules do not compile, such as templates and tests of the compiler.
    if matches!(finished.code, Some(0 | 1)) {
        return Ok(());
    }
    let reason = process::shortened(&process::words_of(&finished.stderr_text()));
    Err(ByteCodeError { reason }.into())
}
