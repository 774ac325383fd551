"""Every shape rule over partly known operands, against what JAX gives for the whole ones."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import jax
import law_cases
import numpy as np
import pytest
from law_cases import CASES, Case

from tensorem import ops
from tensorem.errors import TensoremError
from tensorem.ops import Op
from tensorem.shapes import UNKNOWN, OpenShape, Shape, Spec, bind, parse_size, same_shape

Sizes = tuple[int, ...]
Values = Mapping[str, int]


def _form(case: Case, shapes: tuple[Shape, ...]) -> list[Spec]:
    plain = [np.zeros(()) for _ in shapes]
    dtypes = [x.dtype.name for x in law_cases.typed(case, plain, "float32")]
    return list(map(Spec, shapes, dtypes))


def truth(op: Op, case: Case, shapes: tuple[Sizes, ...]) -> Spec | None:
    """What the op gives for operands of known shapes; None where its rule refuses them."""
    specs = _form(case, shapes)
    try:
        foretold: Spec = op.shape(*specs, **case.attrs)
    except TensoremError:
        return None
    xs = [jax.ShapeDtypeStruct(s.shape, s.dtype) for s in specs]
    actual = jax.eval_shape(partial(op.run, **case.attrs), *xs)
    assert (foretold.shape, foretold.dtype) == (actual.shape, actual.dtype.name), op.name
    return foretold


def resized(case: Case, rng: Any) -> tuple[Sizes, ...]:
    """The shapes of a case, some sizes others: equal ones stay equal."""
    old = sorted({n for shape in case.shapes for n in shape})
    new = {n: n if rng.random() < 0.5 else int(rng.integers(0, 7)) for n in old}
    return tuple(tuple(new[n] for n in shape) for shape in case.shapes)


def veiled(shape: Sizes, rng: Any, open_too: bool = True) -> Shape:
    """A shape of which sizes are unknown, or names of their values, and perhaps the rank open."""
    name = {n: parse_size(f"n{n}") if n else UNKNOWN for n in shape}
    sizes = tuple((n, n, name[n], UNKNOWN)[rng.integers(4)] for n in shape)
    first = int(rng.integers(0, len(shape) + 1))
    return OpenShape(sizes[first:]) if open_too and rng.random() < 0.3 else sizes


def given(shapes: tuple[Sizes, ...], partly: list[Shape], values: Values) -> tuple[Sizes, ...]:
    """The whole shapes, with other values for the names that stand in what is known of them."""

    def sizes(whole: Sizes, known: Shape) -> Sizes:
        last = known.last if isinstance(known, OpenShape) else known
        seen = (*whole[: len(whole) - len(last)], *last)
        return tuple(values.get(str(s), n) for n, s in zip(whole, seen, strict=True))

    return tuple(map(sizes, shapes, partly))


def agrees(op: Op, case: Case, rng: Any) -> None:
    """What a rule says of partly known operands is true of all whole ones that they may be.

    It refuses them only where some values of their names are refused.
    """
    shapes = resized(case, rng)
    if truth(op, case, shapes) is None:
        return
    partly = [veiled(shape, rng) for shape in shapes]
    names = {f"n{n}": n for shape in shapes for n in shape if n}
    more = {k: n + 1 + rng.permutation(3) for k, n in names.items()}
    others = ({k: int(ns[i]) for k, ns in more.items()} for i in range(3))
    tried = [names, dict.fromkeys(names, 1), *others]
    truths = [truth(op, case, given(shapes, partly, values)) for values in tried]
    what = f"{op.name}{tuple(partly)}, {case.attrs}"
    try:
        found = op.shape(*_form(case, tuple(partly)), **case.attrs)
    except TensoremError as error:
        assert None in truths, f"{what}: {error}"
        return
    for values, true in zip(tried, truths, strict=True):
        if true is not None:
            assert found.dtype == true.dtype, what
            assert same_shape(bind(found.shape, values), true.shape) is not False, (
                f"{what} is {found}, of {values} {true}"
            )


PAIRS = [(ops.TABLE[name], case) for name, cases in CASES.items() for case in cases]


@pytest.mark.parametrize(("op", "case"), PAIRS, ids=lambda v: getattr(v, "name", ""))
def test_what_a_rule_says_of_partly_known_operands_is_true(op: Op, case: Case) -> None:
    for seed in range(4):
        agrees(op, case, np.random.default_rng(seed))


@pytest.mark.long
@pytest.mark.parametrize("seed", range(4, 200))
def test_what_a_rule_says_is_true_again_and_again(seed: int) -> None:
    for op, case in PAIRS:
        agrees(op, case, np.random.default_rng(seed))
