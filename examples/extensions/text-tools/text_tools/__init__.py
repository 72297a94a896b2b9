"""Operators on texts; they need nothing but Python."""

import collections
import csv
import pathlib
import re

from pydist_operator import UserError, progress


def count_words(texts: pathlib.Path, at_least: int = 1) -> pathlib.Path:
    """Counts the words of a text, the most frequent first.

    Args:
        texts: A text in UTF-8.
        at_least: Rarer words are left out.
    """
    words = re.findall(r"\w+", texts.read_text(encoding="utf-8").lower())
    if not words:
        raise UserError("the text has no words")
    progress(0.5, f"{len(words)} words")
    counts = sorted(collections.Counter(words).items(), key=lambda item: (-item[1], item[0]))
    out = pathlib.Path("counts.csv")
    with out.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["word", "count"])
        writer.writerows(item for item in counts if item[1] >= at_least)
    return out
