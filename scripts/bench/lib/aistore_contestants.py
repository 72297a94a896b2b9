"""Who talks to AIStore, and how; what each needed."""

import json
import os
from pathlib import Path

from measure import Row, Sample, timed
from workshop import remove

RIVALS = Path(__file__).with_name("aistore_rivals.py")
BUCKET = "bench"
AT_ONCE = 16
PAGE = 1000
NAMES = {
    "ours": "**ours**",
    "ours-direct": "**ours**, from the target itself",
    "ours-plain": "**ours**, checksum not compared",
    "sdk": "Python SDK",
    "boto3": "boto3 on `/s3`",
    "ais": "`ais`",
    "curl": "curl",
}


class Contestants:
    """`rows` holds what was measured, by part and name. `parts` are measured in this order, since some need what others
    left in the bucket."""

    def __init__(self, cluster, programs, files, chosen):
        self.cluster, self.programs, self.files, self.chosen = cluster, programs, files, chosen
        self.home = files.parent / "home"
        remove(self.home)
        self.home.mkdir()
        self.environment = os.environ | {"AIS_ENDPOINT": cluster.endpoint, "HOME": str(self.home)}
        self.rows, self.peaks, self.missing = {}, {}, []
        for name in ("ais", "curl"):
            if not programs[name]:
                self.missing.append(NAMES[name])
        if chosen.only == [] or "list" in chosen.only:
            self.fill("list")

    def round(self, attempt):
        for part, contestants in self.parts():
            group = part.removesuffix("-put").removesuffix("-get")
            if self.chosen.only and group not in self.chosen.only:
                continue
            there = [name for name in contestants if self.programs.get(name, True)]
            first = attempt % len(there)
            for name in there[first:] + there[:first]:
                self.one(part, name)

    def parts(self):
        everybody = ["ours", "sdk", "boto3", "ais", "curl"]
        yield "small-put", ["ours", "sdk", "boto3"]
        yield "small-get", ["ours", "ours-direct"]
        yield "many", ["ours", "ais"]
        yield "big-put", everybody
        yield "big-get", [*everybody, "ours-direct", "ours-plain"]
        yield "list", ["ours", "sdk", "boto3"]
        yield "list-pages", ["ours", "sdk", "boto3"]
        yield "publish", ["ours", "ais"]

    def one(self, part, name):
        if part in ("small-put", "many", "big-put", "publish"):
            self.cluster.new_bucket(BUCKET)
        sample = timed(self.words(part, name), env=self.environment)
        if name in ("sdk", "boto3", "ours") or part.startswith("small"):
            done = json.loads(sample.output.splitlines()[-1])
            if part == "small-put" and name != "ours":
                # One process does both.
                self.keep("small-get", name, done["get"], sample)
                done = done["put"]
            # `ais` and curl are measured as whole processes, and so is what is compared with them, of ours.
            if name != "ours" or part.startswith(("small", "list")):
                self.keep(part, name, done, sample)
                return
        self.keep(part, name, {"seconds": sample.seconds, "processor": sample.processor_seconds}, sample)

    def keep(self, part, name, done, sample):
        row = self.rows.setdefault((part, name), Row(NAMES[name]))
        row.samples.append(Sample(done["seconds"], sample.peak, sample.own_peak, done["processor"]))

    def words(self, part, name):
        big = self.files / "big"
        bucket = "list" if part.startswith("list") else BUCKET
        page = PAGE if part == "list-pages" else 0
        if name in ("sdk", "boto3"):
            start = [self.programs["python"], RIVALS, name]
            what = {
                "small-put": ["small", self.chosen.count],
                "big-put": ["put", big],
                "big-get": ["get", "big"],
                "list": ["list", 0],
                "list-pages": ["list", page],
            }[part]
            return [*start, what[0], self.cluster.endpoint, bucket, *what[1:]]
        if name.startswith("ours"):
            what = {
                "small-put": ["small-put", self.chosen.count],
                "small-get": ["small-get", self.chosen.count],
                "many": ["many", self.files / "many", AT_ONCE],
                "big-put": ["put", big],
                "big-get": ["get", "big"],
                "list": ["list", 0],
                "list-pages": ["list", page],
                "publish": ["publish", self.files / "tree"],
            }[part]
            verb = what[0] + name.removeprefix("ours")
            return [self.programs["ours"], verb, self.cluster.endpoint, bucket, *what[1:]]
        url = f"{self.cluster.endpoint}/v1/objects/{BUCKET}/big?provider=ais"
        words = {
            ("many", "ais"): ["ais", "put", self.files / "many", f"ais://{BUCKET}/", "--recursive", "--yes"],
            ("big-put", "ais"): ["ais", "put", big, f"ais://{BUCKET}/big", "--yes"],
            ("big-get", "ais"): ["ais", "get", f"ais://{BUCKET}/big", "/dev/null", "--yes"],
            ("publish", "ais"): ["ais", "put", self.files / "tree", f"ais://{BUCKET}/", "--recursive", "--yes"],
            ("big-put", "curl"): ["curl", "-sSfL", "-T", big, url],
            ("big-get", "curl"): ["curl", "-sSfL", "-o", "/dev/null", url],
        }[part, name]
        return [self.programs[words[0]], *words[1:]]

    def fill(self, bucket):
        """With 10,000 objects."""
        self.cluster.new_bucket(bucket)
        words = [self.programs["ours"], "small-put", self.cluster.endpoint, bucket, 10_000]
        timed(words, env=self.environment)

    def largest(self, size):
        """One object of another size, put and read once: what memory that takes."""
        if self.chosen.only and "largest" not in self.chosen.only:
            return
        file = self.files / "largest"
        with file.open("wb") as empty:
            empty.truncate(size)
        self.cluster.new_bucket(BUCKET)
        ours, endpoint = self.programs["ours"], self.cluster.endpoint
        for verb, what in (("put", file), ("get", "largest"), ("get-direct", "largest")):
            self.peaks[verb] = timed([ours, verb, endpoint, BUCKET, what], env=self.environment).own_peak
        file.unlink()
