"""`F.rearrange`: against plain reshapes and transposes, with names, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

import tensorem as tm
from tensorem import functional as F
from tensorem.errors import ArgumentError, ShapeError

X = np.arange(2 * 12 * 5).reshape(2, 12, 5)
CASES: list[tuple[str, dict[str, int], Callable[[Any], Any]]] = [
    ("a b c -> c a b", {}, lambda x: x.transpose(2, 0, 1)),
    ("a b c -> (a b c)", {}, lambda x: x.reshape(-1)),
    ("n (h d) t -> n h t d", {"h": 3}, lambda x: x.reshape(2, 3, 4, 5).transpose(0, 1, 3, 2)),
    ("n (h d) t -> (n d) (t h)", {"d": 6},
     lambda x: x.reshape(2, 2, 6, 5).transpose(0, 2, 3, 1).reshape(12, 10)),
    ("n (a b c) t -> c n b a t", {"a": 2, "c": 2},
     lambda x: x.reshape(2, 2, 3, 2, 5).transpose(3, 0, 2, 1, 4)),
    ("n ... -> ... n", {}, lambda x: x.transpose(1, 2, 0)),
    ("... t -> t 1 ...", {}, lambda x: x.transpose(2, 0, 1)[:, None]),
    ("n (h d) ... -> h n (d) ...", {"h": 4},
     lambda x: x.reshape(2, 4, 3, 5).transpose(1, 0, 2, 3)),
]  # fmt: skip


@pytest.mark.parametrize(("pattern", "sizes", "plain"), CASES, ids=lambda c: str(c)[:24])
def test_entries_go_where_the_pattern_says(
    pattern: str, sizes: dict[str, int], plain: Callable[[Any], Any]
) -> None:
    got = np.asarray(F.rearrange(jnp.asarray(X), pattern, **sizes))
    np.testing.assert_array_equal(got, plain(X))


def test_an_axis_of_one_is_dropped_and_made() -> None:
    assert F.rearrange(jnp.ones((3, 1)), "a 1 -> 1 a 1").shape == (1, 3, 1)
    with pytest.raises(ShapeError, match=r"takes an axis '1' of 1, got 3\."):
        F.rearrange(jnp.ones((2, 3)), "a 1 -> a")


def test_sizes_with_names_pass_and_are_captured() -> None:
    graph = tm.capture(lambda x: F.rearrange(x, "n (h d) t -> (n h) t d", h=2), ("N", "8*D", 5))
    assert str(graph.specs[graph.outputs[0]]) == "float32 (2*N, 5, 4*D)"
    assert {node.op for node in graph.nodes} <= {"reshape", "permute"}


@pytest.mark.parametrize(
    ("pattern", "sizes", "kind", "words"),
    [
        ("a b c", {}, ArgumentError, "F.rearrange takes a pattern such as"),
        ("a (b c -> a b c", {}, ArgumentError, "takes a pattern such as"),
        ("a b -> b a", {}, ShapeError, r"takes 2 axes for 'a b -> b a', got \(2, 12, 5\)"),
        ("a b c -> a b", {}, ArgumentError, "takes the same names on both sides, got c on one"),
        ("a b a -> a b", {}, ArgumentError, "takes each name once on a side, got 'a' twice"),
        ("a (b d) c -> a b d c", {}, ArgumentError, r"all names but one in \(b d\), got none of"),
        ("a (b d) c -> a b d c", {"b": 5}, ShapeError, r"\(b d\) of 5 times d, got 12"),
        ("a (b d) c -> a b d c", {"e": 5}, ArgumentError, "takes sizes of names of .*, got e"),
        ("a (b d) c -> a b d c", {"b": -1}, ArgumentError, "takes b .*, got -1"),
        ("a b c -> c b a", {"a": 3}, ShapeError, "takes an axis 'a' of 3, got 2"),
    ],
)
def test_what_does_not_fit_is_said_in_names(
    pattern: str, sizes: dict[str, int], kind: type[Exception], words: str
) -> None:
    with pytest.raises(kind, match=words):
        F.rearrange(jnp.asarray(X), pattern, **sizes)
