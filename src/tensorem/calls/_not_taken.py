"""What PyTorch takes and we do not: why, what to do instead, and where it would stand.

Keys are names of arguments, or with the owner in front where a name has several meanings.
"""

from __future__ import annotations

from collections.abc import Mapping

_LEAVE = "leave it out."
_REDUCTION = (
    "one argument says what becomes of the entries.",
    'write reduction="mean", "sum" or "none".',
)
_ONE_PROGRAM = ("a step is one compiled program, in which values are arrays.", _LEAVE)
_WEIGHTS = (
    "every entry counts once.",
    "pass a loss of your own: (output, target) -> (sum of weights * losses, sum of weights).",
)
_IN_PLACE = (
    "celu", "elu", "hardswish", "hardtanh", "leaky_relu", "mish", "relu", "relu6", "selu", "silu",
)  # fmt: skip

NOT_TAKEN: Mapping[str, tuple[str, str]] = {
    "inplace": (
        "an array never changes.",
        "leave it out; a compiled program reuses memory by itself.",
    ),
    "return_indices": (
        "only the values come out, and no layer takes the places back.",
        "leave it out; the gradient of the sum of the values is other than 0 at the places.",
    ),
    "proj_size": (
        "the state is as wide as the cell.",
        "leave it out; an nn.Linear behind the layer makes its output narrower.",
    ),
    "max_norm": (
        "it changes the table while the model runs; only a training step changes parameters.",
        "leave it out; scale the rows of model.params after a step, and model.replace them.",
    ),
    "norm_type": ("it belongs to max_norm, which is not taken.", _LEAVE),
    "scale_grad_by_freq": (
        "a gradient is that of the function which is computed.",
        "leave it out; divide the gradient by the counts of the indices in a step of your own.",
    ),
    "sparse": ("gradients are whole arrays, as parameters are.", _LEAVE),
    "threshold": ("softplus is computed without overflow at every x.", _LEAVE),
    **dict.fromkeys(
        ("add_bias_kv", "add_zero_attn"),
        ("attention is to the keys that are given.", "leave it out; append a key and value."),
    ),
    **dict.fromkeys(
        ("enable_nested_tensor", "mask_check"),
        ("a mask is taken as it is, on one path.", _LEAVE),
    ),
    **dict.fromkeys(
        ("custom_encoder", "custom_decoder"),
        ("an encoder and a decoder of one's own are a layer of one's own.", "docs/layers.md."),
    ),
    "device": (
        "a layer holds no arrays; JAX places them.",
        "leave it out; a model is moved by jax.device_put(model, device).",
    ),
    "dtype": (
        "a model has the dtype of the floats that go in.",
        'leave it out; nn.build(layer, input=tm.shapes.Spec(("N", 3), "float64")).',
    ),
    "training": (
        "a function has no mode.",
        "leave it out; a layer asks self.training and calls what that means.",
    ),
    **{
        f"InstanceNorm{n}d.{name}": ("each example is normalised by itself.", _LEAVE)
        for n in "123"
        for name in ("momentum", "track_running_stats")
    },
    "hx": ("it has another name here.", "write state=..."),
    "axis": ("it has PyTorch's name here.", "write dim=..., or dims=... for several."),
    "keepdims": ("it has PyTorch's name here.", "write keepdim=..."),
    "F.batch_norm.momentum": (
        "a function keeps no running statistics.",
        "leave it out; nn.BatchNorm2d follows them.",
    ),
    **{f"{loss}.weight": _WEIGHTS for loss in ("l1", "mse", "huber")},
    **dict.fromkeys(("size_average", "reduce"), _REDUCTION),
    **dict.fromkeys(("foreach", "fused", "capturable", "differentiable"), _ONE_PROGRAM),
    "decoupled_weight_decay": ("that rule has a name of its own.", "write optim.adamw(...)."),
    "clip_grad_norm.norm_type": ("the norm is the Euclidean one.", _LEAVE),
    "error_if_nonfinite": ("training stops where a value is not finite.", _LEAVE),
    "params": (
        "an optimizer is a description, which train.fit applies to model.params.",
        "leave them out: train.fit(model, data, optimizer=optim.adam(1e-3)).",
    ),
    "optimizer": (
        "a schedule is the learning rate of an optimizer.",
        "put it there: optim.adam(optim.cosine_lr(1e-3, 100)).",
    ),
    "last_epoch": ("a run knows its step, also after train.resume.", _LEAVE),
    "learning_rate": ("it has PyTorch's name here.", "write lr=..."),
    "T_max": ("it has another name here.", "write total_steps=..., the number of steps."),
    "eta_min": ("it has another name here.", "write min_lr=..."),
    "T_0": ("it has another name here.", "write first_steps=..., the number of steps."),
    "T_mult": ("it has another name here.", "write factor=..."),
    "total_iters": ("it has another name here.", "write total_steps=..., the number of steps."),
    **dict.fromkeys(
        ("cycle_momentum", "base_momentum", "max_momentum"),
        ("a schedule is of the learning rate alone.", _LEAVE),
    ),
    "steps_per_epoch": ("a run knows it.", "write total_steps=optim.epochs(...)."),
    "max_iter": ("a step is one iteration.", "leave it out; train for as many epochs."),
    "line_search_fn": ("a step evaluates the loss once.", "leave it out, or lower lr."),
}
"""Arguments of PyTorch's that are not taken: why, and what to do instead."""

NEXT: Mapping[str, str] = {
    **dict.fromkeys(("Dropout", "LeakyReLU", "ReLU"), "inplace"),
    **{f"F.{name}": "inplace" for name in _IN_PLACE},
    **dict.fromkeys(("BatchNorm2d", "Conv2d", "LayerNorm", "Linear"), "device"),
    **dict.fromkeys(("Embedding", "EmbeddingBag", "F.embedding", "F.embedding_bag"), "max_norm"),
    "MultiheadAttention": "add_bias_kv",
    "Transformer": "custom_encoder",
    **dict.fromkeys(("TransformerDecoderLayer", "TransformerEncoderLayer"), "device"),
    "TransformerEncoder": "enable_nested_tensor",
    **dict.fromkeys(("InstanceNorm1d", "InstanceNorm2d", "InstanceNorm3d"), "momentum"),
    **dict.fromkeys(("MaxPool2d", "F.max_pool2d"), "return_indices"),
    **dict.fromkeys(("Softplus", "F.softplus"), "threshold"),
    **dict.fromkeys(("F.batch_norm", "F.dropout"), "training"),
    **dict.fromkeys(("l1", "mse"), "size_average"),
    "LSTM": "proj_size",
    **dict.fromkeys(("GRUCell", "LSTMCell", "RNNCell"), "device"),
    "clip_grad_norm": "norm_type",
}
"""What PyTorch takes at the place after the last one that is taken here."""
