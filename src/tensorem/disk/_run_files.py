"""What the files of a run folder are called."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class RunFiles:
    """The files of a run folder, whether they are there or not.

    Args:
        folder: The run folder.

    Example:
        >>> RunFiles(Path("runs/a")).state.as_posix()
        'runs/a/state.safetensors'
    """

    folder: Path

    @property
    def lock(self) -> Path:
        """Which process trains here, while one does."""
        return self.folder / "lock.json"

    @property
    def config(self) -> Path:
        """What was asked for, for people and programs to read; resuming reads the state alone."""
        return self.folder / "config.json"

    @property
    def log(self) -> Path:
        """A row for each epoch, and between them as many as were asked for."""
        return self.folder / "log.jsonl"

    @property
    def state(self) -> Path:
        """The last checkpoint."""
        return self.folder / "state.safetensors"

    @property
    def kept(self) -> Path:
        """The folder of checkpoints that stay."""
        return self.folder / "checkpoints"

    @property
    def recipe(self) -> Path:
        """Which data and layers the run is made of; the command line writes it."""
        return self.folder / "recipe.json"

    @property
    def weights(self) -> Path:
        """Every array of the model, as others can read it."""
        return self.folder / "model.safetensors"

    @property
    def graph(self) -> Path:
        """The program of the model."""
        return self.folder / "graph.json"

    @property
    def scores(self) -> Path:
        """How the model does on examples that it was not trained on."""
        return self.folder / "scores.json"

    @property
    def outcomes(self) -> Path:
        """What the model says of these examples, and the worst of them."""
        return self.folder / "outcomes.safetensors"

    @property
    def settings(self) -> Path:
        """Every flag of `tensorem train` as it was, to be used again."""
        return self.folder / "run.toml"

    @property
    def robustness(self) -> Path:
        """How many inputs were proved, refuted and left unknown."""
        return self.folder / "robustness.json"

    @property
    def counterexamples(self) -> Path:
        """Inputs, and points near them that are classified otherwise."""
        return self.folder / "counterexamples.safetensors"

    @property
    def certificates(self) -> Path:
        """The folder of certificates."""
        return self.folder / "certificates"

    @property
    def unrolled(self) -> Path:
        """The program without its loops, where it has some: what its certificates are about."""
        return self.certificates / "graph.json"

    @property
    def graph_page(self) -> Path:
        """The graph as a page."""
        return self.folder / "graph.html"

    @property
    def report(self) -> Path:
        """The page about all of it."""
        return self.folder / "report.html"
