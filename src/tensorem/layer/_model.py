"""`Model`: a layer built for an input, with its arrays; an immutable pytree."""

from __future__ import annotations

import math
from collections.abc import Callable, ItemsView, Iterator, Mapping, ValuesView
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import cached_property
from shutil import get_terminal_size
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn

import jax

from tensorem import rand
from tensorem.calls import named
from tensorem.errors import LayerError, ShapeError
from tensorem.shapes import format_shape

from ._bind import EVALUATION, Array, Arrays, Context
from ._built import Built, float_dtype, forms, read
from ._declare import declarations
from ._declared import Parameter
from ._held import Held
from ._layer import Layer
from ._paths import matched, part_at, with_part
from ._sizes import settled
from ._specs import Tree, text
from ._start import declared_by, started
from ._state import aliases, loaded
from ._summary import LayerInfo, html, shown, summary, total
from ._tree import Whole, join
from ._watched import Watched

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
        frozen: The parameters that training leaves as they are: see `freeze`.

    Example:
        >>> from tensorem import nn
        >>> model = nn.build(nn.Linear(3, 2), input=("N", 3))
        >>> model([[1.0, 2.0, 3.0]]).shape, list(model.params)
        ((1, 2), ['weight', 'bias'])
    """

    built: Built
    params: Arrays
    buffers: Arrays
    frozen: frozenset[str] = frozenset()
    __iter__: ClassVar[None] = None
    """Or model[path] would make it a sequence."""

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

    def __call__(self, *xs: Tree, **given: Tree) -> Tree:
        """The value at xs, in evaluation, compiled.

        Args:
            xs: Arrays, or lists of numbers.
            given: The same, by the names that forward has for the inputs.

        Raises:
            ArgumentError: An input that is named is none that the model was built for.
            ShapeError: A shape is not that of `input`.
            DTypeError: A dtype is not that of `input`, and the values do not survive conversion.
            DataError: An index is out of range.
            LayerError: The layer says something else than when the model was built; what was
                compiled before stays what it is.
        """
        with self.precision():
            inputs = self.built.given(self.built.placed(xs, given) if given else xs)
            y, is_wrong = self.built.evaluated(*self._plain, inputs)
            if is_wrong:
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
            self.frozen,
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
        params, buffers = ({p: found[p] for p in kind} for kind in (params, buffers))
        return Model(built, params, buffers, self.frozen)

    def state_dict(self) -> Arrays:
        """All arrays by the names of a PyTorch state dict."""
        return {**self.params, **self.buffers}

    def load_state_dict(self, state: Mapping[str, Any], strict: bool = True) -> Model:
        """The same model with the arrays of a state dict, also one of PyTorch.

        Args:
            strict: Whether every name must be on both sides. Else what is missing stays as it is,
                what has no place is left out, and a warning counts and names both.

        Raises:
            PathError: A name is missing or has no place here, or none has one; the nearest names
                are listed.
            ShapeError: An array has another shape; all that have are listed.
            DTypeError: An array has a dtype whose values do not survive conversion.
        """
        with self.precision():
            found = loaded(self.layer, self.state_dict(), state, strict)
        return self.replace(
            params={p: found[p] for p in self.params},
            buffers={p: found[p] for p in self.buffers},
        )

    # Its arrays by name

    def parameters(self) -> ValuesView[Array]:
        """The parameters one after another, as in PyTorch; `params` holds them by name.

        Example:
            >>> from tensorem import nn
            >>> model = nn.build(nn.Linear(3, 2), input=("N", 3))
            >>> sum(p.size for p in model.parameters())
            8
        """
        return self.params.values()

    def named_parameters(self) -> ItemsView[str, Array]:
        """The pairs (name, parameter), as in PyTorch."""
        return self.params.items()

    def named_buffers(self) -> ItemsView[str, Array]:
        """The pairs (name, buffer), as in PyTorch."""
        return self.buffers.items()

    def freeze(self, *patterns: str) -> Model:
        """The same model, of which training leaves these parameters as they are.

        What is frozen gets no gradient and no memory of the optimizer. The buffers of a layer, such
        as the statistics of a BatchNorm2d, still follow the data in training.

        Args:
            patterns: Names of parameters, in which * stands for any characters and ? for one.

        Raises:
            PathError: A pattern matches no parameter; those nearby are listed.
            ArgumentError: There is no pattern.

        Example:
            >>> from tensorem import nn
            >>> layer = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))
            >>> sorted(nn.build(layer, input=("N", 4)).freeze("0.*").frozen)
            ['0.bias', '0.weight']
        """
        return replace(self, frozen=self.frozen | matched("freeze", patterns, self.params))

    def unfreeze(self, *patterns: str) -> Model:
        """The same model, of which training moves these parameters again.

        Args:
            patterns: As in `freeze`.

        Raises:
            PathError: A pattern matches no parameter; those nearby are listed.
            ArgumentError: There is no pattern.
        """
        return replace(self, frozen=self.frozen - matched("unfreeze", patterns, self.params))

    # Its layers by path

    def submodel(self, path: str | int) -> Model:
        """The layer at a path as a model, with its arrays and the input that it gets here.

        Args:
            path: As in the names of the arrays: "0", "encoder.layers.1"; model[path] is the same.

        Raises:
            PathError: There is no layer; those nearby are listed.
            LayerError: The layer is not called, or with an argument that is no array.

        Example:
            >>> from tensorem import nn
            >>> layer = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))
            >>> model = nn.build(layer, input=("N", 4))
            >>> model[2]
            Model(Linear, (N, 8) -> (N, 3), 27 parameters)
        """
        path = str(path)
        part = part_at(self.layer, path, "submodel takes")
        built = read(part, _takes(self.built.table, path))
        names = {name: join(path, name) for name in declarations(part)}
        homes, state = aliases(self.layer), self.state_dict()
        names = {name: homes.get(home, home) for name, home in names.items()}
        params, buffers = (
            {name: state[home] for name, home in names.items() if home in kind}
            for kind in (self.params, self.buffers)
        )
        frozen = frozenset(name for name, home in names.items() if home in self.frozen)
        return Model(built, params, buffers, frozen)

    __getitem__ = submodel

    def replace_layer(self, path: str | int, layer: Layer, seed: int = 0) -> Model:
        """The same model with another layer at a path; all arrays that are not of it stay.

        Args:
            path: As in `submodel`.
            layer: What stands there now; its arrays start anew.
            seed: Where their initial values come from.

        Raises:
            PathError: There is no layer at the path; those nearby are listed.
            LayerError: The new one is no layer, or the path leads into a shared layer again.
            ShapeError: It does not fit where it stands.

        Example:
            >>> from tensorem import nn
            >>> layer = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))
            >>> model = nn.build(layer, input=("N", 4)).replace_layer(2, nn.Linear(8, 5))
            >>> model.output
            float32 (N, 5)
        """
        path = str(path)
        part_at(self.layer, path, "replace_layer takes")
        if not isinstance(layer, Layer):
            raise LayerError(f"replace_layer takes a layer, got {layer!r}.")
        whole = with_part(self.layer, path, layer)
        return self._read_as(whole, seed, lambda name: name.startswith(f"{path}."))

    def with_layer(self, layer: Layer, seed: int = 0) -> Model:
        """Another layer with the arrays of this model, by name; what it has besides starts anew.

        Args:
            layer: What is read now, such as this model's own with something put around a part.
            seed: Where the initial values of new arrays come from.

        Raises:
            LayerError: It is no layer.
            ShapeError: It does not fit the input, or an array of the same name has another shape.

        Example:
            >>> from tensorem import nn
            >>> model = nn.build(nn.Sequential(nn.Linear(4, 8)), input=("N", 4))
            >>> deeper = model.with_layer(nn.Sequential(nn.Linear(4, 8), nn.Linear(8, 3)))
            >>> deeper.params["0.weight"] is model.params["0.weight"], deeper.output
            (True, float32 (N, 3))
        """
        if not isinstance(layer, Layer):
            raise LayerError(f"with_layer takes a layer, got {layer!r}.")
        homes, old = aliases(self.layer), self.state_dict()
        made = self._read_as(layer, seed, lambda name: homes.get(name, name) not in old)
        for name, declared in declarations(made.layer).items():
            if made.state_dict()[name].shape != declared.shape:
                raise ShapeError(
                    f"{name} takes {format_shape(declared.shape)}, got "
                    f"{format_shape(made.state_dict()[name].shape)}."
                )
        return made

    def _read_as(self, layer: Layer, seed: int, is_new: Callable[[str], bool]) -> Model:
        """Another layer with the arrays of this model, but for those that are new."""
        whole = settled(layer, self.built.inputs)
        built, homes, old = read(whole, self.built.inputs), aliases(self.layer), self.state_dict()
        declared = declared_by(whole, seed, {})
        new = {p: d for p, d in declared.items() if is_new(p)}
        with self.precision():
            arrays = started(new, seed, float_dtype(built.inputs))
        arrays = {p: arrays[p] if p in new else old[homes.get(p, p)] for p in declared}
        params = {p: a for p, a in arrays.items() if isinstance(declared[p], Parameter)}
        buffers = {p: a for p, a in arrays.items() if p not in params}
        frozen = {p for p in params if p not in new and homes.get(p, p) in self.frozen}
        return Model(built, params, buffers, frozenset(frozen))

    def with_outputs(self, *paths: str) -> Model:
        """The same model, which gives its output and a dict with those of layers within it.

        A layer that is called several times gives the output of its last call.

        Args:
            paths: As in `submodel`.

        Raises:
            PathError: There is no layer at a path; those nearby are listed.
            LayerError: A layer is not called, or within a transform of JAX such as a loop.

        Example:
            >>> from tensorem import nn
            >>> layer = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))
            >>> y, inner = nn.build(layer, input=("N", 4)).with_outputs("1")([[1, 2, 3, 4]])
            >>> inner["1"].shape
            (1, 8)
        """
        for path in paths:
            part_at(self.layer, path, "with_outputs takes")
        built = read(Watched(self.layer, paths), self.built.inputs)
        return replace(self, built=built)

    # How it reads

    @cached_property
    def table(self) -> tuple[LayerInfo, ...]:
        """A line for each layer, parents first: shapes, parameters, operations, bytes.

        Example:
            >>> from tensorem import nn
            >>> model = nn.build(nn.Linear(3, 2), input=("N", 3))
            >>> line = model.table[0]
            >>> line.parameters, line.flops, line.activations
            (8, 14*N, 8*N)
        """
        return tuple(_counted(info, self.frozen) for info in self.built.table)

    def summary(self, width: int | None = None) -> str:
        """A table: path, layer, shape in, shape out, parameters, operations, bytes given.

        Where a size is a name, operations and bytes are polynomials in it. What each number counts
        is said in `LayerInfo`, the lines of `table`.

        Args:
            width: The columns that there are; None for those of the terminal, 100 without one.
                Where they are few, operations and bytes are left out and layers cut short, which
                then end in …; numbers never.
        """
        columns = get_terminal_size((100, 24)).columns if width is None else width
        return summary(self.table, columns)

    def __str__(self) -> str:
        return self.summary()

    def __repr__(self) -> str:
        flow = f"{text(self.built.inputs)} -> {text(self.output)}"
        return f"Model({type(self.layer).__name__}, {flow}, {total(self.built.table):,} parameters)"

    def __rich_console__(
        self, console: Console, options: ConsoleOptions
    ) -> Iterator[RenderableType]:
        yield shown(self.table, options.max_width)

    def _repr_html_(self) -> str:
        return html(self.table)

    if not TYPE_CHECKING:  # or a type checker would believe that any name is there

        def __getattr__(self, name: str) -> NoReturn:
            """Say what takes the place of what PyTorch's users look for."""
            instead = f"; {_INSTEAD[name]}" if name in _INSTEAD else ""
            raise AttributeError(f"A model has no {name}{instead}.")

    def tree_flatten(self) -> tuple[tuple[Arrays, Arrays], tuple[Built, frozenset[str]]]:
        """For jax.tree_util."""
        return (self.params, self.buffers), (self.built, self.frozen)

    @classmethod
    def tree_unflatten(
        cls, fixed: tuple[Built, frozenset[str]], children: tuple[Arrays, Arrays]
    ) -> Model:
        """For jax.tree_util."""
        return cls(fixed[0], *children, fixed[1])


