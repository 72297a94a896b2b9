"""What the publishing bench works with: an artifact of a runtime, the rivals' programs."""

import json
import os
import re
import shutil
import sys
from hashlib import sha256
from pathlib import Path

from workshop import ROOT, Workshop, product_of, remove, run

RCLONE = "v1.76.0"
# The index has version 1 of the AWS command line, whose `s3 cp` has no client of the Common Runtime; that client
# is in boto3's transfer manager.
PACKAGES = ("boto3[crt]==1.44.8", "awscli==1.46.3")
# Small pure packages, and versions of them that the configurations do not pin.
OTHER_PINS = ("tqdm==4.67.1", "idna==3.10", "pygments==2.18.0", "threadpoolctl==3.6.0")


def go_install(what, folder):
    """The program at its pinned version, through the user's own module proxy."""
    program = folder / "bin" / what.split("@")[0].split("/")[-1]
    stamp = folder / "wanted.txt"
    if not program.exists() or not stamp.exists() or stamp.read_text() != what:
        run(["go", "install", what], env=os.environ | {"GOBIN": str(program.parent.resolve())})
        stamp.write_text(what)
    return program


class PublishWorkshop(Workshop):
    """Builds from the user's own store: a runtime of this size is not downloaded again for a bench."""

    def __init__(self, folder, version, binaries):
        super().__init__(folder, version, binaries)
        self.publisher = binaries / "publisher"
        self.other = None

    def arguments(self, repository, store, *options, offline=True):
        words = super().arguments(repository, store, *options, offline=offline)
        place = words.index("--store-dir")
        return words[:place] + words[place + 2 :]

    def set_up(self):
        self.folder.mkdir(parents=True, exist_ok=True)
        self.rclone = go_install(f"github.com/rclone/rclone@{RCLONE}", ROOT / "target" / "tools" / "rclone")
        self.python = self.rivals_python()
        self.runtime = self.new_repository("repository")
        self.product = self.build(self.runtime, None, offline=False)

    def check_room(self):
        """The server holds a former artifact, the parts of the next one and what it puts together of them."""
        needed, free = 3.2 * self.described["size"], shutil.disk_usage(self.folder).free
        if free < needed:
            sys.exit(f"{needed / 1e9:.1f} GB are needed below {self.folder}, {free / 1e9:.1f} GB are free")

    def rivals_python(self):
        home = self.folder / "rivals"
        stamp, wanted = home / "wanted.txt", "\n".join(PACKAGES)
        if not stamp.exists() or stamp.read_text() != wanted:
            remove(home)
            run(["python3", "-m", "venv", home])
            run([home / "bin" / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *PACKAGES])
            stamp.write_text(wanted)
        return home / "bin" / "python"

    @property
    def artifact(self):
        return Path(self.product["artifacts"][0])

    @property
    def described(self):
        """The artifact in its manifest."""
        return self.product["manifest"]["artifact"]

    def change_pin(self, pin):
        """Builds the runtime again with one other pin, in place of the former artifact. Gives the pin."""
        lock_file = self.runtime / f"python-{self.version}" / "lock.json"
        lock = json.loads(lock_file.read_text())
        rows = lock["platforms"][self.product["manifest"]["platform"]]["distributions"]
        names = [row["name"] for row in rows]
        pins = [pin] if pin else OTHER_PINS
        found = [it for it in pins if normalised(it.split("==")[0]) in names]
        if not found:
            sys.exit(f"none of {', '.join(pins)} is a package of {self.version}; name another with --pin")
        name, version = found[0].split("==")
        row = rows[names.index(normalised(name))]
        if row["version"] == version:
            sys.exit(f"{self.version} has {found[0]} already; name another version with --pin")
        wheel = self.fetch_wheel(found[0])
        content = wheel.read_bytes()
        source = {"kind": "wheel", "file": wheel.name, "sha256": sha256(content).hexdigest(), "size": len(content)}
        before = f"{row['name']} {row['version']}"
        row["version"], row["source"] = version, source
        lock_file.write_text(json.dumps(lock, indent=2) + "\n")
        self.clear(self.runtime)
        self.product = product_of(run(self.arguments(self.runtime, None, offline=False)))
        return f"{before} → {version}"

    def clear_up(self):
        """The rivals' programs stay for the next time."""
        for name in ("repository", "other-wheels", "server"):
            remove(self.folder / name)


def normalised(name):
    return re.sub(r"[-_.]+", "-", name).lower()
