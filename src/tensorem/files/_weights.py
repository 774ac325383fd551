"""Arrays by name from files of others, and a table that gives them our names."""

from __future__ import annotations

import re
import zipfile
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tensorem import disk
from tensorem.errors import ArgumentError, FileError, PathError, ShapeError
from tensorem.shapes import format_shape

from ._bounded import require_bounded
from ._keras import read_h5, read_keras

Names = str | tuple[str, ...]
State = Mapping[str, Any]

_PLACE = re.compile(r"\{(\w+)(\.\.\.)?\}")


@dataclass(frozen=True)
class To:
    """Where arrays go, and what becomes of each on the way.

    Args:
        names: A pattern; or several, which share the array in equal parts of its first axis.
        through: A function of one array, as `numpy.transpose`; of several arrays it takes each
            before they are joined.
    """

    names: Names
    through: Callable[[NDArray[Any]], NDArray[Any]]


Table = Mapping[Names, Names | To | None]


def read_weights(path: str | Path) -> disk.Arrays:
    """The arrays by name of a safetensors file, an .npz file, or a folder of Hugging Face's form.

    Weights of Keras 3 (.weights.h5, .keras) are read too; `KERAS` says what becomes of its layouts.

    Args:
        path: A file; its index (`model.safetensors.index.json`), where it is in pieces; or the
            folder with either.

    Raises:
        FileError: A file is missing, malformed, or holds Python objects; a pickle (.pt, .bin) is
            refused unread; or a piece lacks an array that the index promises.
        ArgumentError: The h5py package is not installed, for weights of Keras.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "model.safetensors"
        >>> _ = path.write_bytes(disk.pack({"h.0.weight": np.ones((2, 3))}))
        >>> {name: a.shape for name, a in read_weights(path).items()}
        {'h.0.weight': (2, 3)}
    """
    path = disk.path_of(path)
    if disk.is_folder(path):
        return read_weights(_inside(path))
    readers = {".safetensors": _safetensors, ".npz": _npz, ".json": _pieces}
    read = {**readers, ".h5": read_h5, ".keras": read_keras}.get(path.suffix)
    if read is None:
        raise FileError(
            "read_weights takes a .safetensors, .npz, .h5 or .keras file, or an index .json, got "
            f"{path.name}.",
            help="a pickle runs code when it is read; where you trust it, write it anew with "
            "safetensors.torch.save_file(torch.load(path), new).",
        )
    return read(path)


def renamed(state: State, table: Table) -> dict[str, NDArray[Any]]:
    """The arrays of a state dict under other names, by rules of patterns.

    A rule is `pattern: pattern`. `{i}` stands for one part of a name, `{path...}` for any number of
    parts, and means the same on both sides. Several patterns on the left are joined along the first
    axis, several on the right share the array in equal parts of it; `To` also gives a function of
    each array, and None leaves them out. For a name the first rule that fits counts.

    Args:
        state: Arrays by name, as `read_weights` gives them.
        table: The rules.

    Raises:
        ArgumentError: A pattern uses a place that the other side lacks.
        PathError: A name fits no rule, a rule fits no name, two arrays get one name, or of those to
            be joined one is missing; what is near is listed.
        ShapeError: An array has no equal parts, or those to be joined do not fit.

    Example:
        >>> state = {"h.0.attn.weight": np.ones((4, 12)), "h.0.mask": np.ones((8, 8))}
        >>> table = {
        ...     "h.{i}.attn.weight": To("blocks.{i}.attn.in_proj_weight", np.transpose),
        ...     "h.{i}.mask": None,
        ... }
        >>> {name: a.shape for name, a in renamed(state, table).items()}
        {'blocks.0.attn.in_proj_weight': (12, 4)}
    """
    rules = [_rule(of, to) for of, to in table.items()]
    groups = _groups(state, rules)
    moved: dict[str, NDArray[Any]] = {}
    for rule, places, names in groups:
        found = _moved(rule, places, [np.asarray(state[name]) for name in names])
        if twice := found.keys() & moved.keys():
            raise PathError(
                f"A renaming gives each array a name of its own, got {min(twice)} twice.",
                because=f"the second is {', '.join(names)}.",
            )
        moved |= found
    return moved


