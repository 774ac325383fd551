"""Several processes of one run: they agree on what depends on time, and the first one writes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import jax
import numpy as np

from tensorem.disk import held
from tensorem.errors import FileError, TensoremError


def agreed(value: int) -> int:
    """The largest of the values that the processes say; all of them ask."""
    if jax.process_count() == 1:
        return value
    from jax.experimental.multihost_utils import process_allgather

    return int(np.max(process_allgather(np.int32(value))))


def is_first() -> bool:
    """Whether this process writes and shows."""
    return jax.process_index() == 0


def by_first(action: Callable[[], object]) -> None:
    """Let the first process do something while the others wait for its end.

    Raises:
        TensoremError: What it raised; in the other processes a FileError that says so.
    """
    by_all(action if is_first() else lambda: None)


def by_all(action: Callable[[], object]) -> None:
    """Let every process do something, and wait until all have.

    Raises:
        TensoremError: What it raised; where it raised in another process, a FileError.
    """
    failed: TensoremError | None = None
    try:
        action()
    except TensoremError as error:
        failed = error
    if agreed(failed is not None) and failed is None:
        raise FileError("A run takes a folder to write to, got an error in another process.")
    if failed is not None:
        raise failed


@contextmanager
def held_by_first(folder: Path) -> Iterator[None]:
    """Hold a run folder for all processes of a run.

    Raises:
        FileError: Another run holds it, or nothing can be written there.
    """
    with ExitStack() as stack:
        by_first(lambda: stack.enter_context(held(folder)))
        yield
