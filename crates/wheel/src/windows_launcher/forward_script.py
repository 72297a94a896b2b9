"""Runs the script of this name in the folder Scripts, where pip and uv keep scripts on Windows.

It stands in bin and is the same under every name.
"""

import os
import runpy
import sys


def namesake():
    own = os.path.abspath(__file__)
    folder, name = os.path.split(own)
    # Scripts may lie in folders below.
    while os.path.basename(folder).lower() != "bin":
        folder, below = os.path.split(folder)
        if not below:
            sys.exit(f"{own}: runs a script of the folder Scripts beside bin, and does not lie in a folder bin")
        name = os.path.join(below, name)
    return os.path.join(os.path.dirname(folder), "Scripts", name)


if __name__ == "__main__":
    script = namesake()
    if not os.path.isfile(script):
        sys.exit(f"{script} is not there: what it came with was uninstalled, or no longer has a script of this name")
    # As if the script itself had been started.
    sys.argv[0] = script
    sys.path[0] = os.path.dirname(script)
    runpy.run_path(script, run_name="__main__")