# Files


def _inside(folder: Path) -> Path:
    files = [folder / "model.safetensors", folder / "model.safetensors.index.json"]
    found = next(filter(disk.is_file, files), None)
    if found is None:
        raise FileError(
            f"A folder of weights holds {files[0].name} or {files[1].name}, got {folder}.",
            help="name the file itself.",
        )
    return found


def _safetensors(path: Path) -> disk.Arrays:
    return disk.read_arrays(path)[0]


_UNREADABLE = (OSError, ValueError, EOFError, TypeError, zipfile.BadZipFile, zlib.error)


def _npz(path: Path) -> disk.Arrays:
    try:
        with np.load(path, allow_pickle=False) as archive:
            infos = archive.zip.infolist()
            require_bounded(path, sum(i.file_size for i in infos), path.stat().st_size)
            return dict(archive)
    except FileError:
        raise
    except (*_UNREADABLE, AttributeError, MemoryError) as error:
        raise FileError(
            "An .npz file of weights is whole and holds numbers, got another.",
            where=str(path),
            because=str(error),
        ) from None


def _pieces(path: Path) -> disk.Arrays:
    """The arrays of an index: name -> the file beside it that holds the array."""
    homes = _homes(path)
    files = {home: disk.read_arrays(path.parent / home)[0] for home in sorted({*homes.values()})}
    for name, home in homes.items():
        if name not in files[home]:
            raise FileError(f"{path.name} says that {home} holds {name}, it does not.")
    return {name: files[home][name] for name, home in homes.items()}


def _homes(path: Path) -> dict[str, str]:
    try:
        homes = disk.parse_json(disk.read_whole(path))["weight_map"]
        if all(home == Path(home).name for home in homes.values()):
            return dict(homes)
        because = "a file stands beside its index."
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        because = f"{type(error).__name__}: {error}"
    raise FileError(
        f"{path} is no index: a weight_map from names to names of files.", because=because
    )


# Names


@dataclass(frozen=True)
class _Rule:
    """One line of a table: patterns to match, patterns to fill, and a function of each array."""

    sources: tuple[str, ...]
    targets: tuple[str, ...]
    through: Callable[[NDArray[Any]], NDArray[Any]]


_Group = tuple[_Rule, Mapping[str, str], list[str]]


def _rule(of: Names, to: Names | To | None) -> _Rule:
    to = to if isinstance(to, To) else To((), _same) if to is None else To(to, _same)
    rule = _Rule(_each(of), _each(to.names), to.through)
    places = _places(rule.sources[0])
    for pattern in (*rule.sources[1:], *rule.targets):
        if _places(pattern) != places:
            raise ArgumentError(
                f"A rule of a renaming has the same places on both sides, got {pattern!r} beside "
                f"{rule.sources[0]!r}."
            )
    return rule


def _same(array: NDArray[Any]) -> NDArray[Any]:
    return array


def _each(names: Names) -> tuple[str, ...]:
    return (names,) if isinstance(names, str) else names


def _places(pattern: str) -> set[str]:
    return {place for place, _ in _PLACE.findall(pattern)}


def _matcher(pattern: str) -> re.Pattern[str]:
    """What a pattern means: a place is one part of a name, or any number of parts."""
    whole, seen, end = "", set[str](), 0
    for found in _PLACE.finditer(pattern):
        place, many = found.groups()
        new = rf"(?P<{place}>.+)" if many else rf"(?P<{place}>[^.]+)"
        whole += re.escape(pattern[end : found.start()]) + (
            f"(?P={place})" if place in seen else new
        )
        seen, end = {*seen, place}, found.end()
    return re.compile(whole + re.escape(pattern[end:]))


