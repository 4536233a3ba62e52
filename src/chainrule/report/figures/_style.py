"""Colours, line styles, markers and matplotlib settings shared by all figures.

Every colour is one of a few named roles. On disk a picture carries the light values below; in the page the same
hexadecimal values are replaced by CSS variables, which is why nothing else may be drawn in a colour of its own.
The series colours differ in lightness as well as in hue, and no series relies on colour alone.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

INK = "#1a1d21"
MUTED = "#59616b"
GRID = "#e2e5e9"
LINE = "#aab1ba"
PAPER = "#fefefe"

SERIES = ("#1d4f91", "#dc7300", "#00856a", "#a8408f", "#3f97d1", "#6e2c2c")
GOOD, BAD, NOTICE = "#1f7a4d", "#b3261e", "#8a5a00"

CSS_VARIABLES: dict[str, str] = {
    INK: "--ink",
    MUTED: "--muted",
    GRID: "--grid",
    LINE: "--line",
    PAPER: "--paper",
    GOOD: "--good",
    BAD: "--bad",
    NOTICE: "--notice",
    **{colour: f"--c{number}" for number, colour in enumerate(SERIES, start=1)},
}
"""The role of each colour as the name of a CSS variable, defined for light and dark in `report.css`."""

DASHES: tuple[Any, ...] = (
    "solid",
    (0, (5, 1.8)),
    (0, (1.2, 1.4)),
    (0, (6, 1.6, 1.2, 1.6)),
    (0, (2.6, 1.4)),
    (0, (8, 1.6, 1.2, 1.6, 1.2, 1.6)),
)
MARKERS = ("o", "s", "^", "D", "v", "P")

TEXT = 10.5
SMALL = 9.8
TITLE = 11.5


def series_style(index: int) -> dict[str, Any]:
    """Colour, dashes and marker of the series with this index; they repeat in different company after six."""
    turn = index // len(SERIES)
    return {
        "color": SERIES[index % len(SERIES)],
        "linestyle": DASHES[(index + turn) % len(DASHES)],
        "marker": MARKERS[(index + 2 * turn) % len(MARKERS)],
    }


@lru_cache(maxsize=1)
def font_families() -> tuple[str, ...]:
    """Return the fonts to draw with: an Arial-like face if there is one, then the one that has every sign."""
    from matplotlib.font_manager import fontManager

    there = set(fontManager.get_font_names())
    chosen = [name for name in ("Liberation Sans", "Arial", "Helvetica") if name in there][:1]
    return (*chosen, "DejaVu Sans")


def settings(salt: str) -> Any:
    """Return the matplotlib settings for one picture; `salt` makes the ids in its SVG its own and repeatable."""
    return {
        "font.family": list(font_families()),
        "font.size": TEXT,
        "text.color": INK,
        "axes.edgecolor": LINE,
        "axes.labelcolor": MUTED,
        "axes.linewidth": 0.8,
        "axes.unicode_minus": True,
        "axes.axisbelow": True,
        "axes.facecolor": "none",
        "figure.facecolor": PAPER,
        "savefig.facecolor": "auto",
        "grid.color": GRID,
        "grid.linewidth": 0.8,
        "xtick.color": LINE,
        "ytick.color": LINE,
        "xtick.labelcolor": MUTED,
        "ytick.labelcolor": MUTED,
        "xtick.labelsize": SMALL,
        "ytick.labelsize": SMALL,
        "xtick.major.size": 0,
        "ytick.major.size": 0,
        "xtick.minor.size": 0,
        "ytick.minor.size": 0,
        "xtick.major.pad": 5,
        "ytick.major.pad": 5,
        "lines.solid_capstyle": "round",
        "lines.dash_capstyle": "butt",
        "lines.scale_dashes": True,
        "path.simplify": True,
        "path.simplify_threshold": 0.4,
        "svg.fonttype": "none",
        "svg.hashsalt": f"chainrule {salt}",  # a bare word such as "none" would be read as a setting
        "svg.image_inline": True,
        "image.composite_image": False,
        "text.usetex": False,
        "text.parse_math": False,
        "hatch.linewidth": 0.6,
    }
