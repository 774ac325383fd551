"""`Layer`: a frozen description of a function with parameters, and what one declares."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, field, fields
from functools import wraps
from types import MappingProxyType
from typing import Any, ClassVar, NoReturn, Self, dataclass_transform

import numpy as np

from tensorem.calls import check_call, named
from tensorem.errors import LayerError
from tensorem.shapes import UNKNOWN_RANK, OpenShape

from ._bind import EVALUATION, Array, Arrays, Context, Frame, Pass
from ._check import check_takes
from ._declared import Buffer, Parameter
from ._specs import Tree
from ._tree import Part, Whole, is_leaf, mapped, own


def _unknown(self: Layer, *shapes: Tree) -> OpenShape:
    return UNKNOWN_RANK


def _missing(self: Layer, *xs: Tree) -> NoReturn:
    raise LayerError(
        f"{type(self).__name__} has no forward.", help="define `def forward(self, x): ...`."
    )


@dataclass_transform(eq_default=True, frozen_default=True, field_specifiers=(field,))
class Layer(Part):
    """A function with named parameters, described by its fields; it holds no arrays.

    Subclassing makes a frozen, hashable dataclass. Sub-layers are fields, also inside tuples and
    dicts; `forward` calls them as functions. Arrays exist after `nn.build`.

    Example:
        >>> from tensorem import nn
        >>> class Twice(nn.Layer):
        ...     inner: nn.Linear
        ...     def forward(self, x):
        ...         return self.inner(self.inner(x))
        >>> nn.build(Twice(nn.Linear(3, 3)), input=("N", 3)).output
        float32 (N, 3)
    """

    takes: ClassVar[str | Mapping[str, str]] = "any"
    """The dtypes of the inputs: "any", "float", "integer" or "bool"; or such a word for some inputs
    of forward by name, {"x": "float", "mask": "bool"}."""

    _reserved: ClassVar[frozenset[str]]

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        dataclass(frozen=True, eq=False, repr=False)(cls)
        del cls.__setattr__, cls.__delattr__  # those of Layer say what to write instead
        cls.__init__ = _explained(cls.__init__)  # type: ignore[method-assign]
        taken = sorted(cls._reserved & {f.name for f in fields(cls)})
        if taken:
            raise LayerError(
                f"{cls.__name__} has a field `{taken[0]}`, which every layer has as a method.",
                help="give the field another name.",
            )
        _require_annotations(cls)
        check_takes(cls)

    def __post_init__(self) -> None:
        """Make containers immutable. A subclass with its own `__post_init__` calls this one."""
        for f in given(self):
            object.__setattr__(self, f.name, _frozen(getattr(self, f.name)))

    @classmethod
    def of_fields(cls, **values: Any) -> Self:
        """The layer by all its fields; a constructor that takes something else says how here.

        Example:
            >>> from tensorem import nn
            >>> nn.Input.of_fields(shape=(3, 4))
            Input(3, 4)
        """
        return cls(**values)

    # What a layer declares

    def parameters(self) -> Mapping[str, Parameter | None]:
        """The parameters of this layer itself by name; None for one that is switched off."""
        return {}

    def buffers(self) -> Mapping[str, Buffer | None]:
        """The buffers of this layer itself by name; None for one that is switched off."""
        return {}

    def seeds(self) -> Mapping[str, int]:
        """Seeds of parameters in and below this layer, by path from here: see `nn.Seeded`."""
        return {}

    def supplies(self) -> tuple[str, ...]:
        """Parameters of sub-layers, by path from here, that `forward` computes: see `nn.supply`."""
        return ()

    @property
    def stated_input(self) -> Tree:
        """The shape that goes in, where the layer says it itself; None where `build` is told."""
        return None

    # Typed as fields, so that a subclass may write `def forward(self, x, mask)`.

    output_shape: ClassVar[Callable[..., Any]] = _unknown
    """The shape that comes out, as far as the shapes that go in decide it.

    Raises:
        ShapeError: The shapes do not fit, whatever the sizes that are not known.
    """

    forward: ClassVar[Callable[..., Any]] = _missing
    """The function itself; `self` is bound, so `self.weight` and `self.inner(x)` work."""

    sized: ClassVar[Callable[..., Any]] = Part.sized
    """The layer that this one is for inputs of these shapes; itself, where its sizes are given.

    `build` asks with the shapes that flow in, and puts the answer in its place: so a layer gets a
    size from the data. Until then it declares no arrays. The page on layers has an example.
    """

    # How it is called

    def call(
        self, variables: tuple[Arrays, Arrays], *xs: Tree, ctx: Context = EVALUATION, **kw: Tree
    ) -> tuple[Tree, Arrays]:
        """The pure core: ((parameters, buffers), inputs, context) -> (output, buffers).

        The buffers come back in a container like the one that is given, so that a loop can carry
        them.
        """
        whole = Pass(*variables, ctx=ctx)
        return whole.start(self, xs, kw), type(whole.given)(whole.buffers)

    def __call__(self, *xs: Tree, **kw: Tree) -> Tree:
        frame = self._frame(f"{type(self).__name__} is called, but it holds no arrays.")
        return frame.within.invoke(self, frame, xs, kw)

    @property
    def training(self) -> bool:
        """Whether this forward is a training step."""
        return self._frame("`training` is known inside forward only.").training

    def key(self) -> Array:
        """A fresh random key: one per path, call and draw of this step."""
        return self._frame("`key` works inside forward only.").draw()

    def update(self, **values: Array) -> None:
        """Replace buffers of this layer by name, in a training step."""
        self._frame("`update` works inside forward only.").update(self, values)

    def _frame(self, otherwise: str) -> Frame:
        frame: Frame | None = self.__dict__.get("_bound")
        if frame is None:
            raise LayerError(
                otherwise,
                help="model = nn.build(layer, input=...), then model(x); inside a layer of your"
                " own make it a field and call self.<field>(x).",
            )
        return frame

    _after: ClassVar[Callable[[Any, Any], Any]]
    """What `first >> second` makes; it is a layer of `nn`, which stands above this room."""

    def __rshift__(self, other: Layer) -> Layer:
        """`nn.Sequential(self, other)`; a chain of these is one.

        Example:
            >>> from tensorem import nn
            >>> nn.Linear(4, 8) >> nn.ReLU() >> nn.Linear(8, 3)
            Sequential(Linear(4, 8), ReLU(), Linear(8, 3))
        """
        made: Layer = type(self)._after(self, other)
        return made

    # How it reads

    def label(self) -> str:
        """The layer in tables and messages: its hyper-parameters, without the layers below it."""
        shown = is_leaf(self) and _arguments(self)
        return repr(self) if shown else type(self).__name__

    def __repr__(self) -> str:
        frame = self.__dict__.get("_bound")
        return f"{type(self).__name__}({', '.join(_arguments(frame.layer if frame else self))})"

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and all(
            _told_apart(getattr(self, f.name)) == _told_apart(getattr(other, f.name))
            for f in fields(self)
        )

    def __hash__(self) -> int:
        return hash((type(self), *(_hashable(self, f.name) for f in fields(self))))

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        """A distinct layer with the same description."""
        copied = object.__new__(type(self))
        copied.__dict__.update(mapped(self, "", lambda _, part: part.__deepcopy__(memo)))
        return copied

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise LayerError(
            f"{type(self).__name__} is frozen: `{name}` cannot be set.",
            help=f"declare a field in the class body (`{name}: nn.Linear`) and pass it when the"
            " layer is made; in forward use self.update(name=value) for a buffer.",
        )

    def __delattr__(self, name: str) -> NoReturn:
        raise LayerError(f"{type(self).__name__} is frozen: `{name}` cannot be deleted.")

    def __getattr__(self, name: str) -> Any:
        if not name.startswith("_") and name in (*self.parameters(), *self.buffers()):
            raise AttributeError(
                f"{self.label()} holds no arrays; read model.params after model = nn.build(...)."
            )
        raise AttributeError(f"{type(self).__name__} has no attribute {name!r}.")


Layer._reserved = frozenset(n for n in vars(Layer) if not n.startswith("_"))


def _explained(init: Callable[..., None]) -> Callable[..., None]:
    """The constructor; a call or an argument that does not fit it is an error of ours."""
    whole = inspect.signature(init)
    signature = whole.replace(parameters=list(whole.parameters.values())[1:])  # without self

    @wraps(init)
    def __init__(self: Layer, *args: Any, **kwargs: Any) -> None:
        name = type(self).__name__
        with named(name):
            check_call(signature, args, kwargs, name)
            init(self, *args, **kwargs)
        for f in fields(self):
            value = own(getattr(self, f.name), f.default)
            _require_no_model(name, f.name, value)
            object.__setattr__(self, f.name, value)

    return __init__


def _require_annotations(cls: type[Layer]) -> None:
    """A layer that is no field is nobody's part: it would have no arrays."""
    known = {f.name for f in fields(cls)}
    for name, value in vars(cls).items():
        if name not in known and isinstance(value, Layer):
            kind = type(value).__name__
            raise LayerError(
                f"{cls.__name__} has a layer `{name}` without an annotation.",
                because="only what is annotated is a field, and so a part with arrays of its own.",
                help=f"write `{name}: {kind} = {value!r}`.",
            )


