"""The README's picture: few bars, drawn from the tables that scripts/bench/pack wrote to docs/benchmarks.md."""

import re
from pathlib import Path

from bars import bars, linear

# Heading, then the row's first cell, the label, the kind.
GROUPS = (
    (
        "Warm: caches full, nothing built",
        (
            ("**pydist**", "pydist", "ours"),
            ("uv, warm cache + `tar \\| zstd -3 -T0`", "uv + tar | zstd", "theirs"),
            ("pex, warm cache (no interpreter in it)", "pex (without interpreter)", "theirs"),
            ("pip + `tar cz`", "pip + tar | gzip", "theirs"),
        ),
    ),
    (
        "Cold: wheels on disk, caches empty",
        (
            ("**pydist**, cold, imports known to be fine", "pydist, imports known", "ours"),
            ("**pydist**, cold, with the import check", "pydist, imports tried", "ours"),
            ("uv, empty cache + `tar \\| zstd -3 -T0`", "uv + tar | zstd", "theirs"),
        ),
    ),
)


def draw(page: Path, picture: Path):
    text = page.read_text().split("<!-- begin pack -->", 1)[1].split("<!-- end pack -->", 1)[0]
    medians = dict(re.findall(r"^\| (.+?) \| ([\d.]+) \| [\d.]+ \|", text, re.MULTILINE))
    groups = []
    for heading, rows in GROUPS:
        found = [(label, float(medians[cell]), kind) for cell, label, kind in rows if cell in medians]
        if found:
            groups.append((heading, found))
    about = re.search(r"(\d+ wheels) of [^.]*?, (\d+ MB) in", " ".join(text.split()))
    note = f"The runtime 3.12.10, {about[1]}, {about[2]} installed; medians; less is better"
    picture.write_text(bars("Seconds for a Python runtime and its archive, from the same wheels", note, groups, linear))
