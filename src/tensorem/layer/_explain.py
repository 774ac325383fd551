"""Errors of shapes, explained: where it happened, what set the size, what to write instead."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import fields, replace

from tensorem.errors import ShapeError, TensoremError
from tensorem.shapes import (
    UNKNOWN,
    OpenShape,
    Shape,
    Size,
    format_shape,
    names_in,
    numel,
    same_size,
)

from ._log import Call, Log
from ._specs import Tree, is_shape, text
from ._tree import Part, place


def explained(
    error: ShapeError,
    layer: Part,
    path: str,
    shapes: tuple[Tree, ...],
    ids: tuple[int, ...],
    noted: Log | None,
) -> ShapeError:
    """The error with its place, the origin of the wrong size, and remedies.

    Where no calls were noted its place is left to `located`.
    """
    log = noted or Log()
    calls = [*log.inputs, *log.calls]
    before = _producer(calls, ids, shapes)
    spot = _wrong_axis(layer, shapes)
    origin = _origin(calls, before, spot) if spot and before else None
    size = _size_at(shapes[spot[0]], spot[1]) if spot else UNKNOWN
    return ShapeError(
        error.what,
        where=error.where or (_where(log.root, path, before) if noted else ""),
        source=_told(error) or _source(log.root, origin, size) or named_by(error.names, log),
        because=error.because,
        help=_remedy(error.help, layer, shapes, spot, origin, log.root),
    )


def _told(error: ShapeError) -> str:
    """The source that an inner layer told; that of a rule is about operands, which layers hide."""
    return error.source if error.where else ""


Spot = tuple[int, int]
"""Which input, and which axis of it, counted from the last (-1)."""


def _wrong_axis(layer: Part, shapes: tuple[Tree, ...]) -> Spot | None:
    """The axis without which the inputs would fit: unknown in its place passes the rule."""
    for i, shape in enumerate(shapes):
        for axis in range(-len(_sizes(shape)), 0):
            if _passes(layer, _with_size(shapes, (i, axis), UNKNOWN)) is not None:
                return i, axis
    return None


def _passes(layer: Part, shapes: tuple[Tree, ...]) -> Tree:
    try:
        return layer.output_shape(*shapes)
    except (TensoremError, TypeError):
        return None


def _sizes(shape: Tree) -> tuple[Size, ...]:
    if isinstance(shape, OpenShape):
        return shape.last
    return shape if is_shape(shape) else ()


def _size_at(shape: Tree, axis: int) -> Size:
    sizes = _sizes(shape)
    return sizes[axis] if -axis <= len(sizes) else UNKNOWN


def _with_size(shapes: tuple[Tree, ...], spot: Spot, size: Size) -> tuple[Tree, ...]:
    i, axis = spot
    sizes = list(_sizes(shapes[i]))
    sizes[axis] = size
    changed = OpenShape(tuple(sizes)) if isinstance(shapes[i], OpenShape) else tuple(sizes)
    return (*shapes[:i], changed, *shapes[i + 1 :])


# Where the size came from


def _producer(calls: list[Call], ids: tuple[int, ...], shapes: tuple[Tree, ...]) -> Call | None:
    """The call that made the first input: by identity, or else the last with that shape."""
    # A value that went into another layer before is not fresh: one that merely looks like it did
    # not make it.
    if not ids or any(ids[0] in call.inputs and ids[0] not in call.outputs for call in calls):
        return next((call for call in calls if ids and ids[0] in call.outputs), None)
    made = [call for call in calls if ids[0] in call.outputs]
    alike = [call for call in reversed(calls) if call.gives == shapes[0]]
    return next(iter([*reversed(made), *alike]), None)


def _origin(calls: list[Call], call: Call | None, spot: Spot) -> Call | None:
    """The last call before that set the axis: what came in had another size there."""
    axis = spot[1]
    while call is not None:
        # A block gives what its last layer gave: the innermost call is noted first, and is meant.
        call = next((c for c in calls if set(c.outputs) & set(call.outputs)), call)
        if len(call.takes) != 1:  # of several inputs nobody knows which one the axis is from
            return call
        if not same_size(_size_at(call.takes[0], axis), _size_at(call.gives, axis)):
            return call
        calls = calls[: calls.index(call)]
        call = _producer(calls, call.inputs, call.takes)
    return None


def _where(root: str, path: str, before: Call | None) -> str:
    here = place(root, path)
    if before is None or before.layer is None:
        return here
    return f"{here}, after {place(root, before.path)} {before.layer.label()}  {_flow(before)}"


def _flow(call: Call) -> str:
    return f"{', '.join(map(text, call.takes))} -> {text(call.gives)}"


def _source(root: str, origin: Call | None, size: Size) -> str:
    if origin is None or size == UNKNOWN:
        return ""
    if origin.layer is None:
        return f"{size} is set by the input {text(origin.gives)}"
    shown = "" if size in _numbers(origin.layer).values() else f"  {_flow(origin)}"
    return f"{size} is set by {place(root, origin.path)} {origin.layer.label()}{shown}"


def named_by(names: tuple[str, ...], log: Log) -> str:
    """Which inputs set the names of sizes."""
    return set_by(names, [("the input", call.gives) for call in log.inputs])


# What to write instead


def _remedy(
    given: str,
    layer: Part,
    shapes: tuple[Tree, ...],
    spot: Spot | None,
    origin: Call | None,
    root: str,
) -> str:
    if spot is None:
        return given
    flattened = _flattened(layer, shapes)
    found = [flattened] if flattened else [*_rewritten(layer, shapes, spot, origin, root)]
    return ", or ".join(found) + "." if found else given


def _flattened(layer: Part, shapes: tuple[Tree, ...]) -> str:
    """Flatten an image or a sequence, where the layer then fits, as it is or with another size."""
    x = shapes[0]
    if len(shapes) > 1 or not isinstance(x, tuple) or len(x) < 3:
        return ""
    flat = (x[0], numel(x[1:]))
    if _passes(layer, (flat,)) is not None:
        return "put nn.Flatten() before it"
    if len(x) < 4 or not isinstance(flat[1], int):
        return ""
    fits = [y for y in _refitted(layer, flat[1]) if _passes(y, (flat,)) is not None]
    return f"put nn.Flatten() before it and write nn.{fits[0]!r}" if fits else ""


def _refitted(layer: Part, new: int) -> Iterator[Part]:
    """The layer with each of its integer fields in turn changed to a value."""
    yield from _changed(layer, list(_numbers(layer).values()), new)


def _rewritten(
    layer: Part, shapes: tuple[Tree, ...], spot: Spot, origin: Call | None, root: str
) -> Iterator[str]:
    got = _size_at(shapes[spot[0]], spot[1])
    wanted = [
        n
        for n in _numbers(layer).values()
        if _passes(layer, _with_size(shapes, spot, n)) is not None
    ]
    # Either this layer takes what comes, or the layer that set the size gives what this one wants.
    if isinstance(got, int):
        fits = (x for x in _changed(layer, wanted[:1], got) if _passes(x, shapes) is not None)
        yield from (f"write nn.{x!r}" for x in list(fits)[:1])
    if origin is not None and origin.layer is not None and wanted and isinstance(got, int):
        for other in _changed(origin.layer, [got], wanted[0]):
            if _size_at(_passes(other, origin.takes), spot[1]) == wanted[0]:
                yield f"make {place(root, origin.path)} nn.{other!r}"
                return


def _numbers(layer: Part) -> dict[str, int]:
    """The integer fields of a layer."""
    found = {f.name: getattr(layer, f.name) for f in fields(layer)}
    return {k: v for k, v in found.items() if isinstance(v, int) and not isinstance(v, bool)}


def _changed(layer: Part, old: Sequence[Size], new: int) -> Iterator[Part]:
    """The layer with one integer field changed from a value to another."""
    for name, value in _numbers(layer).items():
        if value in old:
            try:
                yield replace(layer, **{name: new})
            except TensoremError:
                continue


def set_by(names: Iterable[str], inputs: Iterable[tuple[str, Shape]]) -> str:
    """Which input sets which name.

    Example:
        >>> from tensorem.shapes import shape_of
        >>> set_by(["M", "N"], [("the input", shape_of(("N", "M", 3)))])
        'M and N are set by the input (N, M, 3)'
    """
    left, found = set(names), []
    for label, shape in inputs:
        here = sorted(left & names_in(shape))
        left -= set(here)
        if here:
            verb = "is" if len(here) == 1 else "are"
            found.append(f"{' and '.join(here)} {verb} set by {label} {format_shape(shape)}")
    return ", ".join(found)
