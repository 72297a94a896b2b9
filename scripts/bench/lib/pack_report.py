"""What scripts/bench/pack tells: tables, goals, a picture."""

import os
import platform
import subprocess

from bars import bars, figure
from page import paragraph, table
from workshop import PEX, run, uv_version

WARM = ("floor", "warm", "level-19", "uv-zst", "uv-gz", "pip", "pex")
COLD = ("cold", "cold-unchecked", "cold-uv")
CHANGE = ("no-op", "one-pin", "one-pin-required", "zip", "zip-pack", "zip-cat")
# Where the process that is started is the builder.
BUILDS = ("warm", "level-19", "cold", "no-op", "one-pin", "one-pin-required", "zip")
UNPACK = ("unpack-extract", "unpack-tar", "unpack-tar-T0")


def machine(workshop):
    kind = subprocess.run(["stat", "-f", "-c", "%T", workshop.folder], capture_output=True, text=True).stdout.strip()
    return f"{platform.system()} {platform.machine()}, {os.cpu_count()} processors{f', {kind}' if kind else ''}"


def command(chosen):
    words = ["scripts/bench/pack", chosen.version]
    words += ["--quick"] if chosen.quick else [f"--runs {chosen.runs}"]
    words += [f"--slow-runs {chosen.slow_runs}"] if chosen.slow_runs != 1 else []
    words += ["--profile dev"] if chosen.profile == "dev" else []
    return " ".join(words)


def section(chosen, workshop, contestants):
    manifest = workshop.product["manifest"]
    size = sum(row["size"] for row in workshop.wheel_rows()) / 1e6
    installed = manifest["installed_size"] / 1e6
    pip = run([workshop.python, "-m", "pip", "--version"]).split()[1]
    zstd = run(["zstd", "--version"]).split(",")[0].split()[-1]
    programs = [f"uv {uv_version()}", f"pip {pip}", f"pex {PEX}", f"zstd {zstd}"]
    if "pex" not in contestants.rows:
        programs.remove(f"pex {PEX}")
    runs = f"medians of {chosen.runs}" if chosen.runs > 1 else "one run"
    if chosen.slow_runs < chosen.runs:
        runs += f", for `tar cz`, pip and pex of {chosen.slow_runs}"
    count, base = len(workshop.wheel_rows()), manifest["base"]["actual"]
    about = paragraph(
        f"""`{command(chosen)}`: {machine(workshop)}; CPython {base}, {count} wheels of {size:.0f} MB,
        {installed:.0f} MB in {manifest["files"]} files when installed; {", ".join(programs)}; {runs}. Wall time of whole processes, which
        took turns. All from the same wheels on one interpreter tree, without a network."""
    )
    text = f"## A runtime and its artifact\n\n{about}\n\n"
    text += "![seconds for a runtime and its artifact](benchmarks-pack.svg)\n\n"
    warned = " (a development build of the builder)" if chosen.profile == "dev" else ""
    rows = contestants.rows
    parts = [
        ("### Warm: caches and store filled, prefix and artifact absent", WARM),
        ("### Cold: the wheel files on disk, caches and store empty", COLD),
        ("### Changes and other containers", CHANGE),
        ("### Unpacking the tar.zst", UNPACK),
    ]
    for heading, keys in parts:
        found = [rows[key] for key in keys if key in rows]
        if found:
            cells = [
                (
                    row.name, figure(row.seconds), figure(row.fastest), figure(row.slowest), f"{row.peak:.0f}",
                    f"{row.size / 1e6:.1f}" if row.size else "–",
                )
                for row in found
            ]
            heads = ["what", "median s", "min s", "max s", "peak MB", "artifact MB"]
            text += f"{heading}{warned}\n\n{table(heads, cells)}\n"
    own = max(row.own_peak for key, row in rows.items() if key in BUILDS)
    text += paragraph(
        f"""Peak memory is that of the largest process, not the sum of those that ran side by side; where pydist imports
        modules that is the interpreter, and the builder itself takes at most {own:.0f} MB. Everything was in the page
        cache, and no side waits for its files to reach the disk. Warm, pydist imports no module again that it knows
        from the same wheels on the same interpreter; cold, it imports every native module, which no rival does; so
        there is a second row, from a store that has the wheels and the results of their imports, and nothing made of
        them. pip compiles every module and uv links its files from its cache, as both do by default."""
    )
    text += "\n"
    if contestants.skipped:
        text += "\n" + paragraph(" ".join(contestants.skipped.values())) + "\n"
    for name in ("warm steps", "cold steps"):
        if name in contestants.facts:
            taken = [(step["step"], step["elapsed_ms"]) for step in contestants.facts[name]]
            steps = ", ".join(f"{step} {elapsed} ms" for step, elapsed in taken if elapsed)
            text += "\n" + paragraph(f"Last run, {name}: {steps}.") + "\n"
    return text


