"""Derivatives of models: those of PyTorch, the natural way and the formulas; bad calls."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import tensorem as tm
from close import assert_close
from tensorem import autograd, losses, nn
from tensorem.errors import ArgumentError, DTypeError, ShapeError, TensoremError
from tensorem.shapes import Spec

LAYER = nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 3))
MODEL = nn.build(LAYER, input=("N", 4), seed=1)
DRAWS = np.random.default_rng(0)
X, T, Y = (DRAWS.standard_normal(s).astype(np.float32) for s in ((6, 4), (6, 3), (6, 3)))
CLASSES = np.array([0, 1, 2, 0, 1, 2], np.int32)
TANGENT = {k: DRAWS.standard_normal(a.shape).astype(np.float32) for k, a in MODEL.params.items()}


def mse(params: Any, x: Any, target: Any) -> Any:
    return losses.mse(MODEL.apply(params, x), target, reduction="mean")


def test_every_gradient_of_a_loss_is_that_of_torch() -> None:
    """Oracle: torch.autograd."""
    torch = pytest.importorskip("torch")
    theirs = torch.nn.Sequential(torch.nn.Linear(4, 5), torch.nn.Tanh(), torch.nn.Linear(5, 3))
    theirs.load_state_dict({k: torch.tensor(np.asarray(a)) for k, a in MODEL.params.items()})
    x, target = torch.tensor(X, requires_grad=True), torch.tensor(T, requires_grad=True)
    loss = torch.nn.functional.mse_loss(theirs(x), target)
    names = [name for name, _ in theirs.named_parameters()]
    dx, dtarget, *grads = torch.autograd.grad(loss, (x, target, *theirs.parameters()))
    params = dict(zip(names, grads, strict=True))

    found = autograd.value_and_grads(MODEL, "mse", X, T)
    assert_close(found.value, loss.detach())
    assert_close(found.dx, dx)
    assert_close(found.dtarget, dtarget)
    for name in names:
        assert_close(found.dparams[name], params[name])
    compiled = jax.jit(lambda model: autograd.value_and_grads(model, "mse", X, T))(MODEL)
    jax.tree.map(assert_close, compiled, found)

    torch.nn.functional.cross_entropy(theirs(x), torch.tensor(CLASSES).long()).backward()
    gradient = autograd.grad_params(MODEL, "cross_entropy", X, CLASSES)
    for name, p in theirs.named_parameters():
        assert_close(gradient[name], p.grad)


def test_the_names_are_one_implementation() -> None:
    found = autograd.value_and_grads(MODEL, "mse", X, T)
    same = {
        "grad_params": found.dparams,
        "grad_inputs": (found.dx, found.dtarget),
        "grad_x": found.dx,
        "grad_target": found.dtarget,
        "value_and_grad_params": (found.value, found.dparams),
        "value_and_grad_x": (found.value, found.dx),
        "value_and_grad_target": (found.value, found.dtarget),
    }
    for name, expected in same.items():
        jax.tree.map(assert_close, getattr(autograd, name)(MODEL, "mse", X, T), expected)
    jax.tree.map(assert_close, autograd.grad(mse)(MODEL.params, X, T), found.dparams)
    # 2 (target - output) / n, of the formula
    assert_close(found.dtarget, 2 * (T - np.asarray(MODEL(X))) / T.size)
    of_one: Any = lambda output, target: jnp.mean((output - target) ** 2)  # noqa: E731
    jax.tree.map(assert_close, autograd.grad_params(MODEL, of_one, X, T), found.dparams)
    still = autograd.grad_inputs(MODEL, autograd.detach("mse"), X, T)
    assert not np.any(still[0])
    assert_close(still[1], found.dtarget)


def test_products_along_a_direction_are_those_of_whole_matrices() -> None:
    gradient = autograd.grad_params(MODEL, "mse", X, T)
    slope = sum(np.vdot(gradient[k], TANGENT[k]) for k in TANGENT)
    assert_close(autograd.jvp_params(MODEL, "mse", X, T, TANGENT), slope)
    hessian = jax.jit(autograd.hessian(mse))(MODEL.params, X, T)
    product = jax.jit(lambda t: autograd.hvp_params(MODEL, "mse", X, T, t))(TANGENT)
    for name, value in product.items():
        terms = (np.tensordot(hessian[name][k], v, v.ndim) for k, v in TANGENT.items())
        assert_close(value, sum(terms), atol=1e-5)
    jacobian = jax.jit(autograd.jacrev_params)(MODEL, X)
    pulled = autograd.vjp_params(MODEL, X, Y)
    for name, value in pulled.items():
        assert_close(value, np.tensordot(Y, jacobian[name], 2), atol=1e-5)
    in_x = np.asarray(jax.jit(autograd.jacfwd(lambda x: MODEL.apply(MODEL.params, x)))(X))
    assert_close(autograd.vjp_input(MODEL, X, Y), np.tensordot(Y, in_x, 2), atol=1e-5)
    assert_close(autograd.vjp_inputs(MODEL, X, Y)[0], autograd.vjp_input(MODEL, X, Y))


def test_gradients_of_single_examples_add_up_to_that_of_the_batch() -> None:
    each = jax.jit(lambda x: autograd.per_example_grads(MODEL, "cross_entropy", x, CLASSES))(X)
    whole = autograd.grad_params(MODEL, "cross_entropy", X, CLASSES)
    for name, value in each.items():
        assert_close(value.mean(axis=0), whole[name])
    alone = autograd.grad_params(MODEL, "cross_entropy", X[2:3], CLASSES[2:3])
    jax.tree.map(assert_close, jax.tree.map(lambda g: g[2], each), alone)
    norms = jax.jit(lambda x: autograd.per_example_grad_norms(MODEL, "cross_entropy", x, CLASSES))(
        X
    )
    assert_close(
        norms, np.sqrt(sum((np.asarray(g).reshape(6, -1) ** 2).sum(1) for g in each.values()))
    )


def test_parameters_of_a_linear_and_gradients_of_gradients() -> None:
    params = autograd.linear_params(jnp.ones((3, 4)), jnp.zeros(3))
    model = nn.build(nn.Linear(4, 3), input=("N", 4)).replace(params=params)
    assert_close(model(X), X.sum(axis=1, keepdims=True).repeat(3, axis=1))
    assert list(autograd.linear_params(jnp.ones((3, 4)))) == ["weight"]

    def size(x: Any) -> Any:
        return jnp.sum(autograd.grad_x(model, "mse", x, T) ** 2)

    twice = autograd.grad(lambda x: jnp.sum(jax.grad(mse_of(model))(x) ** 2))
    assert_close(autograd.grad(size)(X), twice(X))


def mse_of(model: nn.Model) -> Callable[[Any], Any]:
    return lambda x: jnp.mean((model.apply(model.params, x) - T) ** 2)


class Two(nn.Layer):
    inner: nn.Linear

    def forward(self, a: Any, b: Any) -> Any:
        return self.inner(a) * b


def test_several_inputs_buffers_and_float64() -> None:
    model = nn.build(Two(nn.Linear(4, 3)), input=(("N", 4), ("N", 3)))
    da, db = autograd.grad_x(model, "mse", (X, Y), T)
    assert da.shape == X.shape
    assert_close(db, jax.grad(lambda b: jnp.mean((model.apply(model.params, X, b) - T) ** 2))(Y))
    assert len(autograd.vjp_inputs(model, (X, Y), T)) == 2
    with pytest.raises(ArgumentError, match=r"^vjp_input takes a model of one input, got one of 2"):
        autograd.vjp_input(model, (X, Y), T)

    normed = nn.build(nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3)), input=("N", 4))
    assert normed.buffers["1.num_batches_tracked"].dtype == jnp.int32
    gradient = autograd.grad_params(normed, "mse", X, T)
    assert gradient.keys() == normed.params.keys()  # in evaluation, buffers held fixed

    wide = nn.build(nn.Linear(4, 3), input=Spec(("N", 4), "float64"))
    exact = autograd.value_and_grads(wide, "mse", X.astype(float), T.astype(float))
    assert {exact.dx.dtype, exact.value.dtype, exact.dparams["bias"].dtype} == {
        jnp.dtype("float64")
    }
    bias = autograd.hvp_params(wide, "mse", X.astype(float), T.astype(float), wide.params)["bias"]
    assert bias.dtype == jnp.float64


def test_the_gradient_of_a_model_is_checked_exactly() -> None:
    layer = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1))
    model = nn.build(layer, input=("N", 2))

    def loss(params: Any, x: Any) -> Any:
        return losses.mse(model.apply(params, x), jnp.ones((1, 1)), reduction="mean")

    assert tm.gradcheck(loss, model.params, X[:1, :2]).entries == 3 * 3 + 4 + 2


ids = nn.build(nn.Embedding(5, 3), input=Spec(("N",), "int32"))
REFUSED: list[tuple[Callable[[], Any], type[TensoremError], str]] = [
    (
        lambda: autograd.grad_params(LAYER, "mse", X, T),  # type: ignore[arg-type]
        ArgumentError,
        "^grad_params takes a model, got Sequential",
    ),
    (lambda: autograd.grad_x(MODEL, "msee", X, T), ArgumentError, "A loss takes a name of"),
    (lambda: autograd.grad_x(MODEL, "mse", X[:, :3], T), ShapeError, r"The model takes \(N, 4\)"),
    (lambda: autograd.grad_x(MODEL, "mse", X, T[:, :2]), ShapeError, "mse takes"),
    (
        lambda: autograd.grad_target(MODEL, "cross_entropy", X, CLASSES),
        DTypeError,
        "^grad_target takes floats, got int32 as target",
    ),
    (
        lambda: autograd.grad_x(ids, "mse", np.array([1]), np.ones((1, 3), np.float32)),
        DTypeError,
        "^grad_x takes floats, got int32 as x",
    ),
    (
        lambda: autograd.vjp_input(ids, np.array([1]), np.ones((1, 3), np.float32)),
        DTypeError,
        "^vjp_inputs takes floats, got int32 as x",
    ),
    (
        lambda: autograd.grad_params(MODEL, lambda y, t: y - t, X, T),
        ShapeError,
        r"^grad_params takes a function that gives one number, got one to \(6, 3\)",
    ),
    (
        lambda: autograd.jvp_params(MODEL, "mse", X, T, {"weight": X}),
        ShapeError,
        "^jvp_params takes a tangent as a tree like",
    ),
    (
        lambda: autograd.hvp_params(MODEL, "mse", X, T, {**TANGENT, "0.bias": np.float32(1)}),
        ShapeError,
        r"^hvp_params takes a tangent of shape \(5,\), got \(\)",
    ),
    (
        lambda: autograd.vjp_params(MODEL, X, X),
        ShapeError,
        r"^vjp_params takes a cotangent of shape \(6, 3\), got \(6, 4\)",
    ),
    (
        lambda: autograd.jacrev_params(MODEL, jnp.ones((6, 4), jnp.int32)),
        DTypeError,
        "The model takes float32",
    ),
    (
        lambda: autograd.per_example_grads(MODEL, "mse", X, T[:2]),
        ShapeError,
        "^vmap takes axes that are there: got inconsistent sizes",
    ),
    (
        lambda: autograd.linear_params(jnp.ones(3)),
        ShapeError,
        r"^linear_params takes a weight \(out, in\), got \(3,\)",
    ),
    (
        lambda: autograd.linear_params(jnp.ones((3, 2)), jnp.ones(2)),
        ShapeError,
        r"^linear_params takes a bias \(3,\), got \(2,\)",
    ),
    (lambda: autograd.linear_params([1.0]), DTypeError, "linear_params takes arrays"),  # type: ignore[arg-type]
]


@pytest.mark.parametrize(("call", "kind", "words"), REFUSED)
def test_a_call_that_cannot_be_is_one_error(
    call: Callable[[], Any], kind: type[TensoremError], words: str
) -> None:
    with pytest.raises(kind, match=words):
        call()
