"""Table files as columns: every format gives the same columns, and damage gives one line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chainrule.data.columns import Column, read_columns
from chainrule.errors import ChainruleError, ConfigError, DataError

AGES = [31.0, np.nan, 4.5]
NAMES = ["Ada", "Grace, M.", None]


def check_people(columns: list[Column]) -> None:
    age, name = columns
    assert (age.name, age.numeric, name.name, name.numeric) == ("age", True, "name", False)
    np.testing.assert_array_equal(age.values, AGES)
    assert name.values.tolist() == NAMES
    assert age.missing.tolist() == [False, True, False]
    assert name.missing.tolist() == [False, False, True]


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("t.csv", 'age,name\n31,Ada\n,"Grace, M."\n4.5,NA\n'),
        ("t.csv", 'age , name\r\n 31 , Ada \r\n\r\n?,"Grace, M."\r\n4.5,\r\n'),
        ("T.CSV", '\ufeffage,name\n3.1e1,Ada\nnan,"Grace, M."\n+4.5,null'),
        ("t.csv", "age;name\n31;Ada\n;Grace, M.\n4.5;\n"),
        ("t.tsv", "age\tname\n31\tAda\n\tGrace, M.\n4.5\t\n"),
    ],
)
def test_text_tables(tmp_path: Path, file: str, text: str) -> None:
    (tmp_path / file).write_text(text, encoding="utf-8", newline="")
    check_people(read_columns(tmp_path / file))


@pytest.mark.parametrize("kind", [pa.float64(), pa.float32(), pa.decimal128(10, 2)])
def test_parquet_tables(tmp_path: Path, kind: pa.DataType) -> None:
    ages = pa.array([31.0, None, 4.5], type=pa.float64()).cast(kind)
    pq.write_table(pa.table({"age": ages, "name": NAMES}), tmp_path / "t.parquet")
    check_people(read_columns(tmp_path / "t.parquet"))


def test_parquet_categories_and_truth_values(tmp_path: Path) -> None:
    colours = pa.array(["red", "blue", "red"]).dictionary_encode()
    table = pa.table({"colour": colours, "good": [True, None, False], "empty": pa.nulls(3)})
    pq.write_table(table, tmp_path / "t.pq")
    colour, good, empty = read_columns(tmp_path / "t.pq")
    assert colour.values.tolist() == ["red", "blue", "red"]
    np.testing.assert_array_equal(good.values, [1, np.nan, 0])
    assert empty.missing.all()


def test_npz_with_one_array_a_column(tmp_path: Path) -> None:
    np.savez(tmp_path / "t.npz", age=np.array(AGES, dtype=np.float32), name=np.array(["Ada", "Grace, M.", ""]))
    check_people(read_columns(tmp_path / "t.npz"))


def test_npz_with_a_matrix(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "t.npz", X=np.arange(6).reshape(3, 2), y=np.array([True, False, True]))
    columns = read_columns(tmp_path / "t.npz")
    assert [column.name for column in columns] == ["x1", "x2", "y"]
    np.testing.assert_array_equal([column.values for column in columns], [[0, 2, 4], [1, 3, 5], [1, 0, 1]])


def test_words_that_only_look_like_numbers(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("code\n1_000\n2\n")
    assert read_columns(tmp_path / "t.csv")[0].values.tolist() == ["1_000", "2"]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "is empty: no rows of values"),
        (b"\n\n", "is empty"),
        (b"a,b\n", "is empty"),
        (b"a,b\n1,2\n3\n", "line 3: 2 values expected, found 1"),
        (b"a,b\n1,2\n3,4,5\n", "line 3: 2 values expected, found 3"),
        (b"a,b\n1,2\n\n3,4,5\n", "line 4: 2 values expected, found 3"),
        (b"a,b,a\n1,2,3\n", "columns 1 and 3 have the same name 'a'"),
        (b"a, \n1,2\n", "column 2 has no name"),
        (b"a,b\n1,\xff\n", "is no utf-8-sig text at byte"),
        (b'a,b\n1,"2\n', "line 2: unexpected end of data"),
        (b'a,b\n1,"2"3\n', "line 2: ',' expected after '\"'"),
        (b"a\n" + b"x" * 200_000 + b"\n", "field larger than field limit"),
    ],
)
def test_damaged_text_names_the_line(tmp_path: Path, content: bytes, told: str) -> None:
    (tmp_path / "t.csv").write_bytes(content)
    with pytest.raises(DataError) as caught:
        read_columns(tmp_path / "t.csv")
    assert told in str(caught.value)
    assert "t.csv" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_other_encodings_must_be_named(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes("a,b\n1,Müller\n".encode("latin-1"))
    with pytest.raises(DataError, match="save it as UTF-8 or name its encoding"):
        read_columns(tmp_path / "t.csv")
    assert read_columns(tmp_path / "t.csv", "latin-1")[1].values[0] == "Müller"
    with pytest.raises(ConfigError, match="unknown text encoding 'latin-99'"):
        read_columns(tmp_path / "t.csv", "latin-99")


def test_files_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"there is no table '.*gone\.csv'"):
        read_columns(tmp_path / "gone.csv")
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(DataError, match=r"cannot read table .*directory"):
        read_columns(tmp_path / "folder.csv")
    with pytest.raises(ConfigError, match=r"unknown suffix '\.xlsx'"):
        read_columns(tmp_path / "sheet.xlsx")


@pytest.mark.parametrize("suffix", [".parquet", ".npz"])
@pytest.mark.parametrize("content", [b"", b"PAR1", b"PK\x03\x04 not quite", b"\x93NUMPY"])
def test_damaged_binary_tables(tmp_path: Path, suffix: str, content: bytes) -> None:
    (tmp_path / f"t{suffix}").write_bytes(content)
    with pytest.raises(DataError, match="is no readable"):
        read_columns(tmp_path / f"t{suffix}")


def test_truncated_binary_tables(tmp_path: Path) -> None:
    np.savez(tmp_path / "t.npz", a=np.arange(100), b=np.arange(100))
    pq.write_table(pa.table({"a": list(range(100))}), tmp_path / "t.parquet")
    for name in ("t.npz", "t.parquet"):
        content = (tmp_path / name).read_bytes()
        (tmp_path / name).write_bytes(content[: len(content) // 2])
        with pytest.raises(DataError, match="is no readable"):
            read_columns(tmp_path / name)


def test_npz_that_is_no_table(tmp_path: Path) -> None:
    np.savez(tmp_path / "pickle.npz", a=np.array([{}, {}], dtype=object))
    with pytest.raises(DataError, match=r"pickle\.npz': array 'a' holds Python objects; save plain numbers or text"):
        read_columns(tmp_path / "pickle.npz")
    (tmp_path / "random.npz").write_bytes(bytes(range(7, 250)))
    with pytest.raises(DataError, match=r"random\.npz' is no readable NPZ file: something else, or damaged"):
        read_columns(tmp_path / "random.npz")
    np.savez(tmp_path / "lengths.npz", a=np.arange(3), b=np.arange(4))
    with pytest.raises(DataError, match="'a' has 3 rows, but 'b' has 4"):
        read_columns(tmp_path / "lengths.npz")
    np.savez(tmp_path / "cube.npz", a=np.zeros((2, 2, 2)))
    with pytest.raises(DataError, match=r"must have shape \(rows,\), got \(2, 2, 2\)"):
        read_columns(tmp_path / "cube.npz")
    np.savez(tmp_path / "complex.npz", a=np.zeros(2, dtype=complex))
    with pytest.raises(DataError, match="holds complex128, neither numbers nor text"):
        read_columns(tmp_path / "complex.npz")
    np.savez(tmp_path / "names.npz", X=np.zeros((2, 2)), feature_names=np.array(["a", "b", "c"]))
    with pytest.raises(DataError, match="3 feature_names for X"):
        read_columns(tmp_path / "names.npz")
    with open(tmp_path / "single.npz", "wb") as file:
        np.save(file, np.arange(3))
    with pytest.raises(DataError, match="is a single array"):
        read_columns(tmp_path / "single.npz")


def test_parquet_column_of_another_kind(tmp_path: Path) -> None:
    pq.write_table(pa.table({"when": pa.array([1, 2], type=pa.timestamp("s"))}), tmp_path / "t.parquet")
    with pytest.raises(DataError, match=r"column 'when' holds timestamp.*drop it"):
        read_columns(tmp_path / "t.parquet")


CELLS = st.text(alphabet='ab1,;"\n\r\t.-e\x00é ', max_size=6)


@given(st.one_of(st.binary(max_size=80), st.lists(CELLS, max_size=12).map(lambda cells: ",".join(cells).encode())))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
def test_any_text_gives_columns_or_our_error(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "fuzz.csv").write_bytes(content)
    try:
        columns = read_columns(tmp_path / "fuzz.csv")
    except ChainruleError as error:
        told = str(error)
    else:
        told = ""
        assert len({len(column.values) for column in columns}) == 1
    assert "\n" not in told
