"""Damage that knows what it damages: keys go, kinds change, names meet, numbers grow."""

from __future__ import annotations

import copy
import json
from typing import Any

import numpy as np

ODD: list[Any] = [None, True, False, 0, -1, 2, 10**6, 2**63, 10**40, 0.5, 1e308, float("inf")]
ODD += [float("nan"), "", "x", "N", "8*N-7", "?", "N^9", "loop", "float32", "int32", "const.0"]
ODD += [
    "<deep>",
    [],
    [[]],
    [0],
    [1, 1],
    [-1, 2**40],
    {},
    {"a": 1},
    "\ud800",
    "1e400",
    [None],
    [["N"]],
]


DEEP = "[" * 5000 + "]" * 5000


def text(value: Any) -> str:
    """The value as JSON, with a very deep list in the place of some."""
    return json.dumps(value).replace('"<deep>"', DEEP)


def damage(value: Any, rng: np.random.Generator) -> Any:
    """The value with one part replaced, every one as likely; changed in place where it can be."""
    if not isinstance(value, dict | list) or not value or rng.random() < 0.02:
        return copy.deepcopy(ODD[rng.integers(len(ODD))])
    keys: list[Any] = list(value) if isinstance(value, dict) else list(range(len(value)))
    sizes = np.array([_size(value[key]) for key in keys], float)
    key, other = keys[rng.choice(len(keys), p=sizes / sizes.sum())], keys[rng.integers(len(keys))]
    if isinstance(value[key], dict | list) and rng.random() < 0.9:
        value[key] = damage(value[key], rng)
        return value
    match rng.integers(6):
        case 0:
            del value[key]
        case 1:
            value[key] = copy.deepcopy(value[other])
        case 2:
            value[key], value[other] = value[other], value[key]
        case 3 if isinstance(value, dict):
            value[f"{key}_"] = value.pop(key)
        case 3:
            value.append(copy.deepcopy(value[key]))
        case _:
            value[key] = copy.deepcopy(ODD[rng.integers(len(ODD))])
    return value


def _size(value: Any) -> int:
    """The number of parts."""
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return 1 + sum(map(_size, parts))
