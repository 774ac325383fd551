"""Small runs on 8 virtual devices: `on_devices.py few|many FOLDER`; prints what they gave."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

os.environ["XLA_FLAGS"] = "--xla_force_host_platform_device_count=8"

import numpy as np
from small import cnn, fit, normed, resume, rows

from tensorem import data, nn, train

ONE = train.Compute()
SHARDED = train.Compute(devices=train.Mesh(rules={"*": "data"}))
CALLBACKS = (train.EMA(0.9), train.KeepBest("val_loss"), train.SWA())


def apart(a: nn.Model, b: nn.Model) -> float:
    """The largest difference of two models, relative to the largest number of each array."""
    pairs = [
        (np.asarray(x[n]), np.asarray(y[n]))
        for x, y in zip(_arrays(a), _arrays(b), strict=True)
        for n in x
    ]
    return max(float(np.abs(x - y).max() / max(np.abs(y).max(), 1e-3)) for x, y in pairs)


def _arrays(model: nn.Model) -> tuple[dict[str, Any], ...]:
    return model.params, model.buffers


def few(folder: Path) -> dict[str, Any]:
    """Fully sharded, beside one device; the file of 8 shards goes on with 8, and with 4."""
    model = normed()
    one, run = fit(model), fit(model, folder / "whole", backend=SHARDED)
    weight = run.state.params["0.weight"]
    told = {"apart": apart(run.model, one.model), "devices": len(weight.devices())}
    told["part"] = weight.addressable_shards[0].data.shape
    moment = run.state.optimizer[0].mu["0.weight"]
    told["part of the optimizer"] = moment.addressable_shards[0].data.shape
    told["losses"] = [[row["loss"] for row in each.history] for each in (run, one)]
    for name, compute in (("8", None), ("4", train.Compute(devices=train.Mesh(4)))):
        fit(model, folder / name, epochs=2, backend=SHARDED)
        again = resume(folder / name, model, epochs=3, backend=compute)
        told[f"resumed on {name}"] = apart(again.model, run.model)
        told[f"bytes on {name}"] = _state(folder / name) == _state(folder / "whole")
    return told


def _state(folder: Path) -> bytes:
    return (folder / "state.safetensors").read_bytes()


def many(folder: Path) -> dict[str, Any]:
    """Every way to split, with dropout, statistics of batches, callbacks, parts and streams."""
    told, rules = {}, {"0.weight": ("model",), "6.weight": (None, "data"), "*": "model"}
    meshes = {"data": train.Mesh(data=8), "both": train.Mesh(4, 2, rules)}  # type: ignore[arg-type]
    for parts in (1, 2):
        one = _trained(train.Compute(accumulate=parts))
        for name, mesh in meshes.items():
            run = _trained(train.Compute(accumulate=parts, devices=mesh))
            told[f"{name} {parts}"] = max(map(apart, _models(run), _models(one)))
    loader = data.Loader(rows(cnn()), 8, shuffle=True, seed=7)
    given: Any = {"epochs": 3, "seed": 7, "progress": "none", "batch_size": 8}
    streams = [train.fit(cnn(), loader, backend=at, **given).model for at in (ONE, SHARDED)]
    return told | {"stream": apart(*streams)}


def _trained(compute: train.Compute) -> train.Run:
    return fit(cnn(), backend=compute, validation=rows(cnn()), callbacks=CALLBACKS)


def _models(run: train.Run) -> list[nn.Model]:
    return [run.model, *(run.callback(callback.name).model for callback in CALLBACKS)]


if __name__ == "__main__":
    what = {"few": few, "many": many}[sys.argv[1]]
    print(json.dumps(what(Path(sys.argv[2]))))
