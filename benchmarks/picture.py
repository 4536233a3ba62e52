"""The picture of the growth curves: time against members, width and samples, chainrule and its peers, log-log."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.contestants import OURS
from benchmarks.growth import BY_NAME
from chainrule.files import write_whole

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Light and dark, dashes and markers tell the lines apart without colour.
STYLES: dict[str, dict[str, Any]] = {
    OURS: {"color": "#1d4f91", "linestyle": "-", "marker": "o", "linewidth": 2.4, "zorder": 3},
    "jax": {"color": "#dc7300", "linestyle": "--", "marker": "s", "linewidth": 1.6},
    "jax lanes": {"color": "#6b7f00", "linestyle": ":", "marker": "^", "linewidth": 1.8},
    "jax broadcast": {"color": "#6b7f00", "linestyle": "-.", "marker": "D", "linewidth": 1.6},
}
LABELS = {"members": "members", "width": "units in each hidden layer", "samples": "samples"}
PICTURE = Path("docs/pictures/growth.png")
INK, GRID = "#1a1d21", "#d5d9de"


def draw(case: dict[str, Any], path: Path = PICTURE) -> Path:
    """Draw the curves of W6 into a PNG file."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    sweeps = case["sweeps"]
    figure = Figure(figsize=(4.2 * len(sweeps), 4.2), layout="constrained")
    FigureCanvasAgg(figure)
    for i, (name, sweep) in enumerate(sweeps.items()):
        _panel(figure.add_subplot(1, len(sweeps), i + 1), name, sweep)
    return write_whole(path, lambda temporary: figure.savefig(temporary, dpi=160, format="png"))


def _panel(axes: Axes, name: str, sweep: dict[str, Any]) -> None:
    points = sweep["points"]
    for contestant, style in STYLES.items():
        pairs = [(p["size"], p["seconds"][contestant]) for p in points if contestant in p["seconds"]]
        if pairs:
            at, values = zip(*pairs, strict=True)
            axes.plot(at, values, label=contestant, markersize=5, **style)
    axes.set(xscale="log", yscale="log")
    sizes = [point["size"] for point in points]
    if name == "width":  # powers of two, which ticks at powers of ten do not show
        axes.set_xscale("log", base=2)
        axes.set_xticks(sizes, [f"{size}" for size in sizes])
    axes.set_xlabel(LABELS[name], fontsize=11, color=INK)
    axes.set_ylabel("seconds an epoch", fontsize=11, color=INK)
    axes.set_title(BY_NAME[name].title, fontsize=10.5, color=INK)
    axes.tick_params(labelsize=10, colors=INK)
    axes.grid(visible=True, which="major", color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.legend(fontsize=10, frameon=False)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
