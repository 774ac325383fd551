"""The arrays that a layer and the layers below it declare, by path."""

from __future__ import annotations

from dataclasses import replace

from tensorem import rand
from tensorem.errors import LayerError, PathError

from ._declared import Buffer, Derived, Parameter
from ._tree import Part, join, parts

Found = dict[str, Parameter | Buffer]


def declarations(layer: Part) -> dict[str, Parameter | Buffer]:
    """Every parameter and buffer of a layer by its path, in the order of the fields.

    Raises:
        LayerError: A layer with parameters stands in two places, or two arrays have one path.
        PathError: A layer seeds or supplies a parameter that is not there.
    """
    found: Found = {}
    seen: dict[int, str] = {}
    shared: dict[int, str] = {}
    _declare(layer, "", found, seen, shared)
    return found


def _declare(
    layer: Part,
    path: str,
    found: Found,
    seen: dict[int, str],
    shared: dict[int, str],
) -> None:
    if layer.shares:
        if id(layer) in shared:
            return
        shared[id(layer)] = path
    own = {n: d for n, d in {**layer.parameters(), **layer.buffers()}.items() if d is not None}
    _require_once(layer, path, own, seen)
    for name, declared in own.items():
        if join(path, name) in found:
            raise LayerError(f"The path {join(path, name)!r} names two arrays.")
        found[join(path, name)] = _placed(declared, path)
    for name, part in parts(layer):
        _declare(part, join(path, name), found, seen, shared)
    for name in layer.supplies():
        if not isinstance(found.pop(join(path, name), None), Parameter):
            raise PathError(f"{layer.label()} supplies {name!r}, which is no parameter in it.")
    for name, seed in layer.seeds().items():
        found[join(path, name)] = _seeded(layer, found.get(join(path, name)), name, seed)


def _placed(declared: Parameter | Buffer, path: str) -> Parameter | Buffer:
    """What starts from another array names it by its path."""
    if not isinstance(declared.init, Derived):
        return declared
    init = replace(declared.init, source=join(path, declared.init.source))
    return replace(declared, init=init)


def _seeded(layer: Part, declared: Parameter | Buffer | None, name: str, seed: int) -> Parameter:
    if not isinstance(declared, Parameter):
        raise PathError(f"{layer.label()} seeds {name!r}, which is no parameter of it.")
    return replace(declared, seed=rand.check_seed(seed))


def _require_once(layer: Part, path: str, own: Found, seen: dict[int, str]) -> None:
    if own and id(layer) in seen:
        raise LayerError(
            f"{layer.label()} stands in two places, {seen[id(layer)]!r} and {path!r}.",
            because="one object would have one set of parameters, or two; the layer cannot say.",
            help=_one_for_each(layer, seen[id(layer)], path),
        )
    seen[id(layer)] = path


def _one_for_each(layer: Part, first: str, second: str) -> str:
    field = second.rpartition(".")[2]
    # Two layers that hold it in one field were given it, most likely, as a default.
    alike = first.rpartition(".")[2] == field and not field.isdigit()
    own = f" ({field} = field(default_factory=lambda: {layer!r}))" if alike else ""
    return f"construct one for each place{own}, or say that they share: s = nn.share(layer)."
