"""Rules that treat every array alone, as transformations of optax; formulas are PyTorch's."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import optax
    from jax import Array

Slots = dict[str, Any]
"""What a rule keeps of an array, by name."""
Move = Callable[["Array", "Array", "Array", Slots], tuple["Array", Slots]]
"""(number of the step from 1, gradient, parameter, slots) -> (update, slots)."""


class PerArray(NamedTuple):
    """The state: the steps taken, and the slots of every array."""

    taken: Array
    slots: Any


def by_array(start: Callable[[Array], Slots], move: Move) -> optax.GradientTransformation:
    """The transformation that moves every array by a rule, in at least float32."""
    import jax
    import jax.numpy as jnp
    import optax

    def init(params: Any) -> PerArray:
        return PerArray(jnp.zeros((), jnp.int32), jax.tree.map(start, params))

    def one(count: Array, g: Array, p: Array, slots: Slots) -> tuple[Array, Slots]:
        t = count.astype(jnp.promote_types(g.dtype, jnp.float32))
        update, after = move(t, g, p, slots)
        return update.astype(g.dtype), {k: v.astype(slots[k].dtype) for k, v in after.items()}

    def update(updates: Any, state: Any, params: Any = None) -> tuple[Any, Any]:
        taken: Any = optax.safe_increment(state.taken)
        tree: Any = jax.tree.structure(updates)
        leaves, given = jax.tree.leaves(updates), updates if params is None else params
        rest = zip(leaves, tree.flatten_up_to(given), tree.flatten_up_to(state.slots), strict=True)
        moved = zip(*(one(taken, *of_one) for of_one in rest), strict=True)
        after, slots = (jax.tree.unflatten(tree, column) for column in moved)
        return after, PerArray(taken, slots)

    return optax.GradientTransformation(init, update)


def zeros(*names: str) -> Callable[[Array], Slots]:
    """Slots of zeros, shaped as the parameter."""
    import jax.numpy as jnp

    return lambda p: {name: jnp.zeros_like(p) for name in names}


def dampened(momentum: float, dampening: float, nesterov: bool) -> optax.GradientTransformation:
    """b = momentum b + (1 - dampening) g, of which the first is g."""
    import jax.numpy as jnp

    def move(t: Array, g: Array, p: Array, s: Slots) -> tuple[Array, Slots]:
        b = jnp.where(t == 1, g, momentum * s["buffer"] + (1 - dampening) * g)
        return g + momentum * b if nesterov else b, {"buffer": b}

    return by_array(zeros("buffer"), move)


def _moments(g: Array, s: Slots, betas: tuple[float, float]) -> tuple[Array, Array]:
    """The means of the gradient and of its square."""
    (b1, b2), m, v = betas, s["mean"], s["square"]
    return b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g * g


def amsgrad(betas: tuple[float, float], eps: float) -> optax.GradientTransformation:
    """Adam by the greatest mean square so far, whose bias is taken out afterwards."""
    import jax.numpy as jnp

    def move(t: Array, g: Array, p: Array, s: Slots) -> tuple[Array, Slots]:
        m, v = _moments(g, s, betas)
        greatest = jnp.maximum(s["greatest"], v)
        root = jnp.sqrt(greatest / (1 - betas[1] ** t)) + eps
        return m / (1 - betas[0] ** t) / root, {"mean": m, "square": v, "greatest": greatest}

    return by_array(zeros("mean", "square", "greatest"), move)


def nadam(betas: tuple[float, float], eps: float, decay: float) -> optax.GradientTransformation:
    """Adam that looks a step ahead; the mean's decay grows, its product takes the bias out."""
    import jax.numpy as jnp

    def start(p: Array) -> Slots:
        return zeros("mean", "square")(p) | {"product": jnp.ones((), p.dtype)}

    def momentum(t: Array) -> Array:
        return betas[0] * (1 - 0.5 * 0.96 ** (t * decay))

    def move(t: Array, g: Array, p: Array, s: Slots) -> tuple[Array, Slots]:
        m, v = _moments(g, s, betas)
        now, ahead = momentum(t), momentum(t + 1)
        product = s["product"] * now
        mean = (1 - now) / (1 - product) * g + ahead / (1 - product * ahead) * m
        root = jnp.sqrt(v / (1 - betas[1] ** t)) + eps
        return mean / root, {"mean": m, "square": v, "product": product}

    return by_array(start, move)