def _require_no_model(owner: str, name: str, value: object) -> None:
    if _holds_model(value):
        raise LayerError(
            f"{owner} takes layers and plain values as fields, got a built model as `{name}`.",
            because="its arrays would be neither trained nor saved.",
            help="give its layer, model.layer, and put its arrays into the built whole: "
            "whole.load_state_dict({**whole.state_dict(), ...}).",
        )


def _holds_model(value: object) -> bool:
    if isinstance(value, tuple | Mapping):
        held = value.values() if isinstance(value, Mapping) else value
        return any(map(_holds_model, held))
    return isinstance(value, Whole)


def _arguments(layer: Part) -> list[str]:
    """The call that makes this layer: required fields by place, others where they differ."""
    shown = []
    for f in given(layer):
        value = getattr(layer, f.name)
        if f.default is MISSING and f.default_factory is MISSING and not f.kw_only:
            shown.append(_text(value))
        elif value != (f.default if f.default is not MISSING else _made(f)):
            shown.append(f"{f.name}={_text(value)}")
    return shown


def given(layer: Part) -> list[dataclasses.Field[Any]]:
    """The fields that describe a layer; what is made of them (`field(init=False)`) is none."""
    return [f for f in fields(layer) if f.init]


def _made(f: dataclasses.Field[Any]) -> Any:
    return _frozen(f.default_factory()) if f.default_factory is not MISSING else MISSING


def _text(value: object) -> str:
    return repr(dict(value)) if isinstance(value, Mapping) else repr(value)


def _frozen(value: Any) -> Any:
    if isinstance(value, np.generic):  # a number of NumPy is that number
        return value.item()
    if isinstance(value, list) or type(value) is tuple:
        return tuple(_frozen(item) for item in value)
    if isinstance(value, Mapping):
        return MappingProxyType({k: _frozen(item) for k, item in value.items()})
    return value


def _hashable(layer: Part, name: str) -> int:
    try:
        return hash(_told_apart(getattr(layer, name)))
    except TypeError as e:
        raise LayerError(
            f"the field `{name}` of {type(layer).__name__} is not a plain value: {e}.",
            because="a layer describes; arrays are parameters or buffers.",
            help="declare arrays in parameters() or buffers().",
        ) from None


def _told_apart(value: Any) -> Any:
    """What is equal for values that mean the same in `forward`: 1, 1.0 and True are three."""
    if isinstance(value, Mapping):
        return tuple((k, _told_apart(item)) for k, item in value.items())
    if type(value) is tuple:
        return tuple(map(_told_apart, value))
    return type(value), value.hex() if type(value) is float else value
