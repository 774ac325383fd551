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
from tensorem.calls import Range, among, flag, integer, named, number
from tensorem.layer import Layer, Parameter, shape_tree
from tensorem.shapes import Shape

from ._init import Floats, kaiming_uniform, ones, uniform, xavier_uniform, zeros

Array = jax.Array


class Mamba(Layer):
    """The block of the Mamba paper: a selective state space between two projections, with a gate.

    x and a gate z come from one projection; x goes through a short causal convolution of each
    channel and silu, then through `F.selective_scan`, whose step, B and C come from x too; the
    result times silu(z) is projected back. Parameters have the names and shapes of mamba-ssm.

    Shapes:
        x (*batch, T, d_model), lengths (*batch)  ->  (*batch, T, d_model)

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
    there.

    Raises:
        ArgumentError: A number is out of range, or there is no such scan.
        ShapeError: The shapes do not fit.
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
        rules.lengths(x, lengths)
        return rules.sequence(x, self.d_model, self.d_model, "write nn.Mamba({}).")

    def forward(self, x: Any, lengths: Any = None) -> Any:
        with named(self.label()):
            self.output_shape(F.shape(x), shape_tree(lengths))
        if lengths is None:
            return self._read(x)
        return F.zero_pads(self._read(F.zero_pads(x, lengths)), lengths)

    def _read(self, x: Array) -> Array:
        p, rank, n = self.__dict__, self._rank, self.d_state
        x, z = jnp.split(F.linear(x, p["in_proj.weight"], p["in_proj.bias"]), 2, axis=-1)
        x = F.silu(_causal(x, p["conv1d.weight"], p["conv1d.bias"]))
        step, B, C = jnp.split(F.linear(x, p["x_proj.weight"]), (rank, rank + n), axis=-1)
        step = F.softplus(F.linear(step, p["dt_proj.weight"], p["dt_proj.bias"]))
        A = F.neg(F.exp(p["A_log"]))
        y, _ = F.selective_scan(x, step, A, B, C, p["D"], method=self.scan)
        y = F.mul(y, F.silu(z))
        return F.linear(y, p["out_proj.weight"], p["out_proj.bias"])


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

    def output_shape(self, x: Shape, state: Any = None, lengths: Any = None) -> Any:
        remedy = f"write nn.GatedDiagonalSSM({{}}, {self.hidden_size})."
        y = rules.sequence(x, self.input_size, self.hidden_size, remedy)
        rules.lengths(x, lengths)
        return self._chosen(y, rules.state(x, state, (), self.hidden_size, "a state"))

    def forward(self, x: Any, state: Any = None, lengths: Any = None) -> Any:
        with named(self.label()):
            self.output_shape(F.shape(x), shape_tree(state), shape_tree(lengths))
        weights, biases = (
            [self.__dict__[f"{kind}_{part}"] for part in ("u", "delta", "z")]
            for kind in ("weight", "bias")
        )
        return self._chosen(*F.gated_diagonal_ssm(x, weights, biases, state, lengths))

    def _chosen(self, y: Any, last: Any) -> Any:
        return {"both": (y, last), "output": y, "last": last}[self.returns]


def original_mamba(input_size: int, hidden_size: int) -> GatedDiagonalSSM:
    """What the original calls `mamba`: the outputs of a `GatedDiagonalSSM`.

    Example:
        >>> original_mamba(3, 4)
        GatedDiagonalSSM(3, 4, returns='output')
    """
    return GatedDiagonalSSM(input_size, hidden_size, returns="output")


def _causal(x: Array, weight: Array, bias: Array | None) -> Array:
    """Each channel convolved with its kernel, up to the present: a sum of shifted steps."""
    size, steps = weight.shape[2], x.shape[-2]
    padded = F.pad(x, (0, 0, size - 1, 0))
    shifted = [jax.lax.slice_in_dim(padded, k, k + steps, axis=x.ndim - 2) for k in range(size)]
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
