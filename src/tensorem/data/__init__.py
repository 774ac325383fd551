"""Examples: data sets in memory, batches, the bundled data, and readers."""

from typing import TYPE_CHECKING

from tensorem.calls import elsewhere

from . import synthetic as synthetic
from . import transforms as transforms
from ._archives import open_npz as open_npz
from ._archives import open_safetensors as open_safetensors
from ._binary import cifar10 as cifar10
from ._binary import mnist as mnist
from ._binary import open_cifar10 as open_cifar10
from ._binary import open_idx as open_idx
from ._binary import open_npy as open_npy
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
from ._images import ImageFolder as ImageFolder
from ._loader import Loader as Loader
from ._npy import read_npy as read_npy
from ._open_tables import open_csv as open_csv
from ._open_tables import open_parquet as open_parquet
from ._open_tables import read_parquet as read_parquet
from ._samplers import BalancedSampler as BalancedSampler
from ._samplers import DistributedSampler as DistributedSampler
from ._samplers import RandomSampler as RandomSampler
from ._samplers import Sampler as Sampler
from ._samplers import SequentialSampler as SequentialSampler
from ._samplers import WeightedRandomSampler as WeightedRandomSampler
from ._shards import Shards as Shards
from ._source import Source as Source
from ._split import k_fold as k_fold
from ._split import random_split as random_split
from ._table import Table as Table
from ._table import read_table as read_table
from ._table import shown as shown
from ._write import write_csv as write_csv

__all__ = [
    "BalancedSampler",
    "Columns",
    "Dataset",
    "DistributedSampler",
    "Feature",
    "ImageFolder",
    "Loader",
    "RandomSampler",
    "Sampler",
    "Scale",
    "SequentialSampler",
    "Shards",
    "Source",
    "Splits",
    "Table",
    "Targets",
    "WeightedRandomSampler",
    "array_of",
    "cifar10",
    "concat",
    "digits",
    "iris",
    "k_fold",
    "learn_columns",
    "learn_feature",
    "mnist",
    "open_cifar10",
    "open_csv",
    "open_idx",
    "open_npy",
    "open_npz",
    "open_parquet",
    "open_safetensors",
    "random_split",
    "read_csv",
    "read_npy",
    "read_parquet",
    "read_table",
    "shown",
    "synthetic",
    "transforms",
    "write_csv",
]

if not TYPE_CHECKING:
    __getattr__ = elsewhere(__name__)
