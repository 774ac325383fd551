"""Packages that some files take and the others do not."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from tensorem.errors import FileError


def extra(package: str, takes: str) -> Any:
    """A package of the extra `data`.

    Args:
        package: Its name in an import.
        takes: What takes it, such as "Parquet files take polars".

    Raises:
        FileError: It is not installed.

    Example:
        >>> extra("nothing_here", "Such files take nothing_here")
        Traceback (most recent call last):
        tensorem.errors.FileError: Such files take nothing_here, which is not installed.
          help: pip install "tensorem[data]"
    """
    try:
        return import_module(package)
    except ImportError as error:
        raise FileError(
            f"{takes}, which is not installed.", help='pip install "tensorem[data]"'
        ) from error
