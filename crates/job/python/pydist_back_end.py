"""Calls build back ends (PEP 517), as Beam's stager does through `build`, and reads what they made.

A back end other than setuptools tells nothing of a job before it has built it. So its archive and its wheel are made, and
the facts are those of the wheel.
"""

import email.parser
import importlib
import os
import shutil
import sys
import tarfile
import traceback
import zipfile
import zlib

MOST_MEMBERS = 100000
LARGEST_METADATA = 4 << 20


def loaded(question):
    """The object with the hooks."""
    name, _, inner = question["backend"].partition(":")
    if not name or question["backend"] == "setuptools.build_meta:__legacy__":
        from setuptools.build_meta import __legacy__ as backend

        return backend
    for folder in reversed(question["backend_path"]):
        sys.path.insert(0, os.path.join(question["folder"], folder))
    backend = importlib.import_module(name)
    for part in inner.split(".") if inner else []:
        backend = getattr(backend, part)
    return backend


def pack_quickly(output):
    """Archives in `output` are not compressed, and have no names of owners: they are unpacked at once and packed anew."""
    begin = getattr(tarfile._Stream, "_init_write_gz", None)
    if begin is None:
        return

    def begin_quickly(stream, *level):
        # It shortens the name.
        path = os.path.realpath(str(stream.name))
        begin(stream, *level)
        if path.startswith(output + os.sep):
            stream.cmp = zlib.compressobj(0, zlib.DEFLATED, -zlib.MAX_WBITS, zlib.DEF_MEM_LEVEL, 0)

    tarfile._Stream._init_write_gz = begin_quickly
    # Each is looked up for each member.
    tarfile.pwd = tarfile.grp = None


def sdist(question, commands):
    commands.install(question["commands"])
    if not question["keep"]:
        pack_quickly(os.path.realpath(question["output"]))
    try:
        made = loaded(question).build_sdist(question["output"])
    except BaseException as error:
        lines = traceback.format_exc().splitlines()
        return {"failure": "%s: %s" % (type(error).__name__, error), "lines": lines[-40:], "calls": commands.calls}
    return {"file": made, "calls": commands.calls}


def facts(question, commands, folder):
    """The `setup` of an answer, from the archive and the wheel."""
    output = os.path.join(os.path.dirname(folder), "probed")
    os.mkdir(output)
    before = set(files_of(folder))
    backend = loaded(question)
    archive, wheel = backend.build_sdist(output), backend.build_wheel(output)
    with tarfile.open(os.path.join(output, archive)) as tar:
        members = []
        for member in tar:
            if len(members) > MOST_MEMBERS:
                raise ValueError("the archive has more than %d members" % MOST_MEMBERS)
            if member.isfile():
                members.append(member.name.partition("/")[2])
    with zipfile.ZipFile(os.path.join(output, wheel)) as wheel_file:
        names = wheel_file.namelist()[:MOST_MEMBERS]
        (place,) = [name for name in names if name.count("/") == 1 and name.endswith(".dist-info/METADATA")]
        with wheel_file.open(place) as file:
            text = file.read(LARGEST_METADATA).decode("utf-8", "replace")
    shutil.rmtree(output, ignore_errors=True)
    metadata = email.parser.HeaderParser().parsestr(text)
    modules = [name for name in names if name.endswith(".py") and ".dist-info/" not in name and ".data/" not in name]
    packages = sorted({name.rpartition("/")[0].replace("/", ".") for name in modules if "/" in name})
    # A wheel does not say which file of the job its data came from; one with the same path or name is taken for it.
    data, by_name = [], {path.rpartition("/")[2]: path for path in sorted(before, reverse=True)}
    for name in names:
        scheme = name.partition(".data/data/")[2]
        if scheme and not name.endswith("/"):
            dest, _, base = scheme.rpartition("/")
            source = scheme if scheme in before else by_name.get(base)
            data.append({"dest": dest, "sources": [source] if source else []})
    in_src = any("src/" + name in before for name in modules)
    return {
        "name": metadata["Name"],
        "version": metadata["Version"],
        "py_modules": sorted(name[:-3] for name in modules if "/" not in name),
        "packages": packages,
        "package_dir": {"": "src"} if in_src else {},
        "data_files": data,
        "install_requires": [value for value in metadata.get_all("Requires-Dist") or [] if "extra ==" not in value],
        "python_requires": metadata["Requires-Python"],
        "has_extensions": not wheel.endswith("-none-any.whl"),
        "cmdclass": [],
        "archive": sorted(members),
    }


def files_of(folder):
    for place, _, files in os.walk(folder):
        for name in files:
            yield os.path.relpath(os.path.join(place, name), folder).replace(os.sep, "/")
