"""A picture measured in inches from its top left corner, and the text that is laid out in it.

Automatic layout engines draw a figure several times to find its margins; here margins are computed once from
measured text, which is several times faster and gives equal pictures equal margins.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, TypeAlias

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg, RendererAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.lines import Line2D
from matplotlib.text import Text
from matplotlib.transforms import Affine2D, Transform

from chainrule.report.figures._style import INK, MUTED, SMALL, TEXT, TITLE, font_families

WIDTH = 5.0
"""Width of every figure in inches: two stand side by side on a desk, one is legible on a phone."""

TITLE_ID = "picture-title"
HOVER_ID = "hover"
LINE_HEIGHT = 1.3


class Picture(Figure):
    """A matplotlib figure with a band for the title on top; positions are inches from the body's top left corner.

    Parameters
    ----------
    title : str
        Drawn above the body, wrapped. The page crops this band away and sets the title as text.
    height : float
        Height of the body in inches.
    """

    def __init__(self, title: str, height: float, width: float = WIDTH) -> None:
        lines = wrap(title, width - 0.2, TITLE, "bold")
        self.band = 0.12 + len(lines) * TITLE * LINE_HEIGHT / 72 if lines else 0.0
        self.body = height
        super().__init__(figsize=(width, self.band + height))
        FigureCanvasAgg(self)
        self.hovers: dict[str, str] = {}
        for number, line in enumerate(lines):
            top = number * TITLE * LINE_HEIGHT / 72 + 0.08 - self.band
            self.write(0.1, top, line, size=TITLE, weight="bold", va="top", gid=f"{TITLE_ID}-{number}")

    @property
    def width(self) -> float:
        """Width in inches."""
        return float(self.get_figwidth())

    def write(self, x: float, y: float, text: str, *, size: float = TEXT, color: str = INK, **style: Any) -> Text:
        """Write text at (x, y) inches from the body's top left corner."""
        style = {"ha": "left", "va": "center"} | style
        return self.text(x, self.body - y, text, transform=self.dpi_scale_trans, fontsize=size, color=color, **style)

    def line(self, x: Sequence[float], y: Sequence[float], **style: Any) -> Line2D:
        """Draw a line through points given in inches."""
        line = Line2D(x, [self.body - v for v in y], transform=self.dpi_scale_trans, **style)
        self.add_artist(line)
        return line

    def panel(self, left: float, top: float, width: float, height: float) -> Axes:
        """Add axes whose frame is given in inches from the body's top left corner."""
        total_width, total_height = self.get_size_inches()
        bottom = self.body - top - height
        frame = (left / total_width, bottom / total_height, width / total_width, height / total_height)
        axes = self.add_axes(frame)
        axes.spines[["top", "right", "left"]].set_visible(False)
        axes.grid(True, axis="y")
        return axes

    def hover(self, artist: Artist, text: str) -> None:
        """Let a picture in the page show a text while a reader points at an artist."""
        name = f"{HOVER_ID}-{len(self.hovers)}"
        artist.set_gid(name)
        self.hovers[name] = text

    def inches(self) -> Transform:
        """Return the transform from inches below the body's top left corner to the picture, for patches."""
        return Affine2D().scale(1, -1).translate(0, self.body) + self.dpi_scale_trans


@lru_cache(maxsize=1)
def _ruler() -> RendererAgg:
    """Return a renderer used only to measure text, at 72 dots per inch."""
    return RendererAgg(8, 8, 72)  # type: ignore[no-untyped-call]


@lru_cache(maxsize=8192)
def text_width(text: str, size: float = TEXT, weight: str = "normal") -> float:
    """Width of a line of text in inches."""
    font = FontProperties(family=list(font_families()), size=size, weight=weight)
    width = _ruler().get_text_width_height_descent(text, font, False)[0]  # type: ignore[no-untyped-call]
    return float(width) / 72


def widest(texts: Sequence[str], size: float = TEXT, weight: str = "normal") -> float:
    """Width of the widest of several lines in inches; 0 for none."""
    return max((text_width(text, size, weight) for text in texts), default=0.0)


def wrap(text: str, width: float, size: float = TEXT, weight: str = "normal", most: int = 9) -> list[str]:
    """Break text at spaces into lines of at most `width` inches; at most `most` lines, then an ellipsis."""
    lines: list[str] = []
    for word in (piece for whole in text.split() for piece in _pieces(whole, width, size, weight)):
        between = "" if lines and lines[-1].endswith("(") else " "
        longer = f"{lines[-1]}{between}{word}" if lines else word
        if lines and text_width(longer, size, weight) <= width:
            lines[-1] = longer
        else:
            lines.append(word)
    if len(lines) > most:
        lines = [*lines[: most - 1], " ".join(lines[most - 1 :])]
    return [shorten(line, width, size, weight) for line in lines]


