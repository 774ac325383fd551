"""One forward pass: layers bound to their arrays, called in a context, watched by a log."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import reduce
from typing import Any

import jax
import numpy as np
from jax.extend.core import get_opaque_trace_state

from tensorem.calls import check_call, form_of, named, unnamed
from tensorem.errors import LayerError, PathError, ShapeError
from tensorem.runtime import scope

from ._check import check_dtypes, checked, located, require_arrays
from ._log import Log
from ._specs import Tree, shape_tree
from ._tree import Part, is_leaf, join, mapped

Array = jax.Array
Arrays = dict[str, Array]
Choices = tuple[tuple[str, bool | None], ...]
"""Arguments that are no arrays, by name."""
RunLeaf = Callable[["Frame", Part, tuple[Tree, ...], dict[str, Tree]], Tree]


def _leaf_program() -> Callable[..., tuple[Tree, Arrays]]:
    """One leaf layer as a program. JAX keeps programs by function: a new one reads code anew."""

    def leaf(
        layer: Part,
        said: tuple[bool, Choices],
        params: Arrays,
        buffers: Arrays,
        key: Array | None,
        xs: tuple[Tree, ...],
        kw: dict[str, Tree],
    ) -> tuple[Tree, Arrays]:
        training, choices = said
        alone = Pass(params, buffers, Context(training, key), leaf_key=key)
        return alone.start(layer, xs, {**kw, **dict(choices)}), alone.buffers

    return jax.jit(leaf, static_argnums=(0, 1))


def direct(frame: Frame, leaf: Part, xs: tuple[Tree, ...], kw: dict[str, Tree]) -> Tree:
    """Run a leaf layer in the program that is being traced or run."""
    return leaf.forward(*xs, **kw)


@dataclass(frozen=True)
class Context:
    """How a forward pass is run.

    Args:
        training: Whether this is a training step.
        key: The random key of the step; None where nothing may draw.
        run_leaf: Runs one leaf layer: `direct`, or `eager` (each leaf a program of its own).
        log: Notes every call, for `build` and its messages.
        asked: Notes the paths of layers for which training may be another program.
        settle: Notes what a layer is for the shapes that flow in, and makes arrays for it.
        program: What `eager` runs; it belongs to this context, and to those made by `replace`.
    """

    training: bool = False
    key: Array | None = None
    run_leaf: RunLeaf = direct
    log: Log | None = None
    asked: set[str] | None = field(default=None, repr=False, compare=False)
    settle: Callable[[Part, Part, str], tuple[Arrays, Arrays]] | None = None
    program: Callable[..., tuple[Tree, Arrays]] = field(
        default_factory=_leaf_program, repr=False, compare=False
    )


EVALUATION = Context()


def _folded(key: Array, *numbers: int) -> Array:
    """The key that belongs to numbers below a key."""
    folded: Array = _fold(key, *map(np.uint32, numbers))
    return folded


@jax.jit  # JAX traces it once for all keys of a pass
def _fold(key: Array, *numbers: Array) -> Array:
    return reduce(jax.random.fold_in, numbers, key)


@dataclass(eq=False)
class Frame:
    """Where a bound layer stands: the pass, its path, the layer it was bound from, its counts."""

    within: Pass
    path: str
    layer: Part
    calls: int = 0
    draws: int = 0
    home: str = ""
    """The path under which its arrays are kept: another than `path` below a shared layer."""

    def begin(self) -> None:
        self.calls, self.draws = self.calls + 1, 0

    @property
    def training(self) -> bool:
        """Whether this is a training step; that a layer asked is noted."""
        ctx = self.within.ctx
        if ctx.asked is not None:
            ctx.asked.add(self.path)
        return ctx.training

    def key(self, step: Array) -> Array:
        """The key of this call: from the key of the step, the path and the call's number."""
        path = self.path.removeprefix(self.within.root)
        return _folded(step, zlib.crc32(path.encode()), self.calls - 1)

    def draw(self) -> Array:
        layer, step = self.layer, self.within.ctx.key
        if step is None:
            raise LayerError(
                f"{layer.label()} draws random numbers, got no key.",
                help="pass one: model.train_apply(params, buffers, x, key=jax.random.key(0)).",
            )
        self.within.require_own_trace(f"{layer.label()} draws random numbers")
        self.draws += 1
        # A leaf that is a program of its own was given its key: the path is not known in there.
        key = self.within.leaf_key if self.within.leaf_key is not None else self.key(step)
        return _folded(key, self.draws - 1)

    def update(self, bound: Part, values: Mapping[str, Array]) -> None:
        layer = self.layer
        if not self.training:
            raise LayerError(
                f"{layer.label()} updates {', '.join(values)} outside training.",
                because="evaluation changes nothing.",
                help="put it under `if self.training:`.",
            )
        self.within.require_own_trace(f"{layer.label()} updates {', '.join(values)}")
        declared = layer.buffers()
        for name, value in values.items():
            if declared.get(name) is None:
                raise PathError(
                    f"{layer.label()} has the buffers {sorted(declared)}, got {name!r}."
                )
            self.within.set_buffer(join(self.home, name), value)
            bound.__dict__[name] = value


