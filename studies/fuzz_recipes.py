"""Damaged recipes give one line that says what is wrong, or are recipes that expand: nothing else.

python -m studies.fuzz_recipes [--files 2000] [--seed 0]
"""

from __future__ import annotations

import argparse
import copy
import datetime
import random
import tempfile
import time
import tomllib
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from chainrule.data import load
from chainrule.errors import ConfigError, RecipeError
from chainrule.experiments import expand, load_recipe, parse_recipe, seeds_of
from chainrule.experiments.recipes.starter import starter_text

LAB = Path(__file__).parents[1] / "src" / "chainrule" / "lab" / "recipes"

EVERYTHING = """
seeds = [3, 5, 8]
success = "accuracy >= 0.9"
[data]
source = "moons(n=40)"
[network]
hidden = [3]
[training]
epochs = 20
stopping = ["patience(5)"]
validation = 0.25
[axes]
"training.optimizer" = ["sgd", "momentum"]
"training.learning_rate" = { from = 0.01, to = 1.0, per_decade = 1 }
"training.optimizer.beta" = { values = [0.5, 0.9], only = { "training.optimizer" = ["momentum"] } }
"network.activation" = { values = ["relu", "tanh"], only = { case = "b" } }
[[zipped]]
"network.l2" = [0.0, 0.001]
"network.bias" = [true, false]
only = { "training.optimizer" = "sgd" }
[cases.a]
"data.source.noise" = 0.1
[cases.b]
"data.source.noise" = 0.2
[variants.clipped]
set = { "training.clip_norm" = 1.0 }
only = { case = "a" }
[[questions]]
ask = "compare"
a = { case = "a" }
b = { case = "b" }
quantity = "final validation_loss"
margin = 0.01
[[questions]]
ask = "rank"
a = { variant = "clipped" }
"""
"""A recipe with every form that a recipe knows."""

WORDS = [
    "nan", "inf", "-inf", "-1", "0", "1e999", "1e-320", "10000000000000000000000", "0.5", "[]", "{}", "[[1], 2]",
    '""', "true", "1979-05-27", "07:32:00", "1979-05-27T07:32:00Z", '"xor"', '"mnist"', '"table:x.csv?target=y"',
    '"../.."', '"\\u0000"', '"a\\nb"', '"sgd(1, 2, 3)"', '"step(every=0)"', '"momentum(beta=beta)"', '"import(os)"',
    "{ from = 1 }", "{ from = 0, to = 1, step = 1e-300 }", "{ from = 1, to = 1e299, per_decade = 9999 }",
    "{ values = [nan, nan] }", "{ from = -1, to = 1, count = 3, log = true }",
    '{ values = [1], only = { "case" = 1 } }', "[[]]",
    '[1, "a", true, 1.0]', '"final loss"', '"loss@99"', '"windows(1)@0..5"', '"first loss<=nan"', '"accuracy>=0.5"',
    "[" * 60 + "]" * 60,
]  # fmt: skip
"""Values that something, somewhere, does not expect."""

VALUES: list[Any] = [
    None, True, 0, -1, 10**30, 2**63, -(2**70), 0.1, float("nan"), float("inf"), 5e-324, 1e308, "", "xor", "\0", "a\nb",
    "é" * 500, [], [[]], [1, [2, [3]]], {}, {"from": 1}, {"a": {"b": {"c": 1}}}, datetime.date(2020, 1, 1),
    datetime.time(1, 2), {"training.epochs": 1}, ["sgd"] * 3, object(), b"bytes", (1, 2), {1, 2}, 1j, range(3),
    10**5000,
]  # fmt: skip


def sources() -> dict[str, str]:
    """Return the recipes that are damaged: starters, one with every form, and the lab's own."""
    found = {f"starter {name}": starter_text(load(name)) for name in ("xor", "curve", "gaussians")}
    found["everything"] = EVERYTHING
    return found | {path.name: path.read_text(encoding="utf-8") for path in sorted(LAB.rglob("*.toml"))}


def damage_text(text: str, rng: random.Random) -> str:
    """Damage the lines of a recipe."""
    lines = text.splitlines()
    for _ in range(rng.choice((1, 1, 1, 2, 3, 6))):
        place = rng.randrange(len(lines)) if lines else 0
        lines[place : place + 1] = _damaged_line(lines[place] if lines else "", lines, rng)
    return "\n".join(lines)


def _damaged_line(line: str, lines: list[str], rng: random.Random) -> list[str]:
    """Return what takes the place of a line."""
    key, equals, value = line.partition("=")
    return rng.choice(
        [
            [f"{key}= {rng.choice(WORDS)}"],
            [f"{rng.choice(WORDS)} = {value}"],
            [],
            [line, line],
            [line, rng.choice(lines or [""])],
            [line[: rng.randrange(len(line) + 1)]],
            [_swap_letters(line, rng)],
            [f"{_swap_letters(key, rng)}{equals}{value}"],
            [f"[{rng.choice(WORDS)}]", line],
            [line.replace('"', "", 2)],
            [line.lstrip("#")],
            [line[::-1]],
        ]
    )


