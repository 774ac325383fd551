"""One of two processes of a run: `one_process.py NUMBER PORT FOLDER`; both end with one result."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import jax

if __name__ == "__main__":
    number, port, folder = int(sys.argv[1]), sys.argv[2], Path(sys.argv[3])
    jax.distributed.initialize(f"127.0.0.1:{port}", 2, number)

import numpy as np
from small import fit, normed, resume, rows

from tensorem import train
from tensorem.errors import FileError

SHARDED = train.Compute(devices=train.Mesh(rules={"0.weight": ("data", None)}))


def main(folder: Path, number: int) -> dict[str, Any]:
    model = normed()
    given: dict[str, Any] = {"validation": rows(model)}
    told: list[int] = []
    watch = (train.on_save(lambda run: told.append(run.step)), train.KeepBest())
    fit(model, folder, epochs=2, backend=SHARDED, callbacks=watch, **given)
    run = resume(folder, model, epochs=3, **given)
    try:
        fit(model, folder, backend=SHARDED)
        refused = ""
    except FileError as error:
        refused = error.what
    weights = {name: np.asarray(a).tolist() for name, a in run.model.params.items()}
    return {"weights": weights, "saved": told, "refused": refused, "step": run.step}


if __name__ == "__main__":
    print(json.dumps(main(folder, number)))
