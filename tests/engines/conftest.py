"""What every engine test asks: are two runs the same to the last bit?"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest

from chainrule import Run, Runs, train, train_members
from chainrule.engines import ENGINES
from chainrule.errors import ConfigError

Same = Callable[[Run, Run], None]


def _same_arrays(a: Mapping[str, Any], b: Mapping[str, Any]) -> None:
    assert list(a) == list(b)
    for name in a:
        one, other = np.asarray(a[name]), np.asarray(b[name])
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(one, other, err_msg=name)  # NaN equals NaN


def _same_run(a: Run, b: Run) -> None:
    assert a.theta.dtype == b.theta.dtype
    assert a.theta.tobytes() == b.theta.tobytes()
    assert (a.member, a.stop_reason, a.converged, a.epochs) == (b.member, b.stop_reason, b.converged, b.epochs)
    assert a.divergence == b.divergence
    assert (a.fingerprint, a.engine, a.preprocessing) == (b.fingerprint, b.engine, b.preprocessing)
    for one, other in ((a.final, b.final), (a.history, b.history), (a.windows, b.windows)):
        _same_arrays(one, other)


@pytest.fixture(scope="session")
def same_run() -> Same:
    """Fail unless two runs are equal in every bit of weights, histories, finals and windows."""
    return _same_run


@pytest.fixture(params=list(ENGINES))
def every_engine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Let the test's module train with each engine in turn; the reference does what the others cannot."""
    name: str = request.param

    def forced(function: Callable[..., Runs]) -> Callable[..., Runs]:
        def call(*args: Any, **settings: Any) -> Runs:
            try:
                return function(*args, **({"engine": name} | settings))
            except ConfigError as error:
                if "computed by the reference engine only" not in str(error):
                    raise
                return function(*args, **({"engine": "reference"} | settings))

        return call

    for function in (train, train_members):
        if hasattr(request.module, function.__name__):
            monkeypatch.setattr(request.module, function.__name__, forced(function))
    return name
