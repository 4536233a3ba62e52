"""What is printed: a block for each case, and the table of the bars."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from benchmarks.cases import BEST
from benchmarks.contestants import OURS

Rows = list[list[str]]
HEAD = ["case", "chainrule", "peer", "its time", "faster", "training only", "must reach", "met", "as usually written"]
OTHERS = ("W6", "W7", "start")  # not a comparison with peers


def seconds(value: float | None) -> str:
    """Write a time with its unit, three digits."""
    if value is None:
        return "-"
    for unit, size in (("s", 1.0), ("ms", 1e-3)):
        if value >= size:
            return f"{value / size:.3g} {unit}" if value < 1000 else f"{value:,.0f} s"
    return f"{value / 1e-6:.3g} us"


def size(value: float) -> str:
    """Write a number of bytes."""
    return f"{value / 2**30:.2f} GiB" if value >= 2**30 else f"{value / 2**20:.0f} MiB"


def times(value: float | None) -> str:
    """Write a ratio."""
    return "-" if value is None else f"{value:.3g} x"


def aligned(rows: Rows) -> list[str]:
    """Return rows as lines with aligned columns, numbers to the right of the first column."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = []
    for first, *rest in rows:
        cells = [first.ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(rest, widths[1:], strict=True))]
        lines.append("  ".join(cells).rstrip())
    return lines


def case_lines(name: str, case: dict[str, Any]) -> list[str]:
    """Return the block of one case."""
    lines = [f"{name}  {case['title']}{_in_brackets(case.get('work', ''))}"]
    if case["status"] != "measured":
        return [*lines, f"  {case['status']}: {case['reason']}"]
    if name == "W6":
        return [*lines, *(f"  {line}" for line in growth_lines(case))]
    if name in OTHERS:
        return [*lines, *(f"  {bar_text(bar)}" for bar in case["bars"])]
    lines += [f"  {line}" for line in aligned(contestant_rows(case))]
    lines += [f"  {one}: {text}" for one, text in case["differs"].items()]
    lines += [f"  {one}: {text}" for one, text in case["missing"].items()]
    return [*lines, *(f"  {line}" for line in verdict_lines(case))]


def contestant_rows(case: dict[str, Any]) -> Rows:
    """Return a line for each contestant, the fastest first."""
    rows = [["contestant", "whole call", "training only", "compiling", "repeats", "measured on"]]
    for name in sorted(case["seconds"], key=case["seconds"].__getitem__):
        rows.append(
            [
                name,
                seconds(case["seconds"][name]),
                seconds(case["training_seconds"][name]),
                seconds(case["compile_seconds"][name]),
                str(case["repeats"][name]),
                case["measured_on"].get(name, "all of it"),
            ]
        )
    return rows


def verdict_lines(case: dict[str, Any]) -> list[str]:
    """Return the ratios of one case in words."""
    lines = [bar_text(bar, case.get("best_peer")) for bar in case["bars"]]
    if case["compile_included"]:
        lines.append(f"compilation included; without it {times(case.get('ratio_without_compiling'))} the best peer")
    if case.get("ratio_to_usual_peer") is not None and case["usual_peer"] != case["best_peer"]:
        lines.append(f"against {case['usual_peer']} as it is usually written: {times(case['ratio_to_usual_peer'])}")
    start, first = (case[key].get(OURS) for key in ("start_seconds", "first_call_seconds"))
    lines.append(f"chainrule's process: ready after {seconds(start)}, first call {seconds(first)}")
    rate = f"{case['gflops']:.3g} GFLOP/s counted densely"
    if case["fraction_of_sgemm"] is not None:
        rate += f", {case['fraction_of_sgemm']:.1%} of this machine's sgemm rate"
    if case["share_without_zeros"] < 1:
        rate += f"; {case['share_without_zeros']:.0%} of it when zeros of the inputs are skipped"
    return [*lines, rate]


