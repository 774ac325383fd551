"""A small run that kills itself: `killed_run.py PATH saved` or `killed_run.py PATH renaming`.

`killed_run.py PATH on CHECKPOINT_EVERY` begins or continues a longer one, killed from outside.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

from small import BATCH, cnn, fit, mlp, rows

from tensorem import data, optim, train
from tensorem.data import transforms

AT = 4
CALLBACKS = (
    train.EarlyStopping("val_loss", patience=100),
    train.KeepBest("val_accuracy", mode="max"),
    train.EMA(0.9),
    train.SWA(start=10),
)
KEPT = train.keep_checkpoints(last=2, best="val_accuracy", mode="max")
AUGMENT = transforms.Compose(transforms.RandomHorizontalFlip(), transforms.RandomCrop(4, padding=1))
GROUPS = optim.groups(
    {
        "6.*": optim.sgd(optim.step_lr(0.05, 20), momentum=0.9),
        "0.*": optim.adam(optim.warmup_lr(optim.cosine_lr(1e-2), 30)),
        "*": optim.adamw(1e-3),
    }
)


def die(*_: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def die_when_saved(run: train.Run) -> None:
    if run.step == AT:
        die()


def die_when_renaming(path: Path) -> None:
    """Die when the new checkpoint is on the disk under its other name."""
    replace = Path.replace

    def replace_or_die(self: Path, target: Any) -> Path:
        saves.append(self) if self.name == ".state.safetensors.new" else None
        return die() if len(saves) == AT + 1 else replace(self, target)  # type: ignore[return-value]

    saves: list[Path] = []
    Path.replace = replace_or_die  # type: ignore[method-assign,assignment]


def go_on(folder: Path, checkpoint_every: int) -> None:
    """From memory at even intervals, as an augmented stream at odd ones; with all else that is."""
    loader = data.Loader(rows(cnn()), BATCH, shuffle=True, seed=7, transform=AUGMENT, workers=2)
    odd = checkpoint_every % 2 == 1
    given: Any = train.Stream(loader.epoch, len(loader)) if odd else rows(cnn())
    if (folder / "state.safetensors").exists():
        train.resume(folder, cnn(), given, validation=rows(cnn()), progress="none", callbacks=KEPT)
    else:
        settings: Any = {"epochs": 150, "batch_size": BATCH, "seed": 7, "progress": "none"}
        settings |= {"validation": rows(cnn()), "backend": train.Compute(accumulate=2)}
        settings |= {"callbacks": (CALLBACKS, KEPT), "optimizer": GROUPS}
        train.fit(cnn(), given, path=folder, checkpoint_every=checkpoint_every, **settings)


if __name__ == "__main__":
    folder, moment = Path(sys.argv[1]), sys.argv[2]
    if moment == "on":
        go_on(folder, int(sys.argv[3]))
    elif moment == "saved":
        fit(mlp(), folder, checkpoint_every=1, callbacks=train.on_save(die_when_saved))
    else:
        die_when_renaming(folder)
        fit(mlp(), folder, checkpoint_every=1)
