"""The layer language: what it makes, and errors that mark the word."""

from __future__ import annotations

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from chainrule.errors import ChainruleError, ConfigError, ShapeError
from chainrule.nn import (
    AvgPool2D,
    BatchNorm,
    Conv1D,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    GlobalAvgPool,
    GlobalMaxPool,
    MaxPool1D,
    MaxPool2D,
    Network,
    parse_layers,
)
from chainrule.nn.layer_language import KINDS, point_at_layer

OUTPUT = Dense(None, None)


def test_a_lenet_in_one_line() -> None:
    network = parse_layers("conv 8 5, pool 2, conv 16 5, pool 2, dense 64")
    assert network == Network(
        (
            Conv2D(8, 5, "relu"),
            MaxPool2D(2),
            Conv2D(16, 5, "relu"),
            MaxPool2D(2),
            Flatten(),
            Dense(64, "relu"),
            OUTPUT,
        )
    )
    # 5 x 5 x 8 + 8, 5 x 5 x 8 x 16 + 16, 4 x 4 x 16 x 64 + 64, 64 x 10 + 10
    assert network.bind((28, 28, 1), 10, "softmax").n_parameters == 208 + 3216 + 16448 + 650


@pytest.mark.parametrize(
    ("text", "layers"),
    [
        ("", ()),
        ("dense 4, dense 3 tanh", (Dense(4, "relu"), Dense(3, "tanh"))),
        ("dense 4 leaky_relu(0.1)", (Dense(4, "leaky_relu(0.1)"),)),
        ("dense 4 weight_init=normal(0.5) l2=0.01", (Dense(4, "relu", weight_init="normal(0.5)", l2=0.01),)),
        ("dense 4, flatten, dropout 0.25", (Dense(4, "relu"), Flatten(), Dropout(0.25))),
        ("CONV 4 3x2 Same", (Conv2D(4, (3, 2), "relu", padding="same"), Flatten())),
        ("conv 4 3 stride=2x1 padding=1", (Conv2D(4, 3, "relu", stride=(2, 1), padding=1), Flatten())),
        (
            "conv 4 3 groups=2 bias=false dilation=2",
            (Conv2D(4, 3, "relu", groups=2, bias=False, dilation=2), Flatten()),
        ),
        ("conv1d 4 2 tanh, pool1d 2", (Conv1D(4, 2, "tanh"), MaxPool1D(2), Flatten())),
        ("conv 4 3 identity, norm tanh", (Conv2D(4, 3, "identity"), BatchNorm("tanh"), Flatten())),
        ("conv 4 3, avgpool 3 2, globalpool", (Conv2D(4, 3, "relu"), AvgPool2D(3, 2), GlobalAvgPool())),
        ("pool, globalmaxpool, dense 5", (MaxPool2D(2), GlobalMaxPool(), Dense(5, "relu"))),
        ("conv 4 3, dropout 0.2 channels", (Conv2D(4, 3, "relu"), Dropout(0.2, channels=True), Flatten())),
    ],
)
def test_words_make_layers(text: str, layers: tuple[object, ...]) -> None:
    assert parse_layers(text).layers == (*layers, OUTPUT)


def test_what_holds_for_all_layers() -> None:
    network = parse_layers("dense 4, dense 3 l2=0", "tanh", "sigmoid", 2, l2=0.1, weight_init="zeros")
    assert network.layers == (
        Dense(4, "tanh", weight_init="zeros", l2=0.1),
        Dense(3, "tanh", weight_init="zeros", l2=0.0),
        Dense(2, "sigmoid", weight_init="zeros", l2=0.1),
    )
    with pytest.raises(ConfigError, match="'dropout' cannot be set for all layers"):
        parse_layers("dense 4", dropout=0.5)


