"""`tensorem resume`: a run goes on where it stopped."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import tyro

from ._flags import Place, RunFolder, Total
from ._recipe import Recipe, built
from ._training import ended, parts, saving, telling


@dataclass(frozen=True)
class Resume:
    """Go on with a run of tensorem train, to the same bytes as if it had never stopped."""

    folder: tyro.conf.Positional[RunFolder]
    """A run folder."""

    epochs: Total = None
    """Another total of epochs; that of the run if not given."""

    tensorboard: Place = None
    """Also write the numbers into this folder for TensorBoard."""

    json: bool = False
    """Print JSON."""

    def run(self) -> int:
        from tensorem import train

        recipe = Recipe.load(self.folder)
        found, held = parts(recipe)
        text = _told_again(self.folder, self.epochs)
        run = train.resume(
            self.folder, built(recipe, found), found.train, validation=held, epochs=self.epochs,
            progress="none" if self.json else "auto",
            callbacks=(saving(recipe, text), telling(self.tensorboard)),
        )  # fmt: skip
        return ended(run, recipe, found, self.json)


def _told_again(folder: Path, epochs: int | None) -> str | None:
    """The run.toml of a run, with another total of epochs; None where it has none."""
    from tensorem import disk

    file = disk.RunFiles(folder).settings
    if epochs is None or not disk.is_file(file):
        return None
    text = disk.read_whole(file).decode(errors="replace")
    return re.sub(r"(?m)^epochs = .*$", f"epochs = {epochs}", text)
