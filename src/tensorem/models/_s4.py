"""Diagonal state spaces of fixed dynamics: S4D."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from tensorem import functional as F
from tensorem import nn
from tensorem.calls import among, called, integer
from tensorem.nn import Cache

from ._mamba import StateSpaceBlock, StateSpaceLM

Array = jax.Array
STARTS = ("lin", "real")


class S4D(nn.Layer):
    """Each channel is the input of a linear state space of its own, whose matrix is diagonal.

    h' = exp(Δ A) h + (exp(Δ A) - 1) / A u and y = 2 Re(C h') + D u, over the steps of a sequence.
    A whole sequence is one causal convolution, whose kernel is 2 Re(C (exp(Δ A) - 1) / A
    exp(l Δ A)), written as a product with a matrix (T, T) for each channel; with a cache it goes
    step by step. All numbers are kept as real and imaginary parts, so that a graph has them.

    Shapes:
        x (N, T, dim)  ->  (N, T, dim); then the cache if given

    Args:
        dim: How many channels there are.
        state: The size of the state of each channel, counted in complex numbers.
        start: "lin" for A_n = -1/2 + iπn; "real" for A_n = -(n + 1), without imaginary parts.

    Raises:
        ArgumentError: A number is below 1, or there is no such start.

    Example:
        >>> nn.build(S4D(3), ("N", 5, 3)).output
        float32 (N, 5, 3)

    Source:
        Gu et al. 2022, sections 3 and 4 (S4D-Lin, S4D-Real), by a zero-order hold. Names and
        initial values are those of the authors' minimal code.
    """

    dim: int
    state: int = 32
    start: str = "lin"

    def __post_init__(self) -> None:
        super().__post_init__()
        integer("dim", self.dim, 1)
        integer("state", self.state, 1)
        among("start", self.start, STARTS)

    def parameters(self) -> Mapping[str, nn.Parameter | None]:
        shape = self.dim, self.state
        turning = self.start == "lin"
        return {
            "D": nn.Parameter((self.dim,), nn.init.normal(0, 1)),
            "log_dt": nn.Parameter((self.dim,), nn.init.uniform(math.log(1e-3), math.log(1e-1))),
            "C": nn.Parameter((*shape, 2), nn.init.normal(0, math.sqrt(0.5))),
            "log_A_real": nn.Parameter(shape, _half if turning else _counted),
            "A_imag": nn.Parameter(shape, _turns) if turning else None,
        }

    def init_cache(self, batch: int | tuple[int, ...], dtype: str = "float32") -> Cache:
        """A cache without steps, for forward(x, cache=cache), which gives another one."""
        lead = batch if isinstance(batch, tuple) else (batch,)
        return {"state": jnp.zeros((*lead, self.dim, self.state, 2), dtype)}

    def forward(self, x: Array, cache: Cache | None = None) -> Any:
        skip = F.mul(x, self.D)
        if cache is None:
            return F.add(skip, _convolved(x, self._kernel(x.shape[1], x.dtype)))
        y, state = self._stepped(x, cache["state"])
        return F.add(skip, y), {"state": state}

    def _dynamics(self) -> tuple[Array, Array, Array, Array]:
        """Logarithm and angle of a step, and the two parts of C (exp(Δ A) - 1) / A."""
        real, dt = F.neg(F.exp(self.log_A_real)), F.exp(self.log_dt)[:, None]
        imag = jnp.zeros_like(real) if self.A_imag is None else self.A_imag
        a, b = F.mul(real, dt), F.mul(imag, dt)
        size = F.exp(a)
        held = F.sub(F.mul(size, jnp.cos(b)), 1.0), F.mul(size, jnp.sin(b))
        length = F.add(F.mul(real, real), F.mul(imag, imag))
        over = _product(held, (F.div(real, length), F.div(F.neg(imag), length)))
        return a, b, *_product((self.C[..., 0], self.C[..., 1]), over)

    def _kernel(self, steps: Any, dtype: Any) -> Array:
        """What an input of 1 gives after 0, 1, ... steps: (dim, T)."""
        a, b, p, q = (v[..., None] for v in self._dynamics())
        place = jnp.arange(steps).astype(dtype)
        waves = F.sub(F.mul(p, jnp.cos(F.mul(b, place))), F.mul(q, jnp.sin(F.mul(b, place))))
        return F.mul(F.sum(F.mul(F.exp(F.mul(a, place)), waves), 1), 2.0)

    def _stepped(self, x: Array, state: Array) -> tuple[Array, Array]:
        a, b, p, q = self._dynamics()
        turn = F.mul(F.exp(a), jnp.cos(b)), F.mul(F.exp(a), jnp.sin(b))

        def step(h: tuple[Array, Array], u: Array) -> tuple[tuple[Array, Array], Array]:
            real, imag = _product(h, turn)
            real = F.add(real, u[..., None])
            return (real, imag), F.mul(F.sum(F.sub(F.mul(p, real), F.mul(q, imag)), -1), 2.0)

        (real, imag), y = jax.lax.scan(step, (state[..., 0], state[..., 1]), jnp.moveaxis(x, 1, 0))
        return jnp.moveaxis(y, 0, 1), jnp.stack([real, imag], -1)


def _product(a: tuple[Array, Array], b: tuple[Array, Array]) -> tuple[Array, Array]:
    """The product of complex numbers."""
    real = F.sub(F.mul(a[0], b[0]), F.mul(a[1], b[1]))
    return real, F.add(F.mul(a[0], b[1]), F.mul(a[1], b[0]))


def _convolved(x: Array, kernel: Array) -> Array:
    """Each channel of x (N, T, d) with its kernel (d, T), causally."""
    past = jnp.arange(x.shape[1])[:, None] - jnp.arange(x.shape[1])
    rows = F.embedding(jnp.maximum(past, 0), kernel.T)
    y: Array = F.einsum("tsd,nsd->ntd", F.where((past >= 0)[..., None], rows, 0.0), x)
    return y


Floats = NDArray[np.floating[Any]]


def _half(shape: tuple[int, ...], seed: int) -> Floats:
    """log 1/2, for A_n = -1/2 + ..."""
    return np.full(shape, math.log(0.5))


def _turns(shape: tuple[int, ...], seed: int) -> Floats:
    """πn."""
    return np.broadcast_to(np.pi * np.arange(shape[-1]), shape)


def _counted(shape: tuple[int, ...], seed: int) -> Floats:
    """log (n + 1)."""
    return np.broadcast_to(np.log(np.arange(1.0, shape[-1] + 1)), shape)


class S4Mixer(nn.Layer):
    """A state space, gelu, and a gated map of the channels of each step."""

    inner: S4D
    gate: nn.Linear

    def init_cache(self, batch: int | tuple[int, ...]) -> Cache:
        """That of the state space."""
        return self.inner.init_cache(batch)

    def forward(self, x: Array, cache: Cache | None = None) -> Any:
        y = self.inner(x) if cache is None else self.inner(x, cache=cache)
        y, after = (y, None) if cache is None else y
        y = F.glu(self.gate(F.gelu(y)))
        return y if cache is None else (y, after)


def _blocks(dim: int, depth: int, state: int, start: str) -> tuple[StateSpaceBlock, ...]:
    mixers = [S4Mixer(S4D(dim, state, start), nn.Linear(dim, 2 * dim)) for _ in range(depth)]
    return tuple(StateSpaceBlock(nn.LayerNorm(dim), mixer) for mixer in mixers)


@called
def s4_lm(
    vocabulary: int, dim: int, depth: int, state: int = 32, start: str = "lin"
) -> StateSpaceLM:
    """Blocks of S4D, each normalised before and added, between tokens and logits.

    Shapes:
        (N, T), integers  ->  (N, T, vocabulary)

    Args:
        dim: The length of a vector.
        depth: How many blocks there are.
        state: As in `S4D`.
        start: As in `S4D`.

    Raises:
        ArgumentError: A number is below 1, or there is no such start.

    Example:
        >>> from tensorem import Spec
        >>> nn.build(s4_lm(11, 8, 2, 4), Spec(("N", 5), "int32")).output
        float32 (N, 5, 11)

    Source:
        Gu et al. 2022, appendix B.
    """
    blocks = _blocks(dim, integer("depth", depth, 1), state, start)
    head = nn.Linear(dim, vocabulary)
    return StateSpaceLM(nn.Embedding(vocabulary, dim), blocks, nn.LayerNorm(dim), head)


class S4Classifier(nn.Layer):
    """Blocks over the steps of a sequence; a linear layer reads their mean."""

    enter: nn.Linear
    blocks: tuple[StateSpaceBlock, ...]
    head: nn.Linear

    def forward(self, x: Array) -> Array:
        x = self.enter(x)
        for block in self.blocks:
            x = block(x)
        y: Array = self.head(F.mean(x, 1))
        return y


@called
def s4_classifier(features: int, dim: int, depth: int, classes: int, state: int = 32) -> nn.Layer:
    """Classes of sequences, by blocks of S4D-Lin.

    Shapes:
        (N, T, features)  ->  (N, classes)

    Args:
        dim: The channels inside.
        depth: How many blocks there are.
        state: As in `S4D`.

    Raises:
        ArgumentError: A number is below 1.

    Example:
        >>> nn.build(s4_classifier(2, 4, 1, 3), ("N", 6, 2)).output
        float32 (N, 3)

    Source:
        Gu et al. 2022, section 5.
    """
    blocks = _blocks(dim, integer("depth", depth, 1), state, "lin")
    return S4Classifier(nn.Linear(features, dim), blocks, nn.Linear(dim, classes))
