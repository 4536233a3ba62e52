"""The form of a recipe file: which tables and keys it may have, and of what type.

Only `experiments.recipes.recipe` imports this module, and only when a recipe is read, because pydantic is slow to
import. What the values mean (a cell that exists, a metric that is recorded) is checked there. The descriptions are
what editors show: `chainrule.experiments.recipes.json_schema` publishes them.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, WithJsonSchema, model_validator

from chainrule.experiments.recipes.axes import AnyAxis, Axis, Cases, Zipped, linear_range, log_range, whole_numbers
from chainrule.experiments.recipes.schema_rows import (
    Checked,
    Claim,
    Figure,
    Level,
    Selector,
    Settings,
    Table,
    WorkedExample,
)

__all__ = [
    "TABLES",
    "AxisTable",
    "Checked",
    "Claim",
    "Data",
    "Figure",
    "Level",
    "Question",
    "Recipe",
    "Seeds",
    "Selector",
    "Settings",
    "Success",
    "Table",
    "Variant",
    "WorkedExample",
]

MOST_SEEDS = 100_000
ID = r"^[A-Za-z0-9_-]+$"


class Data(Table):
    """``[data]``: what is trained on."""

    source: str = Field(
        description="A data set with its values, such as 'xor' or 'moons(n=200)', or a table: 'iris.csv?target=species'"
    )


class Seeds(Table):
    """``[seeds]``: how many seeds, in the full and in the quick run (0: left out), and the first of them.

    With `listed` (in the file: ``list``) they are named one by one, and `count` and `first` follow from that.
    """

    count: int = Field(default=30, ge=1, le=MOST_SEEDS, description="How many seeds each cell is trained from")
    quick: int = Field(default=4, ge=0, le=MOST_SEEDS, description="How many in the quick run; 0 leaves it out")
    first: int = Field(default=0, ge=0, le=2**61, description="The first seed; the others follow it")
    listed: list[Annotated[int, Field(ge=0, le=2**61)]] | None = Field(
        default=None, alias="list", min_length=1, max_length=MOST_SEEDS, description="The seeds one by one, instead"
    )

    @model_validator(mode="before")
    @classmethod
    def _follow_the_list(cls, table: Any) -> Any:
        if not isinstance(table, dict) or not isinstance(table.get("list"), list):
            return table
        if extra := [key for key in ("count", "first") if key in table]:
            raise ValueError(f"list names the seeds, and {extra[0]} would too: keep one of the two")
        seeds = table["list"]
        if len({repr(seed) for seed in seeds}) < len(seeds):
            raise ValueError("a seed is listed twice: the two runs would be the same run")
        first = {"first": seeds[0]} if seeds and type(seeds[0]) is int and seeds[0] >= 0 else {}
        return table | {"count": max(len(seeds), 1)} | first


class AxisTable(Table):
    """An axis that is not a plain list: a range, or a list with a condition."""

    values: list[Any] | None = Field(default=None, min_length=1, description="The values, one by one")
    low: float | None = Field(default=None, alias="from", description="First value of a range")
    high: float | None = Field(default=None, alias="to", description="Last value of a range")
    step: float | None = Field(default=None, description="Distance of neighbouring values")
    count: int | None = Field(default=None, ge=2, description="Number of values, ends included")
    per_decade: int | None = Field(default=None, ge=1, le=10_000, description="Values in a factor of ten (logarithmic)")
    log: bool = Field(default=False, description="Equal ratios instead of equal distances")
    only: Selector = Field(
        default_factory=dict,
        description="Where the axis exists: other axes with a value, or a list of values, of each; elsewhere cells "
        "keep what the recipe's own table says",
    )

    @model_validator(mode="before")
    @classmethod
    def _whole_ends_stay_whole(cls, table: Any) -> Any:
        for key in ("from", "to", "step") if isinstance(table, dict) else ():
            if isinstance(table.get(key), bool):
                raise ValueError(f"{key} must be a number")
        return table

    @model_validator(mode="after")
    def _one_form(self) -> AxisTable:
        ends = [name for name, end in (("from", self.low), ("to", self.high)) if end is not None]
        how = [name for name in ("step", "count", "per_decade") if getattr(self, name) is not None]
        if self.values is not None:
            if extra := [*ends, *how, *(["log"] if self.log else [])]:
                raise ValueError(f"values lists the values; {extra[0]} belongs to a range: keep one of the two")
        elif not ends and not how:
            raise ValueError("give values, or a range: from and to with step, count or per_decade")
        elif len(ends) < 2:
            raise ValueError(f"a range needs from and to; {'from' if 'to' in ends else 'to'} is missing")
        elif len(how) != 1:
            got = " and ".join(how) or "none"
            raise ValueError(f"a range takes exactly one of step, count and per_decade, got {got}")
        elif self.log and self.step is not None:
            raise ValueError("a logarithmic range takes count or per_decade, not step")
        return self

    def unfold(self, count: bool = False) -> list[Any]:
        """Return the values; whole numbers for a key that counts something. `ConfigError` for an impossible range."""
        if self.values is not None:
            return self.values
        assert self.low is not None, "checked above"
        assert self.high is not None, "checked above"
        low, high = (int(end) if end.is_integer() and abs(end) < 2**53 else end for end in (self.low, self.high))
        if self.per_decade is not None or self.log:
            values = log_range(low, high, per_decade=self.per_decade, count=self.count)
        else:
            values = linear_range(low, high, step=self.step, count=self.count)
        return whole_numbers(values) if count else [float(value) for value in values]

    @property
    def written(self) -> str:
        """The range in words."""
        if self.values is not None:
            return ""
        how = (
            f"{self.per_decade} a decade" if self.per_decade is not None
            else f"in steps of {self.step:g}" if self.step is not None
            else f"{self.count} values{', logarithmic' if self.log else ''}"
        )  # fmt: skip
        return f"{self.low:g} to {self.high:g}, {how}"


class Variant(Table):
    """``[variants.NAME]``: a named deviation, run beside the cells that `only` selects (all, if it is empty).

    With `reading`, a few words, it is another reading of what the report leaves open: every row of those cells is
    compared with it too, but its verdict is that of the recipe as it stands.
    """

    set: Settings = Field(description="Dotted keys and the values they get")
    only: Selector = Field(default_factory=dict, description="The cells it exists beside: axis = value")
    reading: str = Field(default="", description="What it reads otherwise, in a few words")


class Success(Table):
    """``[success]``: when a run counts as a success. Short: ``success = "accuracy >= 0.99"``."""

    metric: str = Field(description="loss or a metric, such as accuracy or validation_accuracy; its final value counts")
    at_least: float | None = Field(default=None, allow_inf_nan=False, description="Success from this value up")
    at_most: float | None = Field(default=None, allow_inf_nan=False, description="Success from this value down")

    @model_validator(mode="after")
    def _one_bound(self) -> Success:
        if (self.at_least is None) == (self.at_most is None):
            raise ValueError("give exactly one of at_least and at_most")
        return self

    @property
    def text(self) -> str:
        """The rule as text: ``accuracy>=0.99``."""
        return f"{self.metric}>={self.at_least!r}" if self.at_most is None else f"{self.metric}<={self.at_most!r}"


class Question(Table):
    """``[[questions]]``: what the sweep is to answer.

    Attributes
    ----------
    ask : str
        ``compare``: is `a` better than `b`, worse, or practically equal? ``rank``: which cells can be told apart?
        ``importance``: how much does each axis matter? ``spread``: how much do seeds matter, and by which of their
        draws? ``audit``: how often would a study of `runs` seeds a side show `a` better than `b`?
    a, b : dict
        Axis -> value: the cells of each side. ``variant`` names a variant. ``compare`` and ``audit`` need both; one
        that fits several cells stands for the best of them, and what that choice costs has to be counted. For
        ``rank``, ``importance`` and ``spread``, `a` restricts the cells (all, if it is empty); `b` is not for them.
    quantity : str
        ``success``, or a quantity of `chainrule.experiments.recipes.quantities`.
    better : str or None
        ``lower`` or ``higher``; None leaves it to the quantity.
    margin : float
        Differences up to it are practically none.
    level : float
        Confidence, above 0.5 and below 1.
    max_seeds : int
        Where adding seeds ends undecided.
    runs : int
        ``audit``: seeds a side of the study in question.
    """

    ask: Literal["compare", "rank", "importance", "spread", "audit"] = Field(
        description="compare two sides, rank cells, importance of axes, spread over seeds, or audit a small study"
    )
    a: Selector = Field(default_factory=dict, description="Cells of the first side: axis = value")
    b: Selector = Field(default_factory=dict, description="Cells of the second side: axis = value")
    quantity: str = Field(
        default="success", description="success, or a quantity such as 'final loss' or 'accuracy@100'"
    )
    better: Level | None = Field(default=None, description="Which values are better, where the quantity does not say")
    margin: float = Field(
        default=0.0, ge=0, allow_inf_nan=False, description="Differences up to this are practically none"
    )
    level: float = Field(default=0.95, gt=0.5, lt=1, description="Confidence of the answer")
    max_seeds: int = Field(default=5000, ge=6, le=MOST_SEEDS, description="Where adding seeds ends undecided")
    runs: int = Field(default=5, ge=1, le=1000, description="For audit: seeds a side of the study in question")
    note: str = Field(default="", description="Anything a reader should know")

    @model_validator(mode="after")
    def _sides(self) -> Question:
        if self.ask in ("compare", "audit"):
            if missing := [name for name in ("a", "b") if not getattr(self, name)]:
                raise ValueError(
                    f'{self.ask} needs both sides; {missing[0]} is missing: {missing[0]} = {{ "AXIS" = VALUE }}'
                )
        elif self.b:
            raise ValueError(f"{self.ask} has no second side: b is for compare and audit")
        return self


_NO_SCHEMA = WithJsonSchema(
    {"type": "object"}
)  # `chainrule.experiments.recipes.json_schema` writes what a file may hold


class Recipe(Table):
    """A recipe file.

    Attributes
    ----------
    id, title, section, report, about : str
        Name (by default the file's), heading (the id), the lab section it belongs to, the report it repeats and the
        assumptions made.
    data, network, training : tables
        The setting: a data source, keyword arguments of `chainrule.nn.mlp`, fields of `TrainingConfig`.
    axes : dict of str to Axis
        Dotted key -> values; the grid is their product.
    zipped : list of Zipped
        Further axes, of several keys that move together.
    cases : dict of str to Settings
        A further axis, called ``case``: named sets of dotted keys that change together.
    variants : dict of str to Variant
        Named deviations (a defect as written, another reading) run beside every cell.
    fitted : bool
        Whether its rows are fitted, unless they say otherwise.
    quick : Settings
        Dotted keys replaced in the quick run.
    success, questions
        When a run counts as a success, and what the sweep is to answer.
    worked_example, waits_for
        For a recipe that trains nothing: an example worked out by hand, or what it waits for.
    file : str
        Where it was read from.
    """

    id: str = Field(min_length=1, max_length=40, pattern=ID, description="Its name; by default the file's")
    title: str = Field(min_length=1, description="A heading; by default the id")
    section: str = Field(default="", description="The section of the lab's report it belongs to")
    report: str = Field(default="", description="The report it repeats")
    about: str = Field(default="", description="What a reader should know: assumptions, purpose")
    fitted: bool = Field(default=False, description="Whether its figures chose values that the report leaves open")
    data: Data | None = Field(default=None, description="What is trained on")
    network: Settings = Field(default_factory=dict, description="The network")
    training: Settings = Field(default_factory=dict, description="How it is trained")
    seeds: Seeds = Field(default_factory=Seeds, description="How many seeds, or which")
    quick: Settings = Field(default_factory=dict, description="Dotted keys that get other values in the quick run")
    axes: Annotated[dict[str, Axis], _NO_SCHEMA] = Field(
        default_factory=dict, description="What varies: dotted key -> values; the grid is the product of all axes"
    )
    zipped: Annotated[list[Zipped], _NO_SCHEMA] = Field(
        default_factory=list, description="Axes of several keys that move together: equally long lists"
    )
    cases: dict[str, Settings] = Field(
        default_factory=dict, description="A further axis, called case: named sets of dotted keys"
    )
    variants: dict[str, Variant] = Field(default_factory=dict, description="Named deviations, run beside the cells")
    success: Success | None = Field(default=None, description="When a run counts as a success")
    questions: list[Question] = Field(default_factory=list, description="What the sweep is to answer")
    figures: list[Figure] = Field(default_factory=list, description="Reported numbers to compare with")
    claims: list[Claim] = Field(default_factory=list, description="Reported statements to compare with")
    worked_example: WorkedExample | None = Field(default=None, description="An example worked out by hand")
    waits_for: str | None = Field(default=None, description="Why it trains nothing yet")
    file: str = ""

    @model_validator(mode="after")
    def _one_kind_of_recipe(self) -> Recipe:
        kinds = [k for k in (self.data, self.worked_example, self.waits_for) if k is not None]
        if len(kinds) != 1:
            hint = "" if kinds else '; add [data] with source = "xor", say'
            raise ValueError(f"a recipe has exactly one of [data], [worked_example] and waits_for{hint}")
        return self

    @property
    def trains(self) -> bool:
        """Whether the recipe trains anything."""
        return self.data is not None

    @property
    def all_axes(self) -> list[AnyAxis]:
        """Every axis, of one key or of several, with the cases last."""
        cases = [Cases(tuple(self.cases))] if self.cases else []
        return [*self.axes.values(), *self.zipped, *cases]

    @property
    def axis_groups(self) -> list[tuple[str, ...]]:
        """The names of all axes, those that move together in one tuple."""
        return [axis.keys for axis in self.all_axes]


TABLES: dict[str, type[Table]] = {
    "": Recipe, "data": Data, "seeds": Seeds, "success": Success, "figures": Figure, "claims": Claim,
    "variants": Variant, "worked_example": WorkedExample, "questions": Question, "axes": AxisTable,
}  # fmt: skip
"""The model of each table, for messages that list the keys it knows."""
