"""The folder a bench works in: builder, a small repository of its own, the store, the wheels, the rivals' programs."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from trash import Trash

ROOT = Path(__file__).resolve().parents[3]
# What is fetched once and then stands still for both sides.
PEX = (ROOT / "scripts/requirements/pex.in").read_text().strip().removeprefix("pex==")


def run(arguments, **options):
    done = subprocess.run([str(word) for word in arguments], text=True, capture_output=True, **options)
    if done.returncode:
        sys.exit(f"exit code {done.returncode}: {' '.join(map(str, arguments))}\n{(done.stdout + done.stderr)[-4000:]}")
    return done.stdout


def remove(path):
    if path.is_symlink() or path.is_file():
        path.unlink()
    elif path.exists():
        shutil.rmtree(path)


def link_tree(source, target):
    """A copy that shares its files with `source`, where both are on one file system; both sides replace files, and
    never write into them."""
    target.parent.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(["cp", "-al", source, target], capture_output=True)
    if done.returncode:
        remove(target)
        run(["cp", "-a", source, target])


def cargo_build(profile, *arguments):
    run(["cargo", "build", "--quiet", "--profile", profile, *arguments], cwd=ROOT)
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")).resolve()
    return target / ("debug" if profile == "dev" else profile)


def uv_version():
    source = (ROOT / "crates/resolve/src/pinned_uv.rs").read_text()
    return re.search(r'UV_VERSION: &str = "([^"]+)"', source).group(1)


class Workshop:
    """`version` is built here without touching the repository's own folders."""

    def __init__(self, folder, version, binaries):
        self.folder, self.version = folder, version
        self.builder, self.archive = binaries / "builder", binaries / "archive"
        # One of the user's own is taken as it is; what the bench needs to be otherwise stands in copies of it.
        self.store = Path(os.environ.get("PYDIST_STORE") or folder / "store").resolve()
        self.wheels = folder / "wheels"
        self.repository = folder / "repository"
        self.product = None
        self.trash = Trash(folder / "trash")

    def set_up(self):
        """One whole build, which downloads what the store lacks; after it nothing asks the network any more."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.product = self.build(self.new_repository("repository"), self.store, offline=False)
        remove(self.wheels)
        self.wheels.mkdir()
        for row in self.wheel_rows():
            blob = self.blob(self.store, row["sha256"])
            try:
                os.link(blob, self.wheels / row["file"])
            except OSError:
                shutil.copyfile(blob, self.wheels / row["file"])
        self.pins = self.folder / "pins.txt"
        self.pins.write_text("".join(f"{row['name']}=={row['version']}\n" for row in self.wheel_rows()))
        # The interpreter alone, as the builder prepared it: the part of the prefix that no distribution owns.
        # A user's store may hold several; the newest of the right release is it.
        actual = self.product["manifest"]["base"]["actual"]
        self.minor_version = "python" + ".".join(actual.split(".")[:2])
        bases = [path for path in (self.store / "bases").iterdir() if (path / "lib" / self.minor_version).is_dir()]
        self.stored_base = max(bases, key=lambda path: path.stat().st_mtime)
        # Rivals copy `base`; programs run from another copy, since Python leaves compiled modules where it runs, and
        # the store's tree is shared with every prefix.
        self.base, self.running = self.folder / "base", self.folder / "running"
        for copy in (self.base, self.running):
            remove(copy)
            run(["cp", "-a", self.stored_base, copy])
        self.python = self.running / "bin" / "python3"

    def wheel_rows(self):
        return [row for row in self.product["manifest"]["distributions"] if row["origin"]["kind"] == "wheel"]

    @staticmethod
    def blob(store, digest):
        return store / "blobs" / digest[:2] / digest

    def new_repository(self, name):
        """The version's configuration and lock, nothing built."""
        folder = self.folder / name
        self.trash.put(folder)
        folder.mkdir(parents=True)
        shutil.copy(ROOT / "shared-config.json", folder)
        shutil.copytree(ROOT / "checker", folder / "checker")
        package = f"python-{self.version}"
        ignore = shutil.ignore_patterns("pydist", "logs")
        shutil.copytree(ROOT / package, folder / package, ignore=ignore)
        return folder

    def arguments(self, repository, store, *options, offline=True):
        network = ["--offline"] if offline else []
        fixed = ["--locked", "--allow-stand-in", "--json", *network, "--store-dir", store, "--repository", repository]
        return [self.builder, self.version, *fixed, "--out", repository / "dist", *options]

    def build(self, repository, store, *options, offline=True):
        """Untimed."""
        return product_of(run(self.arguments(repository, store, *options, offline=offline)))

    def clear(self, repository):
        """Neither a prefix nor an artifact."""
        self.trash.put(repository / f"python-{self.version}" / "pydist")
        self.trash.put(repository / "dist")

    def cold_store(self, target, *remembered):
        """Downloaded wheels and the base tree, nothing made of them, and only the `remembered` kinds of facts."""
        remove(target)
        for row in self.wheel_rows():
            blob = self.blob(target, row["sha256"])
            blob.parent.mkdir(parents=True, exist_ok=True)
            link_tree(self.blob(self.store, row["sha256"]), blob)
        for base in (self.stored_base, self.stored_base.with_suffix(".json")):
            link_tree(base, target / "bases" / base.name)
        # What the machine's own Python said about itself, which is about the base.
        for fact in ("system-python", "python-query", *remembered):
            if (self.store / "memory" / fact).exists():
                link_tree(self.store / "memory" / fact, target / "memory" / fact)

    def rivals(self, pex):
        """uv at the pinned version, and pex, in an environment of the base interpreter's; by its own pip."""
        home, python = self.folder / "rivals", self.python
        wanted = [f"uv=={uv_version()}"] + ([f"pex=={PEX}"] if pex else [])
        stamp = home / "wanted.txt"
        if not stamp.exists() or not set(wanted) <= set(stamp.read_text().split()):
            remove(home)
            run([python, "-m", "venv", "--without-pip", home])
            pinned = run([sys.executable, ROOT / "scripts/requirements/uv"])
            if pex:
                pinned += (ROOT / "scripts/requirements/pex.txt").read_text()
            (home / "requirements.txt").write_text(pinned)
            pip = [python, "-m", "pip", "--python", home / "bin" / "python", "install", "--quiet"]
            run([*pip, "--require-hashes", "-r", home / "requirements.txt"])
            stamp.write_text("\n".join(wanted))
        return home / "bin"

    def fetch_wheel(self, requirement):
        """The path of another version's wheel, which is not among the pinned ones."""
        target = self.folder / "other-wheels"
        target.mkdir(exist_ok=True)
        name, version = requirement.split("==")
        stem = f"{name.replace('-', '_')}-{version}-"
        if not list(target.glob(f"{stem}*.whl")):
            pip = [self.python, "-m", "pip", "download", "--quiet", "--no-deps"]
            run([*pip, "--only-binary", ":all:", "--dest", target, requirement])
        return next(target.glob(f"{stem}*.whl"))


def product_of(output):
    """The last line that the builder printed about a product."""
    for line in reversed(output.splitlines()):
        if line.startswith("{"):
            event = json.loads(line)
            if event.get("event") == "product":
                return event
    sys.exit(f"the builder told of no product:\n{output[-4000:]}")


def step_seconds(product, *names):
    return sum(step["elapsed_ms"] for step in product["steps"] if step["step"] in names) / 1000
