"""`Model`: a layer built for an input, with its arrays; an immutable pytree."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cached_property
from shutil import get_terminal_size
from typing import TYPE_CHECKING, Any, NoReturn

import jax

from tensorem import ops, rand
from tensorem.calls import named

from ._bind import EVALUATION, Array, Arrays, Context
from ._built import Built, forms, read
from ._held import Held
from ._layer import Layer
from ._specs import Tree, text
from ._state import loaded
from ._summary import html, shown, summary, total
from ._tree import Whole

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType


@jax.tree_util.register_pytree_node_class
@dataclass(frozen=True, eq=False, repr=False)
class Model(Whole):
    """A layer with parameters and buffers: a function that can be called.

    Made by `nn.build`. Immutable: what changes it returns another one. As a pytree its leaves are
    the parameters and the buffers. Where a buffer counts, as in BatchNorm2d, a function of a whole
    model is differentiated by `jax.grad(f, allow_int=True)`: JAX asks for this word.

    Args:
        built: The layer and its specs.
        params: What is trained, by state-dict name; read-only (`Held`).
        buffers: What is carried along, by state-dict name; read-only.

    Example:
        >>> from tensorem import nn
        >>> model = nn.build(nn.Linear(3, 2), input=("N", 3))
        >>> model([[1.0, 2.0, 3.0]]).shape, list(model.params)
        ((1, 2), ['weight', 'bias'])
    """

    built: Built
    params: Arrays
    buffers: Arrays

    def __post_init__(self) -> None:
        for name in ("params", "buffers"):
            arrays = getattr(self, name)
            if type(arrays) is dict:  # JAX builds trees of anything, of None for example
                object.__setattr__(self, name, Held(arrays))

    @cached_property
    def _plain(self) -> tuple[Arrays, Arrays]:
        """JAX takes plain dicts apart by itself, any other container by calls of Python."""
        return dict(self.params), dict(self.buffers)

    @property
    def layer(self) -> Layer:
        """The description of the model."""
        return self.built.layer

    @property
    def input(self) -> Tree:
        """The spec of the input; a tuple of them where forward takes several."""
        return self.built.inputs[0] if len(self.built.inputs) == 1 else self.built.inputs

    @property
    def output(self) -> Tree:
        """The spec of the output."""
        return self.built.output

    def __call__(self, *xs: Tree) -> Tree:
        """The value at xs, in evaluation, compiled.

        Args:
            xs: Arrays, or lists of numbers.

        Raises:
            ShapeError: A shape is not that of `input`.
            DTypeError: A dtype is not that of `input`, and the values do not survive conversion.
            DataError: An index is out of range.
            LayerError: The layer says something else than when the model was built; what was
                compiled before stays what it is.
        """
        with self.precision():
            inputs = self.built.given(xs)
            y = self.built.evaluate(*self._plain, inputs)
            if self.built.takes_indices and ops.holds_nan(y):
                self.look(*inputs)
            return y

    def look(self, *xs: Array) -> None:
        """Evaluate at xs outside of any trace, where a function sees values; slow.

        Only where an input holds indices: elsewhere a value is as good in a trace as outside.

        Raises:
            DataError: An index is out of range; a compiled program can only give NaN for it.

        Example:
            >>> from tensorem import nn
            >>> from tensorem.shapes import Spec
            >>> model = nn.build(nn.Embedding(5, 3), input=Spec(("N",), "int32"))
            >>> model([7])
            Traceback (most recent call last):
            tensorem.errors.DataError: F.embedding takes indices from 0 to 4, got 7.
              where: index[0]
        """
        if self.built.takes_indices:
            with self.precision(), jax.disable_jit():
                self.apply(self.params, *xs)

    def apply(self, params: Arrays, *xs: Tree) -> Tree:
        """The value at xs with other parameters, in evaluation: for JAX transforms.

        Raises:
            LayerError: The layer says something else than when the model was built.
        """
        self.built.require_unchanged()
        return self.layer.call((params, self.buffers), *xs, ctx=EVALUATION)[0]

    def train_apply(
        self, params: Arrays, buffers: Arrays, *xs: Array, key: Array | None = None
    ) -> tuple[Tree, Arrays]:
        """The value at xs in a training step, and the buffers after it.

        Args:
            key: The random key of the step; needed where a layer draws.

        Raises:
            DTypeError: key is no key.
            LayerError: The layer says something else than when the model was built.
        """
        self.built.require_unchanged()
        if key is not None:
            with named("train_apply"):
                rand.check_key(key)
        return self.layer.call((params, buffers), *xs, ctx=Context(training=True, key=key))

    def precision(self) -> AbstractContextManager[None]:
        """A context in which JAX computes in 64 bits where the input of this model has them."""
        return self.built.precision()

    def replace(self, *, params: Arrays | None = None, buffers: Arrays | None = None) -> Model:
        """The same model with other arrays."""
        return Model(
            self.built,
            self.params if params is None else params,
            self.buffers if buffers is None else buffers,
        )

    def rebuild(self) -> Model:
        """The layer read again, as it is now, with the same arrays; this model where it says the
        same.

        For a notebook, where a `forward` or what it reads was changed; `train.fit` begins so too.

        Raises:
            PathError: The layer has other arrays now.
            ShapeError: They do not fit any more.
        """
        if self.built.is_unchanged():
            return self
        built = read(self.layer, self.built.inputs)
        params, buffers = forms(self.layer, self.built.inputs)
        with self.precision():
            found = loaded(self.layer, {**params, **buffers}, self.state_dict())
        return Model(built, {p: found[p] for p in params}, {p: found[p] for p in buffers})

    def state_dict(self) -> Arrays:
        """All arrays by the names of a PyTorch state dict."""
        return {**self.params, **self.buffers}

    def load_state_dict(self, state: Mapping[str, Any], strict: bool = True) -> Model:
        """The same model with the arrays of a state dict, also one of PyTorch.

        Args:
            strict: Whether every name must be on both sides. Else what is missing stays as it is,
                what has no place is left out, and a warning names both.

        Raises:
            PathError: A name is missing or has no place here; the nearest names are listed.
            ShapeError: An array has another shape.
            DTypeError: An array has a dtype whose values do not survive conversion.
        """
        with self.precision():
            found = loaded(self.layer, self.state_dict(), state, strict)
        return self.replace(
            params={p: found[p] for p in self.params},
            buffers={p: found[p] for p in self.buffers},
        )

    def summary(self, width: int | None = None) -> str:
        """A table: path, layer, shape in, shape out, parameters.

        Args:
            width: The columns that there are; None for those of the terminal, 100 without one.
                Where they are few, layers are cut short and end in …, numbers never.
        """
        columns = get_terminal_size((100, 24)).columns if width is None else width
        return summary(self.built.table, columns)

    def __str__(self) -> str:
        return self.summary()

    def __repr__(self) -> str:
        flow = f"{text(self.built.inputs)} -> {text(self.output)}"
        return f"Model({type(self.layer).__name__}, {flow}, {total(self.built.table):,} parameters)"

    def __rich_console__(
        self, console: Console, options: ConsoleOptions
    ) -> Iterator[RenderableType]:
        yield shown(self.built.table, options.max_width)

    def _repr_html_(self) -> str:
        return html(self.built.table)

    if not TYPE_CHECKING:  # or a type checker would believe that any name is there

        def __getattr__(self, name: str) -> NoReturn:
            """Say what takes the place of what PyTorch's users look for."""
            instead = f"; {_INSTEAD[name]}" if name in _INSTEAD else ""
            raise AttributeError(f"A model has no {name}{instead}.")

    def tree_flatten(self) -> tuple[tuple[Arrays, Arrays], Built]:
        """For jax.tree_util."""
        return (self.params, self.buffers), self.built

    @classmethod
    def tree_unflatten(cls, built: Built, children: tuple[Arrays, Arrays]) -> Model:
        """For jax.tree_util."""
        return cls(built, *children)


_INSTEAD = {
    "parameters": "model.params holds them by name",
    "named_parameters": "model.params.items() gives them",
    "children": "model.layer is the layer that it was built of",
    "forward": "model(x) calls it",
    "eval": "model(x) is evaluation, model.train_apply(...) training",
    "train": "train.fit(model, data) trains, and returns run.model",
    "save": "tm.save(model, folder) writes it",
    "zero_grad": "gradients are values: jax.grad of a function of model.params",
    "to": "it computes where JAX does; a dtype is chosen by nn.build(layer, Spec(shape, dtype))",
}
"""What PyTorch's users look for -> where it is."""
