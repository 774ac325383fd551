"""A small run that kills itself: `killed_run.py PATH saved` or `killed_run.py PATH renaming`."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

from small import fit, mlp

from tensorem import train

AT = 4


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


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    hooks = train.Hooks()
    if sys.argv[2] == "saved":
        hooks = train.Hooks(on_save=die_when_saved)
    else:
        die_when_renaming(folder)
    fit(mlp(), folder, checkpoint_every=1, hooks=hooks)
