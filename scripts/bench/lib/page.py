"""Markdown tables, and one section of a page between its two marks."""

import textwrap
from pathlib import Path


def paragraph(text):
    return textwrap.fill(" ".join(text.split()), 118, break_long_words=False, break_on_hyphens=False)


def table(headings, rows):
    lines = [headings, ["---"] * len(headings), *rows]
    return "".join("| " + " | ".join(str(cell) for cell in line) + " |\n" for line in lines)


def replace_section(page: Path, name, text):
    """Puts `text` between `<!-- begin NAME -->` and `<!-- end NAME -->`; everything else stays. Without marks the
    section is added at the end."""
    begin, end = f"<!-- begin {name} -->", f"<!-- end {name} -->"
    whole = page.read_text() if page.exists() else ""
    section = f"{begin}\n{text.strip()}\n{end}"
    if begin in whole and end in whole:
        before, rest = whole.split(begin, 1)
        whole = before + section + rest.split(end, 1)[1]
    else:
        whole = f"{whole.rstrip()}\n\n{section}\n"
    beside = page.with_suffix(".new")
    beside.write_text(whole)
    beside.replace(page)
