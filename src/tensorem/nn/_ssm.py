"""State space models: the block of the Mamba paper, and the original's gated diagonal one."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import reduce
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from tensorem import functional as F
from tensorem import rules
from tensorem.calls import Range, among, check_array, flag, integer, named, number
from tensorem.layer import Layer, Parameter, Tree, shape_tree
from tensorem.shapes import Shape, Spec

from ._cache import STATE_SPACE, Cache, batch_axes, require_cache, require_like
from ._init import Floats, kaiming_uniform, ones, uniform, xavier_uniform, zeros

Array = jax.Array


class Mamba(Layer):
    """The block of the Mamba paper: a selective state space between two projections, with a gate.

    x and a gate z come from one projection; x goes through a short causal convolution of each
    channel and silu, then through `F.selective_scan`, whose step, B and C come from x too; the
    result times silu(z) is projected back. Parameters have the names and shapes of mamba-ssm.

    Shapes:
        x (*batch, T, d_model), lengths (*batch)  ->  (*batch, T, d_model); then the cache if given

    Args:
        d_model: The size of the last axis.
        d_state: The size of the state of each channel.
        d_conv: How many steps the convolution sees.
        expand: The channels inside are expand * d_model.
        dt_rank: The size through which the steps are projected; "auto" for d_model / 16, rounded
            up.
        dt_min: The least step at the start of training.
        dt_max: The greatest step at the start of training.
        conv_bias: Whether the convolution has a bias.
        bias: Whether the projections in and out have one.
        scan: "sequential" or "associative": see `F.selective_scan`.

    The layer is causal: an output depends on no later step, so padding at the end changes none
    before it. Where lengths are given, NaN in the pads changes nothing either, and outputs are 0
    there; a cache then stands behind the last step of each sequence.

    Raises:
        ArgumentError: A number is out of range, there is no such scan, or the cache is none.
        ShapeError: The shapes do not fit, those of the cache included.
        DTypeError: The cache is of another dtype.
        DataError: A length is not from 1 to T; NaN inside a trace of one's own.

    Example:
        >>> Mamba(8).output_shape((5, 7, 8))
        (5, 7, 8)

    Source:
        Gu and Dao 2023, figure 3; initial values as in mamba-ssm.
    """

    takes = "any"
    d_model: int
    d_state: int = 16
    d_conv: int = 4
    expand: int = 2
    dt_rank: int | str = "auto"
    dt_min: float = 0.001
    dt_max: float = 0.1
    conv_bias: bool = True
    bias: bool = False
    scan: str = field(default="sequential", kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("d_model", "d_state", "d_conv", "expand"):
            integer(name, getattr(self, name), 1)
        if self.dt_rank != "auto":
            integer("dt_rank", self.dt_rank, 1)
        number("dt_min", self.dt_min, Range("a number of at least 0.0001", lambda v: v >= 1e-4))
        number("dt_max", self.dt_max, Range("a number of at least dt_min", self._is_greatest))
        flag("conv_bias", self.conv_bias)
        flag("bias", self.bias)
        among("scan", self.scan, ("sequential", "associative"))

    def _is_greatest(self, step: float) -> bool:
        return step >= self.dt_min

    @property
    def _inner(self) -> int:
        return self.expand * self.d_model

    @property
    def _rank(self) -> int:
        return math.ceil(self.d_model / 16) if isinstance(self.dt_rank, str) else self.dt_rank

    def parameters(self) -> Mapping[str, Parameter | None]:
        inner, rank, n = self._inner, self._rank, self.d_state
        start = kaiming_uniform(a=math.sqrt(5))
        return {
            "A_log": Parameter((inner, n), _log_count()),
            "D": Parameter((inner,), ones()),
            "in_proj.weight": Parameter((2 * inner, self.d_model), start),
            "in_proj.bias": self._bias(self.bias, 2 * inner, self.d_model),
            "conv1d.weight": Parameter((inner, 1, self.d_conv), start),
            "conv1d.bias": self._bias(self.conv_bias, inner, self.d_conv),
            "x_proj.weight": Parameter((rank + 2 * n, inner), start),
            "dt_proj.weight": Parameter((inner, rank), uniform(-(rank**-0.5), rank**-0.5)),
            "dt_proj.bias": Parameter((inner,), _steps_between(self.dt_min, self.dt_max)),
            "out_proj.weight": Parameter((self.d_model, inner), start),
            "out_proj.bias": self._bias(self.bias, self.d_model, inner),
        }

    def _bias(self, there: bool, size: int, inputs: int) -> Parameter | None:
        bound = 1 / math.sqrt(inputs)
        return Parameter((size,), uniform(-bound, bound)) if there else None

    def output_shape(self, x: Shape, lengths: Any = None) -> Shape:
        rules.lengths(Spec(x), None if lengths is None else Spec(lengths, "int32"))
        remedy = "write nn.Mamba({})."
        y: Shape = rules.sequence(Spec(x), self.d_model, self.d_model, remedy).shape
        return y

    def init_cache(self, batch: int | tuple[int, ...], dtype: str = "float32") -> Cache:
        """A cache without steps, for forward(x, cache=cache), which gives another one.

        Args:
            batch: The batch axes.
            dtype: That of the model.

        Raises:
            ArgumentError: A number is below 1.

        Example:
            >>> {name: x.shape for name, x in Mamba(8).init_cache(3).items()}
            {'conv': (3, 3, 16), 'state': (3, 16, 16)}
        """
        shapes = self._cached(batch_axes(batch))
        return {name: jnp.zeros(shape, dtype) for name, shape in shapes.items()}

    def _cached(self, lead: tuple[Any, ...]) -> dict[str, tuple[Any, ...]]:
        inner = self._inner
        return {"conv": (*lead, self.d_conv - 1, inner), "state": (*lead, inner, self.d_state)}

    def forward(
        self, x: Array, lengths: Array | None = None, cache: Cache | None = None
    ) -> Array | tuple[Array, Cache]:
        with named(self.label()):
            if lengths is not None:
                check_array(lengths, "lengths")
            self.output_shape(F.shape(x), shape_tree(lengths))
            if cache is not None:
                self._check_cache(cache, x)
        y, after = self._read(x if lengths is None else F.zero_pads(x, lengths), lengths, cache)
        y = y if lengths is None else F.zero_pads(y, lengths)
        return y if cache is None or after is None else (y, after)

    def _check_cache(self, cache: Cache, x: Array) -> None:
        require_cache(cache, STATE_SPACE)
        for name, wanted in self._cached(F.shape(x)[:-2]).items():
            require_like(name, cache[name], wanted, x.dtype)

    def _read(
        self, x: Array, lengths: Array | None, cache: Cache | None
    ) -> tuple[Array, Cache | None]:
        """The outputs, and a cache that stands behind the last step."""
        p, rank, n = self.__dict__, self._rank, self.d_state
        x, z = jnp.split(F.linear(x, p["in_proj.weight"], p["in_proj.bias"]), 2, axis=-1)
        seen = _with_past(x, self.d_conv - 1, cache)
        x = F.silu(_causal(seen, p["conv1d.weight"], p["conv1d.bias"]))
        step, B, C = jnp.split(F.linear(x, p["x_proj.weight"]), (rank, rank + n), axis=-1)
        step = F.softplus(F.linear(step, p["dt_proj.weight"], p["dt_proj.bias"]))
        if cache is not None and lengths is not None:  # a step of no length leaves the state
            step = F.zero_pads(step, lengths)
        A = F.neg(F.exp(p["A_log"]))
        state = None if cache is None else cache["state"]
        y, last = F.selective_scan(x, step, A, B, C, p["D"], state, method=self.scan)
        y = F.linear(F.mul(y, F.silu(z)), p["out_proj.weight"], p["out_proj.bias"])
        if cache is None:
            return y, None
        return y, {"conv": _last(seen, self.d_conv - 1, lengths), "state": last}


class GatedDiagonalSSM(Layer):
    """h' = d h + (1 - d) u and y = h' silu(W_z x + b_z), over the steps of a sequence.

    u is silu(W_u x + b_u), and the gate d is sigmoid(W_d [x; h] + b_d).
    `layer(x, state=None, lengths=None)` gives (y, last h), as `RNN` does.

    Shapes:
        x (*batch, T, input_size), state (*batch, hidden_size), lengths (*batch)
        ->  (*batch, T, hidden_size), (*batch, hidden_size)

    Args:
        input_size: The size of the last axis of x.
        hidden_size: The size of h.
        returns: "both"; "output" or "last" gives one array, as `Sequential` needs it.

    Raises:
        ArgumentError: A size is below 1.
        ShapeError: The shapes of x, state or lengths do not fit.
        DataError: A length is not from 1 to T; NaN inside a trace of one's own.

    Example:
        >>> GatedDiagonalSSM(3, 4).output_shape((5, 7, 3))
        ((5, 7, 4), (5, 4))

    Source:
        TorchLean's `mamba`, which has no selective scan: that is `Mamba`. Initial weights: Xavier
        uniform, zero biases, as there.
    """

    takes = "any"
    input_size: int
    hidden_size: int
    returns: str = field(default="both", kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        integer("input_size", self.input_size, 1)
        integer("hidden_size", self.hidden_size, 1)
        among("returns", self.returns, ("both", "output", "last"))

    def parameters(self) -> Mapping[str, Parameter | None]:
        hidden, inputs = self.hidden_size, self.input_size
        wide = {"u": inputs, "delta": inputs + hidden, "z": inputs}
        weights = {f"weight_{k}": Parameter((hidden, n), xavier_uniform()) for k, n in wide.items()}
        return {**weights, **{f"bias_{k}": Parameter((hidden,), zeros()) for k in wide}}

    def output_shape(self, x: Shape, state: Tree = None, lengths: Tree = None) -> Tree:
        remedy = f"write nn.GatedDiagonalSSM({{}}, {self.hidden_size})."
        y = rules.sequence(Spec(x), self.input_size, self.hidden_size, remedy).shape
        rules.lengths(Spec(x), None if lengths is None else Spec(lengths, "int32"))
        given = None if state is None else Spec(state)
        return self._chosen(y, rules.state(Spec(x), given, (), self.hidden_size).shape)

    def forward(
        self, x: Array, state: Array | None = None, lengths: Array | None = None
    ) -> Array | tuple[Array, Array]:
        with named(self.label()):
            for name, given in (("state", state), ("lengths", lengths)):
                if given is not None:
                    check_array(given, name)
            self.output_shape(F.shape(x), shape_tree(state), shape_tree(lengths))
        weights, biases = (
            [self.__dict__[f"{kind}_{part}"] for part in ("u", "delta", "z")]
            for kind in ("weight", "bias")
        )
        y: Array | tuple[Array, Array] = self._chosen(
            *F.gated_diagonal_ssm(x, weights, biases, state, lengths)
        )
        return y

    def _chosen(self, y: Tree, last: Tree) -> Tree:
        return {"both": (y, last), "output": y, "last": last}[self.returns]


def original_mamba(input_size: int, hidden_size: int) -> GatedDiagonalSSM:
    """What the original calls `mamba`: the outputs of a `GatedDiagonalSSM`.

    Example:
        >>> original_mamba(3, 4)
        GatedDiagonalSSM(3, 4, returns='output')
    """
    return GatedDiagonalSSM(input_size, hidden_size, returns="output")


def _with_past(x: Array, count: int, cache: Cache | None) -> Array:
    """The steps behind so many before them: of the cache, or zeros."""
    return F.pad(x, (0, 0, count, 0)) if cache is None else F.cat([cache["conv"], x], dim=-2)


def _last(seen: Array, count: int, lengths: Array | None) -> Array:
    """So many steps up to the last one of each sequence, of which as many stand before it."""
    if lengths is None:
        return F.narrow(seen, -2, seen.shape[-2] - count, count)
    steps = lengths.astype("int32")[..., None] + jnp.arange(count, dtype="int32")
    return F.take_along_dim(seen, steps[..., None], dim=-2)


def _causal(seen: Array, weight: Array, bias: Array | None) -> Array:
    """Each channel convolved with its kernel, up to the present: a sum of shifted steps."""
    size = weight.shape[2]
    steps = seen.shape[-2] - (size - 1)
    shifted = [jax.lax.slice_in_dim(seen, k, k + steps, axis=seen.ndim - 2) for k in range(size)]
    terms = [F.mul(part, weight[:, 0, k]) for k, part in enumerate(shifted)]
    return reduce(F.add, terms if bias is None else [*terms, bias])


@dataclass(frozen=True)
class _log_count:
    """log 1, log 2, ... in every row."""

    def __call__(self, shape: tuple[int, ...], seed: int) -> Floats:
        return np.broadcast_to(np.log(np.arange(1, shape[1] + 1, dtype=np.float64)), shape).copy()


@dataclass(frozen=True)
class _steps_between:
    """Biases from which softplus makes steps, uniform in the logarithm."""

    least: float
    greatest: float

    def __call__(self, shape: tuple[int, ...], seed: int) -> Floats:
        low, high = math.log(self.least), math.log(self.greatest)
        steps = np.exp(uniform(low, high)(shape, seed))
        return steps + np.log(-np.expm1(-steps))
