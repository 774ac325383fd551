"""Examples: data sets in memory, batches, the bundled data, and readers."""

from typing import TYPE_CHECKING

from tensorem.calls import elsewhere

from . import transforms as transforms
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
from ._dataset import concat as concat
from ._features import Feature as Feature
from ._features import learn_feature as learn_feature
from ._loader import Loader as Loader
from ._npy import read_npy as read_npy
from ._samplers import BalancedSampler as BalancedSampler
from ._samplers import DistributedSampler as DistributedSampler
from ._samplers import RandomSampler as RandomSampler
from ._samplers import Sampler as Sampler
from ._samplers import SequentialSampler as SequentialSampler
from ._samplers import WeightedRandomSampler as WeightedRandomSampler
from ._source import Source as Source
from ._split import k_fold as k_fold
from ._split import random_split as random_split
from ._table import Table as Table
from ._table import read_table as read_table
from ._table import shown as shown

__all__ = [
    "BalancedSampler",
    "Columns",
    "Dataset",
    "DistributedSampler",
    "Feature",
    "Loader",
    "RandomSampler",
    "Sampler",
    "Scale",
    "SequentialSampler",
    "Source",
    "Splits",
    "Table",
    "Targets",
    "WeightedRandomSampler",
    "array_of",
    "concat",
    "digits",
    "iris",
    "k_fold",
    "learn_columns",
    "learn_feature",
    "random_split",
    "read_csv",
    "read_npy",
    "read_table",
    "shown",
    "transforms",
]

if not TYPE_CHECKING:
    __getattr__ = elsewhere(__name__)
