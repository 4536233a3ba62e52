"""What the report says of convolutions: moved images by hand, weights counted by hand, filters and activations."""

from __future__ import annotations

import math

import numpy as np
import pytest

from chainrule.data import Dataset, load
from chainrule.experiments import make_jobs, run_jobs
from chainrule.lab.context import LabContext, section_recipe
from chainrule.lab.plan import SECTIONS
from chainrule.lab.sections import convolution as section
from chainrule.lab.sections._images import worst_first
from chainrule.lab.sections._inside import activation_rows, middle_image
from chainrule.lab.sections._shift import DISTANCES, ShiftTable, ink_left, moved, shift_accuracy, shift_table
from chainrule.nn import Array
from chainrule.report.records import FanFigure, FigureRecord, SectionRecord, TableRecord, TilesFigure, VerdictRecord


@pytest.fixture(scope="module")
def context() -> LabContext:
    lab = LabContext(quick=True)
    plan = next(one for one in SECTIONS if one.id == "convolution")
    lab.results = run_jobs(make_jobs(plan.work(lab)))
    return lab


@pytest.fixture(scope="module")
def record(context: LabContext) -> SectionRecord:
    return section.convolution(context)


def dots() -> Dataset:
    """Four images of 5 x 5 with one bright pixel: class 1 left of the middle column, else class 0."""
    X = np.zeros((4, 5, 5))
    for k, (row, column) in enumerate([(2, 0), (2, 1), (2, 2), (2, 4)]):
        X[k, row, column] = 1.0
    return Dataset("dots", X.reshape(4, 25), np.array([1, 1, 0, 0]), "multiclass", image_shape=(5, 5), is_part=True)


def left_or_not(X: Array) -> Array:
    """Say class 1 where a pixel left of the middle column is bright."""
    left = X.reshape(-1, 5, 5)[:, :, :2].sum(axis=(1, 2)) > 0
    return np.stack([~left, left], axis=1).astype(float)


def test_an_image_is_moved_by_whole_pixels_and_what_comes_in_is_empty() -> None:
    images = Dataset(
        "one", np.arange(1.0, 10.0)[None].repeat(2, 0), np.array([0, 1]), "binary", image_shape=(3, 3), is_part=True
    )
    expected = {
        "left": [[2, 3, 0], [5, 6, 0], [8, 9, 0]],
        "right": [[0, 1, 2], [0, 4, 5], [0, 7, 8]],
        "up": [[4, 5, 6], [7, 8, 9], [0, 0, 0]],
        "down": [[0, 0, 0], [1, 2, 3], [4, 5, 6]],
    }
    for way, grid in expected.items():
        assert moved(images, way, 1)[0].reshape(3, 3).tolist() == grid, way


def test_accuracy_on_moved_images_is_what_one_counts_by_hand() -> None:
    """A pixel at column c that moves to c' is called left if c' is 0 or 1; one that left the picture is not."""
    columns, truth = [0, 1, 2, 4], [1, 1, 0, 0]
    found = shift_accuracy(left_or_not, dots())
    for direction, step in ((0, -1), (1, 1)):  # left and right
        for pixels in DISTANCES:
            said = [int(0 <= c + step * pixels < 2) for c in columns]
            assert found[direction, pixels] == np.mean([a == b for a, b in zip(said, truth, strict=True)])
    # up and down: the pixel stays in its column until it leaves at the third move, and then all are "not left"
    assert found[2:].tolist() == [[1.0, 1.0, 1.0, 0.5]] * 2


def test_ink_left_counts_what_is_still_in_the_picture() -> None:
    share = ink_left(dots())
    # one pixel: left keeps columns 1, 2, 4; right keeps 0, 1, 2; up and down keep all
    assert share[0] == 1.0
    assert share[1] == pytest.approx((3 / 4 + 3 / 4 + 1 + 1) / 4)
    assert share[3] == pytest.approx((1 / 4 + 2 / 4 + 0 + 0) / 4)


@pytest.mark.parametrize(
    ("recipe", "image", "conv", "dense"),
    [
        (
            "convolution",
            (8, 8, 1),
            (9 + 1) * 8 + (9 * 8 + 1) * 16 + (2 * 2 * 16 + 1) * 64 + 65 * 10,
            (64 + 1) * 81 + 82 * 10,
        ),
        (
            "convolution_mnist",
            (28, 28, 1),
            (25 + 1) * 8 + (25 * 8 + 1) * 16 + (4 * 4 * 16 + 1) * 64 + 65 * 10,
            (784 + 1) * 26 + 27 * 10,
        ),
    ],
)
def test_both_networks_have_as_nearly_the_same_number_of_weights_as_units_allow(
    recipe: str, image: tuple[int, int, int], conv: int, dense: int
) -> None:
    cells = {dict(cell.place)["case"]: cell.setting for cell in LabContext().cells(recipe)}
    pixels = math.prod(image)
    found = [
        cells["convolution"].net.bind(image, 10, "softmax").n_parameters,
        cells["dense"].net.bind((pixels,), 10, "softmax").n_parameters,
    ]
    assert found == [conv, dense]
    assert all(f"{count:,}" in section_recipe(recipe).about for count in found)
    assert abs(conv - dense) <= (pixels + 1 + 10) / 2, "one unit more or less in the dense network would not be nearer"
    assert cells["convolution"].training == cells["dense"].training, "only the layers differ"


