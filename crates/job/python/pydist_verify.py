"""What the interpreter of a baked runtime says of itself. It runs isolated, in an empty folder, without a network."""

import hashlib
import importlib
import os
import re
import sys
import traceback
from importlib import metadata as installed


def metadata(question, commands):
    """Data files by both ways to them, and what is installed, with its requirements."""
    sys.path[:] = [path for path in sys.path if path]
    files = []
    for row in question["data_files"]:
        by_prefix = os.path.join(sys.prefix, *row["path"].split("/"))
        files.append({"path": row["path"], "prefix": digest(by_prefix), "metadata": by_metadata(question["name"], row["path"])})
    distributions = []
    for distribution in installed.distributions():
        name = distribution.metadata["Name"]
        if name:
            requires = list(distribution.requires or [])
            distributions.append({"name": name, "version": distribution.version, "requires": requires})
    # What a worker's boot program asks before anything else: `pip show apache-beam`.
    pip = any(normal(row["name"]) == "pip" for row in distributions)
    return {"files": files, "distributions": sorted(distributions, key=lambda row: row["name"]), "pip": pip}


def module(question, commands):
    """Imports one module; with `entry`, also whether it defines what Klio calls."""
    sys.path[:] = [path for path in sys.path if path]
    try:
        if question["config"]:
            set_configuration(question["config"])
        made = importlib.import_module(question["module"])
    except BaseException as error:
        lines = traceback.format_exception_only(type(error), error)
        return {"failure": lines[-1].strip(), "trace": traceback.format_exc().splitlines()[-40:]}
    entry = any(callable(getattr(made, name, None)) for name in ("run", "run_basic"))
    return {"file": getattr(made, "__file__", None), "entry": entry}


def set_configuration(path):
    """As Klio does before it imports a job, and workers from the driver's main session: its decorators ask for it at once."""
    try:
        import yaml
        from klio.transforms import core
        from klio_core.config import KlioConfig
    except ImportError:
        return
    with open(os.path.join(sys.prefix, *path.split("/")), encoding="utf-8") as file:
        values = yaml.safe_load(file)
    try:
        # Ours has its inputs by name already.
        config = KlioConfig(values, config_skip_preprocessing=True)
    except TypeError:
        config = KlioConfig(values)
    core.RunConfig.set(config)


def normal(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def by_metadata(name, path):
    wanted = os.path.realpath(os.path.join(sys.prefix, *path.split("/")))
    try:
        files = installed.files(name) or []
    except installed.PackageNotFoundError:
        return None
    for file in files:
        if file.name == wanted.rsplit(os.sep, 1)[-1]:
            place = str(file.locate())
            if os.path.realpath(place) == wanted:
                return digest(place)
    return None


def digest(path):
    try:
        with open(path, "rb") as file:
            sum = hashlib.sha256()
            for block in iter(lambda: file.read(1 << 20), b""):
                sum.update(block)
            return sum.hexdigest()
    except OSError:
        return None
