"""Names of PyTorch's that stand elsewhere, or nowhere: what to write instead.

Keys are names, whichever module they are asked of: one that has them is never asked.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from opcode import opmap
from types import FrameType, ModuleType
from typing import Any

# Loss -> what PyTorch calls its class, and its function.
_LOSSES = {
    "bce": ("BCELoss", "binary_cross_entropy"),
    "bce_with_logits": ("BCEWithLogitsLoss", "binary_cross_entropy_with_logits"),
    "cosine_embedding": ("CosineEmbeddingLoss", "cosine_embedding_loss"),
    "cross_entropy": ("CrossEntropyLoss",),
    "ctc": ("CTCLoss", "ctc_loss"),
    "gaussian_nll": ("GaussianNLLLoss", "gaussian_nll_loss"),
    "hinge_embedding": ("HingeEmbeddingLoss", "hinge_embedding_loss"),
    "huber": ("HuberLoss", "huber_loss"),
    "kl_div": ("KLDivLoss",),
    "l1": ("L1Loss", "l1_loss"),
    "margin_ranking": ("MarginRankingLoss", "margin_ranking_loss"),
    "mse": ("MSELoss", "mse_loss"),
    "multi_margin": ("MultiMarginLoss", "multi_margin_loss"),
    "nll": ("NLLLoss", "nll_loss"),
    "poisson_nll": ("PoissonNLLLoss", "poisson_nll_loss"),
    "smooth_l1": ("SmoothL1Loss", "smooth_l1_loss"),
    "soft_margin": ("SoftMarginLoss", "soft_margin_loss"),
    "triplet_margin": ("TripletMarginLoss", "triplet_margin_loss"),
}
_METRICS = {
    "absolute_error": ("MeanAbsoluteError", "mean_absolute_error"),
    "accuracy": ("Accuracy", "MulticlassAccuracy", "accuracy_score"),
    "auroc": ("AUROC", "BinaryAUROC", "roc_auc_score"),
    "binary_accuracy": ("BinaryAccuracy",),
    "confusion_matrix": ("ConfusionMatrix",),
    "f1": ("F1Score", "f1_score"),
    "perplexity": ("Perplexity",),
    "precision": ("Precision", "precision_score"),
    "r2": ("R2Score", "r2_score"),
    "recall": ("Recall", "recall_score"),
    "squared_error": ("MeanSquaredError", "mean_squared_error"),
    "top_k_accuracy": ("TopKMulticlassAccuracy", "top_k_accuracy_score"),
}
_OPTIMIZERS = {
    "Adadelta": "adadelta",
    "Adafactor": "adafactor",
    "Adagrad": "adagrad",
    "Adam": "adam",
    "AdamW": "adamw",
    "Adamax": "adamax",
    "LBFGS": "lbfgs",
    "Lamb": "lamb",
    "Lion": "lion",
    "Muon": "muon",
    "NAdam": "nadam",
    "RAdam": "radam",
    "RMSprop": "rmsprop",
    "SGD": "sgd",
}
_SCHEDULES = {
    "ConstantLR": "constant",
    "CosineAnnealingLR": "cosine_lr",
    "CosineAnnealingWarmRestarts": "cosine_restarts_lr",
    "CyclicLR": "cyclic_lr",
    "ExponentialLR": "exponential_lr",
    "LambdaLR": "function",
    "LinearLR": "linear_lr",
    "MultiStepLR": "multi_step_lr",
    "OneCycleLR": "one_cycle_lr",
    "PolynomialLR": "polynomial_lr",
    "SequentialLR": "sequential_lr",
    "StepLR": "step_lr",
}
_PADS = (
    "CircularPad", "ConstantPad", "ReflectionPad", "ReplicationPad", "ZeroPad",
)  # fmt: skip
_OF_ARRAYS = (
    "arange", "argmax", "argmin", "asarray", "concatenate", "eye", "full", "isfinite",
    "isnan", "linspace", "ones", "ones_like", "outer", "prod", "squeeze", "stack", "std",
    "tril", "triu", "var", "zeros", "zeros_like",
)  # fmt: skip

# What has no name of its own here -> what does the same, or comes nearest.
_OTHER_LAYERS = {
    "AdaptiveLogSoftmaxWithLoss": "one matrix has all classes: losses.cross_entropy",
    "ChannelShuffle": "axes are taken apart and joined by name: functional.rearrange",
    "CrossMapLRN2d": "it has one name for all ranks: nn.LocalResponseNorm",
    "Dropout3d": "axes says which are dropped whole: functional.channel_dropout",
    "FeatureAlphaDropout": "entries are dropped one by one: nn.AlphaDropout",
    "Fold": "it is the transpose of a function: jax.linear_transpose of functional.unfold",
    **dict.fromkeys(
        ("FractionalMaxPool2d", "FractionalMaxPool3d"), "a size is asked for: nn.AdaptiveMaxPool2d"
    ),
    "Hardsigmoid": "a function as a layer: nn.Lambda(jax.nn.hard_sigmoid)",
    **dict.fromkeys(
        ("Hardshrink", "RReLU", "Softshrink", "Tanhshrink", "Threshold"),
        "a function as a layer, of jax.numpy.where and its like: nn.Lambda",
    ),
    **{f"MaxUnpool{n}d": "no places are kept; an image grows by nn.Upsample" for n in "123"},
    **dict.fromkeys(
        ("MultiLabelMarginLoss", "MultiLabelSoftMarginLoss"),
        "several classes at once are truth values each: losses.bce_with_logits",
    ),
    "NLLLoss2d": "losses are functions: losses.nll",
    "PairwiseDistance": "it is a function, of a difference: functional.norm",
    "RNNBase": "each kind is a layer: nn.RNN",
    "RNNCellBase": "each kind is a layer: nn.RNNCell",
    "Softmax2d": "the axis is an argument: nn.Softmax",
    "SyncBatchNorm": "a step on several devices sees the whole batch: nn.BatchNorm2d",
    "TripletMarginWithDistanceLoss": "losses are functions: losses.triplet_margin",
}
_OTHER_FUNCTIONS = {
    **dict.fromkeys(("addmm", "baddbmm", "bmm", "mm", "mv"), "one product: functional.matmul"),
    "bernoulli": "draws take a key: jax.random.bernoulli",
    "multinomial": "draws take a key: jax.random.categorical",
    "channel_shuffle": "axes are taken apart and joined by name: functional.rearrange",
    "chunk": "arrays are JAX's: jax.numpy.split",
    "detach": "no gradient passes: jax.lax.stop_gradient",
    "feature_alpha_dropout": "entries are dropped one by one: functional.alpha_dropout",
    "fold": "it is the transpose of a function: jax.linear_transpose of functional.unfold",
    **dict.fromkeys(
        ("eq", "ge", "gt", "le", "lt", "ne"), "arrays have operators, x > y: jax.numpy.greater"
    ),
    **dict.fromkeys(
        ("fractional_max_pool2d", "fractional_max_pool3d"),
        "a size is asked for: functional.adaptive_max_pool2d",
    ),
    **dict.fromkeys(
        ("affine_grid", "grid_sample"), "entries at computed places: functional.take_along_dim"
    ),
    **dict.fromkeys(
        ("hardshrink", "rrelu", "softshrink", "tanhshrink", "threshold"),
        "a choice for each entry: functional.where",
    ),
    "hardsigmoid": "functions of jax.nn are taken too: jax.nn.hard_sigmoid",
    "masked_select": "a size is never decided by values: functional.where",
    **{
        f"max_unpool{n}d": "no places are kept; an image grows by functional.interpolate"
        for n in "123"
    },
    **dict.fromkeys(
        ("multilabel_margin_loss", "multilabel_soft_margin_loss"),
        "several classes at once are truth values each: losses.bce_with_logits",
    ),
    **dict.fromkeys(("cdist", "pairwise_distance", "pdist"), "of a difference: functional.norm"),
    "rsqrt": "a root, and one over it: functional.sqrt",
    "scatter": "sums at places: functional.scatter_add; a value there: x.at[i].set",
    "triplet_margin_with_distance_loss": "losses are functions: losses.triplet_margin",
    "unsqueeze": "arrays are JAX's: jax.numpy.expand_dims",
}

_A_LAYER_HOLDS = "a field holds a tuple or dictionary of layers: layers: tuple[nn.Layer, ...]"
_PLACED = "JAX places arrays: jax.device_put(model, device), jax.devices()"
_SEEDED = "randomness is a value: nn.build(layer, input, seed=0), train.fit(..., seed=0)"
_NOT_RECORDED = "nothing is recorded; gradients are asked for: autograd.grad"
_CLIPPED = "it stands before an optimizer: optim.chain(optim.clip_grad_{}(1.0), optim.adam())"
_MADE = "arrays are JAX's: jax.numpy.asarray"

ELSEWHERE: Mapping[str, str] = {
    **{
        name: f"losses are functions: losses.{loss}"
        for loss, names in _LOSSES.items()
        for name in (loss, *names)
    },
    **{
        name: f"metrics are functions: metrics.{metric}"
        for metric, names in _METRICS.items()
        for name in (metric, *names)
    },
    **{
        name: f"optimizers are functions: optim.{ours}"
        for theirs, ours in _OPTIMIZERS.items()
        for name in (theirs, ours)
    },
    **dict.fromkeys(
        ("ASGD", "Rprop", "SparseAdam"),
        "any transformation of optax is an optimizer too: optim.from_optax",
    ),
    **{
        name: f"a schedule is the lr of an optimizer: optim.{ours}"
        for theirs, ours in _SCHEDULES.items()
        for name in {theirs, ours} - {"function"}
    },
    **dict.fromkeys(
        ("lr_scheduler", "LRScheduler"),
        "a schedule is the lr of an optimizer: optim.step_lr, optim.cosine_lr, optim.warmup_lr",
    ),
    **dict.fromkeys(
        ("ChainedScheduler", "MultiplicativeLR"),
        "a schedule is the lr of an optimizer, any function of the step: optim.function",
    ),
    "ReduceLROnPlateau": "a callback, with optim.scaled(...): train.ReduceLROnPlateau",
    **dict.fromkeys(("clip_grad_norm", "clip_grad_norm_"), _CLIPPED.format("norm")),
    **dict.fromkeys(("clip_grad_value", "clip_grad_value_"), _CLIPPED.format("value")),
    **dict.fromkeys(
        ("utils", "parametrize", "parametrizations"),
        "gradients are clipped by optim.clip_grad_norm, batches made by data.Loader",
    ),
    "spectral_norm": "a layer around the layer: nn.SpectralNorm",
    "weight_norm": "a layer around the layer: nn.WeightNorm",
    **dict.fromkeys(
        ("parameters_to_vector", "vector_to_parameters"),
        "parameters are a dictionary, model.params: jax.flatten_util.ravel_pytree",
    ),
    "Module": "a layer is a frozen description: nn.Layer",
    **dict.fromkeys(("ModuleList", "ModuleDict", "Container"), _A_LAYER_HOLDS),
    **dict.fromkeys(
        ("ParameterList", "ParameterDict", "UninitializedParameter", "UninitializedBuffer"),
        "a layer declares its arrays by name: nn.Layer.parameters",
    ),
    **dict.fromkeys(
        ("DataParallel", "DistributedDataParallel", "parallel", "distributed"), _PLACED
    ),
    "functional": "it stands beside nn: from tensorem import functional as F",
    **{
        f"{pad}{n}d": "places are added by a function: functional.pad"
        for pad in _PADS
        for n in "123"
    },
    **{
        f"dropout{n}d": "axes says which are dropped whole: functional.channel_dropout"
        for n in "123"
    },
    "Unfold": "it is a function, without arrays: functional.unfold",
    "CosineSimilarity": "it is a function, without arrays: functional.cosine_similarity",
    **dict.fromkeys(
        ("UpsamplingBilinear2d", "UpsamplingNearest2d"), "its mode is an argument: nn.Upsample"
    ),
    **_OTHER_LAYERS,
    **_OTHER_FUNCTIONS,
    **dict.fromkeys(
        ("upsample", "upsample_nearest", "upsample_bilinear"),
        "one function samples anew: functional.interpolate",
    ),
    "multi_head_attention_forward": "its parts have names: functional.scaled_dot_product_attention",
    "gumbel_softmax": "draws take a key: jax.random.gumbel, then functional.softmax",
    "DataLoader": "batches are a function of the epoch: data.Loader",
    **dict.fromkeys(("TensorDataset", "StackDataset"), "inputs and targets: data.Dataset"),
    **dict.fromkeys(
        ("IterableDataset", "ChainDataset"), "batches made one after another: train.Stream"
    ),
    **dict.fromkeys(("Subset", "SubsetRandomSampler"), "rows of a data set: data.Dataset.select"),
    "ConcatDataset": "data sets one after another: data.concat",
    "BatchSampler": "batches of any sampler: data.Loader(dataset, batch_size, sampler=...)",
    **dict.fromkeys(("Trainer", "train"), "training is one call: train.fit"),
    **dict.fromkeys(
        ("Callback", "EarlyStopping", "ModelCheckpoint"),
        "values told of steps and epochs: train.EarlyStopping, train.KeepBest; "
        "functions: train.on_epoch_end; what a run writes: train.fit(..., path=...)",
    ),
    **dict.fromkeys(
        ("no_grad", "enable_grad", "set_grad_enabled", "inference_mode", "grad", "autograd"),
        _NOT_RECORDED,
    ),
    **dict.fromkeys(("tensor", "Tensor", "as_tensor", "from_numpy", "FloatTensor"), _MADE),
    **{name: f"arrays are JAX's: jax.numpy.{name}" for name in _OF_ARRAYS},
    **dict.fromkeys(("rand", "randn", "randint", "randperm", "Generator"), _SEEDED),
    "manual_seed": f"{_SEEDED}; a stream of seeds: nn.manual_seed",
    **dict.fromkeys(("cuda", "device", "backends", "mps", "set_default_device"), _PLACED),
    **dict.fromkeys(
        ("compile", "jit", "script"), "models and training steps are compiled: jax.jit"
    ),
    **dict.fromkeys(("vmap", "func"), "functions are transformed: autograd.vmap"),
    "grad_and_value": "the value stands first: autograd.value_and_grad",
    "linearize": "a derivative along a direction: autograd.jvp",
    "functional_call": "a model is a function of its parameters: nn.Model.apply",
    "gradcheck": "gradients are held against difference quotients: tm.gradcheck",
    **dict.fromkeys(
        ("float32", "float64", "int32", "int64", "dtype", "set_default_dtype"),
        'dtypes are text: tm.Spec(("N", 3), "float32")',
    ),
    "onnx": "what is saved and read is a graph: tm.capture, tm.save",
    "fx": "a graph is captured: tm.capture",
}
"""Name -> what to write: every word in it with a dot is there."""

_OTHERWISE: Mapping[str, str] = {
    "tensorem": "layers are in tm.nn, functions in tm.functional, losses in tm.losses",
    "tensorem.nn": "a layer of one's own is a subclass of nn.Layer",
    "tensorem.functional": "forward may call jax.numpy and jax.nn too",
}


def elsewhere(module: str) -> Callable[[str], Any]:
    """The `__getattr__` of a module: an error that says what to write instead of a name.

    Raises:
        AttributeError: From the result, always: the module has no such name.
        ImportError: In its place, where an import asks.

    Example:
        >>> from tensorem import nn
        >>> nn.CrossEntropyLoss
        Traceback (most recent call last):
        AttributeError: module 'tensorem.nn' has no attribute 'CrossEntropyLoss'; losses are \
