"""Weights of Keras 3: arrays by path, and how its layouts become PyTorch's."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tensorem import disk
from tensorem.errors import ArgumentError, FileError

from ._bounded import require_bounded

Array = NDArray[Any]


def read_h5(path: Path) -> disk.Arrays:
    """The arrays of a .weights.h5 file, by the path of each: `layers/dense/vars/0`."""
    return _arrays(io.BytesIO(disk.read_whole(path)), path)


def read_keras(path: Path) -> disk.Arrays:
    """The arrays of the weights in a .keras file."""
    data = disk.read_whole(path)
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            require_bounded(path, archive.getinfo("model.weights.h5").file_size, len(data))
            content = archive.read("model.weights.h5")  # no more than it says
    except (zipfile.BadZipFile, KeyError, RuntimeError, ValueError, zlib.error) as error:
        raise FileError(f"{path} is no .keras file.", because=str(error)) from None
    return _arrays(io.BytesIO(content), path)


def _arrays(content: io.BytesIO, path: Path) -> disk.Arrays:
    h5py, size = _h5py(), len(content.getbuffer())
    found: dict[str, Any] = {}

    def visit(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset):
            found[name] = item

    try:
        with h5py.File(content, "r") as file:
            file.visititems(visit)
            if any(item.external or item.is_virtual for item in found.values()):
                raise ValueError("it has arrays in other files")
            require_bounded(path, sum(item.nbytes for item in found.values()), size)
            return {name: np.asarray(item[()]) for name, item in found.items()}
    except FileError:
        raise
    except (OSError, ValueError, RuntimeError, KeyError, TypeError, MemoryError) as error:
        raise FileError(f"{path} is no file of weights in HDF5.", because=str(error)) from None


def _h5py() -> Any:
    try:
        return import_module("h5py")
    except ImportError as error:
        raise ArgumentError(
            f"Weights of Keras take the h5py package: {error}.",
            help='pip install "tensorem[keras]".',
        ) from None


def _conv(kernel: Array) -> Array:
    """(*size, inputs, outputs) -> (outputs, inputs, *size)."""
    return np.moveaxis(kernel, (-1, -2), (0, 1))


def _gates(array: Array) -> Array:
    """Keras's gates of a GRU are z, r, h along the last axis, PyTorch's r, z, n."""
    z, r, h = np.split(array, 3, axis=-1)
    return np.concatenate([r, z, h], axis=-1)


KERAS: Mapping[str, Callable[[Array], Array]] = {
    "Dense.kernel": np.transpose,
    "Conv.kernel": _conv,
    "LSTM.kernel": np.transpose,
    "LSTM.bias": lambda bias: np.concatenate([bias, np.zeros_like(bias)]),
    "GRU.kernel": lambda kernel: _gates(kernel).T,
    "GRU.bias": lambda bias: _gates(bias).ravel(),
}
"""What becomes of an array of Keras, for `To`; all others are as PyTorch's.

The variables of a layer are kernel and bias (Dense, Conv); gamma, beta, moving mean and variance
(BatchNormalization: weight, bias, running_mean, running_var); gamma and beta (LayerNormalization);
kernel, recurrent kernel and bias (LSTM, GRU, below `cell`). A bias of LSTM or GRU is shared by two
names, bias_ih and bias_hh; Keras's GRU has one of its own for each (reset_after).
"""
