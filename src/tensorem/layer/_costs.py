"""How many floating point operations a program takes, and whose they are."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import jax.numpy as jnp
from jax.extend.core import ClosedJaxpr, Jaxpr, Var
from jax.typing import DTypeLike

from tensorem.runtime import scope_of
from tensorem.shapes import Poly, Size, Spec, Unknown, sizes

Flops = dict[str, Size]
"""Operations by the path of the layer that makes them itself."""


def flops(program: Jaxpr, path: str = "", times: Size = 1) -> Flops:
    """What a program takes: 2 for each product that a contraction or convolution adds up.

    All else takes 1 for each number that it gives, a reduction for each that goes in; moving
    numbers takes none, and neither do integers. A loop takes its length times its body, one of
    unknown length, as `while` is, one turn; of several branches the first counts.

    Args:
        path: The layer whose program it is, where nothing within it says another.
        times: How often it runs.
    """
    found: Flops = {}
    for eqn in _used(program):
        said = scope_of(eqn)
        here = path if said is None else said
        branches = 1 if eqn.primitive.name == "cond" else None
        inner = list(programs(eqn))[:branches]
        own = {here: times * _counted(eqn)} if not inner and is_of(eqn, jnp.floating) else {}
        again = times * sizes((eqn.params["length"],))[0] if eqn.primitive.name == "scan" else times
        for part in [own, *(flops(jaxpr, here, again) for jaxpr in inner)]:
            for name, n in part.items():
                found[name] = found.get(name, 0) + n
    return found


def _used(program: Jaxpr) -> list[Any]:
    """The equations on which a result depends."""
    wanted = {v for v in program.outvars if isinstance(v, Var)}
    used = []
    for eqn in reversed(program.eqns):
        if eqn.effects or not wanted.isdisjoint(eqn.outvars):
            wanted |= {v for v in eqn.invars if isinstance(v, Var)}
            used.append(eqn)
    return used


def programs(eqn: Any) -> Iterator[Jaxpr]:
    """The programs that an equation runs, or may run."""
    for value in eqn.params.values():
        for part in value if isinstance(value, tuple) else (value,):
            if isinstance(part, ClosedJaxpr | Jaxpr):
                yield part.jaxpr if isinstance(part, ClosedJaxpr) else part


def numbers(shape: Iterable[Any]) -> Size:
    """How many numbers an array of this shape holds."""
    return math.prod(sizes(tuple(shape)), start=1)


def size_in_bytes(spec: Spec) -> Size:
    """The memory that an array of this spec takes."""
    return numbers(spec.shape) * jnp.dtype(spec.dtype).itemsize


def short(size: Size) -> str:
    """An amount with three digits of each coefficient that is long.

    Example:
        >>> from tensorem.shapes import parse_size
        >>> short(parse_size("16384*N*T^2+2048*N*T"))
        '16.4k N T^2 + 2,048 N T'
    """
    if not isinstance(size, Poly):
        return "?" if isinstance(size, Unknown) else _rounded(size)
    terms = ((c, [name if n == 1 else f"{name}^{n}" for name, n in m]) for m, c in size.terms)
    return " + ".join(" ".join([_rounded(c), *names]) for c, names in terms).replace("+ -", "- ")


def _rounded(number: int) -> str:
    if abs(number) < 10_000:
        return f"{number:,}"
    digits, exponent = f"{number:.2e}".split("e")
    power = min(int(exponent) // 3, len(_PREFIXES))
    return f"{float(digits) * 10 ** (int(exponent) - 3 * power):.3g}{_PREFIXES[power - 1]}"


_PREFIXES = "kMGTP"


def is_of(eqn: Any, kind: DTypeLike) -> bool:
    """Whether an equation takes or gives numbers of a kind."""
    dtypes = (getattr(v.aval, "dtype", None) for v in (*eqn.invars, *eqn.outvars))
    return any(jnp.issubdtype(dtype, kind) for dtype in dtypes if dtype is not None)


def _counted(eqn: Any) -> Size:
    return _COUNTED.get(eqn.primitive.name, _given)(eqn)


def _given(eqn: Any) -> Size:
    return numbers(eqn.outvars[0].aval.shape)


def _taken(eqn: Any) -> Size:
    return numbers(eqn.invars[0].aval.shape)


def _moved(eqn: Any) -> Size:
    return 0


def _contracted(eqn: Any) -> Size:
    (axes, _), _ = eqn.params["dimension_numbers"]
    x = eqn.invars[0].aval.shape
    return 2 * _given(eqn) * numbers(x[axis] for axis in axes)


def _of_kernel(places: tuple[Any, ...], kernel: tuple[Any, ...]) -> Size:
    """A kernel (*window, in, out) at each place and channel of what comes of it."""
    return 2 * numbers(places) * numbers(kernel[:-1])


def _convolved(eqn: Any) -> Size:
    x, kernel = (v.aval.shape for v in eqn.invars)
    outputs, inputs, *window = (kernel[i] for i in eqn.params["dimension_numbers"].rhs_spec)
    if all(step == 1 for step in eqn.params["lhs_dilation"]):
        return _of_kernel(eqn.outvars[0].aval.shape, (*window, inputs, outputs))
    return _of_kernel(x, (*window, outputs // eqn.params["feature_group_count"], inputs))


def _windowed(eqn: Any) -> Size:
    return _given(eqn) * numbers(eqn.params["window_dimensions"])


def _pooled(eqn: Any) -> Size:
    return _given(eqn) * numbers(eqn.params["kernel_size"])


_COUNTED: dict[str, Callable[[Any], Size]] = {
    "dot_general": _contracted,
    "conv_general_dilated": _convolved,
    **dict.fromkeys(("max_pool2d", "avg_pool2d"), _pooled),
    "conv": lambda eqn: _of_kernel(eqn.outvars[0].aval.shape, eqn.invars[1].aval.shape),
    "conv_dx": lambda eqn: _of_kernel(eqn.invars[0].aval.shape, eqn.invars[1].aval.shape),
    "conv_dk": lambda eqn: _of_kernel(eqn.invars[1].aval.shape, eqn.outvars[0].aval.shape),
    **dict.fromkeys(("reduce_window_sum", "reduce_window_max", "reduce_window_min"), _windowed),
    **dict.fromkeys(
        (
            *("reduce_sum", "reduce_max", "reduce_min", "reduce_prod", "reduce_and", "reduce_or"),
            *("argmax", "argmin", "scatter-add", "scatter_add"),
        ),
        _taken,
    ),
    **dict.fromkeys(
        (
            *("reshape", "transpose", "broadcast_in_dim", "squeeze", "expand_dims", "slice"),
            *("dynamic_slice", "dynamic_update_slice", "gather", "scatter", "concatenate", "pad"),
            *("rev", "iota", "copy", "copy_p", "convert_element_type", "bitcast_convert_type"),
            *(
                "stop_gradient",
                "split",
                "stack",
                "unstack",
                "select_n",
                "optimization_barrier",
                "kept",
                "random_bits",
            ),
            *("random_seed", "random_wrap", "random_unwrap", "random_fold_in", "dim_as_value"),
        ),
        _moved,
    ),
}
"""Primitives that are not counted by what they give."""
