"""A command's wall time and peak memory, and its medians over several runs."""

import os
import statistics
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Sample:
    """`seconds` is wall time; both peaks are in MB (1,000,000 bytes)."""

    seconds: float
    # Of the largest process among the one that was started and all that it started.
    peak: float
    # Of the one that was started; 0 where the system does not tell.
    own_peak: float
    # Of all processors, for itself and in the system: what a busy machine does not change much.
    processor_seconds: float = 0.0
    output: str = ""


@dataclass
class Row:
    """One contestant: what it is called, and how its runs went."""

    name: str
    samples: list = field(default_factory=list)
    # Bytes of what it made; `None` where it makes no file.
    size: int = None

    @property
    def seconds(self):
        return statistics.median(sample.seconds for sample in self.samples)

    @property
    def processor_seconds(self):
        return statistics.median(sample.processor_seconds for sample in self.samples)

    @property
    def fastest(self):
        return min(sample.seconds for sample in self.samples)

    @property
    def slowest(self):
        return max(sample.seconds for sample in self.samples)

    @property
    def peak(self):
        return max(sample.peak for sample in self.samples)

    @property
    def own_peak(self):
        return max(sample.own_peak for sample in self.samples)


class OwnPeak(threading.Thread):
    """The high-water mark of one process, which the kernel keeps; so few looks lose little."""

    def __init__(self, process):
        super().__init__(daemon=True)
        self.status = Path(f"/proc/{process}/status")
        self.peak, self.ended = 0, threading.Event()
        self.start()

    def run(self):
        while self.look() and not self.ended.wait(0.02):
            pass

    def look(self):
        try:
            lines = self.status.read_text().splitlines()
        except OSError:
            return False
        marks = [int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:")]
        self.peak = max([self.peak, *marks])
        return True

    def stop(self):
        self.ended.set()
        self.join()


# In a process of its own: what this one had in memory would count as its children's.
TOUCH = """
import mmap, os
page = mmap.PAGESIZE
size = (os.sysconf("SC_AVPHYS_PAGES") * 19 // 20) * page
with mmap.mmap(-1, size) as memory:
    memory[::page] = bytes(size // page)
"""


def ready_memory():
    """Touches all free memory and gives it back, where the system tells how much that is.

    A virtual machine gets memory from its host when it is first written to, which takes longer than writing: whoever
    comes first after memory was freed would pay for all. It takes some seconds itself.
    """
    subprocess.run([sys.executable, "-c", TOUCH], capture_output=True, check=False)


def timed(arguments, ready=False, **options):
    """Runs it to its end. A failure ends the bench with what it said.

    `wait4` gives the largest resident set of the child and of all that it waited for, not the sum of those that ran
    side by side. `ready` is for what writes much more than others, see `ready_memory`.
    """
    words = [str(word) for word in arguments]
    # Dirty pages that one contestant left behind are not written during the next one's time.
    os.sync()
    if ready:
        ready_memory()
    start = time.monotonic()
    with subprocess.Popen(
        words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options
    ) as process:
        watch = OwnPeak(process.pid)
        output = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.monotonic() - start
        watch.stop()
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"exit code {process.returncode}: {' '.join(words)}\n{output[-4000:]}")
    # Linux counts in KiB, macOS in bytes.
    unit = 1 if sys.platform == "darwin" else 1024
    processor_seconds = usage.ru_utime + usage.ru_stime
    return Sample(seconds, usage.ru_maxrss * unit / 1e6, watch.peak / 1e6, processor_seconds, output)


def shell(script, **options):
    """A pipeline, any part of which may fail it."""
    return timed(["bash", "-c", f"set -euo pipefail\n{script}"], **options)