def goals(contestants):
    """Each goal with what was measured; one that could not be measured says so."""
    rows, facts = contestants.rows, contestants.facts

    def ratio(above, below):
        return rows[above].seconds / rows[below].seconds if {above, below} <= set(rows) else None

    def seconds(key):
        return rows[key].seconds if key in rows else None

    peaks = [rows[key].own_peak for key in BUILDS if key in rows]
    size = rows["level-19"].size / 1e6 if "level-19" in rows else None
    unpack = min((rows[key].seconds for key in ("unpack-tar", "unpack-tar-T0") if key in rows), default=None)
    faster = unpack / seconds("unpack-extract") if unpack and seconds("unpack-extract") else None
    times, plain = "{:.2f} ×", "{:.2f}"
    wanted = [
        # (goal, measured, how to write it, limit, most or least)
        ("warm ≤ 2 × the floor", ratio("warm", "floor"), times, 2, "most"),
        ("warm ≥ 6 × faster than uv + `tar \\| zstd -3`", ratio("uv-zst", "warm"), times, 6, "least"),
        ("warm ≥ 60 × faster than pip + tar.gz", ratio("pip", "warm"), times, 60, "least"),
        ("artifact at level 19 ≤ 205 MB", size, "{:.1f} MB", 205, "most"),
        ("cold not slower than uv, import check included", ratio("cold", "cold-uv"), times, 1, "most"),
        ("the same with imports known to be fine; uv tries none", ratio("cold-unchecked", "cold-uv"), times, 1, "most"),
        ("unpacking ≥ 2 × faster than the faster `tar`", faster, times, 2, "least"),
        ("nothing changed ≤ 0.05 s", seconds("no-op"), "{:.3f} s", 0.05, "most"),
        ("one pin changed that nothing requires ≤ 1.5 s", seconds("one-pin"), "{:.2f} s", 1.5, "most"),
        ("one pin changed that umap-learn requires ≤ 1.5 s", seconds("one-pin-required"), "{:.2f} s", 1.5, "most"),
        ("one pin changed ≤ 5 % of the bytes fetched", facts.get("fetched %"), "{:.2f} %", 5, "most"),
        ("packing a zip of wheels ≤ 2 × `cat`", ratio("zip-pack", "zip-cat"), times, 2, "most"),
        ("peak memory of the builder ≤ 300 MB", max(peaks, default=None), "{:.0f} MB", 300, "most"),
    ]
    cells = []
    for goal, measured, form, limit, kind in wanted:
        if measured is None:
            cells.append((goal, "–", "not measured"))
        else:
            met = measured <= limit if kind == "most" else measured >= limit
            cells.append((goal, form.format(measured), "met" if met else "**missed**"))
    return f"\n### Goals\n\n{table(['goal', 'measured', ''], cells)}"


def picture(chosen, workshop, contestants):
    names = {
        "floor": ("cp -al + cat", "floor"),
        "warm": ("pydist", "ours"),
        "level-19": ("pydist --level 19", "ours"),
        "no-op": ("pydist, nothing changed", "ours"),
        "one-pin": ("pydist, one pin changed", "ours"),
        "one-pin-required": ("pydist, a pin changed that umap requires", "ours"),
        "uv-zst": ("uv + tar | zstd -3 -T0", "theirs"),
        "uv-gz": ("uv + tar cz", "theirs"),
        "pip": ("pip + tar cz", "theirs"),
        "pex": ("pex (without interpreter)", "theirs"),
        "cold": ("pydist, import check included", "ours"),
        "cold-unchecked": ("pydist, imports known", "ours"),
        "cold-uv": ("uv + tar | zstd -3 -T0", "theirs"),
        "unpack-extract": ("pydist archive extract", "ours"),
        "unpack-tar": ("tar -I zstd -xf", "theirs"),
        "unpack-tar-T0": ("tar -I 'zstd -T0' -xf", "theirs"),
    }
    groups = []
    for heading, keys in (
        ("Warm", WARM),
        ("Cold", COLD),
        ("Again", ("no-op", "one-pin", "one-pin-required")),
        ("Unpack", UNPACK),
    ):
        seen = [key for key in keys if key in contestants.rows]
        found = [(names[key][0], contestants.rows[key].seconds, names[key][1]) for key in seen]
        if found:
            groups.append((heading, found))
    manifest = workshop.product["manifest"]
    note = (
        f"{len(workshop.wheel_rows())} wheels, {manifest['installed_size'] / 1e6:.0f} MB installed; "
        f"median of {chosen.runs}, {machine(workshop)}; the scale is logarithmic"
    )
    return bars("Seconds for a Python runtime and its artifact", note, groups)