functions: losses.cross_entropy
    """

    def missing(name: str) -> Any:
        words = "" if name.startswith("_") else _words(module, name)
        if _is_import(sys._getframe(1)):
            what = f"cannot import name {name!r} from {module!r}"
            raise ImportError("; ".join(filter(None, (what, words))), name=module)
        what = f"module {module!r} has no attribute {name!r}"
        # With a name too, Python would add a guess of its own.
        raise AttributeError("; ".join(filter(None, (what, words))), obj=sys.modules[module])

    return missing


def _is_import(caller: FrameType) -> bool:
    """Whether `from module import name` asks: Python says nothing of an AttributeError there."""
    while caller.f_code.co_name == "__getattr__" and caller.f_back:
        caller = caller.f_back
    return caller.f_code.co_code[caller.f_lasti] == opmap["IMPORT_FROM"]


def _words(module: str, name: str) -> str:
    names = vars(sys.modules[module]).get("__all__", ())
    if said := ELSEWHERE.get(name):
        return said
    if module == "tensorem.functional" and name not in names and hasattr(_jax_numpy(), name):
        return f"arrays are JAX's: jax.numpy.{name}"
    near = _near(name, names)
    return f"did you mean {near}?" if near else _OTHERWISE.get(module, "")


def _jax_numpy() -> ModuleType:
    import jax.numpy  # here, since a command's help does without it

    return jax.numpy


def _near(name: str, names: list[str]) -> str:
    """The name that is spelt most like it, whatever the case: relu is ReLU."""
    bare = {_bare(n): n for n in names}
    return "".join(bare[n] for n in get_close_matches(_bare(name), bare, 1, 0.8))


def _bare(name: str) -> str:
    return name.replace("_", "").lower()
