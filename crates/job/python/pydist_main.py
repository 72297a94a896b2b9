"""Runs one question about a job, shut in. Arguments: a JSON file with the question; the answer goes to a file it names. Or `--serve`
and what to import beforehand: files with questions come on standard input, see pydist_server.py.

Exit code 97: this machine has no sandbox. The caller asks again without one.
"""

import json
import os
import sys

NO_SANDBOX = 97
BROKEN = "it replaced functions of Python itself, so that nothing can be asked"


def harmless(value):
    """What JSON can hold, whatever a file is called."""
    if isinstance(value, str):
        return value.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    if isinstance(value, dict):
        return {harmless(str(key)): harmless(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [harmless(item) for item in value]
    if value is None or isinstance(value, (bool, int)):
        return value
    return harmless(str(value))


def main():
    # Back ends pack files that they write, with their modes.
    os.umask(0o022)
    own = os.path.dirname(os.path.abspath(__file__))
    sys.path.insert(0, own)
    path = sys.argv[1]
    if path == "--serve":
        import pydist_server

        path = pydist_server.next_question(sys.argv[2])
    with open(path, encoding="utf-8") as file:
        question = json.load(file)
    import pydist_sandbox

    if question["sandbox"]:
        try:
            pydist_sandbox.enter(question["writable"], question["shielded"])
        except pydist_sandbox.Unavailable as error:
            print(error, file=sys.stderr)
            os._exit(NO_SANDBOX)
    if question["ask"] == "nothing":
        return
    # Modules of ours that are needed later; names of the job must not hide them, nor they the job's.
    import pydist_back_end
    import pydist_commands
    import pydist_probe
    import pydist_verify
    import pydist_wheel

    sys.path.remove(own)
    os.chdir(question["folder"])
    sys.argv = ["setup.py"]
    asks = {
        "probe": pydist_probe.probe,
        "sdist": pydist_back_end.sdist,
        "wheel": pydist_wheel.wheel,
        "metadata": pydist_verify.metadata,
        "import": pydist_verify.module,
    }
    ask = asks[question["ask"]]
    # Taken before code of the job can put something else in their places.
    dumps, open_file, end, target = json.dumps, open, os._exit, question["answer"]
    try:
        answer = ask(question, pydist_commands)
    except BaseException as error:
        answer = {"failure": {"exception": "%s: %s" % (type(error).__name__, error)}}
        if question["ask"] != "probe":
            answer = {"failure": answer["failure"]["exception"]}
    try:
        text = dumps(harmless(answer))
    except BaseException:
        text = '{"failure": %s}' % ('"%s"' if question["ask"] != "probe" else '{"exception": "%s"}') % BROKEN
    with open_file(target, "w", encoding="utf-8") as file:
        file.write(text)
    sys.stdout.flush()
    # What the job registered for the end, and threads that it left, are not waited for.
    end(0)


main()
