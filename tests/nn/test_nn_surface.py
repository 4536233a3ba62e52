"""The floor's public names, and that importing them stays light."""

from __future__ import annotations

import subprocess
import sys

from chainrule import nn


def test_every_public_name_exists_and_is_listed_once_in_order() -> None:
    assert all(hasattr(nn, name) for name in nn.__all__)
    assert len(set(nn.__all__)) == len(nn.__all__)


def test_importing_the_mathematics_loads_numpy_only() -> None:
    code = (
        "import sys, chainrule.nn, chainrule.nn.gradient_check, chainrule.nn.ladder;"
        "print(*sorted({'scipy', 'sklearn', 'matplotlib', 'pandas', 'pydantic'} & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == ""