def test_the_section_measures_the_networks_it_names(context: LabContext, record: SectionRecord) -> None:
    figure = next(item for item in record.walk() if isinstance(item, FanFigure) and item.id == "convolution-shift")
    for series, case in zip(figure.panels[0].series, ("convolution", "dense"), strict=True):
        runs = context.levels("convolution", case=case)[0].runs
        assert series.runs.shape == (2, len(DISTANCES))
        assert series.runs[:, 0] == pytest.approx([run.final["validation_accuracy"] for run in runs])


def test_filters_are_those_of_one_training_at_the_epochs_named(context: LabContext, record: SectionRecord) -> None:
    level = context.levels("convolution", case="convolution")[0]
    runs = section.filter_runs(context, "convolution", level)
    assert [run.epochs for run in runs] == [0, 1, 2, 5]
    whole = level.runs.with_seed(0)
    for run in runs:  # the same training, ended earlier: its end is that row of the whole training's history
        row = list(whole.history["epoch"]).index(run.epochs)
        assert run.final["loss"] == pytest.approx(float(whole.history["loss"][row]), rel=1e-6)
    figure = next(item for item in record.walk() if isinstance(item, TilesFigure) and "filters" in item.id)
    assert len(figure.rows) == len(runs)
    weights = whole.theta[:72].reshape(3, 3, 1, 8)  # W of the first layer lies first: rows, columns, channel, filters
    for k in range(8):
        assert np.array_equal(figure.rows[-1].images[k], weights[:, :, 0, k])
    assert not np.array_equal(figure.rows[0].images, figure.rows[-1].images)


def test_activations_are_those_of_the_forward_pass(context: LabContext) -> None:
    run = context.levels("convolution", case="convolution")[0].runs[0]
    sample = load("digits").draw(0).X[5]
    rows = activation_rows(run, sample)
    records = run.member.network.forward(run.params, sample[None].astype(run.theta.dtype)).records
    assert [row.images.shape for row in rows] == [
        (1, 8, 8), (8, 8, 8), (8, 4, 4), (16, 4, 4), (16, 2, 2), (1, 1, 64), (1, 1, 10),
    ]  # fmt: skip
    assert np.array_equal(rows[0].images[0], sample.reshape(8, 8).astype(run.theta.dtype))
    for row, place in zip(rows[1:5], range(4), strict=True):
        for channel in range(len(row.images)):
            assert np.array_equal(row.images[channel], records[place].A[0, :, :, channel])
    assert np.array_equal(rows[-2].images[0, 0], records[-2].A[0])
    assert np.array_equal(rows[-1].images[0, 0], run.predict(sample[None])[0])


def test_the_worst_mistakes_come_first() -> None:
    outputs = np.array([[0.9, 0.1], [0.6, 0.4], [0.2, 0.8], [0.95, 0.05], [0.7, 0.3]])
    wrong, right = worst_first(outputs, np.array([0, 1, 1, 1, 1]))
    assert wrong == [3, 4, 1]  # 0.05, 0.3 and 0.4 for what they are
    assert right == [0, 2]


def test_the_middle_image_is_the_median_one() -> None:
    images = dots()
    outputs = np.array([[0.1, 0.9], [0.6, 0.4], [0.2, 0.8], [0.7, 0.3]])  # 0.9, 0.4, 0.2, 0.7 for what they are
    assert middle_image(outputs, images) == 1


def test_differences_are_paired_and_corrected_for_four_distances() -> None:
    rng = np.random.default_rng(3)
    dense = rng.uniform(0.3, 0.4, (8, 4, 4))
    dense[:, :, 0] = 0.9
    conv = dense.copy()
    conv[:, :, 1] += 0.2  # better by 0.2 on every seed, and equal elsewhere
    table = ShiftTable(("convolution", "dense"), conv, dense, np.ones(4))
    compared = table.compared()
    assert [one.verdict for one in compared] == [
        "no difference shown",
        "a",
        "no difference shown",
        "no difference shown",
    ]
    assert compared[1].difference == pytest.approx(0.2)
    assert compared[1].p_value == pytest.approx(2 / 2**8)
    assert compared[1].p_adjusted == pytest.approx(4 * 2 / 2**8)
    rows = shift_table("t", "t", table, "").rows
    assert [row[0] for row in rows] == [0, 1, 2, 3]
    assert str(rows[1][4]).startswith("+0.200")


def test_pictures_come_before_the_table_and_the_verdict(record: SectionRecord) -> None:
    kinds = [type(item) for item in record.walk()]
    first_figure = next(k for k, kind in enumerate(kinds) if issubclass(kind, FigureRecord))
    assert first_figure < kinds.index(TableRecord) < kinds.index(VerdictRecord)
    verdict = next(item for item in record.walk() if isinstance(item, VerdictRecord))
    assert (verdict.kind, verdict.n_seeds) == ("question", 2)  # two seeds decide nothing, and it says so


def test_no_runs_leave_a_section_without_pictures() -> None:
    empty = section.convolution(LabContext(quick=True))
    assert not any(isinstance(item, FigureRecord) for item in empty.walk())
