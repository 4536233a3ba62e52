"""The columns of a table file as text or numbers, before anything is learned from them: CSV, TSV, Parquet, NPZ."""

from __future__ import annotations

import csv
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from chainrule.data._checking import label_text
from chainrule.errors import ConfigError, DataError, one_line, unknown_name

MISSING_WORDS = frozenset({"", "NA", "N/A", "#N/A", "na", "n/a", "NaN", "nan", "NULL", "null", "None", "?"})
SUFFIXES = (".csv", ".txt", ".tsv", ".tab", ".parquet", ".pq", ".npz")


@dataclass(frozen=True, eq=False)
class Column:
    """One column: float64 with NaN for missing values, or text (dtype object) with None for missing values."""

    name: str
    values: npt.NDArray[Any]

    @property
    def numeric(self) -> bool:
        """True for numbers."""
        return self.values.dtype != object

    @property
    def missing(self) -> npt.NDArray[np.bool_]:
        """Mask of the missing values, (n,)."""
        mask: npt.NDArray[np.bool_]
        mask = np.isnan(self.values) if self.numeric else np.array([v is None for v in self.values], dtype=bool)
        return mask

    def as_text(self) -> Column:
        """Return the column with its numbers as words, for numbers that are names."""
        if not self.numeric:
            return self
        return text_column(self.name, [None if np.isnan(v) else label_text(v) for v in self.values])


def text_column(name: str, words: list[str | None]) -> Column:
    """Make a column of words."""
    values = np.empty(len(words), dtype=object)
    values[:] = words
    return Column(name, values)


def column_of_words(name: str, words: list[str]) -> Column:
    """Make a column of what a text file holds: numbers if every word that is not missing is one."""
    present: list[str | None] = [None if (w := word.strip()) in MISSING_WORDS else w for word in words]
    numbers = np.full(len(words), np.nan)
    for row, word in enumerate(present):
        if word is None:
            continue
        number = _number(word)
        if number is None:
            return text_column(name, present)
        numbers[row] = number
    return Column(name, numbers)


def _number(word: str) -> float | None:
    if "_" in word:  # float("1_000") works, but such a word is a name
        return None
    try:
        return float(word)
    except ValueError:
        return None


def read_columns(path: str | Path, encoding: str = "utf-8-sig") -> list[Column]:
    """Read the columns of a table file; the suffix of its name says what it is.

    Parameters
    ----------
    path : path
        A ``.csv``, ``.tsv``, ``.parquet`` or ``.npz`` file. CSV and TSV begin with the columns' names; a CSV file whose
        first line has semicolons and no comma is cut at the semicolons.
    encoding : str
        Of CSV and TSV.

    Returns
    -------
    list of Column
        At least one column and one row; names are distinct.

    Raises
    ------
    DataError
        If the file is not there, damaged, empty, or has rows of unequal length or two columns of one name.
    ConfigError
        For an unknown suffix or encoding.
    """
    path = Path(path)
    where = f"'{one_line(path, 200)}'"
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise ConfigError(f"cannot tell what table {where} is: {unknown_name('suffix', suffix, SUFFIXES)}")
    try:
        if suffix in (".parquet", ".pq"):
            columns = _read_parquet(path, where)
        elif suffix == ".npz":
            columns = _read_npz(path, where)
        else:
            columns = _read_text(path, where, suffix, encoding)
    except FileNotFoundError:
        raise DataError(f"there is no table {where}") from None
    except OSError as error:
        raise DataError(f"cannot read table {where}: {one_line(error.strerror or error)}") from None
    return _checked(columns, where)


def _checked(columns: list[Column], where: str) -> list[Column]:
    names = [column.name for column in columns]
    for number, name in enumerate(names):
        if not name:
            raise DataError(f"table {where}: column {number + 1} has no name; the first line must name every column")
        if name in names[:number]:
            first = names.index(name) + 1
            raise DataError(f"table {where}: columns {first} and {number + 1} have the same name '{one_line(name)}'")
    if not columns or not len(columns[0].values):
        raise DataError(f"table {where} is empty: no rows of values")
    return columns


def _read_text(path: Path, where: str, suffix: str, encoding: str) -> list[Column]:
    try:
        with open(path, encoding=encoding, newline="") as file:
            first = file.readline()
            file.seek(0)
            delimiter = "\t" if suffix in (".tsv", ".tab") else ";" if ";" in first and "," not in first else ","
            names, rows = _rows(csv.reader(file, delimiter=delimiter, strict=True), where)
    except UnicodeError as error:
        at = f" at byte {error.start}" if isinstance(error, UnicodeDecodeError) else ""
        raise DataError(f"table {where} is no {encoding} text{at}; save it as UTF-8 or name its encoding") from None
    except LookupError:
        raise ConfigError(f"unknown text encoding '{one_line(encoding)}' for table {where}") from None
    return [column_of_words(name, [row[j] for row in rows]) for j, name in enumerate(names)]


