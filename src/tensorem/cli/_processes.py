"""The two processes that the demo starts: one that is killed, and the checker on its own.

Each is a session of its own: Ctrl-C is for the demo, which ends them.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from tensorem.disk import RunFiles
from tensorem.errors import CertificateError, ResumeError, TensoremError

from ._digits import STEPS, model_of, plan_of
from ._leave import LEAVING


@dataclass(eq=False)
class Victim:
    """The second process, from its start to the removal of what it left.

    Args:
        parent: In which folder it makes its own.
        seed: As in the run that is not killed.
        epochs: As in the run that is not killed.
    """

    parent: Path
    seed: int
    epochs: int
    _folder: TemporaryDirectory[str] | None = field(default=None, init=False)
    _process: subprocess.Popen[bytes] | None = field(default=None, init=False)

    def __str__(self) -> str:
        total = STEPS * self.epochs
        return (
            f"a second process was killed (SIGKILL) after step {self.step} of {total} "
            "and resumed here from its checkpoint"
        )

    @property
    def step(self) -> int:
        """After how many steps it is killed: inside an epoch, a little past the middle."""
        return STEPS * self.epochs // 2 + 1

    def __enter__(self) -> Victim:
        return self

    def start(self) -> None:
        """Begin to train."""
        self._folder = TemporaryDirectory(
            prefix="killed-", dir=self.parent, ignore_cleanup_errors=True
        )
        LEAVING.callback(self._folder.cleanup)
        given = [self._folder.name, str(self.seed), str(self.epochs), str(self.step)]
        program = f"from {__name__} import train_and_die; train_and_die(*{given!r})"
        self._process = subprocess.Popen(
            [sys.executable, "-c", program],
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True,
        )  # fmt: skip
        LEAVING.callback(self._process.kill)

    def __exit__(self, *raised: object) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.communicate()
        if self._folder is not None:
            self._folder.cleanup()

    def wait(self) -> Path:
        """The run folder that it left, once it is dead.

        Raises:
            ResumeError: It ended otherwise than by its killing.
        """
        assert self._process is not None and self._folder is not None
        _, told = self._process.communicate()
        if self._process.returncode != -signal.SIGKILL:
            raise ResumeError(
                f"The second process was to be killed, it ended with {self._process.returncode}.",
                because=told.decode(errors="replace").strip()[-2000:],
            )
        return Path(self._folder.name)


def train_and_die(folder: str, seed: str, epochs: str, step: str) -> None:
    """Train, and die by SIGKILL right after the checkpoint of a step: no handler, no clean-up."""
    try:
        _train_and_die(folder, seed, epochs, step)
    except TensoremError as error:
        sys.exit(f"{type(error).__name__}: {error}")


def _train_and_die(folder: str, seed: str, epochs: str, step: str) -> None:
    from tensorem import data, train

    def die(run: train.Run) -> None:
        if run.step >= int(step):
            os.kill(os.getpid(), signal.SIGKILL)

    train.fit(
        model_of(int(seed)), data.digits().train, path=folder, checkpoint_every=int(step),
        progress="none", callbacks=train.on_save(die), **plan_of(int(seed), int(epochs)),
    )  # fmt: skip


@dataclass(eq=False)
class Checking:
    """`tensorem check` on a folder of certificates, in a process of its own.

    Args:
        run: The run whose graph and weights the certificates are about.
        folder: The certificates.
    """

    run: Path
    folder: Path
    _process: subprocess.Popen[bytes] = field(init=False)

    def __enter__(self) -> Checking:
        own = RunFiles(self.run)
        files = (own.graph, own.weights, self.folder)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tensorem", "check", *map(str, files), "--json"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
        )  # fmt: skip
        LEAVING.callback(self._process.kill)
        return self

    def __exit__(self, *raised: object) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.communicate()

    def accepted(self) -> int:
        """How many certificates it accepts, once it is done.

        Raises:
            CertificateError: It could not read them.
        """
        answer, told = self._process.communicate()
        if self._process.returncode not in (0, 1):
            because = told.decode(errors="replace").strip()
            raise CertificateError("The checker could not check the run.", because=because)
        return sum(result["accepted"] for result in json.loads(answer).values())
