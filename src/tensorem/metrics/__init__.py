"""Metrics: what a reader wants to know about outputs and targets.

Those of `train.fit` are pairs (sum, count), which add up over batches; the others look at a whole
data set at once.
"""

from typing import TYPE_CHECKING

from tensorem.calls import elsewhere

from ._pairs import METRICS as METRICS
from ._pairs import Metric as Metric
from ._pairs import absolute_error as absolute_error
from ._pairs import accuracy as accuracy
from ._pairs import binary_accuracy as binary_accuracy
from ._pairs import bits_per_byte as bits_per_byte
from ._pairs import by_name as by_name
from ._pairs import perplexity as perplexity
from ._pairs import squared_error as squared_error
from ._pairs import top_k_accuracy as top_k_accuracy
from ._whole import auroc as auroc
from ._whole import confusion_matrix as confusion_matrix
from ._whole import f1 as f1
from ._whole import precision as precision
from ._whole import r2 as r2
from ._whole import recall as recall

__all__ = [
    "METRICS",
    "Metric",
    "absolute_error",
    "accuracy",
    "auroc",
    "binary_accuracy",
    "bits_per_byte",
    "by_name",
    "confusion_matrix",
    "f1",
    "perplexity",
    "precision",
    "r2",
    "recall",
    "squared_error",
    "top_k_accuracy",
]

if not TYPE_CHECKING:
    __getattr__ = elsewhere(__name__)