def _counted(info: LayerInfo, frozen: frozenset[str]) -> LayerInfo:
    """The same line, with the parameters that are trained."""
    own = info.layer.parameters().items()
    moved = (d for n, d in own if d is not None and join(info.path, n) not in frozen)
    return replace(info, trained=sum(math.prod(d.shape) for d in moved))


def _takes(table: tuple[LayerInfo, ...], path: str) -> tuple[Tree, ...]:
    """The specs of what the layer at a path takes."""
    info = next(info for info in table if info.path == path)
    takes = info.takes
    while takes and takes[-1] is None:
        takes = takes[:-1]
    if not takes or None in takes:
        raise LayerError(
            f"submodel takes the path of a layer that is called with arrays, got {path!r}.",
            because=f"forward calls it with {text(takes)}." if takes else "forward calls it not.",
            help="build it for an input of your own: nn.build(layer, input=...).",
        )
    return tuple(takes)


_DTYPED = "it computes where JAX does; a dtype is chosen by nn.build(layer, Spec(shape, dtype))"
_INSTEAD = {
    **dict.fromkeys(("weight", "bias"), "its arrays stand in model.params, by name"),
    **dict.fromkeys(("cpu", "cuda"), "JAX places arrays: jax.device_put(model, device)"),
    **dict.fromkeys(("bfloat16", "double", "float", "half", "to"), _DTYPED),
    **dict.fromkeys(
        ("children", "named_children"), "model.layer is the layer that it was built of"
    ),
    **dict.fromkeys(("modules", "named_modules"), "model.table has a line for each layer"),
    "compile": "model(x) is compiled",
    "register_forward_hook": "model.with_outputs(path) gives what a layer gives too",
    "forward": "model(x) calls it",
    "eval": "model(x) is evaluation, model.train_apply(...) training",
    "train": "train.fit(model, data) trains, and returns run.model",
    "save": "tm.save(model, folder) writes it",
    "zero_grad": "gradients are values: autograd.grad_params(model, loss, x, target)",
    "requires_grad_": "model.freeze(pattern) leaves parameters out of training",
}
"""What PyTorch's users look for -> where it is."""
