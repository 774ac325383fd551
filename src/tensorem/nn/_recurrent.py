"""Recurrent networks: layers over a whole sequence, and cells for one step.

Parameters have PyTorch's names and layout, so its state dicts load. The batch always comes first.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import field
from functools import partial
from itertools import product

import jax
import jax.numpy as jnp
from jax import lax

from tensorem import functional as F
from tensorem import rules
from tensorem.calls import (
    FROM_0_TO_1,
    among,
    batch_first,
    check_array,
    flag,
    integer,
    named,
    number,
)
from tensorem.errors import ArgumentError
from tensorem.layer import Layer, Parameter, Tree, shape_tree
from tensorem.shapes import OpenShape, Shape, Spec

from ._init import uniform

Array = jax.Array
State = Array | tuple[Array, Array]
"""h, or the pair (h, c)."""
Run = Callable[..., tuple[Array, State]]
"""(x, weights, state, lengths, reverse=) -> every h, and the last state."""
Output = Array | tuple[Array, State]
"""What `returns` says of them."""

RETURNS = ("both", "output", "last")


class RNN(Layer):
    """Layers of h' = tanh(W_ih x + b_ih + W_hh h + b_hh), over the steps of a sequence.

    `layer(x, state=None, lengths=None)` gives (output, state): every h of the last layer, and the
    last h of every layer and direction.

    Shapes:
        x (*batch, T, input_size), state (D * num_layers, *batch, hidden_size), lengths (*batch)
        ->  (*batch, T, D * hidden_size), (D * num_layers, *batch, hidden_size)
        where D is 2 if bidirectional, 1 otherwise

    Args:
        input_size: The size of the last axis of x.
        hidden_size: The size of h.
        num_layers: How many layers, each of which takes the output of the one before.
        nonlinearity: "tanh" or "relu".
        bias: Whether there are b_ih and b_hh.
        batch_first: True: the batch comes first here.
        dropout: In training, the probability of 0 in what goes from one layer to the next.
        bidirectional: Whether there is a second direction, from the last step to the first; the
            outputs of both stand side by side.
        recurrent_bias: Whether there is b_hh beside b_ih.
        returns: "both"; "output" or "last" gives one array, as `Sequential` needs it: every h, or
            h after the last step (*batch, D * hidden_size).

    Where lengths are given, what stands behind the last step of a sequence changes nothing, not
    even NaN: output is 0 there, the state is that after the last step, and the second direction
    begins there.

    Raises:
        ArgumentError: A number is out of range; dropout with one layer; batch_first is not True.
        ShapeError: The shapes of x, state or lengths do not fit.
        DTypeError: x holds no floats, state has another dtype, or lengths are no integers.
        DataError: A length is not from 1 to T; NaN inside a trace of one's own.

    Example:
        >>> RNN(3, 4).output_shape((5, 7, 3))
        ((5, 7, 4), (1, 5, 4))
        >>> RNN(3, 4, returns="last").output_shape((5, 7, 3))
        (5, 4)

    Source:
        Elman 1990. Initial weights: uniform on ±1/√hidden_size, as torch.nn.RNN.
    """

    takes = "any"
    input_size: int
    hidden_size: int
    num_layers: int = 1
    nonlinearity: str = "tanh"
    bias: bool = True
    batch_first: bool = True
    dropout: float = 0.0
    bidirectional: bool = False
    recurrent_bias: bool = field(default=True, kw_only=True)
    returns: str = field(default="both", kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        _check(self)
        among("nonlinearity", self.nonlinearity, ("tanh", "relu"))

    def parameters(self) -> Mapping[str, Parameter | None]:
        return _parameters(self, 1)

    def output_shape(self, x: Shape, state: Tree = None, lengths: Tree = None) -> Tree:
        return _shapes(self, x, _one(state), lengths)

    def forward(self, x: Array, state: Array | None = None, lengths: Array | None = None) -> Output:
        run = partial(F.rnn, nonlinearity=self.nonlinearity)
        return _over_layers(self, run, x, state, lengths)


class GRU(Layer):
    """Layers of gated recurrent units; arguments, shapes and errors as in `RNN`.

    h' = (1 - z) n + z h with r, z = sigmoid(W_i x + b_i + W_h h + b_h) and
    n = tanh(W_i x + b_i + r (W_h h + b_h)); the rows of the weights are those of r, z and n.

    Args:
        reset_after: False for n = tanh(W_i x + b_i + W_h (r h) + b_h), as the unit was published;
            then recurrent_bias=False leaves nothing out.

    Example:
        >>> GRU(3, 4, bidirectional=True).output_shape((5, 7, 3))
        ((5, 7, 8), (2, 5, 4))

    Source:
        Cho et al. 2014. Initial weights: uniform on ±1/√hidden_size, as torch.nn.GRU.
    """

    takes = "any"
    input_size: int
    hidden_size: int
    num_layers: int = 1
    bias: bool = True
    batch_first: bool = True
    dropout: float = 0.0
    bidirectional: bool = False
    recurrent_bias: bool = field(default=True, kw_only=True)
    reset_after: bool = field(default=True, kw_only=True)
    returns: str = field(default="both", kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        _check(self)
        flag("reset_after", self.reset_after)

    def parameters(self) -> Mapping[str, Parameter | None]:
        return _parameters(self, 3)

    def output_shape(self, x: Shape, state: Tree = None, lengths: Tree = None) -> Tree:
        return _shapes(self, x, _one(state), lengths)

    def forward(self, x: Array, state: Array | None = None, lengths: Array | None = None) -> Output:
        run = partial(F.gru, reset_after=self.reset_after)
        return _over_layers(self, run, x, state, lengths)


class LSTM(Layer):
    """Layers of long short-term memory; arguments, shapes and errors as in `RNN`.

    c' = f c + i g and h' = o tanh(c') with i, f, o = sigmoid(W_ih x + b_ih + W_hh h + b_hh), and g
    the tanh of that; the rows of the weights are those of i, f, g and o. A state is a pair (h, c).

    Example:
        >>> LSTM(3, 4, num_layers=2).output_shape((5, 7, 3))
        ((5, 7, 4), ((2, 5, 4), (2, 5, 4)))

    Source:
        Hochreiter and Schmidhuber 1997, with the forget gate of Gers et al. 2000. Initial weights:
        uniform on ±1/√hidden_size, as torch.nn.LSTM.
    """

    takes = "any"
    input_size: int
    hidden_size: int
    num_layers: int = 1
    bias: bool = True
    batch_first: bool = True
    dropout: float = 0.0
    bidirectional: bool = False
    recurrent_bias: bool = field(default=True, kw_only=True)
    returns: str = field(default="both", kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        _check(self)

    def parameters(self) -> Mapping[str, Parameter | None]:
        return _parameters(self, 4)

    def output_shape(self, x: Shape, state: Tree = None, lengths: Tree = None) -> Tree:
        return _shapes(self, x, _pair(state), lengths)

    def forward(
        self, x: Array, state: tuple[Array, Array] | None = None, lengths: Array | None = None
    ) -> Output:
        return _over_layers(self, F.lstm, x, state, lengths)


class RNNCell(Layer):
    """One step of `RNN`: the next h.

    Shapes:
        x (*batch, input_size), h (*batch, hidden_size)  ->  (*batch, hidden_size)

    Args:
        input_size: The size of the last axis of x.
        hidden_size: The size of h.
        bias: Whether there are b_ih and b_hh.
        nonlinearity: "tanh" or "relu".

    Raises:
        ArgumentError: A size is below 1, or there is no such nonlinearity.
        ShapeError: The shapes of x or h do not fit.

    Example:
        >>> RNNCell(3, 4).output_shape((5, 3))
        (5, 4)
    """

    takes = "float"
    input_size: int
    hidden_size: int
    bias: bool = True
    nonlinearity: str = "tanh"

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_cell(self)
        among("nonlinearity", self.nonlinearity, ("tanh", "relu"))

    def parameters(self) -> Mapping[str, Parameter | None]:
        return _cell_parameters(self, 1)

    def output_shape(self, x: Shape, state: Tree = None) -> Tree:
        return _next(self, x, _one(state))[0]

    def forward(self, x: Array, state: Array | None = None) -> Array:
        return F.rnn_cell(x, _of_cell(self), state, nonlinearity=self.nonlinearity)


class GRUCell(Layer):
    """One step of `GRU`: the next h; arguments, shapes and errors as in `RNNCell`.

    Args:
        reset_after: As in `GRU`.

    Example:
        >>> GRUCell(3, 4).output_shape((5, 3))
        (5, 4)
    """

    takes = "float"
    input_size: int
    hidden_size: int
    bias: bool = True
    reset_after: bool = field(default=True, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_cell(self)
        flag("reset_after", self.reset_after)

    def parameters(self) -> Mapping[str, Parameter | None]:
        return _cell_parameters(self, 3)

    def output_shape(self, x: Shape, state: Tree = None) -> Tree:
        return _next(self, x, _one(state))[0]

    def forward(self, x: Array, state: Array | None = None) -> Array:
        return F.gru_cell(x, _of_cell(self), state, reset_after=self.reset_after)


class LSTMCell(Layer):
    """One step of `LSTM`: the next (h, c); arguments, shapes and errors as in `RNNCell`.

    Example:
        >>> LSTMCell(3, 4).output_shape((5, 3))
        ((5, 4), (5, 4))
    """

    takes = "any"
    input_size: int
    hidden_size: int
    bias: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_cell(self)

    def parameters(self) -> Mapping[str, Parameter | None]:
        return _cell_parameters(self, 4)

    def output_shape(self, x: Shape, state: Tree = None) -> Tree:
        return _next(self, x, _pair(state))

    def forward(self, x: Array, state: tuple[Array, Array] | None = None) -> tuple[Array, Array]:
        return F.lstm_cell(x, _of_cell(self), state)


# --- what the layers share


Recurrent = RNN | GRU | LSTM
Cell = RNNCell | GRUCell | LSTMCell


def _check(layer: Recurrent) -> None:
    for name in ("input_size", "hidden_size", "num_layers"):
        integer(name, getattr(layer, name), 1)
    for name in ("bias", "bidirectional", "recurrent_bias"):
        flag(name, getattr(layer, name))
    number("dropout", layer.dropout, FROM_0_TO_1)
    among("returns", layer.returns, RETURNS)
    batch_first(layer.batch_first)
    name = type(layer).__name__
    if layer.dropout and layer.num_layers == 1:
        raise ArgumentError(
            f"{name} takes dropout with two layers or more, got num_layers=1.",
            because="it stands between layers.",
            help="put nn.Dropout behind the layer.",
        )


def _directions(layer: Recurrent) -> tuple[bool, ...]:
    return (False, True) if layer.bidirectional else (False,)


def _names(k: int, reverse: bool) -> list[str]:
    """The names of the arrays of a layer in one direction, in the order of a function."""
    return [f"{name}_l{k}{'_reverse' * reverse}" for name in _ARRAYS]


def _parameters(layer: Recurrent, gates: int) -> Mapping[str, Parameter | None]:
    hidden, found = layer.hidden_size, dict[str, Parameter | None]()
    rows, start = gates * hidden, uniform(-1 / math.sqrt(hidden), 1 / math.sqrt(hidden))
    bias = Parameter((rows,), start) if layer.bias else None
    for k, reverse in product(range(layer.num_layers), _directions(layer)):
        inputs = layer.input_size if k == 0 else hidden * len(_directions(layer))
        weights = Parameter((rows, inputs), start), Parameter((rows, hidden), start)
        biases = bias, bias if layer.recurrent_bias else None
        found |= zip(_names(k, reverse), (*weights, *biases), strict=True)
    return found


def _shapes(layer: Recurrent, x: Shape, state: tuple[Tree, ...], lengths: Tree) -> Tree:
    """What `returns` says, once x, the parts of a state and the lengths fit."""
    wide = layer.hidden_size * len(_directions(layer))
    kind = type(layer).__name__
    remedy = f"write nn.{kind}({{}}, {layer.hidden_size})."
    output = rules.sequence(Spec(x), layer.input_size, wide, remedy).shape
    first = (layer.num_layers * len(_directions(layer)),)
    given = [None if part is None else Spec(part) for part in state]
    parts = [rules.state(Spec(x), part, first, layer.hidden_size).shape for part in given]
    rules.lengths(Spec(x), None if lengths is None else Spec(lengths, "int32"))
    last = rules.state(Spec(x), None, (), wide).shape
    return _chosen(layer, output, tuple(parts) if len(parts) > 1 else parts[0], last)


def _chosen(layer: Recurrent, output: Tree, state: Tree, last: Tree) -> Tree:
    return {"both": (output, state), "output": output, "last": last}[layer.returns]


def _over_layers(
    layer: Recurrent, run: Run, x: Array, given: State | None, lengths: Array | None
) -> Output:
    """The layers one after another; what was given by name is checked here."""
    with named(layer.label()):
        if lengths is not None:
            check_array(lengths, "lengths")
        layer.output_shape(F.shape(x), shape_tree(given), shape_tree(lengths))
    h, ends, directions = x, list[State](), _directions(layer)
    for k in range(layer.num_layers):
        if k and layer.dropout and layer.training:
            h = F.dropout(h, layer.dropout, key=layer.key())
        found = [_directed(layer, run, h, k, reverse, given, lengths) for reverse in directions]
        h = found[0][0] if len(found) == 1 else F.cat([y for y, _ in found], -1)
        ends += [end for _, end in found]
    last = F.cat([jax.tree.leaves(end)[0] for end in ends[-len(directions) :]], -1)
    state = jax.tree.map(lambda *parts: jnp.stack(parts), *ends)
    chosen: Output = _chosen(layer, h, state, last)
    return chosen


def _directed(
    layer: Recurrent,
    run: Run,
    x: Array,
    k: int,
    reverse: bool,
    state: State | None,
    lengths: Array | None,
) -> tuple[Array, State]:
    i = k * len(_directions(layer)) + reverse
    own = jax.tree.map(lambda part: lax.index_in_dim(part, i, keepdims=False), state)
    arrays = [getattr(layer, name) for name in _names(k, reverse)]
    return run(x, [a for a in arrays if a is not None], own, lengths, reverse=reverse)


def _pair(state: Tree) -> tuple[Tree, ...]:
    """The shapes of h and c."""
    if state is None:
        return None, None
    if len(state) == 2 and _holds_shapes(state):
        return tuple(state)
    raise ArgumentError(
        f"takes state as a pair (h, c), got {_arrays(state)}.",
        help="both are zeros where it is left out.",
    )


def _one(state: Tree) -> tuple[Tree, ...]:
    """The shape of h."""
    if not _holds_shapes(state):
        return (state,)
    raise ArgumentError(
        f"takes state as one array, got {_arrays(state)}.",
        help="a pair (h, c) is the state of an LSTM.",
    )


def _holds_shapes(state: Tree) -> bool:
    """Whether a state is several arrays, of which it holds the shapes."""
    held = state if isinstance(state, tuple | list) else ()
    return any(isinstance(part, tuple | OpenShape) for part in held)


def _arrays(state: Tree) -> str:
    return f"a tuple of {len(state)}" if _holds_shapes(state) else "one array"


def _check_cell(layer: Cell) -> None:
    integer("input_size", layer.input_size, 1)
    integer("hidden_size", layer.hidden_size, 1)
    flag("bias", layer.bias)


def _cell_parameters(layer: Cell, gates: int) -> Mapping[str, Parameter | None]:
    hidden = layer.hidden_size
    rows, start = gates * hidden, uniform(-1 / math.sqrt(hidden), 1 / math.sqrt(hidden))
    bias = Parameter((rows,), start) if layer.bias else None
    weights = Parameter((rows, layer.input_size), start), Parameter((rows, hidden), start)
    return dict(zip(_ARRAYS, (*weights, bias, bias), strict=True))


_ARRAYS = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")


def _of_cell(layer: Cell) -> list[Array]:
    return [a for a in (getattr(layer, name) for name in _ARRAYS) if a is not None]


def _next(layer: Cell, x: Shape, state: tuple[Tree, ...]) -> tuple[Shape, ...]:
    """The shapes of the parts of the next state, once x and the state fit."""
    sizes = layer.input_size, layer.hidden_size
    given = [None if part is None else Spec(part) for part in state]
    return tuple(rules.next_state(Spec(x), part, *sizes).shape for part in given)
