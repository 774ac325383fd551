"""Losses: how far an output is from its target, as a pair (sum, count).

A mean is taken once, by `mean`, after the pairs of all parts have been added: so accumulation over
parts of a batch, or over devices, equals the whole batch. Shapes are equal; nothing broadcasts.
Each loss gives one number, or those of the single entries, by its `reduction`. In `train.fit` a
loss with options is `functools.partial(losses.cross_entropy, label_smoothing=0.1)`.
"""

from typing import TYPE_CHECKING

from tensorem.calls import elsewhere

from ._check import check_class_form as check_class_form
from ._check import check_classes as check_classes
from ._check import check_indices as check_indices
from ._classes import bce as bce
from ._classes import bce_with_logits as bce_with_logits
from ._classes import cross_entropy as cross_entropy
from ._classes import multi_margin as multi_margin
from ._classes import nll as nll
from ._ctc import ctc as ctc
from ._entries import gaussian_nll as gaussian_nll
from ._entries import hinge as hinge
from ._entries import huber as huber
from ._entries import kl_div as kl_div
from ._entries import l1 as l1
from ._entries import log_cosh as log_cosh
from ._entries import mse as mse
from ._entries import poisson_nll as poisson_nll
from ._entries import smooth_l1 as smooth_l1
from ._entries import soft_margin as soft_margin
from ._pairs import cosine_embedding as cosine_embedding
from ._pairs import hinge_embedding as hinge_embedding
from ._pairs import margin_ranking as margin_ranking
from ._pairs import triplet_margin as triplet_margin
from ._reduce import Pair as Pair
from ._reduce import Reduced as Reduced
from ._reduce import Reduction as Reduction
from ._reduce import mean as mean
from ._table import LOSSES as LOSSES
from ._table import Loss as Loss
from ._table import by_name as by_name
from ._table import check_targets as check_targets

__all__ = [
    "LOSSES",
    "Loss",
    "Pair",
    "Reduced",
    "Reduction",
    "bce",
    "bce_with_logits",
    "by_name",
    "check_class_form",
    "check_classes",
    "check_indices",
    "check_targets",
    "cosine_embedding",
    "cross_entropy",
    "ctc",
    "gaussian_nll",
    "hinge",
    "hinge_embedding",
    "huber",
    "kl_div",
    "l1",
    "log_cosh",
    "margin_ranking",
    "mean",
    "mse",
    "multi_margin",
    "nll",
    "poisson_nll",
    "smooth_l1",
    "soft_margin",
    "triplet_margin",
]

if not TYPE_CHECKING:
    __getattr__ = elsewhere(__name__)
