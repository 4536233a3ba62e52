"""A figure as SVG or PNG: plain files for the disk, and inline SVG that follows the page's light and dark colours.

Inline SVG shares its page with all other pictures, so its ids are made its own, unused ones are dropped, colours
become CSS variables, and nothing it contains (style sheets, fonts, sizes) reaches beyond it.
"""

from __future__ import annotations

import io
import re
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

from chainrule.report.records import FigureRecord

if TYPE_CHECKING:
    from chainrule.report.figures._layout import Picture

DOTS_PER_INCH = 150
FONT_STACK = "Arial, Helvetica, 'Liberation Sans', sans-serif"

_BACKGROUND, _TITLE = "patch_1", "picture-title"
_NUMBER = re.compile(r"-?\d+\.\d{2,}")
_FONT = re.compile(r"font: (?:(?P<style>italic|oblique) )?(?:(?P<weight>bold|[1-9]00) )?(?P<size>[\d.]+)px [^;\"]*")
_LONG_PATH = 600
_HOVER = re.compile(r'<g id="(hover-\d+)">')


@dataclass(frozen=True)
class Rendering:
    """A figure in its three forms: a standalone SVG file, SVG to stand in a page, and PNG."""

    svg: str
    inline: str
    png: bytes


def render(record: FigureRecord) -> Rendering:
    """Draw a figure once and return all its forms.

    The bytes depend on the record (and the fonts at hand) only: no date, no version, ids from the record's own.
    """
    from chainrule.report.figures import draw

    picture = draw(record)
    body = _body(picture, record)
    return Rendering(_standalone(body, picture, record), _inline(body, picture, record), _png(picture, record))


def render_svg(record: FigureRecord) -> str:
    """Return a figure as a standalone SVG file in light colours."""
    from chainrule.report.figures import draw

    picture = draw(record)
    return _standalone(_body(picture, record), picture, record)


def render_png(record: FigureRecord) -> bytes:
    """Return a figure as PNG at `DOTS_PER_INCH`, in light colours."""
    from chainrule.report.figures import draw

    return _png(draw(record), record)


def _standalone(body: str, picture: Picture, record: FigureRecord) -> str:
    """Make a file of the drawing."""
    width, height = 72 * picture.width, 72 * (picture.band + picture.body)
    root = _root(record, f"0 0 {width:g} {height:g}", f' width="{width:g}pt" height="{height:g}pt"')
    return f'<?xml version="1.0" encoding="utf-8"?>\n{root}{body}</svg>\n'


def _inline(body: str, picture: Picture, record: FigureRecord) -> str:
    """Make the drawing a part of a page: themed, as wide as its container, without the title's band."""
    from chainrule.report.figures._style import CSS_VARIABLES

    # The page sets the title as text and is itself the paper.
    own = rf'<g id="{re.escape(record.id)}:(?:{_BACKGROUND}|{_TITLE}-\d+)">.*?</g>\s*'
    body = re.sub(own, "", body, flags=re.S)
    for colour, variable in CSS_VARIABLES.items():
        body = body.replace(colour, f"var({variable})")
    view = f"0 {72 * picture.band:g} {72 * picture.width:g} {72 * picture.body:g}"
    return f"{_root(record, view, '')}{body}</svg>"


def _png(picture: Picture, record: FigureRecord) -> bytes:
    """Rasterise the picture."""
    import matplotlib as mpl

    from chainrule.report.figures._style import settings

    buffer = io.BytesIO()
    with mpl.rc_context(settings(record.id)):
        picture.savefig(buffer, format="png", dpi=DOTS_PER_INCH, metadata={"Software": None})
    return buffer.getvalue()


def _body(picture: Picture, record: FigureRecord) -> str:
    """Let matplotlib draw, and take the drawing out of its file: no header, no style sheet, own ids, short numbers."""
    import matplotlib as mpl

    from chainrule.report.figures._style import settings

    buffer = io.StringIO()
    with mpl.rc_context(settings(record.id)):
        picture.savefig(buffer, format="svg", metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")))
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg") : svg.rindex("</svg>")]
    svg = svg[svg.index(">") + 1 :]
    svg = re.sub(r"<metadata>.*?</metadata>|<defs>\s*<style.*?</style>\s*</defs>|<!--.*?-->", "", svg, flags=re.S)
    svg = _HOVER.sub(lambda m: f"<g>\n<title>{escape(picture.hovers[m[1]])}</title>", svg)
    svg = re.sub(r'(base64,)([^"]*)', lambda m: m[1] + re.sub(r"\s", "", m[2]), svg)
    svg = re.sub(r' (d|x|y|transform|style)="([^"]*)"', _short_numbers, _own_ids(svg, record.id))
    svg = re.sub(r"\n\s*", "\n", _FONT.sub(_font, svg))
    return re.sub(r"((?:<use [^>]*/>\s*){2,})", _hoist_style, svg).strip()


def _own_ids(svg: str, prefix: str) -> str:
    """Keep only ids that something refers to, and make them unique across a page of pictures."""
    # A colon occurs in no record's id, so these ids cannot meet those of sections and tables.
    used = sorted(set(re.findall(r'(?:xlink:href="#|url\(#)([^")]+)', svg)))
    names = {old: f"{prefix}:{number}" for number, old in enumerate(used)}
    marked = re.findall(rf' id="({_BACKGROUND}|{_TITLE}-\d+)"', svg)
    names |= {name: f"{prefix}:{name}" for name in marked}
    svg = re.sub(r' id="([^"]+)"', lambda m: f' id="{names[m[1]]}"' if m[1] in names else "", svg)
    return re.sub(r'(xlink:href="#|url\(#)([^")]+)', lambda m: m[1] + names[m[2]], svg)


def _hoist_style(match: re.Match[str]) -> str:
    """Write the style that consecutive markers share once, around them."""
    styles = set(re.findall(r' style="([^"]*)"', match[1]))
    if len(styles) != 1 or match[1].count(" style=") != match[1].count("<use "):
        return match[1]
    return f'<g style="{styles.pop()}">\n' + re.sub(r' style="[^"]*"', "", match[1]) + "</g>\n"


def _short_numbers(match: re.Match[str]) -> str:
    """Round coordinates to a hundredth of a point, in long paths to a tenth; scales keep more."""
    name, text = match[1], match[2]
    places = 4 if name == "transform" else (1 if len(text) > _LONG_PATH else 2)
    return f' {name}="{_NUMBER.sub(lambda number: _trim(float(number[0]), places), text)}"'


def _trim(value: float, places: int) -> str:
    """Write a number with few decimals and no trailing zeros."""
    text = f"{value:.{places}f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def _font(match: re.Match[str]) -> str:
    """Keep a font's size, weight and slant; its family is inherited."""
    parts = [f"font-size: {_trim(float(match['size']), 2)}px"]
    parts += [f"font-weight: {match['weight']}"] if match["weight"] else []
    parts += [f"font-style: {match['style']}"] if match["style"] else []
    return "; ".join(parts)


def _root(record: FigureRecord, view: str, more: str) -> str:
    """Open an SVG element that says what it shows."""
    name = f"{record.id}:alt"
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" version="1.1"'
        f' viewBox="{view}"{more} role="img" aria-labelledby="{name}" font-family="{FONT_STACK}"'
        ' stroke-linejoin="round" stroke-linecap="butt">'
        f'<title id="{name}">{escape(record.alt_text)}</title>\n'
    )
