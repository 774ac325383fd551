"""Every layer against PyTorch with copied weights: output, gradients, state."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from layer_cases import CASES, Arrays, Case, inputs, probe, torch_results, values

from close import assert_close
from tensorem import nn

RECORDED = np.load(Path(__file__).with_name("reference.npz"))
IDS = [case.name for case in CASES]


def recorded(case: Case) -> Arrays:
    """What PyTorch computed when `record.py` was run."""
    names = [n for n in RECORDED.files if n.startswith(f"{case.name}/")]
    return {n.partition("/")[2]: RECORDED[n] for n in names}


def our_results(case: Case) -> Arrays:
    """What tensorem computes, under the same names."""
    xs = inputs(case)
    model = nn.build(case.ours, jax.ShapeDtypeStruct(xs[0].shape, xs[0].dtype))
    counters = [n for n in model.buffers if n.endswith("num_batches_tracked")]
    shapes = {n: a.shape for n, a in model.state_dict().items() if n not in counters}
    model = model.load_state_dict({**values(shapes), **{n: np.int64(0) for n in counters}})
    ctx = nn.Context(training=case.steps > 0)
    buffers = model.buffers
    for x in xs[:-1]:
        _, buffers = jax.jit(lambda p, b, x: case.ours.call((p, b), x, ctx=ctx))(
            model.params, buffers, x
        )

    def total(params: Any, x: Any) -> Any:
        y, after = case.ours.call((params, buffers), x, ctx=ctx)
        return jnp.sum(y * probe(y.shape)), (y, after)

    wanted = (0,) if case.rows else (0, 1)
    run = jax.jit(jax.grad(total, wanted, has_aux=True))
    grads, (y, after) = run(model.params, xs[-1])
    dx = {} if case.rows else {"dx": grads[1]}
    return {
        "y": y,
        **dx,
        **{f"d.{n}": g for n, g in grads[0].items()},
        **{f"state.{n}": b for n, b in after.items()},
    }


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_a_layer_computes_what_torch_computes(case: Case) -> None:
    ours, expected = our_results(case), recorded(case)
    assert ours.keys() == expected.keys()
    for name, array in expected.items():
        assert_close(ours[name], array, rtol=1e-4, atol=1e-5)


@pytest.mark.filterwarnings("ignore:Using padding='same':UserWarning")
def test_the_recorded_arrays_are_those_of_torch() -> None:
    torch = pytest.importorskip("torch")
    found = {f"{c.name}/{n}": a for c in CASES for n, a in torch_results(c, torch).items()}
    assert found.keys() == set(RECORDED.files)
    for name, array in found.items():
        assert_close(array, RECORDED[name], rtol=1e-5, atol=1e-6)
