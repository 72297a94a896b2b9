"""Prints, as JSON, which parts of this interpreter are there and do not work."""

import json
import sys


def tkinter():
    import tkinter

    tkinter.Tcl()  # Needs its scripts, and no display.


def terminfo():
    import curses

    curses.setupterm("xterm", 1)


def ssl():
    import ssl

    ssl.create_default_context()


def fails(part):
    try:
        part()
    except Exception:
        return True
    return False


parts = [tkinter, ssl] if sys.platform == "win32" else [tkinter, terminfo, ssl]
print(json.dumps([part.__name__ for part in parts if fails(part)]))
