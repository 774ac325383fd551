"""Layers made of layers: one after another, added to their input, shared."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import field
from types import MappingProxyType
from typing import Any, ClassVar, Self, overload

from jax import Array

from tensorem import functional as F
from tensorem.errors import LayerError, PathError, ShapeError
from tensorem.layer import Around, Call, Layer, Log, Tree, join, ruled, shape_tree
from tensorem.shapes import (
    UNKNOWN,
    UNKNOWN_RANK,
    OpenShape,
    Poly,
    Shape,
    format_shape,
    require_equal,
    same_shape,
    shape_of,
)


class Input(Layer):
    """The identity on inputs of one shape, stated so that what follows is checked when written.

    Shapes:
        (N, *shape)  ->  (N, *shape)

    Args:
        shape: The shape of one example, without the batch axis.

    Example:
        >>> from tensorem import nn
        >>> nn.Sequential(nn.Input(1, 8, 8), nn.Flatten(), nn.Linear(65, 10))
        Traceback (most recent call last):
        tensorem.errors.ShapeError: Linear(65 -> 10) takes (*batch, 65), got (N, 64).
          where: Sequential[1], after Sequential[0] Flatten  (N, 1, 8, 8) -> (N, 64)
          from:  64 is set by Sequential[0] Flatten  (N, 1, 8, 8) -> (N, 64)
          help:  write nn.Linear(64, 10).
    """

    shape: tuple[Any, ...]

    def __init__(self, *shape: int | str) -> None:
        object.__setattr__(self, "shape", shape_of(shape))

    @classmethod
    def of_fields(cls, **values: Any) -> Self:
        return cls(*values["shape"])

    def output_shape(self, x: Shape = UNKNOWN_RANK) -> Shape:
        stated = ("N", *self.shape)
        if isinstance(x, OpenShape) and not x.last:
            return shape_of(stated)
        what = f"takes {format_shape(stated)}, got {format_shape(x)}."
        if same_shape(OpenShape(self.shape), x) is False:
            raise ShapeError(what)
        # A name that is stated here stands for any size; a number only for itself.
        wanted = (UNKNOWN if isinstance(size, Poly) else size for size in self.shape)
        require_equal(x, OpenShape(tuple(wanted)), what)
        return x

    def forward(self, x: Array) -> Array:
        return x

    def __repr__(self) -> str:
        return f"Input({', '.join(map(repr, self.shape))})"


class Sequential(Layer):
    """Layers one after another: the output of each is the input of the next.

    What the shapes allow is checked when it is written, the rest by `build`. `a >> b` is one too.

    Args:
        layers: The layers, or a dict of them whose names take the place of "0", "1", ... in paths.
            An `Input` may come first and does not count.

    Raises:
        ShapeError: Two layers do not fit, whatever the input.
        LayerError: Something is no layer, or a name is no part of a path.

    Example:
        >>> from tensorem import nn
        >>> nn.Sequential(nn.Linear(784, 128), nn.ReLU(), nn.Linear(127, 10))
        Traceback (most recent call last):
        tensorem.errors.ShapeError: Linear(127 -> 10) takes (*batch, 127), got (..., 128).
          where: Sequential[2], after Sequential[1] ReLU  (..., 128) -> (..., 128)
          from:  128 is set by Sequential[0] Linear(784 -> 128)
          help:  write nn.Linear(128, 10), or make Sequential[0] nn.Linear(784, 127).
        >>> net = nn.Sequential({"hidden": nn.Linear(4, 8), "act": nn.ReLU()})
        >>> net["act":], list(nn.build(net, input=("N", 4)).params)
        (Sequential({'act': ReLU()}), ['hidden.weight', 'hidden.bias'])
    """

    input: Input | None = field(default=None, metadata={"path": "input"})
    layers: tuple[Layer, ...] | Mapping[str, Layer] = field(default=(), metadata={"path": ""})

    def __init__(self, *layers: Layer | Mapping[str, Layer]) -> None:
        given = _by_name(layers[0]) if len(layers) == 1 else None
        pairs = list(enumerate(layers)) if given is None else list(given.items())
        for place, layer in pairs:
            _require_layer(layer, place)
        first = pairs[0][1] if pairs and isinstance(pairs[0][1], Input) else None
        kept = pairs if first is None else pairs[1:]
        whole = tuple(layer for _, layer in kept) if given is None else MappingProxyType(dict(kept))
        object.__setattr__(self, "layers", whole)
        object.__setattr__(self, "input", first)
        self.output_shape()  # what the shapes allow is checked here

    @classmethod
    def of_fields(cls, **values: Any) -> Self:
        first, layers = values["input"], values["layers"]
        if isinstance(layers, Mapping):
            return cls(({} if first is None else {"input": first}) | dict(layers))
        return cls(*(() if first is None else (first,)), *layers)

    def output_shape(self, *shapes: Tree) -> Tree:
        return _chain(list(_steps(self, "")), shapes or (UNKNOWN_RANK,))

    @property
    def stated_input(self) -> Tree:
        return None if self.input is None else self.input.output_shape()

    def forward(self, *xs: Tree) -> Tree:
        for layer in (self.input, *self) if self.input else self:
            xs = (layer(*xs),)
        return xs[0]

    def __len__(self) -> int:
        return len(self.layers)

    @overload
    def __getitem__(self, index: int | str) -> Layer: ...
    @overload
    def __getitem__(self, index: slice) -> Sequential: ...
    def __getitem__(self, index: int | str | slice) -> Layer:
        if not isinstance(index, slice):
            return self._at(index)
        cut = slice(self._place(index.start), self._place(index.stop), index.step)
        if isinstance(self.layers, Mapping):
            return Sequential(dict(list(self.layers.items())[cut]))
        return Sequential(*self.layers[cut])

    def _at(self, index: int | str) -> Layer:
        place = self._place(index)
        if not -len(self) <= place < len(self):
            raise self._none_there(index)
        found: Layer = list(self)[place]
        return found

    def _place(self, index: int | str | None) -> Any:
        """The place of a layer that is named."""
        names = [name for name, _ in _members(self)]
        if isinstance(index, str) and index not in names:
            raise self._none_there(index)
        return names.index(index) if isinstance(index, str) else index

    def _none_there(self, index: int | str) -> PathError:
        names = ", ".join(name for name, _ in _members(self))
        return PathError(f"This Sequential has the layers {names}, got {index!r}.")

    def __iter__(self) -> Iterator[Layer]:
        return (layer for _, layer in _members(self))

    def __repr__(self) -> str:
        if isinstance(self.layers, Mapping):
            first = {} if self.input is None else {"input": self.input}
            return f"Sequential({first | dict(self.layers)!r})"
        shown = (self.input, *self.layers) if self.input else self.layers
        return f"Sequential({', '.join(map(repr, shown))})"


def _members(sequence: Sequential) -> list[tuple[str, Layer]]:
    """The layers with the names that they have in paths."""
    layers = sequence.layers
    if isinstance(layers, Mapping):
        return list(layers.items())
    return [(str(i), layer) for i, layer in enumerate(layers)]


def _by_name(given: object) -> Mapping[str, Layer] | None:
    """The dict that is given in place of layers; each of its names is one step of a path."""
    if not isinstance(given, Mapping):
        return None
    for name in given:
        if not isinstance(name, str) or not re.fullmatch(r"\w+", name):
            raise LayerError(
                f"Sequential takes names of letters, digits and _, got {name!r}.",
                because="names are joined by dots to the paths of arrays.",
            )
    return given


def _after(first: Layer, second: Layer) -> Sequential:
    """What `first >> second` makes: a chain of these is one Sequential."""
    begins = [first.input] if isinstance(first, Sequential) and first.input is not None else []
    return Sequential(*begins, *_links(first), *_links(second))


def _links(layer: Layer) -> list[Layer]:
    """The layers of a Sequential without names; any other layer is one."""
    is_chain = isinstance(layer, Sequential) and isinstance(layer.layers, tuple)
    return list(layer) if isinstance(layer, Sequential) and is_chain else [layer]


Layer._after = _after


_INNER = "Residual takes an inner layer"


class Residual(Layer):
    """The sum x + inner(x).

    Shapes:
        (...)  ->  the same

    Raises:
        ShapeError: The inner layer changes the shape.

    Example:
        >>> from tensorem import nn
        >>> nn.Residual(nn.Linear(3, 3)).output_shape((5, 3))
        (5, 3)
    """

    inner: Layer

    def output_shape(self, x: Shape = UNKNOWN_RANK) -> Shape:
        require_kept(x, ruled(self.inner, "inner", (x,), (), None), _INNER)
        return x

    def forward(self, x: Array) -> Array:
        y = self.inner(x)
        require_kept(shape_tree(x), shape_tree(y), _INNER)
        return F.add(x, y)


class Shared(Around):
    """A layer that may stand in several places, with one set of arrays: see `share`."""

    shares: ClassVar[bool] = True

    # Two shared layers are the same if they share, not if they look alike.
    def __hash__(self) -> int:
        return id(self)

    def __eq__(self, other: object) -> bool:
        return self is other

    def __repr__(self) -> str:
        return f"share({self.layer!r})"


def share(layer: Layer) -> Shared:
    """The layer, allowed in several places; its arrays are kept under the path of the first.

    Example:
        >>> from tensorem import nn
        >>> twice = nn.share(nn.Linear(3, 3))
        >>> model = nn.build(nn.Sequential(twice, nn.ReLU(), twice), input=("N", 3))
        >>> list(model.params)
        ['0.weight', '0.bias']
    """
    return Shared(layer)


def _require_layer(layer: object, place: int | str) -> None:
    if isinstance(layer, Layer):
        return
    given, help = repr(layer), ""
    if isinstance(layer, type):
        given = f"nn.{layer.__name__}"
        help = f"write {given}(...)."
    elif isinstance(layer, list | tuple):
        help = "write nn.Sequential(*layers)."
    elif callable(layer):
        given = f"the function {getattr(layer, '__name__', repr(layer))}"
        help = "write a layer, such as nn.ReLU() for relu; or nn.Lambda(function)."
    raise LayerError(f"Sequential takes layers, got {given} at place {place}.", help=help)


def _steps(sequence: Sequential, path: str) -> Iterator[tuple[str, Layer]]:
    """The layers of a sequence and of the sequences inside it, in order, with their paths."""
    if sequence.input is not None:
        yield join(path, "input"), sequence.input
    for name, layer in _members(sequence):
        here = join(path, name)
        yield from _steps(layer, here) if isinstance(layer, Sequential) else [(here, layer)]


def _chain(steps: list[tuple[str, Layer]], shapes: tuple[Tree, ...]) -> Tree:
    """The shape that comes out of layers one after another; values are told apart by number."""
    log = Log(root="Sequential")
    for n, (path, layer) in enumerate(steps):
        gives = ruled(layer, path, shapes, (n,), log)
        log.calls.append(Call(layer, path, shapes, gives, (n,), (n + 1,)))
        shapes = (gives,)
    return shapes[0]


def require_kept(x: Shape, y: Shape, takes: str) -> None:
    """Raise unless a layer gives the shape that it takes.

    Args:
        takes: The beginning of the error, such as "Repeat takes a layer".

    Raises:
        ShapeError: It gives another one.
    """
    flow = f"{format_shape(x)} -> {format_shape(y)}"
    require_equal(y, x, f"{takes} that keeps the shape, got {flow}.")
