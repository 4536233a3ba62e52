"""What a recipe may be written like, and what its cells are then."""

from __future__ import annotations

import hashlib
import json
import pickle
import time
from dataclasses import MISSING, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import chainrule.lab
from chainrule.errors import RecipeError
from chainrule.experiments import expand, load_recipe, parse_recipe, seeds_of
from chainrule.experiments.recipes.grid import cells_at
from chainrule.experiments.recipes.settings import build_setting
from chainrule.nn import LAYERS, parse_layers
from chainrule.optim import optimizer
from chainrule.population import TrainingConfig

LAB = Path(chainrule.lab.__file__).parent / "recipes"
DATA = '[data]\nsource = "xor"\n'


def labels(text: str) -> list[str]:
    return [cell.label for cell in expand(parse_recipe(text))]


def test_the_lab_s_recipes_are_what_they_were() -> None:
    """Places, labels, variants, lengths and seeds of every cell, as they were before there were other forms of axes."""
    wanted = json.loads((Path(__file__).parent / "lab_cells.json").read_text(encoding="utf-8"))
    files = sorted(LAB.rglob("*.toml"))
    assert len(files) == len(wanted) == 65
    for file in files:
        recipe = load_recipe(file)
        rows: list[Any] = []
        for quick in (False, True):
            cells = expand(recipe, quick)
            for cell in cells:
                rows.append([[list(pair) for pair in cell.place], cell.variant, cell.full_epochs, cell.label])
            rows.append([len({cell.setting.key for cell in cells}), *seeds_of(recipe, quick)])
        digest = hashlib.blake2b(json.dumps(rows).encode(), digest_size=8).hexdigest()
        assert digest == wanted[str(file.relative_to(LAB))], file.name


def test_keys_of_settings_stay() -> None:
    """A setting whose key changes leaves all its stored runs behind."""
    first = expand(load_recipe(LAB / "sections" / "learning_rates.toml"))[0]
    assert first.setting.key == "c149b37ab1e3c624e70337938d2eca5e"


def test_the_shortest_recipe() -> None:
    recipe = parse_recipe('data.source = "xor"', "folder/my first try.toml")
    assert (recipe.id, recipe.title, recipe.section) == ("my-first-try", "my-first-try", "")
    assert len(expand(recipe)) == 1
    assert seeds_of(recipe) == tuple(range(30))


def test_a_dict_is_a_recipe_too() -> None:
    table = {
        "data": {"source": "xor"},
        "axes": {"training.learning_rate": (0.1, np.float64(1.0)), "network.hidden": [[2], np.array([4, 4])]},
        "training": {"epochs": np.int64(50), "clip_norm": None},
        "seeds": range(3),
    }
    text = """
    seeds = [0, 1, 2]
    [data]
    source = "xor"
    [training]
    epochs = 50
    [axes]
    training.learning_rate = [0.1, 1.0]
    network.hidden = [[2], [4, 4]]
    """
    assert [cell.setting.key for cell in expand(parse_recipe(table))] == [
        cell.setting.key for cell in expand(parse_recipe(text))
    ]
    assert seeds_of(parse_recipe(table)) == (0, 1, 2)


@pytest.mark.parametrize("given", [3, None, b"data", ["data"], {1: 2}, {"data": {"source": object()}}, {"a": {1, 2}}])
def test_what_is_no_recipe_is_refused_in_one_line(given: Any) -> None:
    with pytest.raises(RecipeError) as error:
        parse_recipe(given)
    assert "\n" not in str(error.value)


def test_a_recipe_that_contains_itself_is_refused() -> None:
    table: dict[str, Any] = {"data": {"source": "xor"}}
    table["network"] = table
    with pytest.raises(RecipeError, match="deep"):
        parse_recipe(table)


def test_axis_keys_with_and_without_quotes_are_the_same() -> None:
    quoted = labels(DATA + '[axes]\n"training.learning_rate" = [0.1, 1.0]\n"network.hidden" = [[2], [3]]\n')
    nested = labels(DATA + "[axes]\ntraining.learning_rate = [0.1, 1.0]\nnetwork.hidden = [[2], [3]]\n")
    tables = labels(DATA + "[axes.training]\nlearning_rate = [0.1, 1.0]\n[axes.network]\nhidden = [[2], [3]]\n")
    assert quoted == nested == tables
    assert quoted[0] == "learning_rate=0.1, hidden=2"


def test_ranges_unfold_and_counted_keys_get_whole_numbers() -> None:
    recipe = parse_recipe(
        DATA
        + """
        [axes]
        training.learning_rate = { from = 1, to = 100, per_decade = 1 }
        training.epochs = { from = 10, to = 1000, count = 4, log = true }
        network.hidden = { from = 1, to = 3, step = 1 }
        """
    )
    values = {key: list(axis) for key, axis in recipe.axes.items()}
    assert values["training.learning_rate"] == [1.0, 10.0, 100.0]
    assert all(isinstance(value, float) for value in values["training.learning_rate"])
    assert values["training.epochs"] == [10, 46, 215, 1000]
    assert values["network.hidden"] == [1, 2, 3]
    hidden = [cell.setting for cell in expand(recipe)][:3]
    assert [setting.net.layers[0].units for setting in hidden] == [1, 2, 3]  # type: ignore[attr-defined]


