"""How good features are, by labels that did not make them."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from tensorem import functional as F
from tensorem import losses
from tensorem.calls import AT_LEAST_0, called, integer, number
from tensorem.errors import DataError, ShapeError
from tensorem.shapes import format_shape

Array = jax.Array
Labelled = tuple[Any, Any]
"""Features (N, D) and classes (N,)."""


@called
def linear_probe(train: Labelled, test: Labelled, *, l2: float = 1.0, steps: int = 100) -> float:
    """The accuracy on a test of a linear classifier of features, fitted to those of a training set.

    Features are standardised by the training set. The classifier has the least sum of cross
    entropies + l2 / 2 · ‖W‖², as far as L-BFGS comes in some steps.

    Args:
        train: Features (N, D) and classes (N,).
        test: The same of other examples.
        l2: The weight of the penalty; the bias has none.
        steps: The most steps.

    Raises:
        ShapeError: The shapes do not fit.
        DataError: There is no example, a class is negative, or a feature is not finite.
        ArgumentError: l2 is below 0, or steps below 1.

    Example:
        >>> x, y = np.array([[0.0], [1.0], [4.0], [5.0]]), np.array([0, 0, 1, 1])
        >>> linear_probe((x, y), (x, y))
        1.0
    """
    (x, y), (x_test, y_test) = _checked(train, test)
    number("l2", l2, AT_LEAST_0)
    integer("steps", steps, 1)
    mean, spread = x.mean(0), x.std(0)
    spread = np.where(spread > 0, spread, 1)
    classes = 1 + int(max(y.max(), y_test.max()))
    given = jnp.asarray((x - mean) / spread, jnp.float32), jnp.asarray(y)
    weight, bias = _fitted(given, classes, l2, steps)
    said = ((x_test - mean) / spread) @ np.asarray(weight).T + np.asarray(bias)
    return float((said.argmax(1) == y_test).mean())


def _fitted(given: tuple[Array, Array], classes: int, l2: float, steps: int) -> tuple[Array, Array]:
    import optax

    x, y = given

    def loss(params: tuple[Array, Array]) -> Array:
        weight, bias = params
        fit: Array = losses.cross_entropy(F.linear(x, weight, bias), y, reduction="sum")
        return (fit + l2 / 2 * F.sum(weight**2)) / x.shape[0]

    rule = optax.lbfgs()
    value_and_grad = optax.value_and_grad_from_state(loss)

    def step(_: Any, carried: Any) -> Any:
        params, state = carried
        value, grad = value_and_grad(params, state=state)
        moved, state = rule.update(grad, state, params, value=value, grad=grad, value_fn=loss)
        return optax.apply_updates(params, moved), state

    params = jnp.zeros((classes, x.shape[1])), jnp.zeros(classes)
    found: tuple[Array, Array] = jax.lax.fori_loop(0, steps, step, (params, rule.init(params)))[0]
    return found


@called
def knn(train: Labelled, test: Labelled, *, k: int = 5) -> float:
    """The accuracy on a test of the class that most of the k nearest training examples have.

    Near is by the cosine of features. Of several classes that are as frequent, the first is said.

    Args:
        train: Features (N, D) and classes (N,).
        test: The same of other examples.
        k: How many neighbours say.

    Raises:
        ShapeError: The shapes do not fit.
        DataError: There is no example, a class is negative, or a feature is not finite.
        ArgumentError: k is below 1 or above N.

    Example:
        >>> x, y = np.array([[1.0, 0.1], [1.0, 0.0], [0.0, 1.0]]), np.array([0, 0, 1])
        >>> knn((x, y), (x, y), k=1)
        1.0

    Source:
        Wu et al. 2018, section 3.4, without weights.
    """
    (x, y), (x_test, y_test) = _checked(train, test)
    integer("k", k, 1, len(x))
    one, other = (v / np.maximum(np.linalg.norm(v, axis=1, keepdims=True), 1e-12)
                  for v in (x_test, x))  # fmt: skip
    nearest = np.argsort(-(one @ other.T), axis=1, kind="stable")[:, :k]
    votes = np.eye(1 + int(y.max()), dtype=int)[y[nearest]].sum(1)
    return float((votes.argmax(1) == y_test).mean())


def _checked(*parts: Labelled) -> list[tuple[NDArray[np.float64], NDArray[np.int64]]]:
    """Features in float64 and classes, of each part."""
    found = [_labelled(*part) for part in parts]
    if len({x.shape[1] for x, _ in found}) > 1:
        shapes = " and ".join(format_shape(x.shape) for x, _ in found)
        raise ShapeError(f"takes features of one length, got {shapes}.")
    return found


def _labelled(x: Any, y: Any) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    features, classes = np.asarray(x, np.float64), np.asarray(y)
    if features.ndim != 2 or classes.shape != features.shape[:1]:
        raise ShapeError(
            f"takes features (N, D) and classes (N,), got {format_shape(features.shape)} and "
            f"{format_shape(classes.shape)}."
        )
    if not len(features) or not np.isfinite(features).all():
        raise DataError("takes features that are finite, of an example or more.")
    if not np.issubdtype(classes.dtype, np.integer) or classes.min() < 0:
        raise DataError(f"takes classes 0, 1, ..., got {classes.dtype} from {classes.min()}.")
    return features, classes.astype(np.int64)