def _groups(state: State, rules: list[_Rule]) -> list[_Group]:
    """What is moved together: for each rule and each value of its places, a name per source."""
    found: dict[tuple[int, tuple[tuple[str, str], ...]], dict[str, str]] = {}
    matchers = [(k, s, _matcher(s)) for k, rule in enumerate(rules) for s in rule.sources]
    homeless = []
    for name in state:
        matches = ((k, s, m.fullmatch(name)) for k, s, m in matchers)
        k, source, match = next((found for found in matches if found[2]), (0, "", None))
        if match is None:
            homeless.append(name)
        else:
            key = (k, tuple(sorted(match.groupdict().items())))
            found.setdefault(key, {})[source] = name
    _require_all(homeless, [rules[k] for k in range(len(rules)) if k not in {k for k, _ in found}])
    return [_group(rules[k], dict(places), names) for (k, places), names in found.items()]


def _require_all(homeless: list[str], idle: list[_Rule]) -> None:
    """Every name has a rule and every rule a name: what has none is said, with what is near."""
    unused = [rule.sources[0] for rule in idle]
    lines = [f"{name} fits no rule{_nearest(name, unused)}" for name in homeless]
    lines += [f"{pattern!r} fits no name{_nearest(pattern, homeless)}" for pattern in unused]
    if lines:
        raise PathError(
            f"A renaming has a rule for every name, got {len(homeless)} names without a rule and "
            f"{len(unused)} rules without a name.",
            because="; ".join(lines[:8]) + (f"; and {len(lines) - 8} more" * (len(lines) > 8)),
            help="a rule to None leaves arrays out.",
        )


def _nearest(name: str, among: Sequence[str]) -> str:
    near = get_close_matches(name, among, 1, 0.5)
    return f" (nearest: {near[0]})" if near else ""


def _group(rule: _Rule, places: Mapping[str, str], names: Mapping[str, str]) -> _Group:
    missing = [_filled(s, places) for s in rule.sources if s not in names]
    if missing:
        raise PathError(
            f"A renaming joins {', '.join(_filled(s, places) for s in rule.sources)}, and "
            f"{missing[0]} is missing.",
            help=f"there is {', '.join(names.values())}.",
        )
    return rule, places, [names[s] for s in rule.sources]


def _filled(pattern: str, places: Mapping[str, str]) -> str:
    return _PLACE.sub(lambda found: places[found[1]], pattern)


def _moved(
    rule: _Rule, places: Mapping[str, str], arrays: list[NDArray[Any]]
) -> dict[str, NDArray[Any]]:
    """The arrays of one group under their new names."""
    if not rule.targets:
        return {}
    of = ", ".join(_filled(s, places) for s in rule.sources)
    whole = _joined(of, [np.asarray(rule.through(array)) for array in arrays])
    parts = _parts(of, whole, len(rule.targets))
    return {_filled(t, places): part for t, part in zip(rule.targets, parts, strict=True)}


def _joined(of: str, arrays: list[NDArray[Any]]) -> NDArray[Any]:
    if len(arrays) == 1:
        return arrays[0]
    if any(a.ndim == 0 or a.shape[1:] != arrays[0].shape[1:] for a in arrays):
        shapes = ", ".join(format_shape(a.shape) for a in arrays)
        raise ShapeError(f"A renaming joins arrays along the first axis, got {shapes}.", where=of)
    return np.concatenate(arrays)


def _parts(of: str, array: NDArray[Any], count: int) -> list[NDArray[Any]]:
    if count == 1:
        return [array]
    if array.ndim == 0 or array.shape[0] % count:
        raise ShapeError(
            f"A renaming takes {count} equal parts of the first axis, got "
            f"{format_shape(array.shape)}.",
            where=of,
        )
    return np.split(array, count)
