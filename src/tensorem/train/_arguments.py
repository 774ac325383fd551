"""Arguments, checked where they are given."""

from __future__ import annotations

import numpy as np

from tensorem.errors import ArgumentError


def positive(takes: str, value: object) -> int:
    """The integer of at least 1 that a value is; those of NumPy are integers too.

    Args:
        takes: The beginning of the error, such as "Training takes batch_size".

    Raises:
        ArgumentError: It is none.

    Example:
        >>> positive("Training takes batch_size", np.int64(8))
        8
    """
    if isinstance(value, int | np.integer) and not isinstance(value, bool) and value >= 1:
        return int(value)
    raise ArgumentError(f"{takes} as an integer of at least 1, got {value!r}.")
