"""The section of docs/benchmarks.md about AIStore."""

import os

from aistore_contestants import AT_ONCE, NAMES, PAGE
from page import paragraph, table

SLACK = 0.95
MB = 1_000_000


def section(chosen, cluster, contestants):
    rows = contestants.rows
    text = [
        "## AIStore",
        paragraph(
            f"`scripts/bench/aistore --runs {chosen.runs}`: {cluster.version}, one proxy and one target on the same "
            f"machine, {len(os.sched_getaffinity(0))} processors, load average {os.getloadavg()[0]:.0f} at the end; "
            f"medians of {chosen.runs}. The contestants took turns. Processor seconds are the client's; they change less than wall time where the machine does other "
            "work. Python's clients are measured without starting Python, `ais`, curl and what is compared with them "
            "as whole processes. Objects are read to `/dev/null`. We compare each object with its checksum, which "
            "`ais` and curl do not; one row is without that."
        ),
    ]
    if contestants.missing:
        text.append(paragraph(f"Not on this machine, and so left out: {', '.join(contestants.missing)}."))
    for part in (small, many, big, listing, publishing):
        text += part(chosen, rows)
    text += largest(contestants)
    text += goals(chosen, contestants)
    return "\n\n".join(part.strip() for part in text if part) + "\n"


def of(rows, part):
    return [(name, rows[part, name]) for name in NAMES if (part, name) in rows]


def small(chosen, rows):
    lines = []
    for name in NAMES:
        cells = []
        for part in ("small-put", "small-get"):
            row = rows.get((part, name))
            rate = f"{chosen.count / row.seconds:.0f}" if row else "–"
            cells += [rate, f"{row.processor_seconds / chosen.count * 1e6:.0f}" if row else "–"]
        if set(cells) != {"–"}:
            lines.append([NAMES[name], *cells])
    if not lines:
        return []
    headings = ["4 KiB, one after another", "put/s", "µs of processor each", "get/s", "µs of processor each"]
    return [table(headings, lines)]


def many(_, rows):
    lines = [
        [label(name), f"{row.seconds:.2f}", f"{1000 / row.seconds:.0f}", f"{row.processor_seconds:.2f}"]
        for name, row in of(rows, "many")
    ]
    return [table(["1,000 files of 4 KiB put", "median s", "files/s", "processor s"], lines)] if lines else []


def label(name):
    return f"**ours**, {AT_ONCE} at once" if name == "ours" else NAMES[name]


def big(_, rows):
    lines = []
    for part in ("big-put", "big-get"):
        for name, row in of(rows, part):
            cells = [f"{row.seconds:.2f}", f"{row.fastest:.2f}", f"{row.slowest:.2f}", f"{256 / row.seconds:.0f}"]
            cells += [f"{row.processor_seconds:.2f}", f"{row.own_peak:.0f}"]
            lines.append([part.removeprefix("big-"), NAMES[name], *cells])
    headings = ["256 MiB", "", "median s", "min s", "max s", "MiB/s", "processor s", "peak MB"]
    return [table(headings, lines)] if lines else []


def listing(_, rows):
    lines = []
    for part, what in (("list", "the server's own"), ("list-pages", f"{PAGE:,} entries")):
        lines += [[what, NAMES[name], f"{row.seconds:.3f}"] for name, row in of(rows, part)]
    return [table(["10,000 entries listed, by pages of", "", "median s"], lines)] if lines else []


def publishing(_, rows):
    lines = [
        [NAMES[name], f"{row.seconds:.2f}", f"{row.fastest:.2f}", f"{row.slowest:.2f}", f"{row.processor_seconds:.2f}"]
        for name, row in of(rows, "publish")
    ]
    if not lines:
        return []
    headings = ["what a runtime of 220 MB is made of", "median s", "min s", "max s", "processor s"]
    explained = (
        "One file of 220 MB and seven small ones. Ours looks first what is there, sends the long one in parts, and compares "
        "the finished object with the file."
    )
    return [table(headings, lines), paragraph(explained)]


def largest(contestants):
    if not contestants.peaks:
        return []
    peaks = ", ".join(f"{verb} {peak:.0f} MB" for verb, peak in contestants.peaks.items())
    return [paragraph(f"Peak memory of ours for one object of 1 GiB: {peaks}.")]


def goals(chosen, contestants):
    rows, lines = contestants.rows, []

    def median(part, name):
        return rows[part, name].seconds if (part, name) in rows else None

    def line(goal, value, unit, is_met):
        lines.append([goal, f"{value:.2f}{unit}", "met" if is_met else "**missed**"])

    for verb in ("put", "get"):
        ours, sdk = median(f"small-{verb}", "ours"), median(f"small-{verb}", "sdk")
        if ours and sdk:
            line(f"4 KiB {verb}, one connection: ≥ 3 × the SDK's rate", sdk / ours, " ×", sdk / ours >= 3)
    ours, theirs = median("many", "ours"), median("many", "ais")
    if ours and theirs:
        line(f"{AT_ONCE} at once: ≥ the rate of `ais`", theirs / ours, " ×", theirs >= ours)
    for verb in ("put", "get"):
        ours = median(f"big-{verb}", "ours")
        others = [time for name in ("ais", "curl") if (time := median(f"big-{verb}", name))]
        if ours and others:
            ratio = min(others) / ours
            goal = f"256 MiB {verb}: ≥ {SLACK} × the better of `ais` and curl"
            line(goal, ratio, " ×", ratio >= SLACK)
            if plain := median(f"big-{verb}", "ours-plain"):
                ratio = min(others) / plain
                line("the same, and the checksum is not compared, as they do it", ratio, " ×", ratio >= SLACK)
    used = [row.own_peak for (part, name), row in rows.items() if name.startswith("ours") and part.startswith("big")]
    used += contestants.peaks.values()
    if used:
        line("memory below 64 MiB at any size", max(used) * MB / 2**20, " MiB", max(used) * MB < 64 << 20)
    for part, what in (("list", ""), ("list-pages", f", pages of {PAGE:,}")):
        if ours := median(part, "ours"):
            line(f"10,000 entries listed{what}: < 1 s", ours, " s", ours < 1)
    ours, theirs = median("publish", "ours"), median("publish", "ais")
    if ours and theirs:
        line("publishing 220 MB: ≤ 1.2 × the time of `ais put`", ours / theirs, " ×", ours <= 1.2 * theirs)
    twice, once = median("small-get", "ours"), median("small-get", "ours-direct")
    if twice and once:
        saved = (twice - once) / chosen.count * 1e6
        goal = "reading from the target itself: one request instead of two; saved for each object"
        line(goal, saved, " µs", saved > 0)
    return [table(["goal", "measured", ""], lines)] if lines else []
