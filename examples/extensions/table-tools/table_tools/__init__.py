"""Operators on tables, which need pandas, and a few that show what a host has to bear."""

import io
import os
import time

import numpy
import pandas

from pydist_operator import progress


def scale(table: pandas.DataFrame, factor: float = 2.0) -> pandas.DataFrame:
    """Multiplies every column of numbers."""
    numbers = table.select_dtypes("number").columns
    return table.assign(**{name: table[name] * factor for name in numbers})


def total(table: pandas.DataFrame) -> pandas.DataFrame:
    """Adds up every column of numbers."""
    sums = table.select_dtypes("number").sum()
    return pandas.DataFrame({"column": list(sums.index), "sum": [float(value) for value in sums]})


def same(table: pandas.DataFrame) -> pandas.DataFrame:
    """Returns what it gets."""
    return table


def make(rows: int, columns: int = 10) -> pandas.DataFrame:
    """Makes a table of numbers."""
    return pandas.DataFrame({f"c{number}": numpy.arange(rows) * (number + 0.5) for number in range(columns)})


def divide(dividend: float, divisor: float) -> io.BytesIO:
    """Divides two numbers; a divisor of 0 is an exception."""
    return io.BytesIO(str(dividend / divisor).encode())


def train(rounds: int = 10, seconds: float = 0.05) -> io.BytesIO:
    """Does nothing for some time, and reports how far it is."""
    for done in range(rounds):
        progress(done / rounds, f"round {done + 1} of {rounds}")
        time.sleep(seconds)
    return io.BytesIO(b"trained")


def end_python(code: int = 3) -> None:
    """Ends the process that it runs in, as a fault in native code would."""
    os._exit(code)