def test_one_number_of_hidden_units_is_one_layer() -> None:
    one, listed = (build_setting({"data.source": "xor", "network.hidden": hidden}) for hidden in (4, [4]))
    assert one == listed


def test_values_inside_a_part_are_settings() -> None:
    recipe = parse_recipe(
        """
        [data]
        source = "moons(n=50)"
        [training]
        optimizer = "adam(0.8)"
        "optimizer.beta2" = 0.99
        [axes]
        "data.source.noise" = [0.1, 0.3]
        "training.optimizer.eps" = [1e-8]
        """
    )
    cells = expand(recipe)
    assert [cell.setting.source for cell in cells] == ["moons(n=50)", "moons(n=50, noise=0.3)"]  # 0.1 is its default
    assert cells[0].setting.config.optimizer == "adam(beta1=0.8, beta2=0.99)"


@given(
    name=st.sampled_from(["adam", "adam(0.5)", "adam(eps=1e-6)", "adamw(0.9, 0.99, weight_decay=0.1)"]),
    key=st.sampled_from(["beta1", "beta2", "eps"]),
    value=st.floats(1e-6, 0.999),
)
def test_a_value_in_brackets_is_the_value_in_the_spec(name: str, key: str, value: float) -> None:
    """Against the part itself with that field replaced."""
    made = build_setting({"data.source": "xor", "training.optimizer": name, f"training.optimizer.{key}": value})
    assert optimizer(made.config.optimizer) == replace(optimizer(name), **{key: value})


def test_an_axis_that_exists_where_another_has_a_value() -> None:
    recipe = parse_recipe(
        DATA
        + """
        [axes]
        "training.optimizer" = ["sgd", "momentum", "nesterov"]
        "training.optimizer.beta" = { values = [0.5, 0.9], only = { "training.optimizer" = ["momentum", "nesterov"] } }
        """
    )
    cells = expand(recipe)
    assert [cell.label for cell in cells] == [
        "optimizer=sgd",
        "optimizer=momentum, beta=0.5",
        "optimizer=momentum, beta=0.9",
        "optimizer=nesterov, beta=0.5",
        "optimizer=nesterov, beta=0.9",
    ]
    assert [cell.setting.config.optimizer for cell in cells][:3] == ["sgd", "momentum(beta=0.5)", "momentum"]
    assert recipe.axis_groups == [("training.optimizer",), ("training.optimizer.beta",)]


def test_keys_that_move_together() -> None:
    recipe = parse_recipe(
        DATA
        + """
        [axes]
        "training.optimizer" = ["sgd", "adam"]
        [[zipped]]
        "network.hidden" = [[2], [8]]
        "training.learning_rate" = [1.0, 0.25]
        only = { "training.optimizer" = "sgd" }
        """
    )
    assert [cell.label for cell in expand(recipe)] == [
        "optimizer=sgd, hidden=2, learning_rate=1.0",
        "optimizer=sgd, hidden=8, learning_rate=0.25",
        "optimizer=adam",
    ]
    assert recipe.axis_groups == [("training.optimizer",), ("network.hidden", "training.learning_rate")]


@pytest.mark.parametrize(
    ("written", "seeds", "more"),
    [
        ("seeds = 3", (0, 1, 2), (0, 1, 2, 3, 4)),
        ("seeds = [7, 2]", (7, 2), (7, 2, 8, 9, 10)),
        ("seeds.list = [4]", (4,), (4, 5, 6, 7, 8)),
        ("seeds = { count = 2, first = 10 }", (10, 11), (10, 11, 12, 13, 14)),
    ],
)
def test_seeds(written: str, seeds: tuple[int, ...], more: tuple[int, ...]) -> None:
    recipe = parse_recipe(f"{written}\n{DATA}")
    assert recipe.seeds.count == len(seeds)
    assert seeds_of(recipe) == seeds
    assert seeds_of(recipe, count=5) == more
    assert len(set(more)) == 5


def test_success_in_one_text() -> None:
    rule = parse_recipe(f'success = "accuracy >= 0.99"\n{DATA}').success
    assert rule is not None
    assert (rule.metric, rule.at_least, rule.at_most, rule.text) == ("accuracy", 0.99, None, "accuracy>=0.99")
    assert parse_recipe(f'success = "converged"\n{DATA}').success is None


