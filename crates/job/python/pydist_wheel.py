"""Builds the job's wheel from its unpacked source archive, through the build back end's hook, as a worker's pip does.

The archive is the one that is staged, so that what it lacks is missing here, too.
"""

import os
import tarfile
import traceback

import pydist_back_end


def wheel(question, commands):
    source = question["source"]
    with tarfile.open(question["archive"], "r:gz") as archive:
        # Its members were looked at when it was made: files and folders, none of which leaves it.
        archive.extractall(source)
    os.chdir(os.path.join(source, question["top"]))
    commands.install(question["commands"])
    try:
        backend = pydist_back_end.loaded(dict(question, folder=os.getcwd()))
        made = backend.build_wheel(question["output"])
    except BaseException as error:
        lines = traceback.format_exc().splitlines()
        return {"failure": "%s: %s" % (type(error).__name__, error), "lines": lines[-40:], "calls": commands.calls}
    return {"file": made, "calls": commands.calls}
