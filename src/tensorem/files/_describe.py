"""A layer as data: layers of `tensorem.nn`, adapters, and their arguments, with no Python in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from tensorem import adapters, nn
from tensorem.errors import FileError, TensoremError

LAYERS: dict[str, type[nn.Layer]] = {
    name: kind
    for room in (nn, adapters)
    for name, kind in vars(room).items()
    if isinstance(kind, type) and issubclass(kind, nn.Layer) and kind is not nn.Layer
}
_SHARED = type(nn.share(nn.Identity()))


class _ForeignError(Exception):
    """A layer of a user's own stands somewhere in the tree."""


def description(layer: nn.Layer) -> object:
    """The layer as JSON values; None where a layer of a user's own is part of it.

    Example:
        >>> description(nn.ReLU())
        {'layer': 'ReLU', 'arguments': {}}
    """
    try:
        return _encode(layer, {})
    except _ForeignError:
        return None


def described(value: object) -> nn.Layer:
    """The layer that a description names.

    Raises:
        FileError: The description names none, or its arguments do not fit.
    """
    try:
        layer = _decode(value, {})
    except TensoremError as error:
        raise FileError("The description of the layers is malformed.", because=error.what) from None
    except (TypeError, KeyError, ValueError, AttributeError, RecursionError) as error:
        reason = f"{type(error).__name__}: {error}"
        raise FileError("The description of the layers is malformed.", because=reason) from None
    if not isinstance(layer, nn.Layer):
        raise FileError(f"A description of layers names a layer, got {value!r}.")
    return layer


def _encode(value: object, shared: dict[int, int]) -> object:
    if isinstance(value, nn.Layer):
        return _encode_layer(value, shared)
    if isinstance(value, tuple):
        return [_encode(item, shared) for item in value]
    if isinstance(value, Mapping):
        return {"items": {key: _encode(item, shared) for key, item in value.items()}}
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise _ForeignError


def _encode_layer(layer: nn.Layer, shared: dict[int, int]) -> object:
    if isinstance(layer, _SHARED):
        number = shared.setdefault(id(layer), len(shared))
        return {"share": number, "of": _encode(layer.layer, shared)}
    kind = type(layer).__name__
    if LAYERS.get(kind) is not type(layer):
        raise _ForeignError
    given = [field.name for field in fields(layer) if field.init]
    values = {name: getattr(layer, name) for name in given}
    arguments = {key: _encode(item, shared) for key, item in values.items()}
    if _made(kind, values) != layer:  # a part was replaced that the layer makes itself
        raise _ForeignError
    return {"layer": kind, "arguments": arguments}


def _decode(value: object, shared: dict[int, Any]) -> Any:
    if isinstance(value, list):
        return tuple(_decode(item, shared) for item in value)
    if not isinstance(value, dict):
        return value
    if "items" in value:
        return {key: _decode(item, shared) for key, item in value["items"].items()}
    if "share" in value:
        number = value["share"]
        if number not in shared:
            shared[number] = nn.share(_decode(value["of"], shared))
        return shared[number]
    arguments = {key: _decode(item, shared) for key, item in value["arguments"].items()}
    return _made(value["layer"], arguments)


def _made(name: str, arguments: dict[str, Any]) -> nn.Layer:
    if name not in LAYERS:
        raise FileError(f"A description names layers of tensorem.nn, got {name!r}.")
    known = {field.name for field in fields(LAYERS[name])}
    if unknown := sorted(arguments.keys() - known):
        raise FileError(f"A description of {name} has no field {unknown[0]!r}.")
    return LAYERS[name].of_fields(**arguments)