def radam(betas: tuple[float, float], eps: float) -> optax.GradientTransformation:
    """Adam whose root is left out while too few squares were seen, and rectified afterwards."""
    import jax.numpy as jnp

    most = 2 / (1 - betas[1]) - 1

    def move(t: Array, g: Array, p: Array, s: Slots) -> tuple[Array, Slots]:
        m, v = _moments(g, s, betas)
        left = 1 - betas[1] ** t
        seen = most - 2 * t * betas[1] ** t / left
        ratio = (seen - 4) * (seen - 2) * most / ((most - 4) * (most - 2) * seen)
        rectified = jnp.sqrt(jnp.maximum(ratio, 0) * left) / (jnp.sqrt(v) + eps)
        mean = m / (1 - betas[0] ** t)
        return mean * jnp.where(seen > 5, rectified, 1.0), {"mean": m, "square": v}

    return by_array(zeros("mean", "square"), move)


def adagrad(lr_decay: float, initial: float, eps: float) -> optax.GradientTransformation:
    """The gradient over the root of the sum of all its squares."""
    import jax.numpy as jnp

    def start(p: Array) -> Slots:
        return {"sum": jnp.full_like(p, initial)}

    def move(t: Array, g: Array, p: Array, s: Slots) -> tuple[Array, Slots]:
        total = s["sum"] + g * g
        return g / (jnp.sqrt(total) + eps) / (1 + (t - 1) * lr_decay), {"sum": total}

    return by_array(start, move)


def adafactor(
    lr: Callable[[Array], Array],
    decay: float,
    eps: tuple[float | None, float],
    d: float,
    weight_decay: float,
) -> optax.GradientTransformation:
    """Mean squares kept as a row and a column; the whole update, its sign and rate included."""
    import jax.numpy as jnp

    finfo: Any = jnp.finfo

    def start(p: Array) -> Slots:
        if p.ndim < 2:
            return zeros("square")(p)
        return {"row": jnp.zeros_like(p[..., :1]), "column": jnp.zeros_like(p[..., :1, :])}

    def squares(g: Array, s: Slots, weight: Array, least: Any) -> tuple[Array, Slots]:
        if g.ndim < 2:
            v = s["square"] + weight * (g * g - s["square"])
            return v, {"square": v}
        row = s["row"] + weight * (jnp.mean(g * g, -1, keepdims=True) - s["row"])
        column = s["column"] + weight * (jnp.mean(g * g, -2, keepdims=True) - s["column"])
        scale = jnp.maximum(jnp.mean(row, -2, keepdims=True), least)
        return row * column / scale, {"row": row, "column": column}

    def move(t: Array, g: Array, p: Array, s: Slots) -> tuple[Array, Slots]:
        least = finfo(p.dtype).eps if eps[0] is None else eps[0]
        now = lr(t - 1)
        v, after = squares(g, s, t**decay, least)
        u = g / jnp.sqrt(jnp.maximum(v, least * least))
        size = jnp.maximum(eps[1], _rms(p)) * jnp.minimum(now, 1 / jnp.sqrt(t))
        return -now * weight_decay * p - size * u / jnp.maximum(1.0, _rms(u) / d), after

    return by_array(start, move)


def _rms(x: Array) -> Array:
    import jax.numpy as jnp

    return jnp.sqrt(jnp.mean(x * x))


def muon(
    momentum: float,
    nesterov: bool,
    coefficients: tuple[float, float, float],
    eps: float,
    ns_steps: int,
    adjust: str,
) -> optax.GradientTransformation:
    """The mean gradient of a matrix, made nearly orthogonal by steps of Newton and Schulz."""

    def move(t: Array, g: Array, p: Array, s: Slots) -> tuple[Array, Slots]:
        b = momentum * s["buffer"] + (1 - momentum) * g
        u = (1 - momentum) * g + momentum * b if nesterov else b
        x = _orthogonal(u, coefficients, eps, ns_steps)
        return x * _adjusted(p.shape, adjust), {"buffer": b}

    return by_array(zeros("buffer"), move)


def _adjusted(shape: tuple[int, ...], adjust: str) -> float:
    rows, columns = shape
    if adjust == "original":
        return float(max(1.0, rows / columns) ** 0.5)
    return float(0.2 * max(rows, columns) ** 0.5)


def _orthogonal(
    g: Array, coefficients: tuple[float, float, float], eps: float, ns_steps: int
) -> Array:
    import jax.numpy as jnp

    a, b, c = coefficients
    x = g.T if g.shape[0] > g.shape[1] else g
    x = x / jnp.maximum(jnp.linalg.norm(x), eps)
    for _ in range(ns_steps):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x.T if g.shape[0] > g.shape[1] else x
