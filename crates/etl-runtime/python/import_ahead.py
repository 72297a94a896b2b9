"""Imports what serves while packages are still being installed.

The process that this runs in was started before there is a folder of packages. What it has imported, or looked for in vain, by then
has to be what it would have found with that folder on its path. Where it might differ, the process starts over.
"""

import importlib
import os
import sys

# Modules of the SDK, and what serving with each imports later on.
SERVERS = {
    "http_multi_threaded_server": (),
    "flask_server": ("gunicorn.app.base", "gunicorn.arbiter", "gunicorn.workers.sync"),
    "fastapi_server": (
        "fastapi.exception_handlers",
        "uvicorn.lifespan.on",
        "uvicorn.loops.auto",
        "uvicorn.protocols.http.auto",
        "uvicorn.protocols.websockets.auto",
    ),
}


class Missed:
    """The last finder: finds nothing, and keeps what no other found."""

    def __init__(self):
        # Looked for before any of ours runs.
        self.modules = {"sitecustomize", "usercustomize"}
        # Distributions whose metadata somebody read; None: all of them.
        self.distributions = set()

    def find_spec(self, fullname, _path=None, _target=None):
        self.modules.add(top(fullname))

    def find_distributions(self, context=None):
        name = getattr(context, "name", None)
        self.distributions.add(name and normalized(name))
        return []


def top(name):
    return name.partition(".")[0]


def normalized(name):
    return name.lower().replace("-", "_").replace(".", "_")


def import_what_serves(pickled):
    """What was missed, or None if something failed."""
    missed = Missed()
    sys.meta_path.append(missed)
    try:
        for server, others in SERVERS.items():
            name = "aistore.sdk.etl.webserver." + server
            if name.encode() in pickled:
                for module in ("cloudpickle", name, *others):
                    try:
                        importlib.import_module(module)
                    except ImportError:
                        # Missing. If the folder has it, that is noticed.
                        pass
    except Exception:  # pylint: disable=broad-except
        return None
    finally:
        sys.meta_path.remove(missed)
    return missed


def fits(overlay, missed):
    """Whether all is as if `overlay` had been on the path from the start."""
    if missed is None:
        return False
    imported = {top(name) for name in list(sys.modules)}
    for name in os.listdir(overlay):
        if not name.endswith(".dist-info"):
            if top(name) in imported or top(name) in missed.modules:
                return False
        elif normalized(name.partition("-")[0]) in missed.distributions:
            return False
        elif None in missed.distributions and extends(os.path.join(overlay, name), imported):
            return False
    return True


def extends(dist_info, imported):
    """Whether a distribution has entry points, which are named by what reads them, for something that is imported."""
    try:
        with open(os.path.join(dist_info, "entry_points.txt"), encoding="utf-8") as file:
            groups = [line.strip().strip("[]") for line in file if line.startswith("[")]
    except OSError:
        return False
    return any(top(group) in imported for group in groups)


def await_overlay():
    """The folder that is named on standard input, once all is in it. None if whoever installs is gone."""
    said = b""
    while not said.endswith(b"\0"):
        # One at a time: what follows the folder's name is for others.
        more = os.read(0, 1)
        if not more:
            return None
        said += more
    return os.fsdecode(said[:-1])


def ready(pickled):
    """Where to report, once the packages are there. Does not return where nobody is left to report to."""
    missed = import_what_serves(pickled)
    overlay = await_overlay()
    if overlay is None:
        os._exit(1)
    if not os.read(0, 1):
        # Whoever watches over this process has ended before it could.
        os._exit(1)
    report = os.dup(0)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    # As it would stand if it had been there: behind the folder of this file, before all else.
    os.environ["PYTHONPATH"] = overlay + os.pathsep + os.environ["PYTHONPATH"]
    if not fits(overlay, missed):
        os.set_inheritable(report, True)
        os.execv(sys.executable, [sys.executable, "server.py", "again", str(report)])
    sys.path.insert(1, overlay)
    sys.path_importer_cache.pop(overlay, None)
    return report
