"""The arguments of layers and functions: in PyTorch's order, and what is not taken says why."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import pytest

from tensorem import functional as F
from tensorem import losses, nn, optim
from tensorem.calls import check_call
from tensorem.calls._not_taken import NEXT
from tensorem.errors import ArgumentError

OWN = {
    "AddBranches", "BasicBlock", "Bottleneck", "Checkpoint", "Concat", "GatedDiagonalSSM",
    "GlobalAvgPool", "Lambda", "MapBatch", "Parallel", "Repeat",
    "Input", "Layer", "LearnedPositionalEmbedding", "Mamba", "OneHotEmbedding", "Residual",
    "RotaryEmbedding", "Seeded", "Sequential", "SinusoidalPositionalEncoding", "Standardize",
    "SpectralNorm", "Sum", "SwiGLU", "Unstandardize", "WeightNorm",
}  # fmt: skip
"""Layers that PyTorch does not have, or that take layers."""

LAYERS = [
    name
    for name, value in vars(nn).items()
    if isinstance(value, type) and issubclass(value, nn.Layer) and name not in OWN
]
FUNCTIONS = [
    "avg_pool2d", "batch_norm", "celu", "conv2d", "dropout", "elu", "embedding", "embedding_bag",
    "gelu",
    "hardswish", "hardtanh", "layer_norm", "leaky_relu", "linear", "log_softmax", "logsigmoid",
    "max_pool2d", "mish", "pad", "relu", "relu6", "scaled_dot_product_attention",
    "selu", "silu", "softmax", "softplus", "softsign",
]  # fmt: skip
PLAIN = {"running_mean": "mean", "running_var": "var"}
"""PyTorch's names where ours differ."""
_OVER_TIME = "bias batch_first dropout bidirectional"
DOCUMENTED = {  # where PyTorch hides a signature: docs, torch.nn and torch.nn.functional
    "GRU": f"input_size hidden_size num_layers {_OVER_TIME}",
    "LSTM": f"input_size hidden_size num_layers {_OVER_TIME} proj_size",
    "RNN": f"input_size hidden_size num_layers nonlinearity {_OVER_TIME}",
    "avg_pool2d": "input kernel_size stride padding ceil_mode count_include_pad divisor_override",
    "conv2d": "input weight bias stride padding dilation groups",
    "gelu": "input approximate",
    "linear": "input weight bias",
    "logsigmoid": "input",
    "max_pool2d": "input kernel_size stride padding dilation ceil_mode return_indices",
    "scaled_dot_product_attention": (
        "query key value attn_mask dropout_p is_causal scale enable_gqa"
    ),
    "softplus": "input beta threshold",
}


def by_place(f: Callable[..., Any]) -> list[str]:
    """The arguments that may be given by their place."""
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return [p.name for p in inspect.signature(f).parameters.values() if p.kind in kinds]


@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_takes_its_arguments_in_the_order_of_torch(name: str) -> None:
    torch = pytest.importorskip("torch")
    stated = DOCUMENTED.get(name)
    theirs = stated.split() if stated else by_place(getattr(torch.nn, name))
    ours = by_place(getattr(nn, name))
    assert ours == theirs[: len(ours)]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_takes_its_arguments_in_the_order_of_torch(name: str) -> None:
    torch = pytest.importorskip("torch")
    stated = DOCUMENTED.get(name)
    theirs = stated.split() if stated else by_place(getattr(torch.nn.functional, name))
    ours = by_place(getattr(F, name))
    assert ours[1:] == [PLAIN.get(n, n) for n in theirs[1 : len(ours)]]


THEIRS: dict[str, tuple[Any, str]] = {  # ours -> ours itself, and where PyTorch's is
    **{name: (getattr(nn, name), f"nn.{name}") for name in LAYERS},
    **{f"F.{name}": (getattr(F, name), f"nn.functional.{name}") for name in FUNCTIONS},
    "mse": (losses.mse, "nn.functional.mse_loss"),
    "l1": (losses.l1, "nn.functional.l1_loss"),
    "nll": (losses.nll, "nn.functional.nll_loss"),
    "cross_entropy": (losses.cross_entropy, "nn.functional.cross_entropy"),
    "bce_with_logits": (
        losses.bce_with_logits,
        "nn.functional.binary_cross_entropy_with_logits",
    ),
    "sgd": (optim.sgd, "optim.SGD"),
    "adam": (optim.adam, "optim.Adam"),
    "adamw": (optim.adamw, "optim.AdamW"),
    "clip_grad_norm": (optim.clip_grad_norm, "nn.utils.clip_grad_norm_"),
}


@pytest.mark.parametrize("name", NEXT)
def test_the_argument_after_ours_is_that_of_torch(name: str) -> None:
    torch = pytest.importorskip("torch")
    ours, place = THEIRS[name]
    theirs = torch
    for part in place.split("."):
        theirs = getattr(theirs, part)
    stated = DOCUMENTED.get(name.removeprefix("F."))
    order = stated.split() if stated else by_place(theirs)
    given = order[order[0] in ("params", "parameters") :]  # what a description does not take
    assert given[len(by_place(ours))] == NEXT[name]


