"""Records to figures to one self-contained HTML file.

The records are here at once; what draws and writes them loads matplotlib and Jinja2 when it is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from chainrule.report.records import *  # noqa: F403  (records.__all__ is the list)
from chainrule.report.records import __all__ as _record_names

if TYPE_CHECKING:
    from chainrule.report.figures import draw
    from chainrule.report.html import render_html
    from chainrule.report.write import write_figure, write_report

_LAZY = {
    "draw": "chainrule.report.figures",
    "render_html": "chainrule.report.html",
    "write_figure": "chainrule.report.write",
    "write_report": "chainrule.report.write",
}

__all__ = [*_record_names, "draw", "render_html", "write_figure", "write_report"]


def __getattr__(name: str) -> object:
    """Load a drawing or writing function on first use."""
    if name not in _LAZY:
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    from importlib import import_module

    return getattr(import_module(_LAZY[name]), name)
