"""What the values of a recipe mean: parts that exist, cells that can be built, quantities that are recorded."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from chainrule.data import load
from chainrule.errors import ChainruleError, ConfigError, one_line
from chainrule.experiments.recipes.axes import check_condition, ordered
from chainrule.experiments.recipes.errors import combination, unknown_setting, written
from chainrule.experiments.recipes.grid import Cell, base_settings, cells_at, expand, find_cell
from chainrule.experiments.recipes.quantities import PARTS, check_quantity, parse_quantity
from chainrule.experiments.recipes.settings import build_setting, is_known, part_of
from chainrule.experiments.recipes.success import parse_success
from chainrule.experiments.verdicts.measures import parse_measure
from chainrule.metrics import record_key
from chainrule.nn import loss
from chainrule.optim import stopping_rule
from chainrule.population import TrainingConfig

if TYPE_CHECKING:
    from chainrule.experiments.recipes.schema import Claim, Figure, Question, Recipe


def check_settings(recipe: Recipe) -> None:
    """Check each setting's key, then build every cell, full and quick; blame the smallest table that fails.

    Raises
    ------
    ConfigError
        One line that begins with the key's path.
    """
    for path, key, value in _every_setting(recipe):
        if not is_known(key):
            raise ConfigError(f"{path} = {written(value)}: {unknown_setting(key)}")
    _check_overlaps(recipe)
    _try_parts(recipe)
    try:
        ordered(recipe.all_axes)
        for name, variant in recipe.variants.items():
            _with_path(f"variants.{name}", check_condition, variant.only, recipe.all_axes)
        cells = expand(recipe)
    except ChainruleError as error:
        raise ConfigError(f"axes: {error}" if recipe.all_axes else str(error)) from None
    _check_pairings(cells)
    if recipe.quick:
        try:
            _check_pairings(expand(recipe, quick=True))
        except ChainruleError as error:
            raise ConfigError(f"quick: {error}") from None


def _check_overlaps(recipe: Recipe) -> None:
    """Refuse keys that two axes would set, or that the quick run would take from an axis."""
    setters: dict[str, str] = {}
    tables = [(f"axes.{key}", [key]) for key in recipe.axes]
    tables += [(f"zipped[{number}].{key}", [key]) for number, one in enumerate(recipe.zipped) for key in one.keys]
    case_keys = {key: f"cases.{name}.{key}" for name, settings in recipe.cases.items() for key in settings}
    tables += [(path, [key]) for key, path in case_keys.items()]
    for path, keys in tables:
        for key in keys:
            if key in setters:
                raise ConfigError(f"{path}: {setters[key]} sets this key too: keep one of the two")
            setters[key] = path
    for key in recipe.quick:
        if key in recipe.axes or any(key in one.keys for one in recipe.zipped):
            raise ConfigError(f"quick.{key} would replace an axis; quick settings may not")


def _try_parts(recipe: Recipe) -> None:
    """Build the base with each setting alone, so that the message names the key that fails."""
    base = base_settings(recipe)
    source = base["data.source"]
    _try_build({"data.source": source}, "data.source", source)
    plain: dict[str, Any] = {"data.source": source, "network.hidden": [1]}
    for path, key, value in _every_setting(recipe):
        if part_of(key) == ("", ""):  # what is in a part's brackets depends on the part: the cell will show
            hint = f'; to try several values, write them below [axes]: "{key}" = {written(value)}'
            alone = {"data.source": source} if key == "network.layers" else plain
            _try_build(alone | {key: value}, path, value, hint if path == key and isinstance(value, list) else "")


def _every_setting(recipe: Recipe) -> Iterator[tuple[str, str, Any]]:
    """Yield (path, key, value) of each setting in the recipe."""
    for key, value in base_settings(recipe).items():
        yield key, key, value
    for axis, values in recipe.axes.items():
        for number, value in enumerate(values):
            yield f"axes.{axis}[{number}]", axis, value
    for place, one in enumerate(recipe.zipped):
        for axis, column in one.columns.items():
            for number, value in enumerate(column):
                yield f"zipped[{place}].{axis}[{number}]", axis, value
    named = {f"cases.{name}": settings for name, settings in recipe.cases.items()}
    named |= {f"variants.{name}.set": variant.set for name, variant in recipe.variants.items()}
    for path, settings in named.items():
        for key, value in settings.items():
            yield f"{path}.{key}", key, value
    for key, value in recipe.quick.items():
        yield f"quick.{key}", key, value


def _try_build(settings: Mapping[str, Any], path: str, value: Any, hint: str = "") -> None:
    try:
        build_setting(settings)
    except ChainruleError as error:
        raise ConfigError(f"{path} = {written(value)}: {error}{hint}") from None


def _check_pairings(cells: Sequence[Cell]) -> None:
    """Refuse a loss that cannot follow the output activation, where the recipe names the latter."""
    seen: set[tuple[str, str]] = set()
    for cell in cells:
        pair = (cell.setting.network, json.loads(cell.setting.training)["loss"])
        if pair in seen:
            continue
        seen.add(pair)
        network = cell.setting.net
        activation = getattr(network.layers[-1], "activation", None)
        if activation is not None:
            try:
                loss(pair[1]).check_output(network.output_activation)
            except ConfigError as error:
                raise ConfigError(combination(str(error), cell.label)) from None


def check_rows(recipe: Recipe) -> None:
    """Check that figures, claims and questions name cells that exist and quantities that are recorded.

    Raises
    ------
    ConfigError
        One line that begins with the row's path.
    """
    cells = expand(recipe)
    readings = tuple(name for name, variant in recipe.variants.items() if variant.reading)
    seen: set[str] = set()
    tables: dict[str, Sequence[Figure | Claim]] = {"figures": recipe.figures, "claims": recipe.claims}
    for table, rows in tables.items():
        for number, row in enumerate(rows):
            path = f"{table}[{number}] ({row.id})"
            if row.id in seen:
                raise ConfigError(f"{path}.id: this id is given twice")
            seen.add(row.id)
            if recipe.trains:
                _with_path(path, _check_row, row, cells, readings)
    if recipe.trains and recipe.success is not None:
        _with_path("success.metric", _check_final, recipe.success.metric, cells)
        bound, test = (
            (recipe.success.at_least, ">=") if recipe.success.at_most is None else (recipe.success.at_most, "<=")
        )
        _with_path("success", parse_success, f"{recipe.success.metric}{test}{bound!r}")
    for number, question in enumerate(recipe.questions):
        if not recipe.trains:
            raise ConfigError(f"questions[{number}]: a recipe without [data] trains nothing that could answer it")
        _check_question(question, recipe, cells, f"questions[{number}]")


def _with_path(path: str, check: Any, *arguments: Any) -> None:
    """Run a check; its complaint gets the path."""
    try:
        check(*arguments)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from None


def _check_final(metric: str, cells: Sequence[Cell]) -> None:
    """Check that every cell records a final value of this name."""
    for cell in _of_each_kind(cells):
        check_quantity(parse_quantity(f"final {metric}"), cell.setting.config, known_keys(cell))


def _of_each_kind(cells: Sequence[Cell]) -> list[Cell]:
    """Return one cell for each source and record: what the others record is the same."""
    kinds: dict[tuple[str, str], Cell] = {}
    for cell in cells:
        training = json.loads(cell.setting.training)
        kinds.setdefault((cell.setting.source, str([training[key] for key in _RECORD_KEYS])), cell)
    return list(kinds.values())


_RECORD_KEYS = ("epochs", "log_every", "metrics", "stopping", "test", "validation", "window")


def _check_row(row: Figure | Claim, cells: list[Cell], readings: tuple[str, ...]) -> None:
    """Look up the cells of one row, in each variant it names, and check its quantities there."""
    selectors = selectors_of(row)
    quantities = [row.quantity, getattr(row, "quantity_under", None) or row.quantity]
    for variant in dict.fromkeys((row.variant, row.as_written or row.variant, *readings)):
        for selector in selectors:
            find_cell(cells, selector)
            cell = find_cell(cells, selector, variant)
            for text in dict.fromkeys(quantities):
                quantity = parse_quantity(text)
                if (quantity.kind == "windows") != (getattr(row, "kind", "") == "spread" and "windows" in text):
                    raise ConfigError(f"quantity '{one_line(text)}' has many values; only a spread claim takes it")
                check_quantity(quantity, cell.setting.config, known_keys(cell))


def selectors_of(row: Figure | Claim) -> list[dict[str, Any]]:
    """Return the selectors of all cells that a figure or claim speaks of."""
    return [row.cell] if hasattr(row, "cell") else [*row.cells, *row.over, *row.under]


def _check_question(question: Question, recipe: Recipe, cells: list[Cell], path: str) -> None:
    """Look up the cells of a question and check its quantity there."""
    sides: dict[str, list[Cell]] = {}
    for name in ("a", "b"):
        selector = getattr(question, name)
        if selector or name == "a":
            try:
                sides[name] = cells_at(cells, selector)
            except ConfigError as error:
                raise ConfigError(f"{path}.{name}: {error}") from None
    _check_sides(question, recipe, sides, path)
    for cell in _of_each_kind([cell for side in sides.values() for cell in side]):
        _with_path(f"{path}.quantity", _check_asked, question, recipe, cell)


def _check_sides(question: Question, recipe: Recipe, sides: Mapping[str, list[Cell]], path: str) -> None:
    """Refuse sides that share a cell, and numbers of cells that a question makes no sense for."""
    if "b" in sides and (both := set(sides["a"]) & set(sides["b"])):
        which = next(iter(both)).label or "the only cell"
        raise ConfigError(f"{path}: cell '{one_line(which)}' is on both sides, a and b")
    if question.ask == "rank" and len(sides["a"]) < 2:
        raise ConfigError(f"{path}: a ranking needs at least two cells, but there is one")
    if question.ask == "importance" and not recipe.all_axes:
        raise ConfigError(f"{path}: importance is asked of axes, and the recipe has none")
    if question.ask == "spread" and len(sides["a"]) > 1:
        place = dict(sides["a"][0].place)
        raise ConfigError(f"{path}.a: spread is asked of one cell, and {len(sides['a'])} are meant: name more of the "
                          f"axes {', '.join(map(repr, place))}")  # fmt: skip


def _check_asked(question: Question, recipe: Recipe, cell: Cell) -> None:
    """Check that runs of a cell have the quantity of a question, as a single number."""
    config = cell.setting.config
    measure = parse_measure(question.quantity, question.better)
    if not measure.is_success:
        check_quantity(parse_quantity(measure.text), config, known_keys(cell))
    elif recipe.success is None and not any(stopping_rule(spec).converged for spec in config.stopping):
        raise ConfigError('success needs a rule: add success = "accuracy >= 0.99", or stop at a target')


def known_keys(cell: Cell) -> list[str]:
    """Return the history keys that runs of a cell have: losses, metrics and rates, also of held-out parts."""
    config: TrainingConfig = cell.setting.config
    rules = [key for spec in config.stopping for key in stopping_rule(spec).needs]
    names = ["loss", "accuracy", "mae", *config.metrics, *(record_key(key) for key in rules)]
    plain = list(dict.fromkeys(name.removeprefix("validation_") for name in names))
    source = load(cell.setting.source)
    held_out = bool(getattr(source, "held_out", 0)) or source.name == "mnist"
    parts = [""] + [part for part in PARTS if held_out or getattr(config, part.rstrip("_")) > 0]
    return [f"{part}{name}" for part in parts for name in plain] + ["learning_rate", "running_loss"]
