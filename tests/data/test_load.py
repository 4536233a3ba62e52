"""The one door to all data: names, specs, files, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainrule.data import DATASETS, FixedSource, load
from chainrule.errors import ChainruleError, ConfigError, DataError


def test_every_name_has_a_default_and_its_spec_is_its_name() -> None:
    assert set(DATASETS) == {
        *("linear", "xor", "ellipse", "circles", "moons", "spirals", "gaussians", "parity", "curve", "digits", "mnist")
    }
    for name in DATASETS:
        assert load(name).spec == name
        assert load(name).name == name


@pytest.mark.parametrize("spec", ["linear(n=50)", "spirals(n=90, classes=3)", "curve(kind='step')", "mnist(n=5)"])
def test_specs_are_canonical(spec: str) -> None:
    assert load(spec).spec == spec
    assert load(load(spec).spec) == load(spec)


def test_sources_and_data_sets_pass_through() -> None:
    source = load("xor")
    assert load(source) is source
    wrapped = load(source.draw(0))
    assert isinstance(wrapped, FixedSource)
    assert wrapped.draw(1).fingerprint == source.draw(1).fingerprint


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ("linera", "unknown data set 'linera'; did you mean 'linear'?"),
        ("linear(m=3)", "unknown value 'm'"),
        ("linear(n=many)", "'n' must be int"),
        ("linear(", "cannot read data set"),
        ("", "cannot read data set"),
        ("linear(n=0)", "n must be at least 1"),
    ],
)
def test_bad_specs(spec: str, told: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(spec)
    assert told in str(caught.value)


def test_files_that_are_no_tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "xor").mkdir()  # a name is a name, whatever lies about
    assert load("xor").name == "xor"
    (tmp_path / "my-tables").mkdir()
    (tmp_path / "notes").write_text("a,b\n1,2\n")
    for spec, told in (
        ("my-tables", "'my-tables' is a folder; name a file in it (tables end in .csv, .txt, "),
        (f"{tmp_path}?target=a", f"'{tmp_path}' is a folder"),
        ("notes", "cannot tell what table 'notes' is: tables end in .csv, .txt, "),
        ("sheet.xlsx", "cannot tell what table 'sheet.xlsx' is: "),
        ("gone/sheet.json?target=a", "cannot tell what table 'gone/sheet.json' is: "),
    ):
        with pytest.raises(ConfigError) as caught:
            load(spec)
        assert told in str(caught.value)
        assert ".parquet" in str(caught.value)


def test_tables_by_spec_and_by_option(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a,b,label\n1,2,0\n3,5,1\n")
    path = tmp_path / "t.csv"
    spellings = [
        load(f"{path}?target=label&drop=b"),
        load(f"table:{path}?target=label&drop=b"),
        load(str(path), target="label", drop=("b",)),
        load(path, target="label", drop="b"),
        load("t.csv?target=label&drop=b", data_dir=tmp_path),
    ]
    assert {source.draw(0).fingerprint for source in spellings} == {spellings[0].draw(0).fingerprint}
    assert spellings[0].draw(0).feature_names == ("a",)


@pytest.mark.parametrize(
    ("spec", "kind", "told"),
    [
        ("gone.csv?target=a", DataError, "there is no table 'gone.csv'"),
        ("table:gone.csv", DataError, "there is no table 'gone.csv'"),
        ("t.csv?targt=a", ConfigError, "unknown option 'targt'; did you mean 'target'?"),
        ("t.csv?target", ConfigError, "write target=VALUE once"),
        ("t.csv?target=a&target=b", ConfigError, "write target=VALUE once"),
    ],
)
def test_bad_table_specs(spec: str, kind: type[ChainruleError], told: str) -> None:
    with pytest.raises(kind) as caught:
        load(spec)
    assert told in str(caught.value)


def test_table_options_are_for_tables() -> None:
    with pytest.raises(ConfigError, match="target: only a table file has such options"):
        load("xor", target="label")
    with pytest.raises(ConfigError, match="unknown option 'traget'; did you mean 'target'"):
        load("t.csv", traget="label")


@given(
    st.one_of(
        st.text(max_size=20),
        st.tuples(st.sampled_from(sorted(DATASETS)), st.text("0123456789.-,=naobitsclstdknd()' ", max_size=12)).map(
            lambda parts: f"{parts[0]}({parts[1]})"
        ),
        st.text(max_size=10).map(lambda text: f"{text}.csv?target={text}"),
    )
)
def test_any_text_gives_a_source_or_our_error(spec: str) -> None:
    told = ""
    try:
        load(spec)
    except ChainruleError as error:
        told = str(error)
    assert "\n" not in told
