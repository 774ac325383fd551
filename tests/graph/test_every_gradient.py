"""Every primitive of the gradients and Jacobians of our layers and losses has its translation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import tensorem as tm
from tensorem import graph, losses, nn
from tensorem.errors import CaptureError, TensoremError
from tensorem.nn.examples import EXAMPLES, Example
from tensorem.shapes import Spec, spec_of

FIRST = list({type(e.layer): e for e in reversed(EXAMPLES)}.values())


def specs_of(example: Example) -> tuple[Spec, ...]:
    """The specs of the inputs, with 4 in place of names."""
    given = spec_of(example.input)
    specs = given if isinstance(given, tuple) else (given,)
    names = [{n for size in s.shape for n in getattr(size, "names", ())} for s in specs]
    return tuple(s.bind(dict.fromkeys(n, 4)) for s, n in zip(specs, names, strict=True))


def is_float(x: Any) -> bool:
    return bool(jnp.issubdtype(x.dtype, jnp.floating))


def scalar(model: nn.Model) -> Callable[..., Any]:
    """A number that depends on every output, in no simple way."""

    def f(params: Any, *xs: Any) -> Any:
        outputs = jax.tree.leaves(model.apply(params, *xs))
        return sum(jnp.sum(jnp.sin(y)) for y in outputs if is_float(y))

    return f


def floats(specs: tuple[Spec, ...]) -> tuple[int, ...]:
    return tuple(i for i, s in enumerate(specs) if s.dtype == "float32")


@pytest.mark.parametrize("example", FIRST, ids=lambda e: e.title)
def test_the_gradient_of_every_layer_is_captured(example: Example) -> None:
    specs = specs_of(example)
    model = nn.build(example.layer, specs)
    params = {k: Spec(a.shape, a.dtype.name) for k, a in model.params.items()}
    gradient = jax.grad(scalar(model), argnums=(0, *(i + 1 for i in floats(specs))))
    assert tm.capture(gradient, params, *specs).nodes or not (params or floats(specs))


@pytest.mark.long
@pytest.mark.parametrize("example", FIRST, ids=lambda e: e.title)
@pytest.mark.parametrize("transform", [jax.jacrev, jax.jacfwd, jax.hessian])
def test_every_jacobian_of_every_layer_is_captured(example: Example, transform: Any) -> None:
    specs = specs_of(example)
    if not floats(specs):
        pytest.skip("it takes no floats")
    model, first = nn.build(example.layer, specs), floats(specs)[0]
    f = scalar(model) if transform is jax.hessian else model.apply
    outputs = jax.tree.leaves(model.output, is_leaf=lambda s: isinstance(s, Spec))
    if not all(s.dtype == "float32" for s in outputs):
        pytest.skip("it gives integers")
    assert tm.capture(transform(lambda *xs: f(model.params, *xs), argnums=first), *specs).outputs


def targets(loss: Any) -> list[tuple[Spec, ...]]:
    """What a loss may take, from the most to the least usual."""
    classes, probabilities = Spec((4,), "int32"), Spec((4, 3))
    pairs = [(Spec((4, 3)), t) for t in (classes, probabilities, Spec((4,)))]
    same = [(Spec((4,)), Spec((4,))), (Spec((4, 3)),) * 3, (Spec((4, 3)), Spec((4, 3)), Spec((4,)))]
    return [*pairs, *same, (Spec((4,)), Spec((4,), "int32"))]


LOSSES = [n for n in losses.__all__ if n in vars(losses) and callable(getattr(losses, n))]


def pairs() -> dict[str, Any]:
    """Every loss that gives a pair, with operands that it takes."""
    found = {}
    for name in LOSSES:
        loss = getattr(losses, name)
        for specs in targets(loss):
            xs = [jax.ShapeDtypeStruct(s.shape, s.dtype) for s in specs]
            try:
                total = jax.eval_shape(lambda *a, loss=loss: losses.mean(loss(*a)), *xs)
            except (TensoremError, TypeError, ValueError, AttributeError, KeyError):
                continue
            if getattr(total, "shape", None) == () and is_float(total):
                found[name] = (loss, specs)
                break
    return found


PAIRS = pairs()


def test_most_losses_are_walked() -> None:
    assert len(PAIRS) >= 12, sorted(PAIRS)


@pytest.mark.parametrize("name", PAIRS)
def test_the_gradient_of_every_loss_is_captured(name: str) -> None:
    loss, specs = PAIRS[name]
    gradient = jax.grad(lambda *xs: losses.mean(loss(*xs)))
    assert tm.capture(gradient, *specs).nodes


# --- indexing


X = np.arange(12, dtype=np.float32).reshape(4, 3) / 8
PLACES, J = np.int32([2, 0, 2]), np.int32([1, 0, 1])
INDEXED: dict[str, Callable[..., Any]] = {
    "a row": lambda x, i: x[0],
    "the last": lambda x, i: x[-1, 1],
    "a column": lambda x, i: x[:, 2],
    "columns": lambda x, i: x[:, jnp.array([0, 2])],
    "pairs": lambda x, i: x[jnp.array([0, 2]), jnp.array([1, 1])],
    "along": lambda x, i: jnp.take_along_axis(x, jnp.array([[1], [1], [0], [2]]), axis=1),
    "updated": lambda x, i: jax.lax.dynamic_update_slice(x, x[:1] * 2, (1, 0)),
    "set": lambda x, i: x.at[1].set(x[0]),
    "set inside": lambda x, i: x.at[1:3, 1].set(x[:2, 0]),
    "set there": lambda x, i: x.at[i[0]].set(x[0]),
    "added": lambda x, i: x.at[i].add(x[:3]),
    "rows there": lambda x, i: x[i],
    "one there": lambda x, i: x[i[0], i[1]],
    "pairs there": lambda x, i: x[i, J],
    "window there": lambda x, i: jax.lax.dynamic_slice(x, (i[0] + 1, i[1]), (2, 2)),
    "update there": lambda x, i: jax.lax.dynamic_update_slice(x, x[:2, :2], (i[0], i[1])),
}


def require_equal(h: Callable[..., Any]) -> None:
    captured, theirs = (
        tm.capture(h, (4, 3), Spec((3,), "int32")),
        h(jnp.asarray(X), jnp.asarray(PLACES)),
    )
    np.testing.assert_array_equal(tm.evaluate(captured, X, PLACES), theirs)
    exact = tm.evaluate(captured, X, PLACES, dtype="rational")
    np.testing.assert_array_equal(exact.to_float(), theirs)
    box = tm.evaluate(captured, X, PLACES, dtype="interval")
    assert np.all((box.lower <= theirs) & (theirs <= box.upper))


def squares(f: Callable[..., Any]) -> Callable[..., Any]:
    return lambda x, i: jnp.sum(f(x, i) ** 2)


@pytest.mark.parametrize("name", INDEXED)
def test_the_gradient_of_indexing_is_a_graph(name: str) -> None:
    require_equal(jax.grad(squares(INDEXED[name])))


@pytest.mark.long
@pytest.mark.parametrize("name", INDEXED)
def test_indexing_and_its_further_derivatives_are_graphs(name: str) -> None:
    f = INDEXED[name]
    for h in (f, jax.jacrev(f), jax.hessian(squares(f))):
        require_equal(h)


def test_places_outside_are_as_in_jax() -> None:
    """A window is moved inside; rows that are not there are left out, or NaN."""
    moved = tm.capture(
        lambda x, i: jax.lax.dynamic_slice(x, (i, 0), (2, 3)), (4, 3), Spec((), "int32")
    )
    np.testing.assert_array_equal(tm.evaluate(moved, X, np.int32(9)), X[2:])
    added = tm.capture(lambda x, i: x.at[i].add(1.0), (4, 3), Spec((2,), "int32"))
    np.testing.assert_array_equal(
        tm.evaluate(added, X, np.int32([9, 0])), jnp.asarray(X).at[np.int32([9, 0])].add(1.0)
    )
    filled = tm.capture(lambda x, i: x.at[i].get(mode="fill"), (4, 3), Spec((2,), "int32"))
    assert np.isnan(tm.evaluate(filled, X, np.int32([9, 0]))).tolist() == [[True] * 3, [False] * 3]


@pytest.mark.parametrize("f", [lambda x: x[:, 0], lambda x: x[-1], lambda x: x[1:]])
def test_gradients_of_indexing_keep_names_of_sizes(f: Any) -> None:
    gradient = jax.grad(lambda x: jnp.sum(f(x) ** 2))
    captured = tm.capture(gradient, ("N", 3))
    assert captured.names == {"N"}
    np.testing.assert_array_equal(tm.evaluate(captured, X), gradient(jnp.asarray(X)))


def test_what_is_put_twice_is_refused() -> None:
    """Which of two stays is not defined."""
    with pytest.raises(CaptureError, match="JAX primitive `scatter`"):
        graph.capture(lambda x, i: x.at[i].set(x[:3]), (4, 3), Spec((3,), "int32"))
