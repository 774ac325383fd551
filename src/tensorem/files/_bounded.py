"""How much a packed file of weights may become."""

from __future__ import annotations

from pathlib import Path

from tensorem.errors import FileError

FREE, RATIO = 2**28, 64
"""Bytes that any file may unpack to, and how many times its own size beyond."""


def require_bounded(path: Path, unpacked: int, packed: int) -> None:
    """Refuse a file that says it holds far more than it could of weights.

    Args:
        path: Its path.
        unpacked: The bytes that it says it holds.
        packed: The bytes that it has.

    Raises:
        FileError: They are too many.
    """
    if unpacked > FREE + RATIO * packed:
        raise FileError(
            f"{path} says that {packed} bytes hold {unpacked}.",
            because=f"weights do not shrink to a {RATIO}th: it is damaged, or made to fill memory.",
        )