@dataclass(eq=False)
class Pass:
    """One forward pass over given arrays; `buffers` is what they are when it ends."""

    params: Arrays
    given: Arrays
    ctx: Context = EVALUATION
    leaf_key: Array | None = None
    root: str = ""
    """The path of its root: that of a layer which is carried into a transform."""
    buffers: Arrays = field(init=False)
    homes: dict[int, str] = field(default_factory=dict)
    watched: dict[str, dict[str, Tree]] = field(default_factory=dict)
    """By path, where the output of the layer there is kept."""
    supplied: set[str] = field(default_factory=set)
    """Paths of parameters that a layer above computes."""
    trace: Any = field(init=False)

    def __post_init__(self) -> None:
        self.buffers = dict(self.given)
        # Opaque: only equality means something, and it tells one trace from one inside of it.
        self.trace = get_opaque_trace_state(convention="flax")

    def start(self, layer: Part, xs: tuple[Tree, ...], kw: dict[str, Tree]) -> Tree:
        """Bind the whole tree and call its root."""
        return self.bind("", layer, home="")(*xs, **kw)

    def bind(self, path: str, layer: Part, home: str) -> Part:
        """The same layer with arrays in place of parameter names and bound sub-layers."""
        # The first place of a shared layer is where its arrays are; later ones read them there.
        if layer.shares:
            home = self.homes.setdefault(id(layer), home)
        # No constructor: a field that is checked or copied there would be so at every pass.
        bound = object.__new__(type(layer))
        self.supplied |= {join(home, name) for name in layer.supplies()}
        bound.__dict__.update(
            mapped(layer, "", lambda p, part: self.bind(join(path, p), part, join(home, p)))
        )
        bound.__dict__.update(self._arrays(layer, home))
        bound.__dict__["_bound"] = Frame(self, path, layer, home=home)
        return bound

    def invoke(self, bound: Part, frame: Frame, xs: tuple[Tree, ...], kw: dict[str, Tree]) -> Tree:
        """Bind the arguments to forward, check them by the layer's rule, run it, note the call."""
        log, layer = self.ctx.log, frame.layer
        frame.begin()
        leaf, said = is_leaf(layer), None
        with located(layer, frame.path, log), named(layer.label):
            call = check_call(form_of(layer.forward), xs, kw, f"{type(layer).__name__}.forward")
            check_dtypes(layer, call)
        xs, kw = call.args, call.kwargs
        if type(layer).sized is not Part.sized:
            with located(layer, frame.path, log):
                now = sized(layer, xs)
            if now is not layer:
                return self._settled(frame, now)(*xs, **kw)
        if leaf:
            said = checked(layer, frame.path, call, log)
            # Another call of this layer, or of one that shares with it, may have updated them.
            bound.__dict__.update(self._buffers(layer, frame.home))
        with located(layer, frame.path, log), scope(frame.path), unnamed():
            run = self.ctx.run_leaf if leaf else direct
            y = run(frame, bound, xs, kw)
            if log is not None:
                require_arrays(layer, y)
        if log is not None:
            log.note(layer, frame.path, xs, y, said)
        if frame.path in self.watched:
            self.require_own_trace(f"the output of {layer.label()} is kept")
            self.watched[frame.path][frame.path] = y
        return y

    def _settled(self, frame: Frame, now: Part) -> Part:
        """The layer that one is for the shapes that flow in, bound in its place."""
        if self.ctx.settle is not None:
            params, buffers = self.ctx.settle(frame.layer, now, frame.home)
            self.params, self.buffers = self.params | params, self.buffers | buffers
        return self.bind(frame.path, now, frame.home)

    def watch(self, paths: tuple[str, ...]) -> dict[str, Tree]:
        """The outputs of the layers at these paths, once they are called; each time anew."""
        seen: dict[str, Tree] = {}
        self.watched |= dict.fromkeys(paths, seen)
        return seen

    def set_buffer(self, path: str, value: Array) -> None:
        old = self.buffers[path]
        if old.shape != value.shape or old.dtype != value.dtype:
            raise ShapeError(
                f"The buffer {path} takes {old.dtype} {old.shape}, got {value.dtype} {value.shape}."
            )
        self.buffers[path] = value

    def require_own_trace(self, what: str) -> None:
        """Raise where a JAX transform stands between the start of this pass and here."""
        if get_opaque_trace_state(convention="flax") != self.trace:
            raise LayerError(
                f"{what} inside a JAX transform (scan, vmap, grad, ...) that forward applies.",
                because="the change would be lost or made once for all iterations.",
                help="call the layer outside of it, or take it through by nn.carry(self.inner).",
            )

    def _arrays(self, layer: Part, home: str) -> dict[str, Array | None]:
        found = {
            name: None if declared is None else _at(self.params, join(home, name), layer)
            for name, declared in layer.parameters().items()
            if join(home, name) not in self.supplied
        }
        return found | self._buffers(layer, home)

    def _buffers(self, layer: Part, home: str) -> dict[str, Array | None]:
        return {
            name: None if declared is None else _at(self.buffers, join(home, name), layer)
            for name, declared in layer.buffers().items()
        }


