"""ONNX files with damage: bytes that change, and fields that say what cannot be."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import onnx as package

from tensorem import nn, onnx

Rng = np.random.Generator
Proto = Any
ODD = [0, 1, -1, 2, 7, 2**31, 2**62, -(2**62)]
WORDS = ["", "x", "x0", "Relu", "Loop", "Scan", "N", "../x", "Reshape", "\u20ac", "a" * 3000]


@cache
def models() -> tuple[bytes, ...]:
    """Small whole files: products, images, and a loop over time."""
    layers: list[tuple[nn.Layer, Any]] = [
        (nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2), nn.Softmax(-1)), ("N", 3)),
        (
            nn.Sequential(
                *(nn.Conv2d(1, 2, 3, padding=1), nn.BatchNorm2d(2), nn.MaxPool2d(2)),
                *(nn.Flatten(), nn.Linear(8, 2), nn.LayerNorm(2)),
            ),
            ("N", 1, 4, 4),
        ),
        (nn.GRU(2, 3), ("N", 4, 2)),
    ]
    with TemporaryDirectory() as folder:
        return tuple(_exported(nn.build(*pair), Path(folder, "m.onnx")) for pair in layers)


def _exported(model: nn.Model, path: Path) -> bytes:
    onnx.export(model, path)
    return path.read_bytes()


def mutant(rng: Rng) -> bytes:
    """A file with damage of one kind or the other."""
    content = models()[rng.integers(len(models()))]
    return _bytes(content, rng) if rng.random() < 0.4 else _fields(content, rng)


def _bytes(content: bytes, rng: Rng) -> bytes:
    """Bytes that change, go, or come twice."""
    data, at = bytearray(content), int(rng.integers(len(content)))
    match rng.integers(4):
        case 0:
            return bytes(data[:at])
        case 1:
            data[at] ^= 1 << int(rng.integers(8))
        case 2:
            data[at : at + int(rng.integers(1, 9))] = rng.bytes(int(rng.integers(0, 9)))
        case _:
            data[at:at] = data[at : at + int(rng.integers(1, 60))]
    return bytes(data)


def _fields(content: bytes, rng: Rng) -> bytes:
    """One to three fields of the message that change; the file itself stays well formed."""
    model = package.ModelProto.FromString(content)
    for _ in range(int(rng.integers(1, 4))):
        holder, field = _place(model, rng)
        _change(holder, field, rng)
    written: bytes = model.SerializeToString()
    return written


def _place(message: Proto, rng: Rng) -> tuple[Proto, Any]:
    """A field somewhere below, a deep one as likely as a shallow one."""
    fields = [field for field, _ in message.ListFields()]
    field = fields[rng.integers(len(fields))]
    value = getattr(message, field.name)
    inner = list(value) if field.is_repeated else [value]
    inner = [part for part in inner if hasattr(part, "ListFields") and part.ListFields()]
    if inner and rng.random() < 0.85:
        return _place(inner[rng.integers(len(inner))], rng)
    return message, field


def _change(holder: Proto, field: Any, rng: Rng) -> None:
    """Another value of the field's kind; of several one goes, comes twice, or another place."""
    value = getattr(holder, field.name)
    if field.is_repeated and len(value):
        at = int(rng.integers(len(value)))
        if field.message_type is None:
            value[at] = _odd(value[at], rng)
        elif rng.random() < 0.5:
            del value[at]
        else:
            value.add().CopyFrom(value[at])
    elif field.message_type is not None:
        holder.ClearField(field.name)
    else:
        _set(holder, field.name, _odd(value, rng))


def _set(holder: Proto, name: str, value: Any) -> None:
    try:
        setattr(holder, name, value)
    except (ValueError, TypeError):  # an enumeration or an int32 that does not hold it
        setattr(holder, name, 1)


def _odd(value: Any, rng: Rng) -> Any:
    if isinstance(value, bytes):
        return value[: int(rng.integers(len(value) + 1))]
    if isinstance(value, str):
        return WORDS[rng.integers(len(WORDS))]
    if isinstance(value, float):
        return [0.0, -1.0, float("nan"), 1e38][rng.integers(4)]
    return ODD[rng.integers(len(ODD))]