def _swap_letters(text: str, rng: random.Random) -> str:
    """Exchange, drop or add a letter."""
    if len(text) < 2:
        return text + rng.choice("abc.[]{}=\"'#\t\x01é\U0001f600")
    place = rng.randrange(len(text) - 1)
    left, a, b, right = text[:place], text[place], text[place + 1], text[place + 2 :]
    return rng.choice([left + b + a + right, left + b + right, left + a + rng.choice("abcx.=[]{}\"'\t") + b + right])


def damage_table(table: Any, rng: random.Random) -> Any:
    """Damage the values of a recipe given as a dict."""
    table = copy.deepcopy(table)
    for _ in range(rng.choice((1, 1, 2, 4))):
        places = list(_places(table))
        if not places:
            break
        owner, key = rng.choice(places)
        what = rng.randrange(6)
        if what == 0:
            del owner[key]
        elif what == 1 and isinstance(owner, dict):
            owner[rng.choice([*map(str, owner), "lr", "x y", "", "a.b.c", "training.epochs.x"])] = owner.pop(key)
        elif what == 2:
            owner[key] = [owner[key]]
        elif what == 3:
            owner[key] = {str(rng.choice(WORDS)): owner[key]}
        elif what == 4:
            other, its = rng.choice(places)
            owner[key] = (
                copy.deepcopy(other[its]) if its in (other if isinstance(other, dict) else range(len(other))) else 0
            )
        else:
            owner[key] = copy.copy(rng.choice(VALUES))
    return table


def _places(value: Any) -> list[tuple[Any, Any]]:
    """Return every (container, key) of nested tables and lists."""
    pairs = (
        list(value.items()) if isinstance(value, dict) else list(enumerate(value)) if isinstance(value, list) else []
    )
    found = [(value, key) for key, _ in pairs]
    for _, inner in pairs:
        found += _places(inner)
    return found


def damage_bytes(data: bytes, rng: random.Random) -> bytes:
    """Damage the bytes of a file."""
    made = bytearray(data)
    for _ in range(rng.choice((1, 2, 8, 64))):
        place = rng.randrange(len(made)) if made else 0
        what = rng.randrange(4)
        if what == 0 and made:
            made[place] = rng.randrange(256)
        elif what == 1:
            made[place:place] = bytes(rng.randrange(256) for _ in range(rng.choice((1, 3, 20))))
        elif what == 2:
            del made[place : place + rng.choice((1, 5, 300))]
        elif made:
            made[place] ^= 1 << rng.randrange(8)
    return bytes(made)


def outcome(read: Callable[[], Any]) -> str:
    """Read a damaged recipe: ``right`` if it expands, or the message. Anything else is raised."""
    try:
        recipe = read()
    except (RecipeError, ConfigError) as error:
        message = str(error)
        if "\n" in message or not message.isprintable() or not message:
            raise AssertionError(f"no single printable line: {message!r}") from error
        return message
    for quick in (False, True):
        expand(recipe, quick)
        seeds_of(recipe, quick)
    return "right"


def damaged(text: str, rng: random.Random, folder: Path) -> str:
    """Damage a recipe in one of three ways and return what reading it gave."""
    way = rng.randrange(3)
    if way == 0:
        return outcome(lambda: parse_recipe(damage_text(text, rng), "fuzz.toml"))
    if way == 1:
        return outcome(lambda: parse_recipe(damage_table(tomllib.loads(text), rng), "fuzz.toml"))
    file = folder / "fuzz.toml"
    file.write_bytes(damage_bytes(text.encode(), rng))
    return outcome(lambda: load_recipe(file))


def main() -> None:
    """Damage recipes and count what came of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    recipes = list(sources().items())
    counts: Counter[str] = Counter()
    longest = ""
    started, slowest = time.perf_counter(), (0.0, "")
    with tempfile.TemporaryDirectory() as folder:
        for number in range(options.files):
            name, text = recipes[number % len(recipes)]
            seed = options.seed + number // len(recipes)
            before = time.perf_counter()
            try:
                told = damaged(text, random.Random(f"{name}/{seed}"), Path(folder))
            except Exception as error:
                raise SystemExit(f"{name}, seed {seed}: {type(error).__name__}: {error}") from error
            slowest = max(slowest, (time.perf_counter() - before, f"{name}, seed {seed}"))
            counts["right" if told == "right" else "refused in one line"] += 1
            longest = max(longest, told, key=len)
    seconds = time.perf_counter() - started
    print(f"{options.files} damaged recipes in {seconds:.1f} s: {dict(counts)}")  # noqa: T201
    print(f"slowest: {slowest[0]:.2f} s ({slowest[1]}); longest line: {len(longest)} characters: {longest}")  # noqa: T201


if __name__ == "__main__":
    main()
