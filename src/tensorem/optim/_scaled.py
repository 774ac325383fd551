"""An optimizer whose steps are multiplied by a number in its state, which a run may change."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ._declare import optimizer
from ._kinds import One

if TYPE_CHECKING:
    import optax
    from jax import Array


class Scaled(NamedTuple):
    """The state of `scaled`.

    Args:
        scale: What each step is multiplied by.
        inner: The state of the optimizer.
    """

    scale: Array
    inner: Any

    @property
    def number(self) -> float:
        """The scale as the shortest number that is it."""
        return float(str(np.asarray(self.scale)))


@optimizer()
def scaled(optimizer: One) -> optax.GradientTransformation:
    """An optimizer with a scale of its steps: 1, until a callback answers with a `train.Rescale`.

    It stands around all others: `scaled(chain(clip_grad_norm(1.0), adam()))`.

    Raises:
        ArgumentError: It is no optimizer.

    Example:
        >>> from tensorem.optim import sgd
        >>> state = scaled(sgd(0.1)).transform().init({"weight": np.zeros(3)})
        >>> state.number
        1.0
    """
    import jax
    import jax.numpy as jnp
    import optax

    inner = optimizer.transform()

    def init(params: Any) -> Scaled:
        return Scaled(jnp.ones((), jnp.float32), inner.init(params))

    def update(updates: Any, state: Any, params: Any = None) -> tuple[Any, Scaled]:
        moved, after = inner.update(updates, state.inner, params)
        moved = jax.tree.map(lambda u: u * state.scale.astype(u.dtype), moved)
        return moved, Scaled(state.scale, after)

    return optax.GradientTransformation(init, update)
