"""The tree that layers form: which layer stands where, under the names of a PyTorch state dict."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from dataclasses import Field, fields
from typing import Any, ClassVar

from ._declared import Buffer, Parameter


def _itself(self: Part, *shapes: Any) -> Part:
    return self


class Part:
    """Anything that stands in a tree of layers, and what is asked of it: `Layer` answers."""

    shares: ClassVar[bool] = False
    """Whether it may stand in several places with one set of arrays: `nn.share`."""
    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]
    takes: ClassVar[str | Mapping[str, str]]
    output_shape: ClassVar[Callable[..., Any]]
    forward: ClassVar[Callable[..., Any]]
    sized: ClassVar[Callable[..., Any]] = _itself

    @abstractmethod
    def __call__(self, *xs: Any, **kw: Any) -> Any: ...

    @abstractmethod
    def label(self) -> str: ...

    @abstractmethod
    def parameters(self) -> Mapping[str, Parameter | None]: ...

    @abstractmethod
    def buffers(self) -> Mapping[str, Buffer | None]: ...

    @abstractmethod
    def seeds(self) -> Mapping[str, int]: ...

    @abstractmethod
    def supplies(self) -> tuple[str, ...]: ...


class Whole:
    """A layer with its arrays, which is no part of another: a model."""


def join(path: str, name: str) -> str:
    """Two pieces of a path; either may be empty."""
    return f"{path}.{name}" if path and name else path or name


def parts(layer: Part) -> Iterator[tuple[str, Part]]:
    """The direct sub-layers of a layer with their paths, in the order of its fields."""
    for name, value in _fields(layer):
        yield from _parts_in(name, value)


def walk(layer: Part, path: str = "") -> Iterator[tuple[str, Part]]:
    """A layer and all layers below it, each with its path, parents first."""
    yield path, layer
    for name, part in parts(layer):
        yield from walk(part, join(path, name))


def is_leaf(layer: Part) -> bool:
    """Whether no layer stands below this one."""
    return next(parts(layer), None) is None


def mapped(layer: Part, path: str, f: Callable[[str, Any], Any]) -> dict[str, Any]:
    """The fields of a layer, with every sub-layer replaced by f(its path, itself)."""
    return {
        field.name: _map(join(path, field.metadata.get("path", field.name)), value, f)
        for field, value in _field_values(layer)
    }


def rebuilt(layer: Part, new: Callable[[str, Part], Part]) -> Part:
    """A tree of layers with other ones in place of some; shared layers stay shared.

    Args:
        new: (path, layer) -> what stands there, the layer itself where nothing changes.
    """
    copied: dict[int, Part] = {}

    def again(here: str, part: Part) -> Part:
        now = new(here, part)
        if now is not part or is_leaf(part):
            return now
        if id(part) in copied:
            return copied[id(part)]
        made = object.__new__(type(part))
        made.__dict__.update(mapped(part, "", lambda name, p: again(join(here, name), p)))
        if part.shares:
            copied[id(part)] = made
        return made

    return again("", layer)


def own(value: Any, default: Any) -> Any:
    """A value of a field without layers of the default of its class, which all would share."""
    shared = {id(part) for _, part in _parts_in("", default)}
    if not shared:
        return value
    return _map("", value, lambda _, part: _copied(part) if id(part) in shared else part)


def _copied(part: Part) -> Part:
    return part if part.shares else deepcopy(part)


def place(root: str, path: str) -> str:
    """A path as a reader writes it: `model[0].gate` for `0.gate`."""
    steps = path.split(".") if path else []
    return root + "".join(f"[{s}]" if s.isdigit() else f".{s}" for s in steps)


def _field_values(layer: Part) -> Iterator[tuple[Field[Any], Any]]:
    for field in fields(layer):
        yield field, getattr(layer, field.name)


def _fields(layer: Part) -> Iterator[tuple[str, Any]]:
    for field, value in _field_values(layer):
        yield field.metadata.get("path", field.name), value


def _parts_in(path: str, value: object) -> Iterator[tuple[str, Part]]:
    if isinstance(value, Part):
        yield path, value
    elif isinstance(value, tuple):
        for i, item in enumerate(value):
            yield from _parts_in(join(path, str(i)), item)
    elif isinstance(value, Mapping):
        for name, item in value.items():
            yield from _parts_in(join(path, str(name)), item)


def _map(path: str, value: Any, f: Callable[[str, Any], Any]) -> Any:
    if isinstance(value, Part):
        return f(path, value)
    if type(value) is tuple:
        return tuple(_map(join(path, str(i)), item, f) for i, item in enumerate(value))
    if isinstance(value, Mapping):
        return {k: _map(join(path, str(k)), item, f) for k, item in value.items()}
    return value
