"""Every layer against PyTorch with copied weights: outputs, gradients, state."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from layer_oracle import CASES, Arrays, Case, our_results, torch_results

from close import assert_close

RECORDED = np.load(Path(__file__).with_name("reference.npz"))


def recorded(case: Case) -> Arrays:
    """What PyTorch computed when `record.py` was run."""
    names = [n for n in RECORDED.files if n.startswith(f"{case.name}/")]
    return {n.removeprefix(f"{case.name}/"): RECORDED[n] for n in names}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_layer_computes_what_torch_computes(case: Case) -> None:
    ours, expected = our_results(case), recorded(case)
    assert expected, "write what PyTorch computes: python tests/oracles/record.py"
    assert ours.keys() == expected.keys()
    for name, array in expected.items():
        largest = float(np.abs(array).max(initial=0.0))
        assert_close(ours[name], array, rtol=1e-4, atol=1e-5 * max(largest, 1.0))


@pytest.mark.filterwarnings("ignore:Using padding='same':UserWarning")
def test_the_recorded_arrays_are_those_of_torch() -> None:
    torch = pytest.importorskip("torch")
    found = {f"{c.name}/{n}": a for c in CASES for n, a in torch_results(c, torch).items()}
    assert found.keys() == set(RECORDED.files)
    for name, array in found.items():
        largest = float(np.abs(RECORDED[name]).max(initial=0.0))
        assert_close(array, RECORDED[name], rtol=1e-5, atol=1e-6 * max(largest, 1.0))
