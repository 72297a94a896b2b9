"""Who brings an artifact to the server, and how; and what one changed pin costs."""

import json
import sys
from hashlib import file_digest
from pathlib import Path

from measure import Row, timed
from s3_server import KEY, REGION, SECRET, loopback_bytes
from workshop import remove, run

NAMES = {
    "rclone": "rclone",
    "rclone-tuned": "rclone, 8 parts of 16 MiB at once",
    "crt": "boto3's transfer, AWS Common Runtime",
    "aws": "`aws s3 cp`",
}


# What a machine without GitHub, or without the index of one package, builds has to be measured as well.
ALLOWED = ("--allow-stand-in", "--allow-missing", "--allow-left-out", "--allow-unchecked")


class Contestants:
    """`rows` holds what was measured, by name; `server_seconds` the server's processor time meanwhile."""

    def __init__(self, workshop, server, without):
        self.workshop, self.server = workshop, server
        self.turns = [name for name in ("floor", "publisher", *NAMES) if name not in without]
        self.rows, self.server_seconds, self.pin = {}, {}, None

    def round(self, first):
        for name in self.turns:
            self.one(name, first)

    def one(self, name, first):
        artifact, size = self.workshop.artifact, self.workshop.described["size"]
        self.server.new_bucket("bench")
        read_once(artifact)
        before = self.server.processor_seconds()
        words, variables = getattr(self, name.replace("-", "_"))()
        sample = timed(words, env=variables)
        self.server_seconds.setdefault(name, []).append(self.server.processor_seconds() - before)
        self.check(name, first)
        label = {"floor": "floor: `cp` to the server's disk", "publisher": "**pydist** `publisher publish`"} | NAMES
        row = self.rows.setdefault(name, Row(label[name]))
        row.samples.append(sample)
        row.size = size
        remove(self.server.data / "bench")

    def check(self, name, first):
        """A contestant that brought less, or something else, has no time."""
        wanted = self.workshop.described
        found = [path for path, size in self.server.objects("bench").items() if size == wanted["size"]]
        if len(found) != 1:
            sys.exit(f"{name}: not one object of {wanted['size']} bytes: {self.server.objects('bench')}")
        if first and digest_of(found[0]) != wanted["sha256"]:
            sys.exit(f"{name}: the object has another SHA-256 than the artifact")

    # -- command and environment of each

    def floor(self):
        return ["cp", self.workshop.artifact, self.server.data / "bench" / "artifact"], None

    def publisher(self):
        workshop = self.workshop
        words = [workshop.publisher, "publish", workshop.artifact, "--to", "s3://bench/p", "--json"]
        words += ["--repository", workshop.runtime, *ALLOWED]
        return words, self.server.variables()

    def rclone(self, *more):
        variables = self.server.variables() | {
            "RCLONE_CONFIG_GW_TYPE": "s3",
            "RCLONE_CONFIG_GW_PROVIDER": "Other",
            "RCLONE_CONFIG_GW_ACCESS_KEY_ID": KEY,
            "RCLONE_CONFIG_GW_SECRET_ACCESS_KEY": SECRET,
            "RCLONE_CONFIG_GW_ENDPOINT": self.server.endpoint,
            "RCLONE_CONFIG_GW_REGION": REGION,
        }
        words = [self.workshop.rclone, "copyto", self.workshop.artifact, "gw:bench/artifact", "--config", "/dev/null"]
        words += ["--ca-cert", self.server.authority, "--s3-no-check-bucket", "--retries", "1", *more]
        return words, variables

    def rclone_tuned(self):
        return self.rclone("--s3-chunk-size", "16Mi", "--s3-upload-concurrency", "8")

    def crt(self):
        script = Path(__file__).with_name("crt_upload.py")
        return [self.workshop.python, script, self.workshop.artifact, "bench", "artifact"], self.server.variables()

    def aws(self):
        aws = self.workshop.python.with_name("aws")
        words = [aws, "s3", "cp", "--only-show-errors", self.workshop.artifact, "s3://bench/artifact"]
        return words, self.server.variables()

    # -- one changed pin

    def one_pin(self, pin):
        """The runtime, then the same with one other pin: what the second sends, as told and as the kernel counts."""
        self.server.new_bucket("bench")
        first, _ = self.published()
        changed = self.workshop.change_pin(pin)
        second, on_the_wire = self.published()
        moved = second["moved"]
        self.pin = {
            "changed": changed,
            "former": first["size"],
            "size": second["size"],
            "sent": moved["sent"],
            "copied": moved["copied"],
            "wire": on_the_wire,
        }
        artifacts = self.server.objects("bench")
        found = [path for path, size in artifacts.items() if size == second["size"]]
        if not any(digest_of(path) == self.workshop.described["sha256"] for path in found):
            sys.exit("the second artifact is not at the server as it was built")
        remove(self.server.data / "bench")

    def published(self):
        words, variables = self.publisher()
        before = loopback_bytes()
        output = run(words, env=variables)
        after = loopback_bytes()
        rows = [json.loads(line) for line in output.splitlines() if line.startswith("{")]
        row = next(row for row in rows if row.get("event") == "published")
        return row, None if before is None else after - before


def read_once(path):
    """So that every contestant finds it in the page cache."""
    with path.open("rb") as file:
        while file.read(1 << 22):
            pass


def digest_of(path):
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()
