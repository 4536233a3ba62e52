"""Settings: what they accept, what they say against the rest, and their one canonical form."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainrule import ChainruleError, Member, TrainingConfig, mlp
from chainrule.errors import ConfigError
from chainrule.metrics import ToleranceAccuracy
from chainrule.nn.losses import MeanSquaredError
from chainrule.optim import Adam, LossBelow, Momentum
from chainrule.population import MOST_SEEDS, parse_seeds


def test_defaults() -> None:
    assert TrainingConfig().describe() == {
        "loss": "mse", "optimizer": "sgd", "learning_rate": 0.1, "schedule": "constant", "batch_size": "full",
        "epochs": 1000, "stopping": (), "clip_norm": None, "clip_value": None, "validation": 0.0, "test": 0.0,
        "stratify": False, "metrics": (), "log_every": 1, "dtype": "float64", "class_weight": None, "shuffle": True,
        "window": 0, "augment": (),
    }  # fmt: skip


FULL = TrainingConfig(
    loss="huber(0.5, sum)", optimizer="adam(beta2=0.95)", learning_rate=0.3, schedule="warmup(2, then='cosine(0.1)')",
    batch_size=16, epochs=7, stopping=("patience(3)", "loss_below(0.1, times=2)"), clip_norm=1.0, clip_value=2.0,
    validation=0.2, test=0.1, stratify=True, metrics=("tolerance_accuracy(0.2)", "r2"), log_every=5, dtype="float32",
    class_weight="balanced", shuffle=False, window=100, augment=("shift(2)", "rotate(5)"),
)  # fmt: skip


@pytest.mark.parametrize("config", [TrainingConfig(), FULL])
def test_a_configuration_is_plain_json(config: TrainingConfig) -> None:
    again = TrainingConfig.from_description(json.loads(json.dumps(config.describe())))
    assert again == config
    assert hash(again) == hash(config)
    assert again.describe() == config.describe()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"optimizer": Momentum(0.5)}, {"optimizer": "momentum(beta=0.5)"}),
        ({"optimizer": Momentum(np.float64(0.5))}, {"optimizer": " momentum( 0.5 )"}),
        ({"optimizer": Adam(beta1=0)}, {"optimizer": "adam(0)"}),
        ({"optimizer": "adam(beta1=0)"}, {"optimizer": "adam(beta1=0.0)"}),
        ({"optimizer": "momentum(0.9)"}, {"optimizer": "momentum"}),
        ({"loss": MeanSquaredError("sum")}, {"loss": "mse(reduction=sum)"}),
        ({"stopping": "loss_below(1)"}, {"stopping": ["loss_below(1.0, 1)"]}),
        ({"stopping": LossBelow(1)}, {"stopping": (LossBelow(1.0, 1),)}),
        ({"metrics": "mae"}, {"metrics": ("mae",)}),
        ({"metrics": [ToleranceAccuracy(0.1)]}, {"metrics": iter(["tolerance_accuracy(0.1)"])}),
        ({"learning_rate": 1}, {"learning_rate": 1.0}),
        ({"learning_rate": np.float32(0.5), "batch_size": np.int64(5)}, {"learning_rate": 0.5, "batch_size": 5}),
        ({"validation": 0, "epochs": np.uint8(3)}, {"validation": 0.0, "epochs": 3}),
    ],
)
def test_equal_settings_are_written_alike(one: dict[str, Any], other: dict[str, Any]) -> None:
    a, b = TrainingConfig(**one), TrainingConfig(**other)
    assert a == b
    assert json.dumps(a.describe()) == json.dumps(b.describe())
    assert {name: type(value) for name, value in a.describe().items()} == {
        name: type(value) for name, value in b.describe().items()
    }


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"loss": "msa"}, "unknown loss 'msa'; did you mean 'mse'?"),
        ({"loss": None}, "loss must be text such as 'mse', got None"),
        ({"optimizer": "adma"}, "did you mean 'adam'?"),
        ({"optimizer": "adam(beta1=2)"}, "adam: beta1 must be at least 0 and below 1, got 2.0"),
        ({"schedule": 5}, "schedule must be text"),
        ({"schedule": "step"}, "needs a value for 'every'"),
        ({"stopping": 5}, "stopping rule must be text such as 'loss_below', got 5"),
        ({"stopping": None}, "stopping rule must be text"),
        ({"stopping": ["loss_below(1)", 3]}, "stopping rule must be text"),
        ({"stopping": ("patience(3)", "patience(4, monitor=loss)")}, "keep one patience rule"),
        ({"metrics": "acuracy"}, "unknown metric 'acuracy'; did you mean 'accuracy'?"),
        ({"learning_rate": 0}, "learning_rate must be a number in (0, 1e+300), got 0"),
        ({"learning_rate": -0.1}, "learning_rate must be a number in (0, 1e+300), got -0.1"),
        ({"learning_rate": float("nan")}, "learning_rate must be a number in (0, 1e+300), got nan"),
        ({"learning_rate": float("inf")}, "learning_rate must be a number in (0, 1e+300), got inf"),
        ({"learning_rate": 10**400}, "learning_rate must be a number"),
        ({"learning_rate": 10**5000}, "learning_rate must be a number in (0, 1e+300), got <int>"),
        ({"learning_rate": "0.1"}, "got '0.1'"),
        ({"learning_rate": True}, "got True"),
        ({"learning_rate": 1j}, "got 1j"),
        ({"learning_rate": np.complex128(1)}, "learning_rate must be a number"),
        ({"learning_rate": np.array([0.1, 0.2])}, "learning_rate must be a number"),
        ({"learning_rate": None}, "got None"),
        ({"batch_size": 0}, "batch_size must be a whole number from 1 to 1,000,000,000 or 'full', got 0"),
        ({"batch_size": 2.0}, "got 2.0"),
        ({"batch_size": "all"}, "got 'all'"),
        ({"batch_size": np.array([1, 2])}, "got array([1, 2])"),
        ({"epochs": -1}, "epochs must be a whole number from 0 to 1,000,000,000, got -1"),
        ({"epochs": 1e3}, "got 1000.0"),
        ({"epochs": 10**12}, "epochs must be a whole number"),
        ({"epochs": True}, "got True"),
        ({"log_every": 0}, "log_every must be a whole number from 1"),
        ({"window": -1}, "window must be a whole number from 0"),
        ({"clip_norm": 0}, "clip_norm must be a number in (0, 1e+300), got 0"),
        ({"clip_norm": float("inf")}, "clip_norm must be a number"),
        ({"clip_value": -1.0}, "clip_value must be a number"),
        ({"validation": 1}, "validation must be a number in [0, 1), got 1"),
        ({"test": -0.1}, "test must be a number in [0, 1), got -0.1"),
        ({"validation": 0.5, "test": 0.5}, "validation + test must stay below 1, got 0.5 + 0.5"),
        ({"stratify": 1}, "stratify must be true or false, got 1"),
        ({"shuffle": "yes"}, "shuffle must be true or false, got 'yes'"),
        ({"dtype": "float16"}, "unknown dtype 'float16'; did you mean"),
        ({"dtype": np.float32}, "unknown dtype"),
        ({"dtype": np.array(["float32", "float64"])}, "unknown dtype"),
        ({"class_weight": "equal"}, "unknown class weight 'equal' (known: balanced), or weights by class label"),
        (
            {"class_weight": np.array([1, 2])},
            "class_weight must be 'balanced', '0=1,1=3' or nothing, got array([1, 2])",
        ),
        ({"class_weight": {}}, "class_weight must be 'balanced', '0=1,1=3' or nothing, got {}"),
        ({"class_weight": "0=1,1"}, "write a weight for each class as '0=1,1=3', got '0=1,1'"),
        ({"class_weight": "=1"}, "write a weight for each class"),
        ({"class_weight": "0=1,0=2"}, "class '0' has two weights"),
        ({"class_weight": "0=1,1=-3"}, "the weight of class '1' must be a number in (0, 1e+30], got '-3'"),
        ({"class_weight": {0: 1, 1: "much"}}, "the weight of class '1' must be a number"),
        ({"class_weight": {0: float("nan")}}, "the weight of class '0' must be a number"),
        ({"class_weight": {0: 0}}, "the weight of class '0' must be a number"),
    ],
)
def test_what_is_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as error:
        TrainingConfig(**settings)
    assert message in str(error.value)
    assert len(str(error.value).splitlines()) == 1


def test_replace_knows_its_fields() -> None:
    config = TrainingConfig(epochs=5)
    assert config.replace(epochs=6, loss="mae") == TrainingConfig(epochs=6, loss="mae")
    assert config.epochs == 5
    with pytest.raises(ConfigError, match="unknown training setting 'epoch'; did you mean 'epochs'") as error:
        config.replace(epoch=3)
    assert "learning_rate" in str(error.value)
    with pytest.raises(ConfigError, match="epochs must be"):
        config.replace(epochs="many")


ANYTHING: st.SearchStrategy[Any] = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.complex_numbers(), st.text(max_size=8), st.binary(),
    st.lists(st.integers() | st.text(max_size=5), max_size=3), st.dictionaries(st.text(max_size=3), st.integers()),
    st.just(np.zeros(3)), st.just(np.array("x")), st.just(object()), st.just(Path("x")), st.just(TrainingConfig),
    st.sampled_from(["mse", "full", "adam", "balanced", "float32", "loss_below(0.1)", "accuracy", "cosine"]),
)  # fmt: skip


@given(st.dictionaries(st.sampled_from(list(TrainingConfig().describe())), ANYTHING, min_size=1, max_size=3))
def test_any_values_give_a_canonical_configuration_or_a_config_error(settings: dict[str, Any]) -> None:
    try:
        config = TrainingConfig(**settings)
    except ChainruleError:
        return
    assert TrainingConfig.from_description(json.loads(json.dumps(config.describe()))) == config


# -- members and seeds -----------------------------------------------------------------------------------------


def test_members_compare_by_value() -> None:
    one = Member(mlp([3]), TrainingConfig(), 3)
    assert one == Member(mlp([3]), TrainingConfig(), np.int64(3))  # type: ignore[arg-type]
    assert one != Member(mlp([3]), TrainingConfig(), 4)
    assert one != Member(mlp([4]), TrainingConfig(), 3)
    assert len({one, Member(mlp([3]), TrainingConfig(), 3)}) == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((None, TrainingConfig(), 0), "network must be a Network such as"),
        ((mlp([3]), {"epochs": 3}, 0), "config must be a TrainingConfig, got {'epochs': 3}"),
        ((mlp([3]), TrainingConfig(), -1), "a seed is a whole number of at least 0, got -1"),
        ((mlp([3]), TrainingConfig(), 0.5), "a seed is a whole number"),
    ],
)
def test_members_are_checked(arguments: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message.replace("{", r"\{")):
        Member(*arguments)


@pytest.mark.parametrize(
    ("seeds", "numbers"),
    [
        (1, (0,)),
        (3, (0, 1, 2)),
        (np.int64(2), (0, 1)),
        ([5, 2], (5, 2)),
        (range(4, 6), (4, 5)),
        (np.array([7, 3]), (7, 3)),
        ((s for s in (1, 9)), (1, 9)),
        ({4: "four"}, (4,)),
    ],
)
def test_seeds_are_a_count_or_a_list(seeds: Any, numbers: tuple[int, ...]) -> None:
    assert parse_seeds(seeds) == numbers
    assert all(type(seed) is int for seed in numbers)


@pytest.mark.parametrize(
    ("seeds", "message"),
    [
        (0, "seeds must be a count from 1 to 1,000,000, got 0"),
        (-3, "seeds must be a count"),
        (MOST_SEEDS + 1, "seeds must be a count"),
        (10**12, "seeds must be a count"),
        ([], "seeds is empty: give at least one"),
        ([1, 2, 1], "a seed is given twice"),
        ([1, -2], "a seed is a whole number of at least 0, got -2"),
        ([1.5], "a seed is a whole number"),
        ("12", "a seed is a whole number of at least 0, got '1'"),
        (1.5, "seeds must be a count or a list of whole numbers, got 1.5"),
        (True, "seeds must be a count or a list of whole numbers, got True"),
        (None, "seeds must be a count or a list of whole numbers, got None"),
    ],
)
def test_what_are_no_seeds(seeds: Any, message: str) -> None:
    with pytest.raises(ConfigError) as error:
        parse_seeds(seeds)
    assert message in str(error.value)


def test_class_weights_have_one_text() -> None:
    texts = ["0=1,1=2.5", " 0 = 1.0 ,1=2.5", {0: 1, 1: 2.5}, {"0": 1.0, np.float64(1): np.float64(2.5)}]
    assert {TrainingConfig(class_weight=text).class_weight for text in texts} == {"0=1,1=2.5"}  # type: ignore[arg-type]
    odd = TrainingConfig(class_weight={"a,b=c %": 1 / 3, "light red": 2})  # type: ignore[arg-type]
    assert odd.class_weight == "a%2Cb%3Dc %25=0.3333333333333333,light red=2"
    assert TrainingConfig(class_weight=odd.class_weight) == odd
