"""The form of what the replication's recipes state: reported figures, claims, a worked example."""

from __future__ import annotations

import math
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, Strict, field_validator, model_validator

Settings = dict[str, Any]  # dotted key -> value; checked against the network's and the configuration's fields
Selector = dict[str, Any]  # axis -> value: which cell is meant
Level = Literal["lower", "higher"]


class Table(BaseModel):
    """A table of a recipe: unknown keys are errors, a text is no number, values never change once read."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, arbitrary_types_allowed=True)


class Checked(Table):
    """What a reported figure and a claim have in common.

    Attributes
    ----------
    id : str
        Unique in the recipe, e.g. ``"A1.3"``.
    label : str
        What the report says, in words.
    variant, as_written : str or None
        The variant judged (None: the recipe as it stands) and the one with the report's defect.
    defect : str or None
        One sentence: what the defect does. Needed when `as_written` is given.
    better : str or None
        ``"lower"`` or ``"higher"``; None leaves it to the quantity (counted metrics: higher, all else: lower).
    note : str
        Anything a reader must know about this row: an assumption, a mislabelled figure.
    fitted : bool or None
        Whether a value that the report does not state was chosen because it brings this number about; None: as the
        recipe says for all its rows.
    no_verdict : str or None
        Why the row can be shown beside ours but not be judged, e.g. that the report defines the quantity otherwise.
    """

    id: str = Field(min_length=1, max_length=40, pattern=r"^[A-Za-z0-9._-]+$")
    label: str = Field(min_length=1)
    variant: str | None = None
    as_written: str | None = None
    defect: str | None = None
    better: Level | None = None
    note: str = ""
    fitted: bool | None = None
    no_verdict: str | None = None

    @model_validator(mode="after")
    def _defect_is_named(self) -> Checked:
        if (self.as_written is None) != (self.defect is None):
            raise ValueError("as_written and defect go together: the variant and one sentence about it")
        return self


class Figure(Checked):
    """``[[figures]]``: one reported number.

    Attributes
    ----------
    cell : dict
        The axis values that pick the cell; may leave out axes with one value.
    quantity : str
        See `chainrule.experiments.recipes.quantities`.
    reported : str
        As the report prints it, so that its last digit is known; ``"nan"`` is a legitimate report. Shares of samples
        are written as per cent.
    give_or_take : float or None
        For a number given roughly ("near 500"): what it may be off; otherwise half a unit of its last digit.
    runs : int
        The report's number is a mean over so many runs.
    cannot_occur : str or None
        Why the number cannot come from this setting; believed only if none of our seeds shows it.
    """

    cell: Selector = Field(default_factory=dict)
    quantity: str
    reported: str
    give_or_take: float | None = Field(default=None, ge=0)
    runs: int = Field(default=1, ge=1, le=1000)
    cannot_occur: str | None = None

    @field_validator("reported", mode="before")
    @classmethod
    def _as_text(cls, value: Any) -> Any:
        return repr(value) if isinstance(value, int | float) and not isinstance(value, bool) else value

    @field_validator("reported")
    @classmethod
    def _is_number(cls, value: str) -> str:
        try:
            Decimal(value)
        except InvalidOperation:
            raise ValueError("reported is a number as the report prints it, such as '0.0551'") from None
        return value

    @property
    def value(self) -> float:
        """The reported number."""
        return float(self.reported)

    @property
    def tolerance(self) -> float:
        """What the number may be off: half a unit of its last digit, or what the recipe grants."""
        if self.give_or_take is not None:
            return self.give_or_take
        exponent = Decimal(self.reported).as_tuple().exponent
        return 0.5 * 10.0**exponent if isinstance(exponent, int) and abs(exponent) < 300 else 0.0


class Claim(Checked):
    """``[[claims]]``: what a report says in words, made checkable.

    Attributes
    ----------
    kind : str
        ``share``: the share of seeds of ``cells[0]`` whose quantity passes the test lies in `between`.
        ``order``: in most seeds ``cells[0]`` beats ``cells[1]``, which beats ``cells[2]``, ...
        ``first``: in most seeds ``cells[0]`` beats all the others.
        ``ratio``: product of mean quantities of `over` divided by those of `under` lies in `between`.
        ``spread``: standard deviation over seeds in ``cells[0]`` (at `quantity`) divided by that in ``cells[-1]``
        (at `quantity_under`, if given) lies in `between`.
    at_least, at_most, above, below : float or None
        The test of ``share``; exactly one of them.
    between : (float, float)
        What the claim says the share or the ratio is.
    runs : int
        ``ratio``: each mean is over so many runs in the report.
    better : str or None
        Which direction of the share or ratio is better (None: higher), or for orders which of the quantity.
    """

    kind: Literal["share", "order", "first", "ratio", "spread"]
    quantity: str
    cells: list[Selector] = Field(default_factory=list)
    over: list[Selector] = Field(default_factory=list)
    under: list[Selector] = Field(default_factory=list)
    quantity_under: str | None = None
    at_least: float | None = None
    at_most: float | None = None
    above: float | None = None
    below: float | None = None
    between: Annotated[tuple[float, float], Strict(False)] = (0.5, math.inf)
    runs: int = Field(default=1, ge=1, le=1000)

    @model_validator(mode="after")
    def _fits_kind(self) -> Claim:
        tests = [t for t in (self.at_least, self.at_most, self.above, self.below) if t is not None]
        wanted = {"share": (1, 1), "order": (2, 99), "first": (2, 99), "ratio": (0, 0), "spread": (1, 2)}[self.kind]
        if not wanted[0] <= len(self.cells) <= wanted[1]:
            raise ValueError(f"a {self.kind} claim takes {wanted[0]} to {wanted[1]} cells, got {len(self.cells)}")
        if (self.kind == "share") != (len(tests) == 1) or len(tests) > 1:
            raise ValueError("a share claim takes exactly one of at_least, at_most, above, below; no other kind does")
        if (self.kind == "ratio") != bool(self.over and self.under):
            raise ValueError("a ratio claim names the cells 'over' and 'under'; no other kind does")
        if self.quantity_under is not None and self.kind != "spread":
            raise ValueError("only a spread claim takes quantity_under")
        if not self.between[0] <= self.between[1]:
            raise ValueError("between is (low, high) with low <= high")
        return self


class WorkedExample(Table):
    """``[worked_example]``: a network of one hidden sigmoid layer and softmax output, and one sample (report E)."""

    x: list[float]
    W: list[list[float]]
    b: list[float]
    V: list[list[float]]
    c: list[float]
    target: int = Field(ge=0)
