"""A module of PyTorch as layers of ours, with its weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from inspect import signature
from typing import Any

import numpy as np

from tensorem import nn
from tensorem.calls import called
from tensorem.errors import LayerError

Module = Any
"""A `torch.nn.Module`."""
_OPEN = {"momentum"}
"""Arguments for which None is a choice, and not what is left out."""
_HARMLESS = {"inplace", "device", "dtype", "batch_first", "args", "kwargs", "inputs"}
"""Arguments of PyTorch's that do not change what a layer computes, or are asked for apart."""


@called
def model(module: Module, input: Any) -> nn.Model:
    """The model of a PyTorch module whose parts are layers that we have, with its weights.

    Names and arguments of our layers are PyTorch's, so a leaf becomes the layer of its name, with
    the arguments that the module holds. `torch.nn.Sequential` and the Transformer's encoder hold
    others; a module with a forward of its own has no twin: `tm.torch.load` makes a graph of it.

    Args:
        module: A `torch.nn.Module`.
        input: What `nn.build` takes: a shape or Spec of the input, or a tuple of these.

    Raises:
        LayerError: A module has no twin, or an argument that ours does not take; it is named.
        ShapeError: The layers do not fit the input.

    Source:
        PyTorch, torch.nn.
    """
    layer = _layer(module, "")
    state = {name: np.asarray(a.detach().cpu()) for name, a in module.state_dict().items()}
    built = nn.build(layer, input)
    return built.load_state_dict(state)


def _layer(module: Module, path: str) -> nn.Layer:
    kind = type(module)
    is_theirs = kind.__module__.startswith("torch.nn.modules")
    if is_theirs and kind.__name__ in CONTAINERS:
        return CONTAINERS[kind.__name__](module, path)
    ours = getattr(nn, kind.__name__, None)
    is_layer = isinstance(ours, type) and issubclass(ours, nn.Layer)
    if ours is None or not (is_theirs and is_layer) or _children(module):
        raise LayerError(
            f"takes modules of layers that we have, got {kind.__name__}.",
            where=path or "the module",
            help="tm.torch.load(torch.export.export(module.eval(), (x,))) makes a graph of any.",
        )
    _require_plain(module, ours, path)
    names = [name for name in signature(ours).parameters if hasattr(module, name)]
    given = {name: _argument(getattr(module, name)) for name in names}
    if "bias" in given:
        given["bias"] = given["bias"] is not None and given["bias"] is not False
    layer: nn.Layer = ours(**{n: v for n, v in given.items() if v is not None or n in _OPEN})
    return layer


def _argument(value: Any) -> Any:
    """An argument as a module holds it; of a bias whether there is one."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    return tuple(value) if isinstance(value, tuple | list) else True


def _require_plain(module: Module, ours: type[nn.Layer], path: str) -> None:
    """What ours does not take is as PyTorch has it by default."""
    taken = signature(ours).parameters
    for name, parameter in signature(type(module)).parameters.items():
        value = _argument(getattr(module, name, parameter.default))
        if name == "bias" and getattr(module, "weight", None) is None:
            continue
        if name not in taken and name not in _HARMLESS and value != parameter.default:
            raise _unlike(module, name, value, path)
    if getattr(module, "batch_first", True) is not True:
        raise _unlike(module, "batch_first", False, path)
    if getattr(module, "proj_size", 0):
        raise _unlike(module, "proj_size", module.proj_size, path)


def _unlike(module: Module, name: str, value: object, path: str) -> LayerError:
    return LayerError(
        f"takes {type(module).__name__} as ours has it, got {name}={value!r}.",
        where=path or "the module",
        help="sequences are batch first: batch_first=True." if name == "batch_first" else "",
    )


def _sequential(module: Module, path: str) -> nn.Layer:
    parts = {name: _layer(part, f"{path}.{name}".strip(".")) for name, part in _children(module)}
    plain = list(parts) == [str(i) for i in range(len(parts))]
    return nn.Sequential(*parts.values()) if plain else nn.Sequential(parts)


def _children(module: Module) -> list[tuple[str, Module]]:
    return list(module.named_children())


def _encoder_layer(module: Module, path: str) -> nn.Layer:
    names = {"relu": "relu", "gelu": "gelu"}
    activation = getattr(module.activation, "__name__", type(module.activation).__name__).lower()
    if activation not in names:
        raise _unlike(module, "activation", activation, path)
    if not module.self_attn.batch_first:
        raise _unlike(module, "batch_first", False, path)
    return nn.TransformerEncoderLayer(
        module.self_attn.embed_dim,
        module.self_attn.num_heads,
        module.linear1.out_features,
        module.dropout.p,
        activation,
        module.norm1.eps,
        norm_first=module.norm_first,
        bias=module.linear1.bias is not None,
    )


def _encoder(module: Module, path: str) -> nn.Layer:
    first = _layer(module.layers[0], f"{path}.layers.0".strip("."))
    norm = None if module.norm is None else _layer(module.norm, f"{path}.norm".strip("."))
    return nn.TransformerEncoder(first, len(module.layers), norm)


def _attention(module: Module, path: str) -> nn.Layer:
    if not module.batch_first:
        raise _unlike(module, "batch_first", False, path)
    for name in ("bias_k", "bias_v"):
        if getattr(module, name) is not None:
            raise _unlike(module, "add_bias_kv", True, path)
    return nn.MultiheadAttention(
        module.embed_dim,
        module.num_heads,
        module.dropout,
        module.in_proj_bias is not None,
        kdim=None if module.kdim == module.embed_dim else module.kdim,
        vdim=None if module.vdim == module.embed_dim else module.vdim,
    )


CONTAINERS: Mapping[str, Callable[[Module, str], nn.Layer]] = {
    "Sequential": _sequential,
    "TransformerEncoderLayer": _encoder_layer,
    "TransformerEncoder": _encoder,
    "MultiheadAttention": _attention,
}
"""Modules that hold others, or whose arguments they do not hold as they were given."""
