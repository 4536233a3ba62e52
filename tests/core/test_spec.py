"""The spec language: what it reads, what it refuses, and that every part survives the round trip."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from chainrule.data import DATASETS
from chainrule.errors import ConfigError
from chainrule.metrics import METRICS
from chainrule.nn.activations import ACTIVATIONS
from chainrule.nn.initializers import INITIALIZERS
from chainrule.nn.losses import LOSSES
from chainrule.optim import OPTIMIZERS, SCHEDULES, STOPPING_RULES
from chainrule.spec import build, parse_spec, require, spec_of

REGISTRIES: dict[str, dict[str, Any]] = {
    "activation": ACTIVATIONS,
    "loss": LOSSES,
    "initializer": INITIALIZERS,
    "optimizer": OPTIMIZERS,
    "schedule": SCHEDULES,
    "stopping rule": STOPPING_RULES,
    "metric": METRICS,
    "data set": DATASETS,
}
PARTS = [(kind, name) for kind, registry in REGISTRIES.items() for name in registry]


@dataclass(frozen=True)
class Sample:
    """A part with a field of every kind."""

    name: ClassVar[str] = "sample"
    number: float
    count: int = 3
    word: str = "mean"
    flag: bool = False
    maybe: float | None = None
    either: int | str = "full"

    def __post_init__(self) -> None:
        require(self.count != 13, "sample: count must not be 13")


@dataclass(frozen=True)
class Plain:
    name: ClassVar[str] = "plain"


SAMPLES: dict[str, Any] = {"sample": Sample, "plain": Plain}


def sample(text: str) -> Any:
    return build(SAMPLES, text, "sample")


@pytest.mark.parametrize(
    ("text", "parsed"),
    [
        ("mse", ("mse", [], {})),
        ("  mse ", ("mse", [], {})),
        ("mse()", ("mse", [], {})),
        ("step(500, 0.5)", ("step", [500, 0.5], {})),
        ("a(-1, +2, 1e-3, -inf, inf, x=-2.5)", ("a", [-1, 2, 0.001, -math.inf, math.inf], {"x": -2.5})),
        ("a(true, False, none, None)", ("a", [True, False, None, None], {})),
        ("a(word, 'two words', \"b\", x='true')", ("a", ["word", "two words", "b"], {"x": "true"})),
        ("a(1_000)", ("a", [1000], {})),
        ("warmup(2, then='cosine(0.1)')", ("warmup", [2], {"then": "cosine(0.1)"})),
    ],
)
def test_what_is_read(text: str, parsed: Any) -> None:
    assert parse_spec(text, "thing") == parsed


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "3", "'mse'", "mse(", "mse)", "mse(1", "a b", "a.b", "a.b(1)", "a(1)(2)", "a[1]", "a(*b)", "a(**b)",
        "a(b(1))", "a([1])", "a({})", "a({[]: 1})", "a((1, 2))", "a(1+1)", "a(1j)", "a(b'x')", "a(...)", "a(x=1, x=2)",
        "a(lambda: 1)", "a(f'{x}')", "a(-word)", "a(-true)", "a(not 1)", "a\0", "a;b", "a\nb", "a=1", "a(1if)",
        "a(" * 300 + ")" * 300, "a(" + "-" * 5000 + "1)", "9" * 5000, "a(" + "9" * 5000 + ")", "(" * 99, "async",
        "a(\ud800)", "a('\\d')",
    ],
)  # fmt: skip
def test_what_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="cannot read thing") as error:
        parse_spec(text, "thing")
    assert len(str(error.value).splitlines()) == 1
    assert len(str(error.value)) < 170


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("sample(1.5)", Sample(1.5)),
        ("sample(2)", Sample(2.0)),
        ("sample(number=2, count=4)", Sample(2.0, 4)),
        ("sample(1, 4, sum, true, 2, 7)", Sample(1.0, 4, "sum", True, 2.0, 7)),
        ("sample(1, maybe=none, either=word)", Sample(1.0, either="word")),
        ("plain", Plain()),
        ("plain()", Plain()),
    ],
)
def test_parts_are_built(text: str, part: Any) -> None:
    assert sample(text) == part
    for f in dataclasses.fields(part):  # 2 for a float is 2.0, or equal parts would be written differently
        assert type(getattr(sample(text), f.name)) is type(getattr(part, f.name))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("simple(1)", "unknown sample 'simple'; did you mean 'sample'? (known: plain, sample)"),
        ("sample", "sample 'sample' needs a value for 'number': write sample(number=...)"),
        ("sample(count=1)", "sample 'sample' needs a value for 'number': write sample(number=...)"),
        ("sample(1, cuont=2)", "sample 'sample': unknown value 'cuont'; did you mean 'count'?"),
        ("sample(1, number=2)", "sample 'sample(1, number=2)': value 'number' is given twice"),
        ("sample(1,2,a,true,3,4,5)", "sample 'sample(1,2,a,true,3,4,5)': at most 6 values, got 7"),
        ("plain(1)", "sample 'plain(1)': at most 0 values, got 1"),
        ("sample(word)", "sample 'sample(word)': 'number' must be float, got 'word'"),
        ("sample(true)", "'number' must be float, got True"),
        ("sample(none)", "'number' must be float, got None"),
        ("sample(1, 2.0)", "'count' must be int, got 2.0"),
        ("sample(1, true)", "'count' must be int, got True"),
        ("sample(1, word=3)", "'word' must be str, got 3"),
        ("sample(1, flag=1)", "'flag' must be bool, got 1"),
        ("sample(1, maybe=word)", "'maybe' must be float | None, got 'word'"),
        ("sample(1, either=1.5)", "'either' must be int | str, got 1.5"),
        ("sample(1, 13)", "sample: count must not be 13"),
        ("sample(1" + "0" * 400 + ")", "'number' is too large"),
    ],
)
def test_what_cannot_be_built(text: str, message: str) -> None:
    with pytest.raises(ConfigError) as error:
        sample(text)
    assert message in str(error.value)
    assert len(str(error.value).splitlines()) == 1


@pytest.mark.parametrize("spec", [None, 3, 1.5, b"sample", ["sample"], {"sample": 1}, Sample])
def test_a_spec_is_text(spec: Any) -> None:
    with pytest.raises(ConfigError, match="sample must be text such as 'sample', got"):
        sample(spec)


@pytest.mark.parametrize(
    ("part", "text"),
    [
        (Plain(), "plain"),
        (Sample(1.5), "sample(number=1.5)"),
        (Sample(2), "sample(number=2.0)"),
        (Sample(np.float64(0.5), np.int64(7)), "sample(number=0.5, count=7)"),  # type: ignore[arg-type]
        (Sample(np.float32(0.5)), "sample(number=0.5)"),  # type: ignore[arg-type]
        (Sample(math.inf, maybe=-math.inf), "sample(number=inf, maybe=-inf)"),
        (Sample(1.0, word="true", flag=True), "sample(number=1.0, word='true', flag=true)"),
        (Sample(1.0, word='it\'s "so"'), "sample(number=1.0, word='it\\'s \"so\"')"),
        (Sample(1.0, either=3), "sample(number=1.0, either=3)"),
        (Sample(1e-300, word=np.str_("sum")), "sample(number=1e-300, word='sum')"),
    ],
)
def test_canonical_text(part: Any, text: str) -> None:
    assert spec_of(part) == text
    assert sample(text) == part


def test_values_equal_to_the_default_are_not_written() -> None:
    assert spec_of(sample("sample(1, 3, mean, false, none, full)")) == "sample(number=1.0)"


NUMBERS = st.sampled_from([0.0, 1e-8, 0.01, 0.1, 0.5, 0.9, 0.999, 1.0, 2.0, 3.5, 10.0, -1.0]) | st.floats(-5, 5)
COUNTS = st.integers(1, 12) | st.sampled_from([20, 100, 500, 0])
WORDS = st.sampled_from(
    ["mean", "sum", "loss", "validation_loss", "accuracy", "validation_mae", "tolerance_accuracy(0.2)", "r2"]
) | st.sampled_from(["constant", "cosine(0.2)", "loss_ratio(3)", "sine", "step", "cubic", "abs", "none"])
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "float": NUMBERS,
    "int": COUNTS,
    "bool": st.booleans(),
    "str": WORDS,
    "None": st.none(),
}


@pytest.mark.parametrize(("kind", "name"), PARTS)
def test_every_registered_part_survives_the_round_trip(kind: str, name: str) -> None:
    cls = REGISTRIES[kind][name]
    fields = [f for f in dataclasses.fields(cls) if f.init]
    seen = []

    @settings(max_examples=15)
    @given(st.data())
    def round_trip(data: st.DataObject) -> None:
        values = {}
        for f in fields:
            if f.default is dataclasses.MISSING or data.draw(st.booleans()):
                types = [word.strip() for word in str(f.type).split("|")]
                values[f.name] = data.draw(st.one_of([VALUES.get(word, WORDS) for word in types]))
        try:
            part = cls(**values)
        except ConfigError:
            assume(False)
        text = spec_of(part)
        again = build(REGISTRIES[kind], text, kind)
        assert again == part
        assert spec_of(again) == text
        seen.append(text)

    round_trip()
    assert seen
    assert cls.name == name or kind == "initializer"  # which has aliases


@pytest.mark.parametrize(("kind", "name"), PARTS)
def test_positional_values_are_the_fields_in_order(kind: str, name: str) -> None:
    registry = REGISTRIES[kind]
    for text in (name, f"{name}(0.5)", f"{name}(3)", f"{name}(3, 0.5)"):
        try:
            part = build(registry, text, kind)
        except ConfigError:
            continue
        given = parse_spec(text, kind)[1]
        fields = [f.name for f in dataclasses.fields(registry[name]) if f.init]
        assert [getattr(part, field) for field in fields[: len(given)]] == given


PIECES = st.sampled_from(
    ["mse", "adam", "sample", "(", ")", ",", "=", "1", "-", ".5", "e3", "'", " ", "number", "\\", "\n"]
)


def complaint(registry: dict[str, Any], text: str, kind: str) -> str | None:
    """Return what is said against a spec, or None if a part is built."""
    try:
        build(registry, text, kind)
    except ConfigError as error:
        return str(error)
    return None


@given(st.text(max_size=60) | st.lists(PIECES, max_size=15).map("".join))
def test_any_text_gives_a_part_or_a_config_error(text: str) -> None:
    line = complaint(SAMPLES, text, "sample")
    assert line is None or len(line.splitlines()) == 1


@given(
    st.sampled_from(PARTS), st.lists(st.sampled_from(["1", "0.5", "-3", "word", "none", "nan", "inf", "1e999", "true"]))
)
def test_any_values_give_a_part_or_a_config_error(part: tuple[str, str], values: list[str]) -> None:
    kind, name = part
    line = complaint(REGISTRIES[kind], f"{name}({', '.join(values)})", kind)
    assert line is None or len(line.splitlines()) == 1


def test_require() -> None:
    require(True, "never said")
    with pytest.raises(ConfigError) as error:
        require(False, "the reason")
    assert str(error.value) == "the reason"
