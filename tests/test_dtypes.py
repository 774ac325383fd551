from __future__ import annotations

import numpy as np
import pytest

from tensorem import dtypes
from tensorem.errors import DTypeError


@pytest.mark.parametrize("name", [n for n in dtypes.EXECUTABLE if n != "bfloat16"])
def test_names_are_numpys(name: str) -> None:
    assert dtypes.dtype_name(np.dtype(name)) == name
    assert dtypes.dtype_name(np.dtype(name).type) == name
    assert dtypes.executable(name) == name


def test_other_names_are_refused() -> None:
    for bad in ("float33", np.complex64, 3, None, None.__class__):
        with pytest.raises(DTypeError, match="A dtype takes one of float32, float64"):
            dtypes.dtype_name(bad)


def test_nothing_runs_in_a_proof_only_dtype() -> None:
    with pytest.raises(DTypeError) as error:
        dtypes.executable("rational")
    assert str(error.value).startswith("Running takes a dtype of float32, float64, bfloat16")
    assert "rational is proof-only" in str(error.value)
