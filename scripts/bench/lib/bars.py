"""Horizontal bars as SVG: logarithmic or linear, light and dark, nothing from elsewhere."""

import math
from html import escape

STYLE = """
  text { font: 13px system-ui, sans-serif; fill: #1f2328; }
  .title { font-size: 15px; font-weight: 600; }
  .note, .tick { font-size: 11px; fill: #59636e; }
  .grid { stroke: #d1d9e0; }
  .ours { fill: #0969da; }
  .theirs { fill: #9aa4af; }
  .floor { fill: #1a7f37; }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3; }
    .note, .tick { fill: #9198a1; }
    .grid { stroke: #3d444d; }
    .ours { fill: #4493f8; }
    .theirs { fill: #656c76; }
    .floor { fill: #3fb950; }
  }
"""
LEFT, WIDTH, RIGHT, BAR, GAP, TOP = 270, 440, 80, 18, 8, 64


def logarithmic(values):
    """Gives each value its share of the width, and the ticks."""
    low = math.floor(math.log10(min(values)))
    high = max(math.ceil(math.log10(max(values))), low + 1)
    ticks = [10.0**power for power in range(low, high + 1)]
    return lambda value: (math.log10(value) - low) / (high - low), ticks


def linear(values):
    """Gives each value its share of the width, and the ticks."""
    step = 10.0 ** math.floor(math.log10(max(values)))
    count = math.ceil(max(values) / step)
    return lambda value: value / (count * step), [step * number for number in range(count + 1)]


def bars(title, note, groups, scale=logarithmic):
    """`groups` is a list of (heading, [(label, seconds, kind)]); kind is `ours`, `theirs` or `floor`. A group without a
    heading takes no line for one."""
    share, ticks = scale([seconds for _, rows in groups for _, seconds, _ in rows])

    def at(seconds):
        return LEFT + WIDTH * share(seconds)

    body, y = [], TOP
    for heading, rows in groups:
        if heading:
            body.append(f'<text class="title" x="12" y="{y + 13}">{escape(heading)}</text>')
            y += BAR + GAP
        for label, seconds, kind in rows:
            length = max(at(seconds) - LEFT, 1)
            body.append(f'<text x="{LEFT - 8}" y="{y + 13}" text-anchor="end">{escape(label)}</text>')
            body.append(f'<rect class="{kind}" x="{LEFT}" y="{y}" width="{length:.1f}" height="{BAR}" rx="2"/>')
            body.append(f'<text x="{LEFT + length + 6:.1f}" y="{y + 13}">{figure(seconds)} s</text>')
            y += BAR + GAP
        y += GAP
    height, total = y + 24, LEFT + WIDTH + RIGHT
    grid = []
    for tick in ticks:
        x = at(tick)
        grid.append(f'<line class="grid" x1="{x:.1f}" y1="{TOP - 8}" x2="{x:.1f}" y2="{y}"/>')
        grid.append(f'<text class="tick" x="{x:.1f}" y="{y + 14}" text-anchor="middle">{tick:g} s</text>')
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {total} {height}" role="img" '
            f'aria-label="{escape(title)}">',
            f"<style>{STYLE}</style>",
            f'<text class="title" x="12" y="22">{escape(title)}</text>',
            f'<text class="note" x="12" y="40">{escape(note)}</text>',
            *grid,
            *body,
            "</svg>\n",
        ]
    )


def figure(seconds):
    """Three figures: `0.0312`, `1.25`, `104`."""
    digits = max(0, 2 - math.floor(math.log10(seconds))) if seconds > 0 else 0
    return f"{seconds:.{min(digits, 4)}f}"
