"""`tensorem resume`: a run goes on where it stopped."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import tyro

from ._flags import Place, RunFolder, Total
from ._recipe import Recipe, built
from ._training import ended, parts, saving, telling

if TYPE_CHECKING:
    from tensorem.train import Compute


@dataclass(frozen=True)
class Resume:
    """Go on with a run of tensorem train, to the same bytes as if it had never stopped."""

    folder: tyro.conf.Positional[RunFolder]
    """A run folder."""

    epochs: Total = None
    """Another total of epochs; that of the run if not given."""

    devices: Total = None
    """How many devices compute from here on, which rounds otherwise; as before if not given."""

    tensorboard: Place = None
    """Also write the numbers into this folder for TensorBoard."""

    json: bool = False
    """Print JSON."""

    def run(self) -> int:
        from tensorem import train

        recipe = Recipe.load(self.folder)
        found, held = parts(recipe)
        text = _told_again(self.folder, {"epochs": self.epochs, "devices": self.devices})
        run = train.resume(
            self.folder, built(recipe, found), found.train, validation=held, epochs=self.epochs,
            progress="none" if self.json else "auto", backend=_backend(self.folder, self.devices),
            callbacks=(saving(recipe, text), telling(self.tensorboard)),
        )  # fmt: skip
        return ended(run, recipe, found, self.json)


def _backend(folder: Path, devices: int | None) -> Compute | None:
    """How the run was computed, on another number of devices; None: as before."""
    from tensorem import train

    if devices is None:
        return None
    before = train.compute_of(train.read_config(folder).get("plan", {}).get("backend"))
    return replace(before, devices=train.Mesh(devices) if devices > 1 else None)


def _told_again(folder: Path, changed: Mapping[str, int | None]) -> str | None:
    """The run.toml of a run, with other values; None where it has none, or stays as it is."""
    from tensorem import disk

    file, given = disk.RunFiles(folder).settings, {k: v for k, v in changed.items() if v}
    if not given or not disk.is_file(file):
        return None
    text = disk.read_whole(file).decode(errors="replace")
    for name, value in given.items():
        text = re.sub(rf"(?m)^{name} = .*$", f"{name} = {value}", text)
    return text