def _pieces(word: str, width: float, size: float, weight: str) -> list[str]:
    """Break a word that is wider than a line after a bracket or comma: ``exponential(decay=0.85)``."""
    if text_width(word, size, weight) <= width:
        return [word]
    return [piece for piece in re.split(r"(?<=[(,])", word) if piece]


def shorten(text: str, width: float, size: float = TEXT, weight: str = "normal") -> str:
    """Cut a line that is wider than `width` inches and end it with an ellipsis."""
    if text_width(text, size, weight) <= width:
        return text
    keep = len(text)
    while keep > 1 and text_width(text[:keep].rstrip() + "…", size, weight) > width:
        keep -= 1
    return text[:keep].rstrip() + "…"


def spread_out(places: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Move places apart until neighbours are at least `gap` from each other, staying within (low, high).

    Used for labels at the ends of lines. Every label stays as near to its place as its neighbours allow: places
    that collide form a block around their mean.
    """
    order = sorted(range(len(places)), key=lambda k: places[k])
    gap = min(gap, (high - low) / max(len(places) - 1, 1))
    blocks: list[list[float]] = []  # [centre, count]
    for k in order:
        blocks.append([min(max(places[k], low), high), 1.0])
        while len(blocks) > 1 and _bottom(blocks[-1], gap) - _top(blocks[-2], gap) < gap - 1e-12:
            centre, count = blocks.pop()
            before, n = blocks[-1]
            blocks[-1] = [(before * n + centre * count) / (n + count), n + count]
            _keep_within(blocks[-1], gap, low, high)
    out = [0.0] * len(places)
    rank = 0
    for centre, count in blocks:
        for step in range(int(count)):
            out[order[rank]] = centre + gap * (step - (count - 1) / 2)
            rank += 1
    return out


def _bottom(block: list[float], gap: float) -> float:
    return block[0] - gap * (block[1] - 1) / 2


def _top(block: list[float], gap: float) -> float:
    return block[0] + gap * (block[1] - 1) / 2


def _keep_within(block: list[float], gap: float, low: float, high: float) -> None:
    """Shift a block of labels so that it does not leave the axis."""
    block[0] += max(low - _bottom(block, gap), 0.0)
    block[0] -= max(_top(block, gap) - high, 0.0)


Entries: TypeAlias = Sequence[tuple[str, dict[str, Any]]]
"""A key's names, each with the keyword arguments of its sample's `Line2D`."""

_KEY_LEFT, _KEY_ROW = 0.1, 0.2


def _arrange(entries: Entries) -> list[tuple[float, int, float, str]]:
    """Place a key's entries in rows: (left edge, row, width of the sample, name), in inches."""
    placed: list[tuple[float, int, float, str]] = []
    x, row = _KEY_LEFT, 0
    for name, style in entries:
        sample = 0.16 if style.get("linestyle") == "none" else 0.34
        name = shorten(name, WIDTH - _KEY_LEFT - sample - 0.1, SMALL)
        needed = sample + 0.06 + text_width(name, SMALL)
        if x > _KEY_LEFT and x + needed > WIDTH - 0.05:
            x, row = _KEY_LEFT, row + 1
        placed.append((x, row, sample, name))
        x += needed + 0.2
    return placed


def legend_height(entries: Entries) -> float:
    """Height in inches that `legend` will use."""
    return 0.04 + _KEY_ROW * (_arrange(entries)[-1][1] + 1) if entries else 0.0


def legend(picture: Picture, entries: Entries) -> None:
    """Draw a key in rows at the top of the body, a sample of each line before its name."""
    for (x, row, sample, name), (_, style) in zip(_arrange(entries), entries, strict=True):
        y = 0.12 + _KEY_ROW * row
        xs = [x + sample / 2] if style.get("linestyle") == "none" else [x, x + sample / 2, x + sample]
        options = {"markevery": [len(xs) // 2]} if style.get("marker") else {}
        picture.line(xs, [y] * len(xs), **style, **options)
        picture.write(x + sample + 0.06, y, name, size=SMALL)


def footnote(picture: Picture, text: str, left: float = 0.1) -> None:
    """Write a muted line at the bottom of the picture."""
    line = shorten(text, picture.width - left, SMALL)
    picture.write(left, picture.body - 0.04, line, size=SMALL, color=MUTED, va="bottom")
