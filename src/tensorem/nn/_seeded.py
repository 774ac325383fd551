"""Seeds: those that a layer carries, and those that a seeding draws from a stream."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, TypeVar

from tensorem.errors import ArgumentError
from tensorem.layer import Around, declarations
from tensorem.rand import SeedStream

T = TypeVar("T")
S = TypeVar("S")
Seeding = Callable[[SeedStream], tuple[T, SeedStream]]
"""What takes seeds from a stream and makes a value: (stream) -> (value, the stream after it)."""


class Seeded(Around):
    """A layer whose parameters start from given seeds; else it is that layer, with its paths.

    Shapes:
        those of the layer

    Args:
        layer: The layer.
        given: Seeds by path; `build` draws from its own seed and the path what is not given.

    Raises:
        PathError: A path is that of no parameter of the layer.
        ArgumentError: A seed is not an integer from 0 to 2^64 - 1, or there is no dict of them.

    Example:
        >>> from tensorem import nn
        >>> layer = nn.Seeded(nn.Linear(3, 2), {"weight": 1})
        >>> one, other = nn.build(layer, ("N", 3), seed=0), nn.build(layer, ("N", 3), seed=5)
        >>> bool((one.params["weight"] == other.params["weight"]).all())
        True
        >>> bool((one.params["bias"] == other.params["bias"]).all())
        False
    """

    given: Mapping[str, int]

    def __post_init__(self) -> None:
        super().__post_init__()
        if not isinstance(self.given, Mapping):
            raise ArgumentError(
                f"takes a dict from paths to seeds, got {self.given!r}.",
                help='for example {"weight": 1}.',
            )
        declarations(self)  # the paths and seeds are checked here

    def seeds(self) -> Mapping[str, int]:
        return self.given

    def label(self) -> str:
        return self.layer.label()


def lift(value: T) -> Seeding[T]:
    """The seeding of a value that needs no seed."""
    return lambda stream: (value, stream)


def with_seed(make: Callable[[int], T]) -> Seeding[T]:
    """The seeding that draws one seed and makes a value of it.

    Example:
        >>> from tensorem import nn
        >>> seeding = with_seed(lambda seed: nn.pure.embedding(7, 3, seed_w=seed))
        >>> run(0, seeding) == run(0, seeding) != run(1, seeding)
        True
    """
    return with_seeds(1, make)


def with_seeds(n: int, make: Callable[..., T]) -> Seeding[T]:
    """The seeding that draws n seeds, and makes a value of them in this order."""

    def seeding(stream: SeedStream) -> tuple[T, SeedStream]:
        seeds, rest = stream.take(n)
        return make(*seeds), rest

    return seeding


def in_turn(*seedings: Seeding[Any]) -> Seeding[tuple[Any, ...]]:
    """The seeding of all their values, each from the seeds that those before it left.

    Example:
        >>> from tensorem import nn
        >>> linear = with_seeds(2, lambda w, b: nn.pure.linear(3, 3, seed_w=w, seed_b=b))
        >>> layers = run(0, in_turn(linear, lift(nn.ReLU()), linear))
        >>> layers[0] == layers[2]
        False
    """

    def seeding(stream: SeedStream) -> tuple[tuple[Any, ...], SeedStream]:
        values = []
        for one in seedings:
            value, stream = one(stream)
            values.append(value)
        return tuple(values), stream

    return seeding


def run(seed: int | SeedStream, seeding: Seeding[T]) -> T:
    """What a seeding makes of the stream of a seed, from its first member on.

    Args:
        seed: The seed, or a stream, such as `rand.SeedStream.original(0)`.
    """
    return seeding(_stream(seed))[0]


class _Global:
    """The one stream of the process. Only the functions below read it: nothing that computes."""

    stream: ClassVar[SeedStream] = SeedStream(0)


def manual_seed(seed: int | SeedStream) -> None:
    """Begin the global stream anew; a process begins with that of 0.

    Example:
        >>> manual_seed(0)
        >>> first = next_seed()
        >>> manual_seed(0)
        >>> first == next_seed()
        True
    """
    _Global.stream = _stream(seed)


def run_global(seeding: Seeding[T]) -> T:
    """What a seeding makes of the next seeds of the global stream."""
    value, _Global.stream = seeding(_Global.stream)
    return value


def next_seed() -> int:
    """The next seed of the global stream."""
    return next_seeds(1)[0]


fresh_seed = next_seed
"""The page's other name for it."""


def next_seeds(n: int) -> tuple[int, ...]:
    """The next n seeds of the global stream."""
    return run_global(with_seeds(n, lambda *seeds: seeds))


def with_model(seeding: Seeding[T], use: Callable[[T], S]) -> S:
    """use(model), for the model that a seeding makes of one new seed of the global stream.

    The global stream moves on by one, however many seeds the seeding draws.
    """
    return use(run(next_seed(), seeding))


def _stream(seed: int | SeedStream) -> SeedStream:
    return seed if isinstance(seed, SeedStream) else SeedStream(seed)