def bar_text(bar: dict[str, Any], best: str | None = None) -> str:
    """Write one bar with what was reached."""
    met = "met" if bar["met"] else "MISSED"
    if "most" in bar:
        what, write = bar["against"].removesuffix(" in bytes"), size if "bytes" in bar["against"] else seconds
        return f"{what}: {write(bar['reached'])}, at most {write(bar['most'])}: {met}"
    against = f"the best peer, {best}" if bar["against"] == BEST else bar["against"]
    reached = f"{times(bar['reached'])} as fast as {against} (training only {times(bar['in_training_only'])})"
    return f"{reached}, must reach {times(bar['times'])} in both: {met}"


def growth_lines(case: dict[str, Any]) -> list[str]:
    """Return the curves of W6 in words."""
    lines = []
    for name, sweep in case["sweeps"].items():
        law = sweep["linearity"]
        if law["exponent"] is None:
            told = "never filled at these sizes"
        else:
            word = "linear" if law["linear"] else "MORE THAN LINEAR"
            told = f"{word} once filled: from {law['filled_from']:,} on seconds go as arithmetic^{law['exponent']:.2f}"
        most = max(point["peak_memory"].get(OURS, 0) for point in sweep["points"])
        lines += [f"{name}: {told}; peak memory {size(most)}", *sweep["crossovers"]]
    budget = case["memory_budget"]
    met = "met" if budget["met"] else "MISSED"
    lines.append(f"peak memory {size(budget['reached'])}, budget {size(budget['most'])}: {met}")
    return lines


def summary_rows(cases: dict[str, Any]) -> Rows:
    """Return the table of bars, a line for each bar."""
    rows: Rows = [HEAD]
    for name, case in sorted(cases.items()):
        if case["status"] != "measured":
            rows.append([name, case["status"], *([""] * (len(HEAD) - 2))])
        elif name in OTHERS:
            rows += _other_rows(name, case)
        else:
            rows += [_bar_row(name, case, bar) for bar in case["bars"]]
    return rows


def _bar_row(name: str, case: dict[str, Any], bar: dict[str, Any]) -> list[str]:
    judged = _judged_seconds(case)
    rival = case["best_peer"] if bar["against"] == BEST else bar["against"]
    return [
        name,
        seconds(judged[OURS]),
        rival,
        seconds(judged[rival]),
        times(bar["reached"]),
        times(bar["in_training_only"]),
        times(bar["times"]),
        "yes" if bar["met"] else "no",
        _usual(case, bar),
    ]


def _other_rows(name: str, case: dict[str, Any]) -> Rows:
    if name == "W6":
        linear = [sweep["linearity"]["linear"] for sweep in case["sweeps"].values()]
        budget, unknown = case["memory_budget"], None in linear
        grows = "more than linear" if False in linear else "not filled" if unknown else "linear"
        met = "no" if False in linear else "-" if unknown else "yes"
        return [
            [name, grows, "", "", "", "", "linear", met, ""],
            [name, size(budget["reached"]), "", "", "", "", size(budget["most"]), "yes" if budget["met"] else "no", ""],
        ]
    rows = []
    for bar in case["bars"]:
        write = size if "bytes" in bar["against"] else seconds
        met = "yes" if bar["met"] else "no"
        what = "" if name == "W7" else bar["against"]
        rows.append([name, write(bar["reached"]), what, "", "", "", write(bar["most"]), met, ""])
    return rows


def _judged_seconds(case: dict[str, Any]) -> dict[str, float]:
    """Return the seconds that the ratios are made of."""
    compiling = case["compile_seconds"] if case["compile_included"] else {}
    return {name: value + compiling.get(name, 0.0) for name, value in case["seconds"].items()}


def _usual(case: dict[str, Any], bar: dict[str, Any]) -> str:
    ratio = case.get("ratio_to_usual_peer")
    if ratio is None or bar["against"] != BEST:
        return ""
    return f"{case['usual_peer']} {times(ratio)}, {'yes' if ratio >= bar['times'] else 'no'}"


def printed(record: dict[str, Any], names: Sequence[str] = ()) -> str:
    """Return all that is printed of a record: the blocks of the cases named (all, if none is), and the table."""
    lines: list[str] = []
    for name, case in sorted(record["cases"].items()):
        if not names or name in names:
            lines += [*case_lines(name, case), ""]
    return "\n".join([*lines, *aligned(summary_rows(record["cases"]))])


def _in_brackets(text: str) -> str:
    return f" ({text})" if text else ""
