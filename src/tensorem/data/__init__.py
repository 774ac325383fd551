"""Examples: data sets in memory, batches, the bundled data, and readers."""

from typing import TYPE_CHECKING

from tensorem.calls import elsewhere

from ._bundled import digits as digits
from ._bundled import iris as iris
from ._columns import Columns as Columns
from ._columns import Scale as Scale
from ._columns import Targets as Targets
from ._columns import learn_columns as learn_columns
from ._csv import read_csv as read_csv
from ._dataset import Dataset as Dataset
from ._dataset import Splits as Splits
from ._dataset import array_of as array_of
from ._loader import Loader as Loader
from ._npy import read_npy as read_npy
from ._table import Table as Table
from ._table import read_table as read_table
from ._table import shown as shown

__all__ = [
    "Columns",
    "Dataset",
    "Loader",
    "Scale",
    "Splits",
    "Table",
    "Targets",
    "array_of",
    "digits",
    "iris",
    "learn_columns",
    "read_csv",
    "read_npy",
    "read_table",
    "shown",
]

if not TYPE_CHECKING:
    __getattr__ = elsewhere(__name__)
