"""docs/api.md names a home for every name of the original's page, and the home is there."""

from __future__ import annotations

import importlib.util
import sys
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import tensorem as tm
from close import assert_close
from tensorem import autograd, losses
from tensorem.layer._specs import is_shape

DOCS = Path(__file__).parents[2] / "docs"
NAMES: dict[str, Any] = {name: getattr(tm, name) for name in tm.__all__}
NAMES |= {"F": tm.functional, "jax": jax}


def loaded() -> Any:
    spec = importlib.util.spec_from_file_location("api_map", DOCS / "api_map.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["api_map"] = module
    spec.loader.exec_module(module)
    return module


API = loaded()
ENTRIES = list(API.entries())


def test_the_page_is_the_one_that_is_written() -> None:
    assert API.PAGE.read_text() == API.page(), "write it: python docs/api_map.py"


def test_every_definition_of_the_page_has_one_line() -> None:
    named = [(entry.group, name) for entry in ENTRIES for name in entry.names]
    assert len(set(named)) == len(named)
    counts = Counter(group for group, _ in named)
    # The counts of the original's page; train, loss and nn count what they give on as well.
    assert counts["Models"] == 3 and counts["nn.pure: layers"] == 25
    lifted = "nn.pure: lifting, convolution, pooling", "nn.pure: normalisation, attention"
    assert sum(counts[g] for g in lifted) == 44
    assert (counts["nn.pure.blocks"], counts["nn.pure.heads"], counts["optim"]) == (38, 4, 5)
    assert (counts["autograd.model"], counts["autograd.fn1"]) == (22, 8)
    assert counts["nn: names given on"] == 18


def test_every_home_is_there() -> None:
    differences = (DOCS / "differences.md").read_text()
    for entry in ENTRIES:
        if entry.home == API.ELSEWHERE:
            assert f"\n| {entry.told} |" in differences, entry
        elif entry.home != API.MISSING:
            assert eval(entry.home, NAMES) is not None, entry


@pytest.mark.parametrize("check", sorted({entry.check for entry in ENTRIES if entry.check}))
def test_a_layer_gives_the_shape_that_the_page_says(check: tuple[str, str, str]) -> None:
    layer, takes, gives = (eval(text, NAMES) for text in check)
    said = layer.output_shape(takes)
    if not is_shape(said) or not isinstance(said, tuple):
        said = tm.nn.build(layer, takes).output.shape
    assert said == gives


# --- calls with the page's shapes, against the formula

W, B = np.array([[1, 2], [3, -4], [0.5, 0]], np.float32), np.array([1, -1, 2], np.float32)
X, T, U = (np.array(v, np.float32) for v in ([[1, -2]], [[0, 1, 2]], [[1, 2, -1]]))
PARAMS = {"weight": W, "bias": B}


@cache
def calls() -> dict[str, tuple[Any, Any]]:
    """Home -> what it gives, and the formula, of y = W x + b and the mean square loss."""
    linear = tm.nn.build(tm.nn.Linear(2, 3), input=("N", 2)).load_state_dict(PARAMS)
    off = X @ W.T + B - T
    loss = (off**2).mean()
    of_output = 2 * off / 3
    of_params = {"weight": of_output.T @ X, "bias": of_output[0]}
    of_x, of_t = of_output @ W, -of_output
    pulled = {"weight": U.T @ X, "bias": U[0]}
    jacobian = {"weight": np.einsum("ij,nk->nijk", np.eye(3), X), "bias": np.eye(3)[None]}
    curved = 2 * (X @ W.T + B) / 3  # the Hessian along (W, B)
    return {
        "autograd.linear_params": (autograd.linear_params(jnp.asarray(W), jnp.asarray(B)), PARAMS),
        "autograd.Params": (dict(linear.params), PARAMS),
        "autograd.OutputLoss": (autograd.grad_target(linear, losses.mse, X, T), of_t),
        "losses.mse": (losses.mse(linear(X), T, reduction="mean"), loss),
        "losses.cross_entropy": (
            losses.cross_entropy(jnp.asarray(U), jnp.eye(3)[:1], reduction="mean"),
            np.log(np.exp(U).sum()) - U[0, 0],
        ),
        "autograd.detach": (autograd.grad_x(linear, autograd.detach("mse"), X, T), 0 * X),
        "autograd.grad_params": (autograd.grad_params(linear, "mse", X, T), of_params),
        "autograd.grad_inputs": (autograd.grad_inputs(linear, "mse", X, T), (of_x, of_t)),
        "autograd.grad_x": (autograd.grad_x(linear, "mse", X, T), of_x),
        "autograd.grad_target": (autograd.grad_target(linear, "mse", X, T), of_t),
        "autograd.ValueAndGrads": (autograd.ValueAndGrads(1, 2, 3, 4), (1, 2, 3, 4)),  # type: ignore[arg-type]
        "autograd.value_and_grads": (
            autograd.value_and_grads(linear, "mse", X, T),
            (loss, of_params, of_x, of_t),
        ),
        "autograd.value_and_grad_params": (
            autograd.value_and_grad_params(linear, "mse", X, T),
            (loss, of_params),
        ),
        "autograd.value_and_grad_x": (autograd.value_and_grad_x(linear, "mse", X, T), (loss, of_x)),
        "autograd.value_and_grad_target": (
            autograd.value_and_grad_target(linear, "mse", X, T),
            (loss, of_t),
        ),
        "autograd.vjp_params": (autograd.vjp_params(linear, X, U), pulled),
        "autograd.vjp_inputs": (autograd.vjp_inputs(linear, X, U), (U @ W,)),
        "autograd.vjp_input": (autograd.vjp_input(linear, X, U), U @ W),
        "autograd.jacrev_params": (autograd.jacrev_params(linear, X), jacobian),
        "autograd.jvp_params": (
            autograd.jvp_params(linear, "mse", X, T, PARAMS),
            (of_output * (off + T)).sum(),
        ),
        "autograd.hvp_params": (
            autograd.hvp_params(linear, "mse", X, T, PARAMS),
            {"weight": curved.T @ X, "bias": curved[0]},
        ),
        "autograd.Fn": (autograd.grad(jnp.sum)(X), np.ones_like(X)),
        "autograd.jacfwd": (autograd.jacfwd(lambda x: W @ x)(X[0]), W),
        "autograd.jacrev": (autograd.jacrev(lambda x: W @ x)(X[0]), W),
        "autograd.hessian": (autograd.hessian(lambda x: x @ x)(X[0]), 2 * np.eye(2)),
        "autograd.vjp": (autograd.vjp(lambda x: W @ x, X[0])[1](U[0]), U[0] @ W),
        "autograd.grad": (autograd.grad(lambda x: x @ x)(X[0]), 2 * X[0]),
        "autograd.value_and_grad": (
            autograd.value_and_grad(lambda x: x @ x)(X[0]),
            (X[0] @ X[0], 2 * X[0]),
        ),
    }


@pytest.mark.parametrize("home", sorted({e.home for e in ENTRIES if "autograd" in e.group}))
def test_a_derivative_is_that_of_the_formula(home: str) -> None:
    """Every home of the groups autograd.model and autograd.fn1 has a call here."""
    got, expected = map(jax.tree.leaves, calls()[home])
    for a, b in zip(got, expected, strict=True):
        assert_close(a, b)
