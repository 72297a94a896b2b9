"""Puts pip into a new environment (what `python -m venv` asks for), taking the pip of this Python itself.

CPython's own ensurepip carries a wheel of pip. This tree came without it but has pip installed, so a wheel is made
from the installed files. Written by pydist; it has the interface of CPython's ensurepip.
"""

import base64
import csv
import hashlib
import io
import os
import subprocess
import sys
import tempfile
import zipfile

__all__ = ["bootstrap", "version"]

# Rows of RECORD that tell of this installation rather than of pip.
_OF_INSTALLATION = {"INSTALLER", "REQUESTED", "RECORD", "direct_url.json"}


def _pip():
    """The dist-info folder and the version of the pip beside this module."""
    stdlib = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    site_packages = os.path.join(stdlib, "site-packages")
    names = os.listdir(site_packages) if os.path.isdir(site_packages) else []
    for name in sorted(names):
        if name.startswith("pip-") and name.endswith(".dist-info"):
            return os.path.join(site_packages, name), name[len("pip-") : -len(".dist-info")]
    raise RuntimeError(f"ensurepip needs the pip of {sys.base_prefix}, which is not installed there any more")


def version():
    """Return a string specifying the version of pip that bootstrap() installs."""
    return _pip()[1]


def _write_wheel(dist_info, wheel):
    site_packages, info = os.path.split(dist_info)
    rows = io.StringIO()
    record = csv.writer(rows, lineterminator="\n")
    with open(os.path.join(dist_info, "RECORD"), encoding="utf-8", newline="") as installed:
        names = [row[0] for row in csv.reader(installed) if row]
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_STORED) as archive:
        for name in names:
            outside = name.startswith("..") or os.path.isabs(name)
            own = name.startswith(info + "/") and name.rsplit("/", 1)[-1] in _OF_INSTALLATION
            if outside or own or name.endswith(".pyc"):
                continue
            with open(os.path.join(site_packages, *name.split("/")), "rb") as file:
                content = file.read()
            digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
            record.writerow([name, f"sha256={digest}", len(content)])
            archive.writestr(zipfile.ZipInfo(name), content)
        record.writerow([f"{info}/RECORD", "", ""])
        archive.writestr(zipfile.ZipInfo(f"{info}/RECORD"), rows.getvalue())


def bootstrap(*, root=None, upgrade=False, user=False, altinstall=False, default_pip=False, verbosity=0):
    """Install pip into the current Python, or below `root`. Return nothing; raise when it fails."""
    code = _bootstrap(
        root=root, upgrade=upgrade, user=user, altinstall=altinstall, default_pip=default_pip, verbosity=verbosity
    )
    if code:
        raise subprocess.CalledProcessError(code, "pip install")


def _bootstrap(*, root=None, upgrade=False, user=False, altinstall=False, default_pip=False, verbosity=0):
    if altinstall and default_pip:
        raise ValueError("Cannot use altinstall and default_pip together")
    dist_info, pip_version = _pip()
    # Nothing configured for other uses of pip may change this one.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PIP_")}
    environment["PIP_CONFIG_FILE"] = os.devnull
    if altinstall:
        environment["ENSUREPIP_OPTIONS"] = "altinstall"
    elif not default_pip:
        environment["ENSUREPIP_OPTIONS"] = "install"
    with tempfile.TemporaryDirectory() as folder:
        wheel = os.path.join(folder, f"pip-{pip_version}-py3-none-any.whl")
        _write_wheel(dist_info, wheel)
        arguments = ["install", "--no-cache-dir", "--no-index", "--find-links", folder]
        arguments += ["--root", root] if root else []
        arguments += ["--upgrade"] if upgrade else []
        arguments += ["--user"] if user else []
        arguments += ["-" + "v" * verbosity] if verbosity else []
        code = (
            "import runpy, sys; sys.path.insert(0, sys.argv.pop(1)); sys.argv[0] = 'pip'; "
            "runpy.run_module('pip', run_name='__main__', alter_sys=True)"
        )
        command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", code, wheel, *arguments, "pip"]
        if sys.flags.isolated:
            command.insert(1, "-I")
        return subprocess.run(command, env=environment, check=False).returncode


def _main(argv=None):
    import argparse

    parser = argparse.ArgumentParser(prog="python -m ensurepip")
    parser.add_argument("--version", action="version", version=f"pip {version()}")
    parser.add_argument("-v", "--verbose", action="count", default=0, dest="verbosity")
    parser.add_argument("-U", "--upgrade", action="store_true", help="also replace an older pip")
    parser.add_argument("--user", action="store_true", help="install for the current user only")
    parser.add_argument("--root", default=None, help="install below this folder instead")
    parser.add_argument("--altinstall", action="store_true", help="only the script pipX.Y")
    parser.add_argument("--default-pip", action="store_true", help="also the script pip")
    return _bootstrap(**vars(parser.parse_args(argv)))
