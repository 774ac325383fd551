"""Derivatives of functions: those of torch.func, of closed forms and in rationals; bad calls."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import reduce
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import tensorem as tm
from close import assert_close
from tensorem import autograd, models, nn
from tensorem import functional as F
from tensorem.errors import ArgumentError, DTypeError, ShapeError, TensoremError

DRAWS = np.random.default_rng(0)
W, X, V = (DRAWS.standard_normal(s).astype(np.float32) for s in ((3, 4), (4,), (4,)))
U = DRAWS.standard_normal(3).astype(np.float32)


def ours(w: Any, x: Any) -> Any:
    return jnp.tanh(jnp.asarray(w) @ x) ** 3


def ours_sum(w: Any, x: Any) -> Any:
    return jnp.sum(ours(w, x)) + jnp.sum(x**4)


def test_every_transform_is_that_of_torch_func() -> None:
    """Oracle: torch.func."""
    torch = pytest.importorskip("torch")
    t = torch.func
    w, x, u, v = map(torch.tensor, (W, X, U, V))

    def theirs(w: Any, x: Any) -> Any:
        return torch.tanh(w @ x) ** 3

    def theirs_sum(w: Any, x: Any) -> Any:
        return theirs(w, x).sum() + (x**4).sum()

    @jax.jit  # one program: primitive by primitive there are a hundred
    def everything() -> dict[str, Any]:
        value, pull = autograd.vjp(ours, W, X)
        each = autograd.vmap(autograd.grad(ours_sum, 1), in_dims=(None, 1), out_dims=1)
        return {
            "grad": [autograd.grad(ours_sum, n)(W, X) for n in argnums],
            "value_and_grad": [autograd.value_and_grad(ours_sum, n)(W, X) for n in argnums],
            "jacrev": autograd.jacrev(ours, 1)(W, X),
            "jacfwd": autograd.jacfwd(ours, 1)(W, X),
            "hessian": autograd.hessian(ours_sum, 1)(W, X),
            "vjp": (value, pull(U)),
            "vjp of one": autograd.vjp(lambda x: ours(W, x), X)[1](U),
            "jvp": autograd.jvp(ours, (W, X), (W, V))[1],
            "hvp": autograd.hvp(lambda x: ours_sum(W, x), (X,), (V,)),
            "vmap": each(W, W.T @ W.T[:3]),
        }

    argnums = 0, 1, (0, 1)
    slopes = [t.grad(theirs_sum, n)(w, x) for n in argnums]
    hessian = t.jacrev(t.jacrev(theirs_sum, 1), 1)(w, x)
    jacobian = t.jacrev(theirs, 1)(w, x)
    pulled = t.vjp(theirs, w, x)[1](u)
    along_w, along_x = t.jacrev(theirs, (0, 1))(w, x)
    theirs_each = t.vmap(t.grad(theirs_sum, 1), in_dims=(None, 1), out_dims=1)
    expected = {
        "grad": slopes,
        "value_and_grad": [(theirs_sum(w, x), slope) for slope in slopes],
        "jacrev": jacobian,
        "jacfwd": jacobian,
        "hessian": hessian,
        "vjp": (theirs(w, x), pulled),
        "vjp of one": pulled[1],
        "jvp": torch.tensordot(along_w, w, 2) + along_x @ v,
        "hvp": hessian @ v,
        "vmap": theirs_each(w, w.T @ w.T[:3]),
    }
    for name, found in everything().items():
        jax.tree.map(assert_close, found, expected[name])


def test_transforms_nest_and_compile() -> None:
    cube: Callable[[Any], Any] = lambda x: x**3  # noqa: E731
    third = autograd.grad(autograd.grad(autograd.grad(cube)))
    assert float(third(2.0)) == 6.0
    slopes = jax.jit(autograd.vmap(autograd.grad(autograd.grad(cube))))
    assert slopes(jnp.arange(3.0)).tolist() == [0, 6, 12]
    along = autograd.grad(lambda x: autograd.jvp(cube, (x,), (1.0,))[1])
    assert float(along(2.0)) == 12.0
    product = autograd.grad(lambda x: jnp.sum(autograd.hvp(lambda x: jnp.sum(x**4), (x,), (x,))))
    assert product(jnp.ones(2)).tolist() == [36, 36]
    pulled = jax.jit(lambda x, v: autograd.vjp(jnp.sin, x)[1](v))
    assert_close(pulled(X, V), np.cos(X) * V)


def test_trees_keywords_and_what_is_given_on() -> None:
    def f(params: dict[str, Any], /, *, scale: float) -> Any:
        return scale * jnp.sum(params["a"] ** 2), {"seen": params["b"]}

    params = {"a": X, "b": np.float32(1)}
    gradient, aux = autograd.grad(f, has_aux=True)(params, scale=2.0)
    assert_close(gradient["a"], 4 * X)
    assert float(gradient["b"]) == 0 and float(aux["seen"]) == 1
    model = nn.build(nn.Linear(4, 3), input=("N", 4))
    tangent = {name: jnp.ones_like(a) for name, a in model.params.items()}  # a dict beside a Held
    _, slope = autograd.jvp(lambda p: model.apply(p, X[None]), (model.params,), (tangent,))
    assert_close(slope, np.full((1, 3), X.sum() + 1))


def test_an_integer_is_held_fixed_and_a_float64_is_rounded_on_purpose_only() -> None:
    assert float(autograd.grad(lambda x, i: x[i] ** 2)(X, 2)[2]) == 2 * X[2]
    assert autograd.grad(jnp.sum)(np.ones(2)).dtype == jnp.float32
    with pytest.raises(DTypeError, match=r"^grad takes float32, got float64 with values"):
        autograd.grad(jnp.sum)(np.array([0.1]))
    with jax.enable_x64(True):
        assert autograd.grad(jnp.sum)(np.array([0.1])).dtype == jnp.float64


def test_the_traces_are_those_of_the_whole_matrices() -> None:
    x = DRAWS.standard_normal((2, 3)).astype(np.float32)

    def field(x: Any) -> Any:
        return jnp.sin(x) * jnp.sum(x**2)

    def height(x: Any) -> Any:
        return jnp.stack([jnp.sum(field(x)), jnp.prod(x)])

    hessian = np.asarray(jax.jit(jax.hessian(height))(x)).reshape(2, 6, 6)
    assert_close(jax.jit(autograd.laplacian(height))(x), np.trace(hessian, axis1=1, axis2=2))
    jacobian = np.asarray(jax.jit(jax.jacfwd(field))(x)).reshape(6, 6)
    assert_close(jax.jit(autograd.divergence(field))(x), np.trace(jacobian), rtol=1e-4)
    # Δ |x|^4 = 4 (d + 2) |x|^2, for more entries than are followed at once, and for each of a batch
    long = DRAWS.standard_normal((2, 70)).astype(np.float32)
    quartic = autograd.laplacian(lambda k, x: k * jnp.sum(x * x) ** 2, argnums=1)
    expected = 4 * 72 * (long**2).sum(axis=1)
    each = jax.jit(autograd.vmap(quartic, in_dims=(None, 0)))
    assert_close(each(1.0, long), expected, rtol=1e-4)


def test_partial_derivatives_are_those_of_one_gradient_after_another() -> None:
    def wave(t: Any, x: Any) -> Any:
        return jnp.sin(t * x**2) * jnp.exp(t) + x / (1 + t**2)

    def u(p: Any) -> Any:
        t, x = p[..., 0], p[..., 1]
        whole = jax.checkpoint(lambda t, x: jnp.sin(t * x**2) * jnp.exp(t))(t, x)
        sign = jnp.where(jnp.argmax(p, -1) == 0, 1.0, -1.0)
        return {"wave": whole + jax.jit(lambda: x / (1 + t**2))(), "sign": sign}

    points = DRAWS.uniform(size=(3, 4, 2)).astype(np.float32)
    wanted = (), (0,), (1, 1), (0, 1), (1, 0, 1), (0, 0, 0)
    found = jax.jit(lambda p: autograd.partials(u, p, *wanted))(points)
    for index, given in zip(wanted, found, strict=True):
        true = reduce(jax.grad, index, wave)
        expected = jnp.vectorize(true)(points[..., 0], points[..., 1])
        assert_close(given["wave"], expected, rtol=1e-4, atol=1e-4)
        assert bool(given["sign"].any()) == (not index)


def test_partial_derivatives_are_those_of_nested_passes_in_a_gradient_too() -> None:
    model = nn.build(models.pinn(2, 1, 8, 2), input=("N", 2), seed=0)
    points = jnp.asarray(DRAWS.uniform(size=(5, 2)), jnp.float32)

    def loss(residual: Callable[[Any], Any]) -> Any:
        return jax.grad(lambda params: jnp.sum(residual(replace(model, params=params)) ** 2))

    def nested(model: nn.Model) -> Any:
        def u(p: Any) -> Any:
            return model(p[None])[0, 0]

        d = jax.vmap(jax.grad(u))(points)
        dd = jax.vmap(jax.hessian(u))(points)
        return d[:, 0] - dd[:, 1, 1]

    def at_once(model: nn.Model) -> Any:
        u_t, u_xx = autograd.partials(model, points, 0, (-1, 1))
        return (u_t - u_xx)[:, 0]

    expected = loss(nested)(model.params)
    for name, gradient in loss(at_once)(model.params).items():
        assert_close(gradient, expected[name], rtol=1e-3, atol=1e-5)


def test_a_second_derivative_goes_through_each_layer_once_for_each_direction() -> None:
    model = nn.build(models.pinn(2, 1, 8, 2), input=("N", 2), seed=0)

    def loss(params: Any, x: Any) -> Any:
        u_t, u_xx = autograd.partials(replace(model, params=params), x, 0, (1, 1))
        return jnp.sum((u_t - u_xx) ** 2)

    text = jax.jit(loss).lower(model.params, jnp.ones((5, 2))).compile().as_text()
    # the value and u_x of the first layer, then u_t and u_xx too; of the last one these alone
    assert text.count(" dot(") == 3 + 4 + 2


def test_a_laplacian_holds_nothing_of_the_size_of_a_hessian() -> None:
    def height(x: Any) -> Any:
        return jnp.sum(jnp.sin(x)) ** 2

    x, whole = jnp.ones(1000), "1000,1000]"
    assert whole in str(jax.make_jaxpr(autograd.hessian(height))(x))
    assert whole not in str(jax.make_jaxpr(autograd.laplacian(height))(x))
    assert whole not in str(jax.make_jaxpr(autograd.divergence(lambda x: x * height(x)))(x))


def test_exact_gradients() -> None:
    third = tm.capture(autograd.grad(lambda x: F.sum(x * x * x) / 3), (3,))
    x = np.array([0.1, 1, -2], np.float32)
    exact = tm.evaluate(third, x, dtype="rational").fractions()
    assert exact.tolist() == [tm.domains.Rational.of(x[:1]).fractions()[0] ** 2, 1, 4]
    curved = tm.capture(autograd.laplacian(lambda x: F.sum(x * x * x)), (3,))
    assert tm.evaluate(curved, x[1:].repeat([1, 2]), dtype="rational").fractions() == -18
    twice = tm.capture(autograd.hessian(lambda x: F.sum(F.relu(x) * x)), (2,))
    read = tm.evaluate(twice, x[1:], dtype="rational").fractions()
    assert read.tolist() == [[2, 0], [0, 0]]


def kink(x: Any) -> Any:
    return x if x > 0 else -x


ONES = jnp.ones(2)
REFUSED: list[tuple[Callable[[], Any], type[TensoremError], str]] = [
    (
        lambda: autograd.grad(jnp.sin)(ONES),
        ShapeError,
        r"^grad takes a function that gives one number, got one to \(2,\)\.",
    ),
    (
        lambda: autograd.hvp(jnp.sin, (ONES,), (ONES,)),
        ShapeError,
        r"^hvp takes a function that gives one",
    ),
    (
        lambda: autograd.grad(jnp.sum)(jnp.arange(2)),
        DTypeError,
        r"^grad takes floats, got int32 as a\.",
    ),
    (lambda: autograd.grad(lambda w: w["n"] * 1.0)({"n": 1}), DTypeError, r"got int64 as w\['n'\]"),
    (lambda: autograd.jacfwd(jnp.sin)(ONES + 1j), DTypeError, "got complex64 as"),
    (
        lambda: autograd.grad(jnp.argmax)(ONES),
        DTypeError,
        "function that gives floats, got one to int32",
    ),
    (lambda: autograd.jacrev(lambda x: "x")(ONES), DTypeError, "gives floats, got one to str"),
    (
        lambda: autograd.grad(lambda x: x, 1)(2.0),
        ArgumentError,
        "argnums as places of the 1 arguments, got 1",
    ),
    (lambda: autograd.grad(lambda x: x, True)(2.0), ArgumentError, "got True"),
    (lambda: autograd.grad(lambda x: x)(x=2.0), ArgumentError, "places of the 0 arguments"),
    (lambda: autograd.grad(3.0)(2.0), ArgumentError, "^grad takes a function, got float"),  # type: ignore[arg-type]
    (
        lambda: jax.jit(autograd.grad(kink))(2.0),
        ArgumentError,
        "^kink asks for the values of an array",
    ),
    (lambda: autograd.grad(lambda x: x @ ONES)(jnp.ones(3)), ShapeError, "<lambda> does not fit"),
    (
        lambda: autograd.grad(lambda x: x, has_aux=True)(2.0),
        ArgumentError,
        r"gives \(value, aux\), got one",
    ),
    (
        lambda: autograd.vjp(jnp.sin, ONES)[1](jnp.ones(3)),
        ShapeError,
        r"^vjp takes a cotangent of shape \(2,\), got \(3,\)\.",
    ),
    (
        lambda: autograd.vjp(jnp.sin, ONES)[1]((ONES, ONES)),
        ShapeError,
        r"as a tree like \*, got \(\*, \*\)",
    ),
    (
        lambda: autograd.vjp(jnp.sin, ONES)[1](jnp.arange(2)),
        DTypeError,
        "vjp takes float32, got int32",
    ),
    (lambda: autograd.vjp(lambda: 1.0), ArgumentError, "places of the 0 arguments"),
    (
        lambda: autograd.jvp(jnp.sin, (ONES,), (jnp.ones(3),)),
        ShapeError,
        "jvp takes tangents of shape",
    ),
    (lambda: autograd.jvp(jnp.sin, ONES, (ONES,)), ArgumentError, "jvp takes primals as a tuple"),  # type: ignore[arg-type]
    (
        lambda: autograd.vmap(jnp.add)(ONES, jnp.ones(3)),
        ShapeError,
        "^vmap takes axes that are there: got inconsistent",
    ),
    (lambda: autograd.vmap(jnp.sin, in_dims=3)(ONES), ShapeError, "along axis 3"),
    (
        lambda: autograd.vmap(jnp.add, in_dims=(0,))(ONES, ONES),
        ShapeError,
        "in_dims must be an int",
    ),
    (lambda: autograd.vmap(jnp.sin, out_dims=3)(ONES), ShapeError, "axis 3 is out of bounds"),
    (lambda: autograd.vmap(kink)(ONES), ArgumentError, "^kink asks for the values of an array"),
    (
        lambda: autograd.divergence(jnp.sum)(ONES),
        ShapeError,
        r"^divergence takes a function to the shape of its argument, \(2,\), got one to \(\)\.",
    ),
    (lambda: autograd.partials(jnp.sum, ONES), ArgumentError, "^partials takes the derivatives"),
    (
        lambda: autograd.partials(jnp.sum, ONES, (0, 2)),
        ArgumentError,
        r"^partials takes coordinates below 2, got \(0, 2\)",
    ),
    (lambda: autograd.partials(jnp.sum, ONES, "x"), ArgumentError, "^partials takes derivatives"),  # type: ignore[arg-type]
    (lambda: autograd.partials(jnp.sin, 1.0, 0), ShapeError, "^partials takes points"),
    (lambda: autograd.partials(jnp.sum, (ONES,), 0), ShapeError, "^partials takes one array"),
    (lambda: autograd.partials(kink, ONES[:1], 0), ArgumentError, "^kink asks for the values"),
    (lambda: autograd.partials(jnp.argmax, ONES, 0), DTypeError, "gives floats, got one to int32"),
    (
        lambda: autograd.laplacian(lambda x: x[0])((ONES,)),
        ShapeError,
        "^laplacian takes one array, got a tuple",
    ),
    (lambda: autograd.laplacian(jnp.sum)(jnp.arange(2)), DTypeError, "^laplacian takes floats"),
]


@pytest.mark.parametrize(("call", "kind", "words"), REFUSED)
def test_a_call_that_cannot_be_is_one_error(
    call: Callable[[], Any], kind: type[TensoremError], words: str
) -> None:
    with pytest.raises(kind, match=words):
        call()


def test_an_error_of_the_functions_own_stays_what_it_is() -> None:
    def f(x: Any) -> Any:
        raise ValueError("of my own")

    for call in (autograd.grad(f), autograd.vmap(f)):
        with pytest.raises(ValueError, match=r"^of my own"):
            call(ONES)
