"""`tensorem eval`: the loss and accuracy of a saved model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import tyro

from . import _exit
from ._flags import RunFolder, Source
from ._runs import examples, outputs, recipe_of, require_run
from ._terminal import print_json

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Eval:
    """Score a saved model on the examples that it was not trained on."""

    model: tyro.conf.Positional[RunFolder]
    """A run folder."""

    data: Source = None
    """digits, iris or a .csv file, whole unless the run trained on it; the run's own by default."""

    json: bool = False
    """Print JSON."""

    def run(self) -> int:
        from tensorem import files

        run = require_run(self.model)
        found = examples(run, self.data)
        scores = scores_of(recipe_of(run).loss, outputs(files.load(run), found.x), found.y)
        if self.json:
            print_json({"examples": len(found), **scores})
        else:
            shown = "  ".join(f"{name} {value:.4f}" for name, value in scores.items())
            print(f"{len(found)} examples  {shown}")
        return _exit.OK


def scores_of(loss: str, y: NDArray[Any], targets: NDArray[Any]) -> dict[str, float]:
    """The mean loss of outputs, and their accuracy where there are classes."""
    from tensorem import losses, metrics

    named: dict[str, Any] = {"loss": losses.LOSSES[loss]}
    if loss == "cross_entropy":
        named["accuracy"] = metrics.accuracy
    pairs = {name: score(y, targets) for name, score in named.items()}
    return {name: float(total) / float(count) for name, (total, count) in pairs.items()}
