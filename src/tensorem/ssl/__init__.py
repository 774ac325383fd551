"""Learning without labels: what is hidden, what is compared, and how good the features are."""

from ._evaluate import knn as knn
from ._evaluate import linear_probe as linear_probe
from ._masks import block_mask as block_mask
from ._masks import image_patch_hidden as image_patch_hidden
from ._masks import image_patch_mae_sample as image_patch_mae_sample
from ._masks import image_patch_mask as image_patch_mask
from ._masks import mask as mask
from ._masks import patches as patches
from ._masks import periodic_mask as periodic_mask
from ._masks import random_mask as random_mask
from ._masks import tensor_prefix_mae_sample as tensor_prefix_mae_sample
from ._masks import vector_mae_sample as vector_mae_sample
from ._objectives import barlow_twins as barlow_twins
from ._objectives import byol as byol
from ._objectives import ema as ema
from ._objectives import info_nce as info_nce
from ._objectives import jepa as jepa
from ._objectives import masked_mse as masked_mse
from ._objectives import nt_xent as nt_xent
from ._objectives import variance as variance
from ._objectives import vicreg as vicreg

__all__ = [
    "barlow_twins",
    "block_mask",
    "byol",
    "ema",
    "image_patch_hidden",
    "image_patch_mae_sample",
    "image_patch_mask",
    "info_nce",
    "jepa",
    "knn",
    "linear_probe",
    "mask",
    "masked_mse",
    "nt_xent",
    "patches",
    "periodic_mask",
    "random_mask",
    "tensor_prefix_mae_sample",
    "variance",
    "vector_mae_sample",
    "vicreg",
]
