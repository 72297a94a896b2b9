"""What takes part: how each is prepared (untimed) and run (timed), in an order that is the same in every round."""

import json
import sys
from dataclasses import replace
from functools import partial
from hashlib import sha256

from measure import Row, shell, timed
from workshop import link_tree, product_of, remove, run, step_seconds

# Other versions of packages of the set: one with native code that nothing of the set requires, as most pins are; and a
# pure one that umap-learn requires, so that umap-learn with all that it imports is imported again.
OTHER_PINS = {"one-pin": "msgspec==0.20.0", "one-pin-required": "tqdm==4.67.1"}


class Contestants:
    """`rows` holds what was measured, by name; `skipped` says what was not."""

    def __init__(self, workshop, without):
        self.workshop, self.archive = workshop, workshop.archive
        self.without = set(without)
        self.rows, self.skipped, self.facts = {}, {}, {}
        self.scratch = workshop.folder / "scratch"
        self.discard = workshop.trash.put
        self.tools = workshop.rivals("pex" not in self.without)
        self.turns = self.chosen()

    def chosen(self):
        """(name that `--without` knows or None, method) in the order of a round."""
        self.slow = {self.uv_gz, self.pip, self.pex}
        turns = [
            ("unpack", self.unpack),
            (None, self.floor),
            (None, self.warm),
            ("level-19", self.level_19),
            (None, self.no_op),
            (None, self.uv_zst),
            (None, self.uv_gz),
            ("pip", self.pip),
            ("pex", self.pex),
            ("cold", self.cold),
            ("cold", self.cold_unchecked),
            ("cold", self.cold_uv),
            *((None, partial(self.one_pin, key)) for key in OTHER_PINS),
            (None, self.zip),
        ]
        for name in sorted(self.without):
            self.skipped[name] = f"`{name}` was left out."
        return [turn for name, turn in turns if name not in self.without]

    def warm_up(self):
        """What stands finished before anything is timed; and a first, unmeasured turn of those with caches."""
        workshop = self.workshop
        remove(self.scratch)
        self.scratch.mkdir(parents=True)
        self.finished = workshop.product
        self.warm_repository = workshop.new_repository("warm")
        workshop.build(self.warm_repository, workshop.store)
        self.no_op_repository = workshop.new_repository("no-op")
        workshop.build(self.no_op_repository, workshop.store)
        self.zip_repository = workshop.new_repository("zip")
        workshop.build(self.zip_repository, workshop.store, "--format", "zip")
        self.uv_cache = self.scratch / "uv-cache"
        self.uv_prefix(self.uv_cache)
        self.discard(self.scratch / "uv")
        if "level-19" not in self.without:
            self.best_repository = workshop.new_repository("level-19")
            workshop.build(self.best_repository, workshop.store, "--level", "19")
        self.other_wheels = {key: workshop.fetch_wheel(pin) for key, pin in OTHER_PINS.items()}
        if "pex" not in self.without:
            # It fetches a pip of its own choice first, which it keeps.
            words = ["-o", self.scratch / "x.pex", "--find-links", self.other_wheels["one-pin"].parent, OTHER_PINS["one-pin"]]
            run([self.tools / "pex", "--pex-root", self.scratch / "pex-root", *words])
            self.pex_file()
        if "cold" not in self.without:
            workshop.cold_store(self.scratch / "store-cold-kept")
            workshop.cold_store(self.scratch / "store-cold-checked", "checks")
        workshop.trash.empty()

    def round(self, with_slow):
        for turn in self.turns:
            if with_slow or turn not in self.slow:
                turn()

    def clear_up(self):
        """The store, the wheels and the rivals' programs stay for the next time."""
        self.workshop.trash.empty(rest=0)
        remove(self.scratch)
        for name in ("warm", "no-op", "level-19", "cold", "one-pin", "zip", "repository", "base"):
            remove(self.workshop.folder / name)

    def record(self, key, name, sample, size=None):
        row = self.rows.setdefault(key, Row(name))
        row.samples.append(sample)
        row.size = size
        return row

    # -- warm

    def prefix(self):
        return self.finished["prefix"]

    def artifact(self):
        return self.finished["artifacts"][0]

    def floor(self):
        tree, copy = self.scratch / "floor", self.scratch / "floor.tar.zst"
        sample = shell(f"cp -al '{self.prefix()}' '{tree}'; cat '{self.artifact()}' > '{copy}'")
        self.record("floor", "floor: `cp -al` of the prefix, `cat` of the artifact", sample, copy.stat().st_size)
        self.discard(tree)
        self.discard(copy)

    def build(self, repository, store, *words):
        """Timed, from no prefix and no artifact."""
        self.workshop.clear(repository)
        sample = timed(self.workshop.arguments(repository, store, *words))
        return sample, product_of(sample.output)

    def warm(self):
        sample, product = self.build(self.warm_repository, self.workshop.store)
        self.facts["warm steps"] = product["steps"]
        self.record("warm", "**pydist**", sample, product["manifest"]["artifact"]["size"])

    def level_19(self):
        sample, product = self.build(self.best_repository, self.workshop.store, "--level", "19")
        self.record("level-19", "**pydist** `--level 19`", sample, product["manifest"]["artifact"]["size"])

    def no_op(self):
        workshop = self.workshop
        sample = timed(workshop.arguments(self.no_op_repository, workshop.store))
        if product_of(sample.output)["built"]:
            sys.exit("the build that had nothing to do built something")
        self.record("no-op", "**pydist**, nothing changed", sample)

    # -- rivals

    def uv_install(self, cache):
        workshop, site = self.workshop, f"lib/{self.workshop.minor_version}/site-packages"
        copy = self.scratch / "uv"
        return (
            f"cp -a '{workshop.base}' '{copy}'; "
            f"'{self.tools}/uv' pip install --quiet --offline --no-config --no-index --find-links '{workshop.wheels}' "
            f"--no-deps --cache-dir '{cache}' --python '{copy}/bin/python3' --target '{copy}/{site}' "
            f"-r '{workshop.pins}'"
        )

    def uv_prefix(self, cache):
        shell(self.uv_install(cache))

    def packed(self, key, name, install, pack, suffix):
        tree, artifact = self.scratch / "uv", self.scratch / f"{key}.{suffix}"
        self.discard(tree)
        sample = shell(f"{install}; {pack.format(tree=tree, artifact=artifact)}")
        self.record(key, name, sample, artifact.stat().st_size)
        self.discard(tree)
        self.discard(artifact)

    ZST = "tar -C '{tree}' -cf - . | zstd -q -3 -T0 -o '{artifact}'"
    GZ = "tar -C '{tree}' -czf '{artifact}' ."

    def uv_zst(self):
        install = self.uv_install(self.uv_cache)
        self.packed("uv-zst", "uv, warm cache + `tar \\| zstd -3 -T0`", install, self.ZST, "tar.zst")

    def uv_gz(self):
        self.packed("uv-gz", "uv, warm cache + `tar cz`", self.uv_install(self.uv_cache), self.GZ, "tar.gz")

    def pip(self):
        workshop, copy = self.workshop, self.scratch / "uv"
        install = (
            f"cp -a '{workshop.base}' '{copy}'; "
            f"'{copy}/bin/python3' -m pip install --quiet --no-index --find-links '{workshop.wheels}' --no-deps "
            f"--no-warn-script-location --root-user-action ignore -r '{workshop.pins}'"
        )
        self.packed("pip", "pip + `tar cz`", install, self.GZ, "tar.gz")

    def pex_file(self):
        file = self.scratch / "x.pex"
        self.discard(file)
        sample = timed(
            [self.tools / "pex", "-o", file, "--no-pypi", "--find-links", self.workshop.wheels, "--no-transitive"]
            + ["--pex-root", self.scratch / "pex-root", "-r", self.workshop.pins]
        )
        size = file.stat().st_size
        self.discard(file)
        return sample, size

    def pex(self):
        sample, size = self.pex_file()
        self.record("pex", "pex, warm cache (no interpreter in it)", sample, size)

    # -- cold

    def cold(self):
        sample, product = self.cold_build(self.scratch / "store-cold-kept")
        self.facts["cold steps"] = product["steps"]
        self.record("cold", "**pydist**, cold, with the import check", sample, product["manifest"]["artifact"]["size"])

    def cold_unchecked(self):
        """The imports of these wheels are known, nothing else: rivals import nothing."""
        sample, product = self.cold_build(self.scratch / "store-cold-checked")
        name = "**pydist**, cold, imports known to be fine"
        self.record("cold-unchecked", name, sample, product["manifest"]["artifact"]["size"])

    def cold_build(self, kept):
        workshop, store = self.workshop, self.scratch / "store-cold"
        self.discard(store)
        link_tree(kept, store)
        built = self.build(workshop.new_repository("cold"), store)
        self.discard(store)
        self.discard(workshop.folder / "cold")
        return built

    def cold_uv(self):
        cache = self.scratch / "uv-cache-cold"
        self.discard(cache)
        install = self.uv_install(cache)
        self.packed("cold-uv", "uv, empty cache + `tar \\| zstd -3 -T0`", install, self.ZST, "tar.zst")
        self.discard(cache)

    # -- a change

    def one_pin(self, key):
        """A store and a prefix as the former build left them, then a lock with one other pin."""
        workshop, store = self.workshop, self.scratch / "store-pin"
        self.discard(store)
        link_tree(workshop.store, store)
        repository = workshop.new_repository("one-pin")
        former = workshop.build(repository, store)
        link_tree(repository / "dist", repository / "former")
        older = repository / "former" / former["manifest"]["artifact"]["file"]
        row = self.change_pin(key, repository, former["manifest"]["platform"])
        blob = workshop.blob(store, row["sha256"])
        blob.parent.mkdir(parents=True, exist_ok=True)
        link_tree(self.other_wheels[key], blob)
        sample = timed(workshop.arguments(repository, store))
        product = product_of(sample.output)
        artifact = product["manifest"]["artifact"]
        out = self.scratch / "fetched"
        out.mkdir()
        fetch = [self.archive, "fetch", product["artifacts"][0], "--from", older, "--out", out / artifact["file"]]
        fetched = json.loads(run([*fetch, "--json"]).splitlines()[-1])
        part = 100 * fetched["fetched"] / fetched["size"]
        self.facts["fetched %"] = max(part, self.facts.get("fetched %", 0))
        self.discard(out)
        self.record(key, f"**pydist**, one pin changed (`{OTHER_PINS[key]}`)", sample, artifact["size"])
        self.discard(store)
        self.discard(repository)

    def change_pin(self, key, repository, platform):
        path = repository / f"python-{self.workshop.version}" / "lock.json"
        lock = json.loads(path.read_text())
        name, version = OTHER_PINS[key].split("==")
        row = next(row for row in lock["platforms"][platform]["distributions"] if row["name"] == name)
        wheel = self.other_wheels[key]
        content = wheel.read_bytes()
        row["version"] = version
        row["source"] = {
            "kind": "wheel",
            "file": wheel.name,
            "sha256": sha256(content).hexdigest(),
            "size": len(content),
        }
        path.write_text(json.dumps(lock, indent=2) + "\n")
        return row["source"]

    def zip(self):
        sample, product = self.build(self.zip_repository, self.workshop.store, "--format", "zip")
        file = product["artifacts"][0]
        size = product["manifest"]["artifact"]["size"]
        self.record("zip", "**pydist** `--format zip`, prefix and artifact", sample, size)
        packed = replace(sample, seconds=step_seconds(product, "pack"))
        self.record("zip-pack", "**pydist** `--format zip`, its step \"pack\" alone", packed, size)
        copy = self.scratch / "copy.zip"
        self.record("zip-cat", "`cat` of the zip", shell(f"cat '{file}' > '{copy}'"), size)
        self.discard(copy)

    # -- unpacking

    def unpack(self):
        target, artifact = self.scratch / "unpacked", self.artifact()
        where = f"-xf '{artifact}' -C '{target}'"
        ways = [
            ("extract", "**pydist** `archive extract`", f"'{self.archive}' extract '{artifact}' --to '{target}'"),
            ("tar", "`tar -I zstd -xf`", f"mkdir '{target}'; tar -I zstd {where}"),
            ("tar-T0", "`tar -I 'zstd -T0' -xf`", f"mkdir '{target}'; tar -I 'zstd -T0' {where}"),
        ]
        # Each begins in its turn.
        first = len(self.rows["unpack-tar"].samples) % len(ways) if "unpack-tar" in self.rows else 0
        for key, name, script in ways[first:] + ways[:first]:
            self.discard(target)
            self.record(f"unpack-{key}", name, shell(script, ready=True))
        self.discard(target)
