"""A run folder: config.json, log.jsonl and state.safetensors."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from tensorem.calls import integer, named
from tensorem.disk import RunFiles, exists, flush, parse_json, path_of, read_whole, write_whole
from tensorem.errors import FileError, ResumeError

from ._checkpoint import Checkpoint, canonical, read_checkpoint, write_checkpoint
from ._log import Entry, append_rows, keep_rows
from ._plan import Plan

FORMAT = "tensorem.config"


@dataclass(frozen=True)
class Folder:
    """Where a run is kept, and how often it is written.

    Args:
        path: The folder.
        checkpoint_every: Steps between checkpoints; None: one at the end of each epoch.
        log_every: Steps between rows of the log; None: one row at the end of each epoch.
    """

    path: Path
    checkpoint_every: int | None = None
    log_every: int | None = None

    def __post_init__(self) -> None:
        for name in ("checkpoint_every", "log_every"):
            value = getattr(self, name)
            if value is not None:
                with named("Training"):
                    object.__setattr__(self, name, integer(name, value, 1))

    @property
    def files(self) -> RunFiles:
        """The files in it."""
        return RunFiles(self.path)

    def create(self, config: dict[str, Any]) -> None:
        """Begin a run in an empty place.

        Raises:
            FileError: A run is kept there already, or nothing can be written there.
        """
        self._require_free()
        self.describe(config)
        write_whole(self.files.log, b"")

    def describe(self, config: dict[str, Any]) -> None:
        """Say what the run is: at its beginning, and where it is continued in another way."""
        text = json.dumps(config, indent=2, sort_keys=True) + "\n"
        write_whole(self.files.config, text.encode())

    def _require_free(self) -> None:
        """Nothing is lost: only a run that never began, so without a state, is begun again."""
        if exists(self.files.state):
            raise FileError(
                f"{self.path} takes a new run, got a folder that holds one.",
                help=f"train.resume({str(self.path)!r}, model, data), or choose another path.",
            )
        for file in (self.files.config, self.files.log):
            if exists(file) and not _is_run(self.path):
                raise FileError(
                    f"{self.path} takes a new run, got a folder with another {file.name}.",
                    help="choose another path.",
                )

    def save(self, checkpoint: Checkpoint, spelled: Mapping[str, str]) -> None:
        """Replace the checkpoint in one step; the rows of the log up to it are on the disk then."""
        flush(self.files.log)
        write_checkpoint(self.files.state, checkpoint, spelled)

    def log(self, rows: list[Entry]) -> None:
        """Add rows to the log."""
        append_rows(self.files.log, rows)

    def rewind(self, last_step: int, history: tuple[Entry, ...]) -> None:
        """Make the log agree with a checkpoint."""
        keep_rows(self.files.log, last_step, history)


def _is_run(path: Path) -> bool:
    """The config in a folder is that of a run."""
    try:
        return read_config(path).get("format") == FORMAT
    except FileError:
        return False


def required(path: Path) -> Path:
    """The folder, if it holds a run.

    Raises:
        ResumeError: It does not.
    """
    state = RunFiles(path).state
    if not exists(state):
        raise ResumeError(
            f"train.resume takes the folder of a run, got {path}.",
            because=f"it has no {state.name}.",
        )
    return path


def opened(path: Path) -> tuple[Folder, Checkpoint]:
    """The folder of a run and its last checkpoint.

    Raises:
        FileError: A file of it is malformed.
    """
    files = RunFiles(path)
    saving = read_config(path).get("saving")
    if not isinstance(saving, dict) or saving.keys() != {"checkpoint_every", "log_every"}:
        raise FileError(f"{files.config} takes an entry `saving` with two intervals, got none.")
    checkpoint = read_checkpoint(files.state)
    if wrong := _wrong(checkpoint):
        raise FileError(
            f"{files.state} is not the checkpoint of a run: {wrong} is not what it should be.",
            because="its hash is right, so it was written so.",
            help="take another copy of it, or train again with train.fit.",
        )
    return Folder(path, **saving), checkpoint


def _wrong(checkpoint: Checkpoint) -> str:
    """What of a checkpoint is of another kind than training writes; nothing where all is right."""
    facts, record = checkpoint.facts, checkpoint.arrays.get("record")
    for name, kind in _KINDS.items():
        if not isinstance(facts.get(name), kind):
            return name
    plan = facts["plan"]
    if plan.keys() != _PLAN or not isinstance(plan["loss"], str) or not _are_texts(plan["metrics"]):
        return "plan"
    if not _are_texts(list(facts["fingerprint"].values())):
        return "fingerprint"
    if not all(isinstance(row, dict) and type(row.get("step")) is int for row in facts["history"]):
        return "history"
    return "record" if record is None or record.ndim != 2 or record.dtype.kind != "f" else ""


_KINDS = {"plan": dict, "model": str, "data": str, "fingerprint": dict, "history": list}
_PLAN = {field.name for field in fields(Plan)}


def _are_texts(values: object) -> bool:
    return isinstance(values, list) and all(isinstance(value, str) for value in values)


def read_config(path: str | Path) -> dict[str, Any]:
    """The config of a run folder: plan, model, data, saving, fingerprint.

    Raises:
        ArgumentError: The path is no text and no Path.
        FileError: It is missing or malformed.
    """
    file = RunFiles(path_of(path)).config
    try:
        config = parse_json(read_whole(file))
    except ValueError as error:
        raise FileError(f"{file} takes JSON, got something else: {error}.") from None
    if not isinstance(config, dict):
        raise FileError(f"{file} takes a JSON object, got {canonical(config)[:40]}.")
    return config
