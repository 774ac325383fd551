"""Every loss of an output and a target by name, and what its targets are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from tensorem import dtypes
from tensorem.calls import named
from tensorem.errors import ArgumentError, DataError
from tensorem.shapes import UNKNOWN, Poly, Spec

from ._check import (
    check_classes,
    check_equal,
    check_finite,
    check_form,
    check_probabilities,
    check_range,
    check_signs,
)
from ._classes import bce, bce_with_logits, cross_entropy, multi_margin, nll
from ._entries import hinge, huber, kl_div, l1, log_cosh, mse, poisson_nll, smooth_l1, soft_margin
from ._reduce import Reduced

Loss = Callable[..., Reduced]
"""(output, target) -> (sum, count), and by keywords its options."""

Targets = np.ndarray[Any, Any]


def _numbers(output: Spec, target: Targets) -> None:
    check_equal(output.shape, target.shape)
    check_finite(target)


def _bits(output: Spec, target: Targets) -> None:
    _numbers(output, target)
    check_range(target)


def _signs(output: Spec, target: Targets) -> None:
    _numbers(output, target)
    check_signs(target)


def _counts(output: Spec, target: Targets) -> None:
    _numbers(output, target)
    if (target < 0).any():
        raise DataError(f"takes counts of at least 0, got {target.min()}.")


def _classes(output: Spec, target: Targets) -> None:
    """Classes, or probabilities of classes."""
    check_form(output.shape, Spec(target.shape, target.dtype))
    if target.dtype.name in dtypes.INTEGER:
        return check_classes(target, output.shape[-1])
    check_finite(target)
    check_probabilities(target)


_ROWS: tuple[tuple[Loss, Callable[[Spec, Targets], None]], ...] = (
    (mse, _numbers),
    (l1, _numbers),
    (huber, _numbers),
    (smooth_l1, _numbers),
    (log_cosh, _numbers),
    (bce, _bits),
    (bce_with_logits, _bits),
    (cross_entropy, _classes),
    (nll, _classes),
    (kl_div, _bits),
    (poisson_nll, _counts),
    (hinge, _signs),
    (soft_margin, _signs),
    (multi_margin, _classes),
)
LOSSES: Mapping[str, Loss] = {loss.__name__: loss for loss, _ in _ROWS}
"""Every loss of an output and a target by name."""


def by_name(name: str) -> Loss:
    """The loss of a name.

    Raises:
        ArgumentError: There is none.

    Example:
        >>> by_name("mse") is mse
        True
    """
    if name not in LOSSES:
        raise ArgumentError(f"A loss takes a name of {', '.join(LOSSES)}, got {name!r}.")
    return LOSSES[name]


def check_targets(name: str, output: Spec, target: ArrayLike) -> None:
    """Check the targets of a whole data set before anything runs.

    Args:
        name: The loss.
        output: The spec of the model's output; its first axis counts examples.
        target: A NumPy array with the targets of all examples.

    Raises:
        ArgumentError: There is no such loss.
        ShapeError: The targets of an example have another shape.
        DTypeError: Classes that are no integers, targets that are no numbers.
        DataError: A class out of range, a value that is not finite; the error names the row.

    Example:
        >>> check_targets("mse", Spec(("N", 3)), np.zeros((8, 3), np.float32))
    """
    check = dict(_ROWS)[by_name(name)]
    values = np.asarray(target)
    # All examples at once; names are what the targets say.
    sizes = (UNKNOWN if isinstance(n, Poly) else n for n in output.shape[1:])
    with named(name):
        check(Spec((*values.shape[:1], *sizes), output.dtype), values)
