"""Pictures in a folder for each class, decoded when they are asked for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tensorem.calls import each, named
from tensorem.disk import path_of
from tensorem.errors import DataError, FileError
from tensorem.shapes import Spec

from ._extras import extra
from ._source import Array

ENDINGS = frozenset([".bmp", ".gif", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp"])


@dataclass(frozen=True, eq=False, repr=False)
class ImageFolder:
    """Pictures in folders, of which each is a class; a `Loader` decodes its batches in threads.

    Args:
        path: The folder: path/cat/1.png, path/dog/2.jpg, ...
        size: Height and width to which all are made; None where all have one size.
        mode: "RGB" for three channels, "L" for one of grey.

    Shapes:
        x float32 (n, channels, height, width) in [0, 1], y int32 (n,)

    Raises:
        FileError: There are no pictures, or Pillow is not installed.
    """

    path: str | Path
    size: int | tuple[int, int] | None = None
    mode: str = "RGB"
    files: tuple[Path, ...] = ()
    classes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        extra("PIL.Image", "Pictures take Pillow")
        folder = path_of(self.path)
        files = tuple(sorted(f for f in folder.glob("*/*") if f.suffix.lower() in ENDINGS))
        if not files:
            raise FileError(
                f"An ImageFolder takes pictures in a folder for each class, got none in {folder}.",
                help=f"for example {folder / 'cat' / '1.png'}.",
            )
        with named("An ImageFolder"):
            size = None if self.size is None else each("size", self.size, 2, 1)
        object.__setattr__(self, "size", size)
        object.__setattr__(self, "files", files)
        object.__setattr__(self, "classes", tuple(sorted({f.parent.name for f in files})))

    def __len__(self) -> int:
        return len(self.files)

    def __repr__(self) -> str:
        return f"ImageFolder of {len(self)} in {len(self.classes)} classes"

    @property
    def parts(self) -> tuple[int, ...]:
        """Each picture is read alone."""
        return (len(self),)

    @property
    def input(self) -> Spec:
        """The spec of a batch of inputs, for `nn.build`."""
        return Spec(("N", *self.batch(np.arange(1))[0].shape[1:]), "float32")

    @property
    def labels(self) -> Array:
        """The class of each picture."""
        numbers = {name: i for i, name in enumerate(self.classes)}
        return np.array([numbers[file.parent.name] for file in self.files], np.int32)

    def batch(self, rows: NDArray[Any]) -> tuple[Array, Array]:
        """The pictures of some rows and their classes.

        Raises:
            FileError: A picture cannot be read.
            DataError: Two have different sizes, and no size was given.
        """
        pictures = [self._picture(self.files[i]) for i in rows.tolist()]
        for row, picture in zip(rows.tolist(), pictures, strict=True):
            if picture.shape != pictures[0].shape:
                raise DataError(
                    f"An ImageFolder takes pictures of one size, got {pictures[0].shape[1:]} and "
                    f"{picture.shape[1:]}.",
                    where=str(self.files[row]),
                    help="ImageFolder(path, size=(height, width)).",
                )
        return np.stack(pictures), self.labels[rows]

    def _picture(self, file: Path) -> Array:
        pillow = extra("PIL.Image", "Pictures take Pillow")
        try:
            with pillow.open(file) as picture:
                found = picture.convert(self.mode)
        except (OSError, SyntaxError, ValueError, pillow.DecompressionBombError) as error:
            raise FileError(
                "An ImageFolder takes pictures, got a file that is none.",
                where=str(file),
                because=str(error),
            ) from error
        if isinstance(self.size, tuple):
            found = found.resize(self.size[::-1], pillow.Resampling.BILINEAR)
        pixels = np.asarray(found, np.float32) / 255
        return np.moveaxis(pixels.reshape(*pixels.shape[:2], -1), -1, 0)
