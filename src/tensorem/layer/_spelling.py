"""A traced program as a value: two that are spelled alike compute the same."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache, partial
from types import FunctionType
from typing import Any
from weakref import WeakKeyDictionary

import jax
import numpy as np
from jax.core import ShapedArray, Tracer
from jax.extend.core import ClosedJaxpr, Jaxpr, Literal, Var
from jax.extend.linear_util import WrappedFun

Words = tuple[Hashable, ...]
_FIXED = ("functools", "jax", "jaxlib", "numpy", "optax", "tensorem")
"""Packages whose code stays what it is while a process runs."""
_SHORT = 64
"""Bytes up to which an array is spelled out; of more there is a hash."""


@dataclass(frozen=True, eq=False)
class Spelling:
    """What a program computes, as far as its trace says it.

    Args:
        words: The trace without the names of its variables.
        whole: Whether that is all. A derivative rule or a callback of the user's own is code,
            which a trace does not say; then a spelling equals itself alone.
    """

    words: Words
    whole: bool

    def __eq__(self, other: object) -> bool:
        return self is other or (
            isinstance(other, Spelling) and self.whole and other.whole and self.words == other.words
        )

    def __hash__(self) -> int:
        return hash(self.words)

    def sha256(self) -> str:
        """The hash of the words; it is the same in another process."""
        return hashlib.sha256(repr(self.words).encode()).hexdigest()


def spelled(f: Callable[..., Any], *args: Any) -> tuple[Spelling, Any]:
    """Trace a function on arrays or forms of arrays: its spelling, and the forms of its results."""
    closed, results = traced(f, *args)
    return spelling_of(closed), results


def traced(f: Callable[..., Any], *args: Any) -> tuple[ClosedJaxpr, Any]:
    """Trace a function on arrays or forms of arrays: its program, and the forms of its results."""
    closed, results = jax.make_jaxpr(lambda *xs: f(*xs), return_shape=True)(*args)
    return closed, results


def spelling_of(closed: ClosedJaxpr) -> Spelling:
    """What a program computes."""
    speller = _Speller()
    return Spelling(speller.closed(closed), speller.whole)


_programs: WeakKeyDictionary[Any, Spelling] = WeakKeyDictionary()
"""Programs that were spelled before; JAX keeps one for all calls of an op."""


class _Speller:
    """The words of one trace."""

    def __init__(self) -> None:
        self.whole = True
        self._fixed = _Fixed()

    def closed(self, closed: ClosedJaxpr) -> Words:
        return (*self.program(closed.jaxpr), *map(self.array, closed.consts))

    def program(self, jaxpr: Jaxpr) -> Words:
        if jaxpr not in _programs:
            speller = _Speller()
            _programs[jaxpr] = Spelling(tuple(speller.lines(jaxpr)), speller.whole)
        self.whole = self.whole and _programs[jaxpr].whole
        return _programs[jaxpr].words

    def lines(self, jaxpr: Jaxpr) -> Iterator[Words]:
        """A line for what goes in, one for each equation, one for what comes out."""
        places: dict[Var, int] = {}

        def new(variables: Iterable[Var]) -> Words:
            places.update((v, len(places) + i) for i, v in enumerate(variables))
            return tuple(_form(v.aval) for v in variables)

        def used(atoms: Iterable[Var | Literal]) -> Words:
            return tuple(
                (_form(a.aval), self.array(a.val)) if isinstance(a, Literal) else places[a]
                for a in atoms
            )

        yield new([*jaxpr.constvars, *jaxpr.invars])
        for eqn in jaxpr.eqns:
            yield eqn.primitive.name, used(eqn.invars), self.value(eqn.params), new(eqn.outvars)
        yield used(jaxpr.outvars)

    def value(self, value: object) -> Hashable:
        """The word for a parameter of an equation."""
        say = _read_by(type(value))  # type: ignore[arg-type]
        return repr(value) if say is None else say(self, value)

    def each(self, values: Iterable[object]) -> Words:
        return tuple(map(self.value, values))

    def named(self, values: Mapping[Any, object]) -> Words:
        return tuple((str(name), self.value(values[name])) for name in sorted(values, key=str))

    def code(self, value: object) -> str:
        self.whole = self.whole and self._fixed(value)
        return type(value).__name__

    def array(self, array: Any) -> Hashable:
        if isinstance(array, Tracer):
            self.whole = False
            return _form(array.aval)
        if jax.numpy.issubdtype(jax.numpy.result_type(array), jax.dtypes.prng_key):
            return repr(array.dtype), self.array(jax.random.key_data(array))
        held = np.asarray(array)
        content = held.tobytes()
        said = content if len(content) <= _SHORT else hashlib.sha256(content).digest()
        return held.dtype.name, held.shape, said


@cache
def _read_by(kind: type) -> Callable[[_Speller, Any], Hashable] | None:
    """How values of a type are read; None for those that their `repr` says."""
    if kind in (tuple, list):
        return _Speller.each
    readers: tuple[tuple[Any, Callable[[_Speller, Any], Hashable]], ...] = (
        (dict, _Speller.named),
        (ClosedJaxpr, _Speller.closed),
        (Jaxpr, _Speller.program),
        ((np.ndarray, jax.Array), _Speller.array),
        ((WrappedFun, Callable), _Speller.code),
    )
    found = (say for known, say in readers if issubclass(kind, known))
    return None if issubclass(kind, type) else next(found, None)


def _form(aval: object) -> Hashable:
    if isinstance(aval, ShapedArray):
        return repr(aval.shape), aval.dtype, aval.weak_type
    return str(aval)


class _Fixed:
    """Whether code is that of packages alone, with all that it holds on to."""

    def __init__(self) -> None:
        self._seen: set[int] = set()

    def __call__(self, value: object) -> bool:
        if isinstance(value, tuple | list):
            return all(map(self, value))
        if not _is_code(value) or id(value) in self._seen:
            return True
        self._seen.add(id(value))
        home = getattr(value, "__module__", None) or type(value).__module__
        return home.partition(".")[0] in _FIXED and all(map(self, _held(value)))


def _is_code(value: object) -> bool:
    return isinstance(value, WrappedFun) or (callable(value) and not isinstance(value, type))


def _held(code: object) -> list[object]:
    """What a function holds on to, or one that is made of others."""
    if isinstance(code, FunctionType):
        cells = [cell.cell_contents for cell in code.__closure__ or ()]
        return [*cells, *(code.__defaults__ or ())]
    if isinstance(code, partial):
        return [code.func, *code.args, *code.keywords.values()]
    if isinstance(code, WrappedFun):
        return [code.f, *code.transforms]
    return list(getattr(code, "__dict__", {}).values())


class Programs:
    """The compiled programs of one reading of the code, one for each form of its arguments.

    Each is read once, when it is first asked for. One that was made before under an equal key, and
    that is spelled alike now, is taken again: nothing is compiled twice, and nothing is stale.

    Args:
        key: What the programs are made of.
        make: Compiles one.
    """

    def __init__(self, key: Hashable, make: Callable[[], Callable[..., Any]]) -> None:
        self._key, self._make = key, make
        self._found: dict[Hashable, Callable[..., Any]] = {}

    def of(self, args: Any, spell: Callable[[], Spelling]) -> Callable[..., Any]:
        """The program for arguments of this form; `spell` reads what it would compute."""
        leaves, tree = jax.tree.flatten(args)
        form = (tree, *((x.shape, x.dtype) for x in leaves))
        if form not in self._found:
            self._found[form] = _made(_Wanted(self._key, spell(), self._make))
        return self._found[form]


@dataclass(frozen=True, eq=False)
class _Wanted:
    """A program as it is looked up: two are the same by key and spelling, whoever makes them."""

    key: Hashable
    spelling: Spelling
    make: Callable[[], Callable[..., Any]]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Wanted) and (self.key, self.spelling) == (
            other.key,
            other.spelling,
        )

    def __hash__(self) -> int:
        return hash((self.key, self.spelling))


@lru_cache(maxsize=64)
def _made(wanted: _Wanted) -> Callable[..., Any]:
    return wanted.make()
