"""Examples: data sets in memory, batches, the bundled data, and readers."""

from ._bundled import digits as digits
from ._bundled import iris as iris
from ._csv import read_csv as read_csv
from ._dataset import Dataset as Dataset
from ._dataset import Splits as Splits
from ._dataset import array_of as array_of
from ._loader import Loader as Loader
from ._npy import read_npy as read_npy

__all__ = ["Dataset", "Loader", "Splits", "array_of", "digits", "iris", "read_csv", "read_npy"]
