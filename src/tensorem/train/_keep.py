"""Checkpoints that stay beside the last one: some earlier ones, and that of the best epoch."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from tensorem import nn
from tensorem.calls import integer, named
from tensorem.disk import RunFiles, exists, make_folder, path_of, read_whole, write_whole
from tensorem.errors import ArgumentError

from ._callback import Callback, Memory, When
from ._callbacks import Mode, column_value, is_better, require_column, require_mode
from ._checkpoint import read_checkpoint
from ._processes import is_first
from ._run import Run
from ._state import State


@dataclass(frozen=True)
class Keep:
    """The callback of `keep_checkpoints` at one moment."""

    last: int
    best: str | None
    mode: Mode
    when: When
    name: str = "keep_checkpoints"

    def init(self, state: State, names: tuple[str, ...]) -> Memory:
        """Nothing is remembered: all is in the folder."""
        if self.best is not None:
            require_column(self, self.best, names)
        return ()

    def update(self, memory: Memory, run: Run) -> None:
        """Copy the checkpoint; a run that was killed before that does it at its start."""
        if run.path is None or not exists(RunFiles(run.path).state) or not is_first():
            return
        files = RunFiles(run.path)
        make_folder(files.kept)
        if self.last:
            write_whole(files.kept / f"step-{run.step:08}.safetensors", read_whole(files.state))
            _forget(files.kept, run.step, self.last)
        if self._is_best(run):
            write_whole(files.kept / "best.safetensors", read_whole(files.state))

    def _is_best(self, run: Run) -> bool:
        """The checkpoint is of the end of an epoch that was better than those before."""
        if self.best is None or not run.history or run.history[-1]["step"] != run.step:
            return False
        *before, now = (column_value(row, self.best) for row in run.history)
        return all(is_better(now, value, self.mode, 0.0) for value in before) and now == now


def _forget(folder: Path, step: int, last: int) -> None:
    """Remove what is older than the last ones, and what a run wrote before it was taken back."""
    found = sorted(folder.glob("step-*.safetensors"))
    past = [file for file in found if file.stem <= f"step-{step:08}"]
    for file in {*found} - {*past[-last:]}:
        file.unlink(missing_ok=True)


def keep_checkpoints(
    last: int = 0, best: str | None = None, mode: Mode = "min"
) -> tuple[Callback, ...]:
    """Keep checkpoints in the folder `checkpoints` of a run, as callbacks; each is a whole one.

    To go on from an earlier one, copy it over the run's state.safetensors and `resume`.

    Args:
        last: How many of the last ones stay, as step-00000012.safetensors.
        best: A column of the row of an epoch; the checkpoint of the epoch in which it was best
            stays as best.safetensors, if one is written at its end.
        mode: "min" where less is better, "max" where more is.

    Raises:
        ArgumentError: A value out of its range; at the start, a column that is not there.

    Example:
        >>> import tempfile
        >>> from tensorem import data, train
        >>> model, iris = nn.build(nn.Linear(4, 3), input=("N", 4)), data.iris()
        >>> with tempfile.TemporaryDirectory() as path:
        ...     run = train.fit(model, iris.train, epochs=3, path=path, progress="none",
        ...                     callbacks=keep_checkpoints(last=2, best="loss"))
        ...     print(sorted(p.name for p in (run.path / "checkpoints").iterdir()))
        ...     best = train.model_of(run.path / "checkpoints" / "best.safetensors", model)
        ['best.safetensors', 'step-00000008.safetensors', 'step-00000012.safetensors']
    """
    with named("keep_checkpoints"):
        last = integer("last", last, 0)
    if not last and best is None:
        raise ArgumentError("keep_checkpoints takes last or best, got neither.")
    saved = Keep(last, best, mode, "save")
    require_mode(saved, mode)
    return replace(saved, when="start"), saved


def model_of(checkpoint: str | Path, model: nn.Model) -> nn.Model:
    """The model with the parameters and buffers of a checkpoint.

    Args:
        checkpoint: A file, such as state.safetensors of a run or one that was kept.
        model: A model of the same layers.

    Raises:
        FileError: It is missing or no whole checkpoint.
        PathError: It is of a model with other names.
        ShapeError: It is of a model with other shapes.
    """
    arrays = read_checkpoint(path_of(checkpoint)).arrays
    parts = {name: name.partition(".") for name in arrays}
    return model.load_state_dict(
        {name: arrays[n] for n, (part, _, name) in parts.items() if part in ("params", "buffers")}
    )