@pytest.mark.parametrize("name", ["sgd", "adam", "adamw"])
def test_an_optimizer_takes_its_arguments_in_the_order_of_torch(name: str) -> None:
    torch = pytest.importorskip("torch")
    ours, place = THEIRS[name]
    theirs = by_place(getattr(torch.optim, place.removeprefix("optim.")))
    assert by_place(ours) == theirs[1 : 1 + len(by_place(ours))]


REFUSED: list[tuple[Callable[[], Any], str, str, str]] = [
    (lambda: nn.ReLU(inplace=True), "ReLU takes ()", "inplace", "an array never changes."),  # type: ignore[call-arg]
    (lambda: nn.Dropout(0.1, inplace=False), "Dropout takes (p=0.5)", "inplace", "never changes"),  # type: ignore[call-arg]
    (
        lambda: nn.MaxPool2d(2, return_indices=True),  # type: ignore[call-arg]
        "MaxPool2d takes (kernel_size, stride=None, padding=0, dilation=1, *, ceil_mode=False)",
        "return_indices",
        "only the values come out",
    ),
    (lambda: nn.Embedding(3, 4, max_norm=1.0), "Embedding takes", "max_norm", "training step"),  # type: ignore[call-arg]
    (lambda: nn.Embedding(3, 4, norm_type=1.0), "Embedding takes", "norm_type", "max_norm"),  # type: ignore[call-arg]
    (
        lambda: nn.Embedding(3, 4, scale_grad_by_freq=True),  # type: ignore[call-arg]
        "Embedding takes",
        "scale_grad_by_freq",
        "the function which is computed",
    ),
    (lambda: nn.Embedding(3, 4, sparse=True), "Embedding takes", "sparse", "whole arrays"),  # type: ignore[call-arg]
    (lambda: nn.Softplus(1, threshold=9), "Softplus takes (beta=1.0)", "threshold", "overflow"),  # type: ignore[call-arg]
    (
        lambda: nn.Linear(3, 4, device="cpu"),  # type: ignore[call-arg]
        "Linear takes (in_features, out_features, bias=True)",
        "device",
        "JAX places them",
    ),
    (lambda: nn.LayerNorm(3, dtype=float), "LayerNorm takes", "dtype", "the floats that go in"),  # type: ignore[call-arg]
    (lambda: F.relu(jnp.ones(2), inplace=True), "F.relu takes (x)", "inplace", "never changes"),  # type: ignore[call-arg]
    (
        lambda: F.dropout(jnp.ones(2), 0.5, training=False, key=None),  # type: ignore[call-arg]
        "F.dropout takes (x, p=0.5, *, key)",
        "training",
        "a function has no mode.",
    ),
]


@pytest.mark.parametrize(("call", "form", "name", "reason"), REFUSED)
def test_an_argument_that_is_not_taken_says_why(
    call: Callable[[], Any], form: str, name: str, reason: str
) -> None:
    with pytest.raises(ArgumentError) as caught:
        call()
    assert caught.value.what.startswith(form)
    assert caught.value.what.endswith(f"got an unexpected keyword argument '{name}'.")
    assert reason in caught.value.because and caught.value.help.startswith("leave it out")


X, MEAN = jnp.ones((2, 2)), jnp.ones(2)
CLASSES = jnp.zeros(2, int)
BY_PLACE: list[tuple[Callable[[], Any], str, str]] = [
    (lambda: nn.Dropout(0.5, True), "inplace", "never changes"),  # type: ignore[call-arg]
    (lambda: nn.LeakyReLU(0.1, True), "inplace", "never changes"),  # type: ignore[call-arg]
    (lambda: F.relu(X, True), "inplace", "never changes"),  # type: ignore[call-arg]
    (lambda: nn.Embedding(3, 2, None, 1.0), "max_norm", "only a training step"),  # type: ignore[call-arg]
    (lambda: nn.MaxPool2d(2, 1, 0, 1, False), "return_indices", "only the values"),  # type: ignore[misc]
    (lambda: F.batch_norm(X, MEAN, MEAN, MEAN, MEAN, False), "training", "no mode"),  # type: ignore[misc]
    (lambda: F.dropout(X, 0.5, False), "training", "no mode"),  # type: ignore[misc,call-arg]
    (lambda: losses.mse(X, X, None), "size_average", "one argument"),  # type: ignore[call-arg]
]


@pytest.mark.parametrize(("call", "name", "reason"), BY_PLACE)
def test_an_argument_that_is_not_taken_says_why_at_its_place_too(
    call: Callable[[], Any], name: str, reason: str
) -> None:
    with pytest.raises(ArgumentError) as caught:
        call()
    assert caught.value.what.endswith(f"got a positional argument for '{name}'.")
    assert reason in caught.value.because and caught.value.help