def _rows(reader: Any, where: str) -> tuple[list[str], list[list[str]]]:
    """Return the names and the rows of a text table; blank lines are left out."""
    names: list[str] | None = None
    rows: list[list[str]] = []
    try:
        for row in reader:
            if not row:
                continue
            if names is None:
                names = [name.strip() for name in row]
            elif len(row) != len(names):
                raise DataError(
                    f"table {where}, line {reader.line_num}: {len(names)} values expected, found {len(row)}"
                )
            else:
                rows.append(row)
    except csv.Error as error:
        raise DataError(f"table {where}, line {reader.line_num}: {one_line(error)}") from None
    return names or [], rows


def _read_parquet(path: Path, where: str) -> list[Column]:
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        raise ConfigError(f"reading Parquet ({where}) needs pyarrow: pip install 'chainrule[tables]'") from None
    with open(path, "rb") as file:
        try:
            table = pq.read_table(file)
        except (pa.ArrowException, OSError, ValueError) as error:
            raise DataError(f"table {where} is no readable Parquet file: {one_line(error)}") from None
    return [_arrow_column(str(name), table.column(j), where) for j, name in enumerate(table.column_names)]


def _arrow_column(name: str, values: Any, where: str) -> Column:
    import pyarrow as pa

    kind = values.type.value_type if pa.types.is_dictionary(values.type) else values.type
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return text_column(name, values.to_pylist())
    if (
        pa.types.is_boolean(kind)
        or pa.types.is_integer(kind)
        or pa.types.is_floating(kind)
        or pa.types.is_decimal(kind)
    ):
        return Column(name, np.array([np.nan if v is None else float(v) for v in values.to_pylist()]))
    if pa.types.is_null(kind):
        return Column(name, np.full(len(values), np.nan))
    raise DataError(f"table {where}: column '{one_line(name)}' holds {kind}, neither numbers nor text; drop it")


def npz_arrays(path: Path, where: str) -> dict[str, npt.NDArray[Any]]:
    """Read every array of an NPZ file; raises `DataError` for one that is damaged or holds Python objects."""
    with open(path, "rb") as file:
        try:
            archive = np.load(file, allow_pickle=False)
            if not isinstance(archive, np.lib.npyio.NpzFile):
                raise DataError(f"table {where} is a single array, not an NPZ archive; save it with numpy.savez")
            return {str(name): _read_array(archive, name, where) for name in archive.files}
        except DataError:
            raise
        except (ValueError, EOFError, KeyError, zipfile.BadZipFile, zlib.error, NotImplementedError):
            raise DataError(
                f"table {where} is no readable NPZ file: something else, or damaged (numpy.savez writes them)"
            ) from None


def _read_npz(path: Path, where: str) -> list[Column]:
    arrays = npz_arrays(path, where)
    if "X" in arrays and np.ndim(arrays["X"]) == 2:
        X = arrays.pop("X")
        names = [str(name) for name in np.ravel(arrays.pop("feature_names", np.array([])))]
        names = names or [f"x{j + 1}" for j in range(X.shape[1])]
        if len(names) != X.shape[1]:
            raise DataError(f"table {where}: {len(names)} feature_names for X of shape {X.shape}")
        arrays = {**{name: X[:, j] for j, name in enumerate(names)}, **arrays}
    columns = [array_column(name, array, where) for name, array in arrays.items()]
    lengths = {len(column.values): column.name for column in columns}
    if len(lengths) > 1:
        (n, a), (m, b) = list(lengths.items())[:2]
        raise DataError(f"table {where}: '{one_line(a)}' has {n} rows, but '{one_line(b)}' has {m}")
    return columns


def _read_array(archive: Any, name: str, where: str) -> npt.NDArray[Any]:
    """Read one array; one of Python objects is refused in our words, not NumPy's."""
    try:
        array: npt.NDArray[Any] = archive[name]
    except ValueError as error:
        if "allow_pickle" not in str(error):
            raise
        mixed = ", as images of mixed sizes do: bring all to one size" if name == "X" else ""
        raise DataError(
            f"table {where}: array '{one_line(name)}' holds Python objects{mixed}; save plain numbers or text"
        ) from None
    return array


def array_column(name: str, array: npt.NDArray[Any], where: str) -> Column:
    """Return an array (rows,) as a column; raises `DataError` for other shapes and kinds."""
    if array.ndim != 1:
        raise DataError(f"table {where}: array '{one_line(name)}' must have shape (rows,), got {array.shape}")
    if array.dtype.kind in "biuf":
        return Column(name, array.astype(np.float64))
    if array.dtype.kind == "U":
        return text_column(name, [None if str(v) in MISSING_WORDS else str(v) for v in array])
    raise DataError(f"table {where}: array '{one_line(name)}' holds {array.dtype}, neither numbers nor text")
