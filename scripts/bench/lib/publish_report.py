"""What scripts/bench/publish tells: a table of rates, what a changed pin sent, and the goals."""

import statistics

from bars import figure
from pack_report import machine
from page import paragraph, table
from publish_contestants import NAMES
from publish_workshop import PACKAGES, RCLONE

# Of the rate of the fastest rival.
RATE_GOAL = 0.8
# Of the bytes of the artifact.
SENT_GOAL = 5.0


def section(chosen, workshop, contestants):
    size = workshop.described["size"]
    words = ["scripts/bench/publish", chosen.version, "--quick" if chosen.quick else f"--runs {chosen.runs}"]
    words += ["--profile dev"] if chosen.profile == "dev" else []
    words += [f"--pin {chosen.pin}"] if chosen.pin else []
    runs = f"medians of {chosen.runs}" if chosen.runs > 1 else "one run"
    versions = ", ".join([f"rclone {RCLONE}", *(package.replace("==", " ") for package in PACKAGES)])
    about = paragraph(
        f"""`{" ".join(words)}`: {machine(workshop)}; the artifact of {chosen.version}, {contestants.pin["former"] / 1e6:.0f}
        MB; {contestants.server.version} on the file system, over TLS, on the same machine; {versions}; {runs}. Wall time
        of whole processes, which took turns; the file was in the page cache, and no side waits for the disk. pydist
        also compares the artifact and each of its parts with the manifest, writes what lies beside it, the entry, the
        index and the site; its rivals bring one object. All but rclone's second row run as they do by default. The
        Common Runtime's client is boto3's, since the `aws` on the index is version 1, which has none."""
    )
    rows = contestants.rows
    cells = [
        (
            row.name,
            figure(row.seconds),
            figure(row.fastest),
            figure(row.slowest),
            f"{row.size / row.seconds / 1e6:.0f}",
            figure(row.processor_seconds),
            figure(statistics.median(contestants.server_seconds[name])),
            f"{row.peak:.0f}",
        )
        for name, row in rows.items()
    ]
    heads = ["what", "median s", "min s", "max s", "MB/s", "processor s", "the server's", "peak MB"]
    pin = contestants.pin
    wire = "not counted on this system" if pin["wire"] is None else f"{pin['wire'] / 1e6:.1f} MB"
    one_pin = paragraph(
        f"""Then {pin["changed"]}, the lock and everything else as before: {pin["size"] / 1e6:.1f} MB, of which pydist sent
        {pin["sent"] / 1e6:.2f} MB and the server copied {pin["copied"] / 1e6:.1f} MB within itself. The kernel counted on the
        loopback device meanwhile, requests and answers of everything and everybody, headers and TLS included: {wire}. The
        object's SHA-256 is that of the artifact."""
    )
    return (
        f"## Publishing to an S3 server\n\n{about}\n\n{table(heads, cells)}\n"
        f"### One changed pin\n\n{one_pin}\n\n### Goals\n\n{table(['goal', 'measured', ''], goals(rows, pin))}"
    )


def goals(rows, pin):
    rivals = [rows[name] for name in NAMES if name in rows]
    cells = []
    goal = f"rate ≥ {RATE_GOAL} × that of the fastest rival"
    if rivals and "publisher" in rows:
        fastest = min(rivals, key=lambda row: row.seconds)
        ratio = fastest.seconds / rows["publisher"].seconds
        cells.append((goal, f"{ratio:.2f} × ({fastest.name})", verdict(ratio >= RATE_GOAL)))
    else:
        cells.append((goal, "–", "not measured"))
    # The larger of what was told and what was counted.
    sent = 100 * max(pin["sent"], pin["wire"] or 0) / pin["size"]
    cells.append((f"one pin changed ≤ {SENT_GOAL:.0f} % of the bytes sent", f"{sent:.2f} %", verdict(sent <= SENT_GOAL)))
    return cells


def verdict(met):
    return "met" if met else "**missed**"
