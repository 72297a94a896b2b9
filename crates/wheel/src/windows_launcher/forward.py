"""Starts the program of this name in the folder Scripts, where pip and uv keep scripts on Windows.

It stands in bin and is the same under every name: pip can replace or remove the program without it, and a copy under
another name starts a program that was installed later.
"""

import os
import sys
import zipimport


def namesake():
    """What is to be started, which need not be there."""
    own = os.path.abspath(sys.argv[0])
    folder, name = os.path.split(own)
    # Programs may lie in folders below.
    while os.path.basename(folder).lower() != "bin":
        folder, below = os.path.split(folder)
        if not below:
            sys.exit(f"{own}: starts a program from the folder Scripts beside bin, and does not lie in a folder bin")
        name = os.path.join(below, name)
    return os.path.join(os.path.dirname(folder), "Scripts", name)


def holds_script(program):
    """Whether it is a launcher with a script for this interpreter, which may have been moved since."""
    try:
        zipimport.zipimporter(program).get_code("__main__")
    except (ImportError, SyntaxError, OSError):
        return False
    return True


def start(program):
    """Gives the exit code of what is no script."""
    import signal
    import subprocess

    # Ctrl-C is for the program to answer.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    code = subprocess.call([program, *sys.argv[1:]])
    # The codes of crashes are above what an int of C holds.
    return code - (1 << 32) if code >= 1 << 31 else code


def main():
    program = namesake()
    if not os.path.isfile(program):
        sys.exit(f"{program} is not there: what it came with was uninstalled, or no longer has a program of this name")
    if not holds_script(program):
        sys.exit(start(program))
    import runpy

    # As if the program itself had been started.
    sys.argv[0] = program
    del sys.path[0]
    runpy.run_path(program, run_name="__main__")


if __name__ == "__main__":
    main()