BY_NAME: list[tuple[Callable[..., Any], dict[str, Any], str, str]] = [
    (F.batch_norm, {"momentum": 0.1}, "no running statistics", "nn.BatchNorm2d"),
    (F.batch_norm, {"training": True}, "no mode", "self.training"),
    (losses.nll, {"reduce": True}, "one argument", "reduction="),
    (losses.mse, {"weight": None}, "counts once", "sum of weights"),
    (optim.adam, {"fused": True}, "compiled", "leave it out"),
    (optim.adamw, {"foreach": True}, "compiled", "leave it out"),
    (optim.adam, {"decoupled_weight_decay": True}, "name of its own", "optim.adamw"),
    (optim.adam, {"params": ()}, "a description", "train.fit"),
    (optim.adam, {"learning_rate": 1e-3}, "PyTorch's name", "lr="),
    (optim.lbfgs, {"line_search_fn": "strong_wolfe"}, "evaluates the loss once", "lower lr"),
    (optim.lbfgs, {"max_iter": 20}, "one iteration", "as many epochs"),
    (optim.one_cycle_lr, {"cycle_momentum": True}, "rate alone", "leave it out"),
    (optim.one_cycle_lr, {"steps_per_epoch": 9}, "a run knows it", "optim.epochs"),
    (optim.cosine_restarts_lr, {"T_0": 9}, "another name", "first_steps="),
    (optim.cosine_restarts_lr, {"T_mult": 2}, "another name", "factor="),
    (optim.linear_lr, {"total_iters": 9}, "another name", "total_steps="),
    (optim.clip_grad_norm, {"norm_type": 1}, "Euclidean", "leave it out"),
    (optim.clip_grad_norm, {"error_if_nonfinite": True}, "training stops", "leave it out"),
    (optim.cosine_lr, {"T_max": 10}, "another name", "total_steps="),
    (optim.cosine_lr, {"eta_min": 0.0}, "another name", "min_lr="),
    (optim.step_lr, {"optimizer": None}, "of an optimizer", "optim.adam("),
    (optim.step_lr, {"last_epoch": 1}, "knows its step", "leave it out"),
    (nn.InstanceNorm2d, {"track_running_stats": True}, "by itself", "leave it out"),
    (F.sum, {"axis": 1}, "PyTorch's name", "write dim="),
    (F.sum, {"keepdims": True}, "PyTorch's name", "write keepdim="),
]
ARRAYS: dict[Any, tuple[Any, ...]] = {F.batch_norm: (X, MEAN, MEAN)}


@pytest.mark.parametrize(("f", "given", "reason", "help"), BY_NAME)
def test_a_function_loss_or_optimizer_says_why_too(
    f: Callable[..., Any], given: dict[str, Any], reason: str, help: str
) -> None:
    with pytest.raises(ArgumentError) as caught:
        f(*ARRAYS.get(f, ()), **given)
    assert caught.value.what.split(" ")[1] == "takes"
    assert reason in caught.value.because and help in caught.value.help


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (
            lambda: nn.Linear(3, 4, foo=1),  # type: ignore[call-arg]
            "Linear takes (in_features, out_features, bias=True): "
            "got an unexpected keyword argument 'foo'.",
        ),
        (
            lambda: nn.Linear(3),  # type: ignore[call-arg]
            "Linear takes (in_features, out_features, bias=True): "
            "missing a required argument: 'out_features'.",
        ),
        (
            lambda: nn.MaxPool2d(2, 2, 0, 1, True),  # type: ignore[misc]
            "MaxPool2d takes (kernel_size, stride=None, padding=0, dilation=1, *, "
            "ceil_mode=False): got a positional argument for 'return_indices'.\n"
            "  because: only the values come out, and no layer takes the places back.\n"
            "  help:    leave it out; the gradient of the sum of the values is other than 0 at the "
            "places.",
        ),
        (
            lambda: losses.hinge(X, X, "mean"),  # type: ignore[call-arg]
            "hinge takes (output, target, *, margin=1.0, reduction='pair'): "
            "too many positional arguments.\n"
            "  help: give by name: margin=, reduction=.",
        ),
        (
            lambda: nn.Sigmoid(1),  # type: ignore[call-arg]
            "Sigmoid takes (): too many positional arguments.",
        ),
    ],
)
def test_a_call_that_does_not_fit_is_an_error_of_ours(call: Callable[[], Any], words: str) -> None:
    with pytest.raises(ArgumentError) as caught:
        call()
    assert str(caught.value) == words


def test_a_layer_of_ones_own_says_it_too() -> None:
    class Twice(nn.Layer):
        inner: nn.Linear

    with pytest.raises(ArgumentError, match=r"^Twice takes \(inner\): got an unexpected .* 'bias'"):
        Twice(nn.Linear(2, 2), bias=True)  # type: ignore[call-arg]
    check_call(inspect.signature(Twice), (nn.Linear(2, 2),), {}, "Twice")