@pytest.mark.parametrize(
    ("text", "marked", "said"),
    [
        ("conv 8 5, pol 2", "»pol«", "did you mean 'pool'?"),
        ("conv 8", "»conv«", "needs its kernel: write conv FILTERS KERNEL"),
        ("dense", "»dense«", "needs its units"),
        ("dense 4 5", "»5«", "one number too many"),
        ("dense 3.5", "»3.5«", "must be a whole number"),
        ("dense 0", "»0«", "at least 1, got 0"),
        ("conv 8 5 sam", "»sam«", "did you mean 'same'?"),
        ("conv 8 5 strid=2", "»strid=2«", "did you mean 'stride'?"),
        ("conv 8 5 stride=2 stride=3", "»stride=3«", "stride is given twice"),
        ("conv 8 3x3x3", "»3x3x3«", "a list of 2 numbers"),
        ("conv 9 5 groups=2", "»groups=2«", "9 filters cannot be cut into 2 equal groups"),
        ("conv 8 5 padding=wide", "»padding=wide«", "'valid', 'same' or numbers"),
        ("conv 8 5 softmax", "»softmax«", "use it in a dense layer"),
        ("pool 2 dense 3", "»dense«", "a comma is missing"),
        ("dense 4,, dense 3", "»«", "a layer is missing"),
        ("dense 4 (", "»(«", "cannot read"),
        ("dropout 1.5", "»1.5«", r"\[0, 1\)"),
        ("dense 4 weight_init=norml(1)", "»weight_init=norml(1)«", "did you mean 'normal'?"),
        ("norm 3", "»3«", "it takes no number"),
        ("conv eight 5", "»eight«", "'eight' must be the filters, a number: FILTERS KERNEL"),
        ("conv 8 5, relu", "»relu«", "is an activation: write it behind its layer, as in 'conv 8 5 relu'"),
        ("conv(8, 5), dense 3", "»conv(8, 5)«", "layers take no parentheses: write conv FILTERS KERNEL"),
        ("64, 32", "»64«", "write 'dense 64' for 64 units"),
        ("conv 8 5, bn", "»bn«", "here it is called 'norm'"),
        ("conv 8 5 padding=((1,2),(0,1))", "»=((«", "write sizes as 5 or 5x3"),
        ("dense 4, conv 8 5", "»conv«", "'conv' takes images, but what comes before it gives all features in a row"),
        ("conv 8 5, globalpool, pool 2", "»pool«", "'pool' takes images, but .* all features in a row"),
        ("conv 8 5, pool1d 2", "»pool1d«", "'pool1d' takes sequences, but what comes before it gives images"),
    ],
)
def test_an_error_marks_the_word(text: str, marked: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said) as caught:
        parse_layers(text)
    assert marked in str(caught.value)
    assert "\n" not in str(caught.value)


def test_no_text_and_too_much_of_it() -> None:
    with pytest.raises(ConfigError, match="layers must be a text"):
        parse_layers(["dense 4"])  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="101 layers; at most 100"):
        parse_layers(", ".join(["dense 4"] * 101))


PIECES = st.sampled_from(
    [*KINDS, ",", " ", "3", "0", "-1", "5x3", "=", "(", ")", "same", "relu", "stride=", "1e99", "none", "\n", "é", "»"]
)


@settings(max_examples=400, deadline=None)
@given(st.lists(PIECES, max_size=12).map(" ".join) | st.text(max_size=40))
def test_any_text_is_a_network_or_one_line(text: str) -> None:
    try:
        said = str(parse_layers(text))
    except ChainruleError as error:
        said = str(error)
    assert "\n" not in said


@pytest.mark.parametrize(
    ("text", "marked", "said"),
    [
        ("conv 8 29, dense 3", "»conv 8 29«", "a kernel of 29 x 29 does not fit into inputs of 28 x 28"),
        ("dense 3, dropout 0.2 channels", "»dropout 0.2 channels«", "dropout of channels takes inputs with at least"),
        ("conv 8 5 stride=28, pool 2", "»pool 2«", "a window of 2 x 2 does not fit into inputs of 1 x 1"),
        (
            "conv 4 5, conv 9 5 groups=3 same",
            "»conv 9 5 groups=3 same«",
            r"\(24, 24, 4\), their channels, cannot be cut",
        ),
    ],
)
def test_a_layer_that_does_not_fit_the_data_is_marked(text: str, marked: str, said: str) -> None:
    network = parse_layers(text)
    with pytest.raises(ShapeError, match=said) as caught:
        network.bind((28, 28, 1), 10, "softmax")
    told = str(point_at_layer(text, caught.value))
    assert marked in told
    assert "\n" not in told


def test_an_error_that_is_about_no_layer_stays_as_it_is() -> None:
    for error in (ShapeError("of something else"), ShapeError("layer 4 of 4: the output layer")):
        error.layer = None if "else" in str(error) else 3
        assert point_at_layer("conv 8 5, dense 3", error) is error