def test_questions() -> None:
    recipe = parse_recipe(
        DATA
        + """
        [axes]
        "training.optimizer" = ["sgd", "adam"]
        "training.learning_rate" = [0.1, 1.0]
        [success]
        metric = "accuracy"
        at_least = 0.99
        [[questions]]
        ask = "compare"
        a.training.optimizer = "adam"
        b = { "training.optimizer" = "sgd" }
        margin = 0.01
        [[questions]]
        ask = "rank"
        quantity = "final loss"
        [[questions]]
        ask = "audit"
        a = { "training.optimizer" = "adam", "training.learning_rate" = 0.1 }
        b = { "training.optimizer" = "sgd", "training.learning_rate" = 0.1 }
        runs = 3
        """
    )
    compare, rank, audit = recipe.questions
    assert (compare.quantity, compare.margin, compare.level, compare.max_seeds) == ("success", 0.01, 0.95, 5000)
    assert len(cells_at(expand(recipe), compare.a)) == 2
    assert rank.a == {}
    assert audit.runs == 3


def test_a_variant_can_be_a_side() -> None:
    cells = expand(parse_recipe(DATA + '[variants.clipped]\nset = { "training.clip_norm" = 1.0 }\n'))
    assert [cell.variant for cell in cells_at(cells, {"variant": "clipped"})] == ["clipped"]
    assert [cell.variant for cell in cells_at(cells, {})] == [None]


def test_forty_thousand_cells_take_seconds() -> None:
    text = DATA + (
        '[axes]\ntraining.optimizer = ["sgd", "adam"]\n'
        "training.learning_rate = { from = 0.001, to = 1.0, count = 200 }\n"
        "network.hidden = { from = 1, to = 100, step = 1 }\n"
    )
    started = time.perf_counter()
    cells = expand(parse_recipe(text))
    assert time.perf_counter() - started < 20  # 2 s if nothing else runs
    assert len(cells) == 40_000
    assert len({cell.setting for cell in cells}) == 40_000


def test_recipes_can_be_sent_to_other_processes() -> None:
    recipe = parse_recipe(DATA + "[axes]\ntraining.learning_rate = { from = 0.1, to = 1.0, count = 2 }\n")
    again = pickle.loads(pickle.dumps(recipe))
    assert expand(again) == expand(recipe)


def test_a_network_in_words() -> None:
    text = """
[data]
source = "digits"
[network]
activation = "tanh"
l2 = 0.01
[training]
loss = "softmax_cross_entropy"
[axes]
"network.layers" = ["conv 4 3, pool 2", "dense 8 relu"]
"""
    nets = [cell.setting.net for cell in expand(parse_recipe(text))]
    assert nets == [
        parse_layers("conv 4 3 tanh l2=0.01, pool 2, flatten", l2=0.01),
        parse_layers("dense 8 relu", l2=0.01),
    ]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('layers = "conv 4 3, pol 2"', "»pol«"),
        ('layers = "dense 4"\nhidden = [3]', "leave out network.hidden"),
        ('layers = "dense 4"\ndropout = 0.1', "leave out network.dropout"),
        ("layers = [4, 4]", "layers must be a text"),
    ],
)
def test_a_network_in_wrong_words(line: str, said: str) -> None:
    with pytest.raises(RecipeError, match=said) as caught:
        parse_recipe(f'[data]\nsource = "digits"\n[network]\n{line}\n')
    assert "\n" not in str(caught.value)


def test_a_field_that_is_new_leaves_keys_as_they_are() -> None:
    """Stores of earlier versions hold settings without it; what they trained is what the default trains."""
    setting = build_setting({"data.source": "digits", "network.layers": "conv 4 3, dropout 0.5, dense 3"})
    training = {k: v for k, v in json.loads(setting.training).items() if k != "augment"}
    network = json.loads(setting.network)
    for layer in network["layers"]:
        layer.pop("channels", None)
    older = replace(setting, training=json.dumps(training), network=json.dumps(network))
    assert older.key == setting.key
    for changes in ({"training.augment": "noise(0.1)"}, {"training.epochs": 3}, {"network.l2": 0.1}):
        other = build_setting({"data.source": "digits", "network.layers": "conv 4 3, dropout 0.5, dense 3"} | changes)
        assert other.key != setting.key


def test_defaults_never_change() -> None:
    """A default is part of no key, so another one would give two settings one key: raise `NUMERICS` with it."""
    assert TrainingConfig() == TrainingConfig(
        loss="mse", optimizer="sgd", learning_rate=0.1, schedule="constant", batch_size="full", epochs=1000,
        stopping=(), clip_norm=None, clip_value=None, validation=0.0, test=0.0, stratify=False, metrics=(),
        log_every=1, dtype="float64", class_weight=None, shuffle=True, window=0, augment=(),
    )  # fmt: skip
    defaults = {
        f"{name}.{f.name}": f.default
        for name, cls in LAYERS.items()
        for f in fields(cls)  # type: ignore[arg-type]
        if f.default is not MISSING
    }
    digest = hashlib.blake2b(json.dumps(defaults, sort_keys=True).encode(), digest_size=8).hexdigest()
    assert digest == "a0e7c4683c1cf36f", "a layer has a new field (then write this digest anew), or another default"
