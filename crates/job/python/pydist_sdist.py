"""Makes the source archive through the build back end's hook, as Beam's stager does through `build`."""

import importlib
import os
import sys
import traceback


def sdist(question, commands):
    commands.install(question["commands"])
    name, _, inner = question["backend"].partition(":")
    legacy = not question["backend"] or question["backend"] == "setuptools.build_meta:__legacy__"
    try:
        if legacy:
            from setuptools.build_meta import __legacy__ as backend
        else:
            for folder in reversed(question["backend_path"]):
                sys.path.insert(0, os.path.join(question["folder"], folder))
            backend = importlib.import_module(name)
            for part in inner.split(".") if inner else []:
                backend = getattr(backend, part)
        made = backend.build_sdist(question["output"])
    except BaseException as error:
        lines = traceback.format_exc().splitlines()
        return {"failure": "%s: %s" % (type(error).__name__, error), "lines": lines[-40:], "calls": commands.calls}
    return {"file": made, "calls": commands.calls}