def sized(layer: Part, xs: tuple[Tree, ...]) -> Part:
    """The layer that one is for these inputs."""
    shapes = shape_tree(xs)
    with named(layer.label):
        now = layer.sized(*shapes)
    if not isinstance(now, Part) or now.sized(*shapes) is not now:
        raise LayerError(
            f"The sized of {layer.label()} takes shapes and gives a layer with its sizes, got "
            f"{now!r}.",
            help="return self once they are there.",
        )
    return now


def _at(arrays: Arrays, path: str, layer: Part) -> Array:
    if path not in arrays:
        near = get_close_matches(path, arrays, 1)
        raise PathError(
            f"{layer.label()} takes an array {path!r}, got none.",
            help=f"is it {near[0]!r}?" if near else "",
        )
    return arrays[path]


def eager(frame: Frame, leaf: Part, xs: tuple[Tree, ...], kw: dict[str, Tree]) -> Tree:
    """Run a leaf layer as a compiled program of its own; equal layers of a context share one."""
    layer, ctx = frame.layer, frame.within.ctx
    names = [n for n, declared in layer.buffers().items() if declared is not None]
    params = {n: leaf.__dict__[n] for n, d in layer.parameters().items() if d is not None}
    buffers = {n: leaf.__dict__[n] for n in names}
    key = None if ctx.key is None or not ctx.training else frame.key(ctx.key)
    # Truth values by name choose the program; they are no arrays in it.
    choices = tuple((k, v) for k, v in kw.items() if v is None or isinstance(v, bool))
    kw = {k: v for k, v in kw.items() if k not in dict(choices)}
    y, updated = ctx.program(layer, (ctx.training, choices), params, buffers, key, xs, kw)
    if ctx.training:
        for name in names:
            frame.within.buffers[join(frame.home, name)] = updated[name]
    return y
