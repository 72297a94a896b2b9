"""Answers several questions, each in a process of its own that is forked from this one: Python starts and setuptools is imported
once. No code of a job runs here, and what runs in a forked process is shut in there and cannot reach this one.

Each line of standard input is a JSON text, the path of a file with a question. For each there is a line of output when its process
has ended: a JSON object with its exit code, if it has one, and the end of what it printed.
"""

import gc
import importlib
import json
import os

# The last bytes of what a question prints that are kept.
KEPT = 8192
OWN = """pydist_back_end pydist_commands pydist_probe pydist_sandbox pydist_verify pydist_wheel ctypes""".split()
# What setuptools imports for a source archive and a wheel of Python files. Modules that it lacks are left out.
OF_SETUPTOOLS = """distutils.core distutils.command.build distutils.command.sdist distutils.command.bdist distutils.command.install
distutils.command.install_data distutils.command.build_scripts distutils.command.check distutils.archive_util distutils.text_file
setuptools setuptools.build_meta setuptools.dist setuptools.command.bdist_wheel setuptools.command.build
setuptools.command.build_ext setuptools.command.build_py setuptools.command.egg_info
setuptools.command.dist_info setuptools.command.install setuptools.command.install_egg_info setuptools.command.install_lib
setuptools.command.install_scripts setuptools.command.sdist""".split()


def next_question(imports):
    """Returns the path of a question, in a process of its own for each. `imports`: `setuptools`, or nothing of the environment's."""
    questions, answers = os.fdopen(os.dup(0), encoding="utf-8"), os.fdopen(os.dup(1), "w", encoding="utf-8")
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1):
        os.dup2(nothing, stream)
    os.close(nothing)
    names = OF_SETUPTOOLS if imports == "setuptools" else []
    for name in OWN + names:
        try:
            importlib.import_module(name)
        except ImportError:
            pass
    # Nothing of this is looked at again by the collector, in whichever process.
    gc.freeze()
    for line in questions:
        if not line.strip():
            continue
        path = json.loads(line)
        said, saying = os.pipe()
        child = os.fork()
        if child == 0:
            for stream in (1, 2):
                os.dup2(saying, stream)
            for stream in (said, saying):
                os.close(stream)
            questions.close()
            answers.close()
            return path
        os.close(saying)
        output = end_of(said)
        os.close(said)
        _, status = os.waitpid(child, 0)
        code = os.WEXITSTATUS(status) if os.WIFEXITED(status) else None
        answers.write(json.dumps({"code": code, "output": output.decode("utf-8", "replace")}) + "\n")
        answers.flush()
    os._exit(0)


def end_of(stream):
    """Reads until everybody has closed it."""
    kept = b""
    while True:
        block = os.read(stream, 1 << 16)
        if not block:
            return kept[-KEPT:]
        kept = kept[-KEPT:] + block
