"""What is wrong with a recipe, in one line: the key's dotted path, the value, what is allowed, the nearest name."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from typing import Any

from chainrule.errors import one_line, show, unknown_name
from chainrule.experiments.recipes.settings import KNOWN_KEYS, PARTS, part_of, values_of_part

OTHER_NAMES: dict[str, str] = {
    **dict.fromkeys(
        ("training.lr", "training.rate", "training.eta", "training.step_size", "training.learning_rates"),
        "training.learning_rate",
    ),
    **dict.fromkeys(
        ("training.n_epochs", "training.num_epochs", "training.max_epochs", "training.max_iter", "training.iterations"),
        "training.epochs",
    ),
    **dict.fromkeys(
        ("training.batch", "training.batchsize", "training.minibatch", "training.batches"), "training.batch_size"
    ),
    **dict.fromkeys(("training.optim", "training.optimiser", "training.solver"), "training.optimizer"),
    **dict.fromkeys(("training.momentum", "training.beta", "training.nesterov"), "training.optimizer"),
    **dict.fromkeys(("training.scheduler", "training.lr_schedule", "training.decay"), "training.schedule"),
    **dict.fromkeys(
        ("training.stop", "training.early_stopping", "training.patience", "training.target"), "training.stopping"
    ),
    **dict.fromkeys(("training.criterion", "training.cost", "training.objective", "network.loss"), "training.loss"),
    **dict.fromkeys(("training.val", "training.validation_split", "training.val_split"), "training.validation"),
    **dict.fromkeys(("training.test_split", "training.test_size"), "training.test"),
    **dict.fromkeys(("training.metric", "training.scores"), "training.metrics"),
    **dict.fromkeys(("training.log_interval", "training.print_every", "training.log"), "training.log_every"),
    **dict.fromkeys(("training.clip", "training.grad_clip", "training.gradient_clipping"), "training.clip_norm"),
    **dict.fromkeys(("training.precision", "training.float", "network.dtype"), "training.dtype"),
    **dict.fromkeys(("training.weight_decay", "network.weight_decay", "training.l2"), "network.l2"),
    **dict.fromkeys(("training.seed", "training.seeds", "training.random_state", "seed"), "seeds"),
    **dict.fromkeys(
        (
            "network.hidden_sizes",
            "network.hidden_layer_sizes",
            "network.hidden_units",
            "network.hidden_layers",
            "network.sizes",
            "network.widths",
            "network.neurons",
            "training.hidden",
        ),
        "network.hidden",
    ),
    **dict.fromkeys(
        ("network.act", "network.nonlinearity", "network.activation_function", "network.hidden_activation"),
        "network.activation",
    ),
    **dict.fromkeys(("network.output_activation", "network.out", "network.last"), "network.output"),
    **dict.fromkeys(
        ("network.init", "network.initializer", "network.initialization", "network.weights"), "network.weight_init"
    ),
    **dict.fromkeys(("network.use_bias", "network.biases"), "network.bias"),
    **dict.fromkeys(("network.dropout_rate", "training.dropout"), "network.dropout"),
    **dict.fromkeys(("network.batch_norm", "network.batchnorm", "network.norm"), "network.normalize"),
    **dict.fromkeys(
        ("data.name", "data.dataset", "data.set", "data.path", "data.file", "data.data", "source"), "data.source"
    ),
    **dict.fromkeys(("seeds.n", "seeds.number", "seeds.seeds"), "seeds.count"),
    **dict.fromkeys(("seeds.start", "seeds.from"), "seeds.first"),
    **dict.fromkeys(("seeds.listed", "seeds.values", "seeds.numbers"), "seeds.list"),
    **dict.fromkeys(("success.min", "success.threshold", "success.value", "success.above"), "success.at_least"),
    **dict.fromkeys(("success.max", "success.below"), "success.at_most"),
    **dict.fromkeys(("axes.start", "axes.min", "axes.low", "axes.begin"), "axes.from"),
    **dict.fromkeys(("axes.stop", "axes.max", "axes.high", "axes.end"), "axes.to"),
    **dict.fromkeys(("axes.num", "axes.n", "axes.steps", "axes.number"), "axes.count"),
    **dict.fromkeys(("axes.if", "axes.when", "axes.where"), "axes.only"),
    **dict.fromkeys(("axes.list", "axes.choices", "axes.levels"), "axes.values"),
    **dict.fromkeys(("dataset", "datasets"), "data"),
    **dict.fromkeys(("model", "net", "architecture", "mlp"), "network"),
    **dict.fromkeys(("train", "config", "trainer", "settings"), "training"),
    **dict.fromkeys(("grid", "sweep", "sweeps", "search", "axis", "parameters", "matrix", "vary"), "axes"),
    **dict.fromkeys(("zip", "zips", "zipped_axes"), "zipped"),
    **dict.fromkeys(("goal", "target", "criterion"), "success"),
    **dict.fromkeys(("name", "experiment"), "id"),
    **dict.fromkeys(("description", "notes", "comment"), "about"),
    **dict.fromkeys(("fast", "smoke"), "quick"),
}
"""Names under which other tools, the command line or older recipes know a key -> its name in a recipe."""

_SHORT_NAMES = {
    old.partition(".")[2]: new for old, new in OTHER_NAMES.items() if old.startswith(("training", "network"))
}


def unknown_key(key: str, known: Iterable[str], table: str = "") -> str:
    """Say that a key is unknown, and which one is probably meant.

    Parameters
    ----------
    key : str
        As the recipe gives it, without its table.
    known : iterable of str
        The keys that the table knows.
    table : str
        Dotted path of the table that other names are looked up with.
    """
    path = f"{table}.{key}" if table else key
    new = OTHER_NAMES.get(path) or (None if table else _SHORT_NAMES.get(key))
    if new is not None:
        return f"unknown key '{one_line(key)}'; here it is called '{new.removeprefix('axes.')}'{_how(key, new)}"
    known = list(known)
    if not table and key in (short := {long.partition(".")[2]: long for long in KNOWN_KEYS}):
        return f"unknown key '{one_line(key)}'; did you mean '{short[key]}'?"
    return unknown_name("key", key, known)


def unknown_setting(key: str) -> str:
    """Say that a dotted key names no setting, and which one is probably meant."""
    part, value = part_of(key)
    if part:
        return f"{part} names a part; {unknown_name('value of it', value, values_of_part(part))}"
    own, _, last = key.rpartition(".")
    if last in ("seed", "seeds"):
        return "seeds are no setting, every cell is trained from all of them: write seeds = 30 on top, or [seeds]"
    new = OTHER_NAMES.get(key)
    if new is None and not any(long.partition(".")[2] == last for long in KNOWN_KEYS):
        new = _SHORT_NAMES.get(last)
    if new is not None:
        return f"unknown key '{one_line(key)}'; here it is called '{new}'{_how(key, new)}"
    whole, _, _ = key.partition(".")
    if own in KNOWN_KEYS and own not in PARTS:
        return f"'{own}' is a single value, no table; a range belongs in [axes]"
    same = [long for long in KNOWN_KEYS if long.partition(".")[2] == last]
    if same:
        return f"unknown key '{one_line(key)}'; did you mean '{same[0]}'?"
    near = [long for long in KNOWN_KEYS if long.startswith(f"{whole}.")]
    if not near:
        match = difflib.get_close_matches(key, KNOWN_KEYS, n=1, cutoff=0.5)
        hint = f"; did you mean '{match[0]}'?" if match else ""
        return f"unknown key '{one_line(key)}'{hint} (settings begin with data., network. or training.)"
    match = difflib.get_close_matches(last, [long.partition(".")[2] for long in near], n=1, cutoff=0.6)
    if match:
        found = next(long for long in near if long.partition(".")[2] == match[0])
        return f"unknown key '{one_line(key)}'; did you mean '{found}'? (known: {', '.join(near)})"
    return unknown_name("key", key, near)


def _how(key: str, new: str) -> str:
    """Say how a value is written that elsewhere has a key of its own."""
    if key.endswith(("momentum", "beta")):
        return ', as "momentum(0.9)"'
    return ', as ["patience(20)"]' if new == "training.stopping" else ""


_BLAMED = (
    (re.compile(r"loss '|class losses"), "training.loss"),
    (re.compile(r"stopping "), "training.stopping"),
    (re.compile(r"validation \+ test "), "training.validation"),
    (re.compile(r"metric "), "training"),  # it may be recorded, or watched by a stopping rule
    (re.compile(r"data set '.*': stratify "), "training.stratify"),
    (re.compile(r"class_weight|class weights"), "training.class_weight"),
    (re.compile(r"\w+: softmax over "), "network.output"),
    (re.compile(r"the network's first layer|layer \d+"), "network.layers"),
)


def combination(message: str, where: str = "") -> str:
    """Put the key to change before a complaint about values that do not go together.

    Parameters
    ----------
    message : str
        The complaint of whatever was built from them; it names parts, not keys.
    where : str
        The cell, in the words of its label; empty if there is only one.
    """
    key = next((key for begin, key in _BLAMED if begin.match(message)), "")
    return ": ".join(part for part in (key, f"cell '{one_line(where)}'" if where else "", message) if part)


_WORDS = {
    "int_type": "a whole number is needed",
    "int_from_float": "a whole number is needed",
    "float_type": "a number is needed",
    "finite_number": "a finite number is needed",
    "string_type": "a text in quotes is needed",
    "bool_type": "true or false is needed",
    "list_type": "a list in [ ] is needed",
    "dict_type": 'a table is needed, such as { "training.optimizer" = "adam" }',
    "model_type": "a table is needed",
    "model_attributes_type": "a table is needed",
    "tuple_type": "a list in [ ] is needed",
}


def complaint(error: Any, prefix: str = "") -> str:
    """Put one of pydantic's errors into words: path, value, what is allowed.

    Parameters
    ----------
    error : mapping
        One of ``ValidationError.errors()``.
    prefix : str
        Dotted path of what was checked.
    """
    from chainrule.experiments.recipes.schema import TABLES

    path = ".".join(part for part in (prefix, path_of(error["loc"])) if part)
    given = error.get("input")
    if error["type"] == "extra_forbidden":
        table = prefix.partition(".")[0] or (str(error["loc"][0]) if len(error["loc"]) > 1 else "")
        fields = TABLES.get(table, TABLES[""]).model_fields
        known = [field.alias or name for name, field in fields.items() if name != "file"]
        own = table if prefix or len(error["loc"]) == 2 else ""
        return f"{path}: {unknown_key(str(error['loc'][-1]), known, own)}"
    if error["type"] == "missing":
        return f"{path}: this key is needed"
    value = "" if isinstance(given, Mapping | list) else f" = {written(given)}"
    return f"{path or 'recipe'}{value}: {one_line(_message(error), 200)}"


def _message(error: Any) -> str:
    context = error.get("ctx", {})
    kind = error["type"]
    if kind == "literal_error":
        allowed = re.findall(r"'([^']*)'", str(context.get("expected", "")))
        near = difflib.get_close_matches(str(error.get("input")), allowed, n=1, cutoff=0.5)
        return (f"did you mean '{near[0]}'? " if near else "") + f"allowed: {', '.join(allowed)}"
    if kind == "string_pattern_mismatch":
        return "letters, digits, - and _ only"
    bounds = {"greater_than_equal": ("ge", "at least"), "less_than_equal": ("le", "at most"),
              "greater_than": ("gt", "above"), "less_than": ("lt", "below")}  # fmt: skip
    if kind in bounds:
        key, words = bounds[kind]
        return f"must be {words} {context[key]:,}"
    if kind in ("too_short", "string_too_short"):
        return "must not be empty"
    if kind in ("too_long", "string_too_long"):
        return f"is too long: at most {context['max_length']:,} are allowed"
    return _WORDS.get(kind, str(error["msg"]).removeprefix("Value error, "))


def first_of(error: Any) -> Any:
    """Return the complaint to begin with: a misspelt key is both unknown and missing, and the former says more."""
    return sorted(error.errors(include_url=False), key=lambda e: e["type"] != "extra_forbidden")[0]


def path_of(loc: Iterable[int | str]) -> str:
    """Write a place as TOML readers do: ``figures[3].quantity``."""
    text = ""
    for part in loc:
        text += f"[{part}]" if isinstance(part, int) else f".{one_line(part)}" if text else one_line(part)
    return text


def written(value: Any) -> str:
    """Show a value as a recipe writes it."""
    if isinstance(value, bool):
        return str(value).lower()
    return show(list(value) if isinstance(value, tuple) else value)


_PLACE = re.compile(r" \(at (?:line (\d+), column \d+|end of document)\)$")
_HINTS = (
    (re.compile(r"=\s*[\[,\s0-9.]*(?<![\d_])\.\d"), "a number begins with a digit: write 0.1, not .1"),
    (re.compile(r"=\s*[-+]?[\d.]*\d\.(?!\d)"), "a number does not end with a point: write 1.0, not 1."),
    (re.compile(r"=.*\b(True|False)\b"), "write true or false in small letters"),
    (re.compile(r"=.*\b(None|null|nil)\b"), "there is no null: leave the key out"),
    (re.compile(r"^\s*[\w.\"-]+\s*:"), "write key = value, with = instead of :"),
    (re.compile(r"=\s*\["), "a list holds values with commas between them, texts in quotes"),
    (re.compile(r"=\s*\("), "a list is written in [ ]"),
    (re.compile(r"=\s*[A-Za-z_]"), "a text is written in quotes"),
    (re.compile(r"=\s*$"), "the value is missing"),
    (re.compile(r"^\s*\[[^\]]*$"), "the ] is missing"),
)


def toml_message(error: Exception, text: str) -> str:
    """Say where a text is not TOML, and what was probably meant."""
    message = one_line(error, 200)
    found = _PLACE.search(message)
    lines = text.rstrip().splitlines()
    if found is None or not lines:
        return f"not valid TOML: {message}"
    number = min(int(found[1] or len(lines)), len(lines))
    line = lines[number - 1]
    hint = next((f": {words}" for pattern, words in _HINTS if pattern.search(line.split("#")[0])), "")
    what = message[: found.start()]
    if what.startswith("Cannot"):  # the form is right, but the key has a value already
        dotted = re.match(r"\s*(\w+\.\w+\.\w+)\s*=", line)
        hint = f': quote it, as "{dotted[1]}"' if dotted else ": this key is given twice"
    return f"not valid TOML: line {number}: {what[:1].lower()}{what[1:]} in '{one_line(line.strip())}'{hint}"
