"""Seeds: those that a layer carries, and those that builders draw from a stream."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import field
from typing import Any, ClassVar, TypeVar

from tensorem.layer import Layer, declarations
from tensorem.rand import SeedStream

T = TypeVar("T")
S = TypeVar("S")
Builder = Callable[[SeedStream], tuple[T, SeedStream]]
"""What takes seeds from a stream and makes a value: (stream) -> (value, the stream after it)."""


class Seeded(Layer):
    """A layer whose parameters start from given seeds; else it is that layer, with its paths.

    Shapes:
        those of the layer

    Args:
        layer: The layer.
        given: Seeds by path; `build` draws from its own seed and the path what is not given.

    Raises:
        PathError: A path is that of no parameter of the layer.
        ArgumentError: A seed is not an integer from 0 to 2^64 - 1.

    Example:
        >>> from tensorem import nn
        >>> layer = nn.Seeded(nn.Linear(3, 2), {"weight": 1})
        >>> one, other = nn.build(layer, ("N", 3), seed=0), nn.build(layer, ("N", 3), seed=5)
        >>> bool((one.params["weight"] == other.params["weight"]).all())
        True
        >>> bool((one.params["bias"] == other.params["bias"]).all())
        False
    """

    layer: Layer = field(metadata={"path": ""})
    given: Mapping[str, int]

    def __post_init__(self) -> None:
        super().__post_init__()
        declarations(self)  # the paths and seeds are checked here

    def seeds(self) -> Mapping[str, int]:
        return self.given

    def output_shape(self, *shapes: Any) -> Any:
        return self.layer.output_shape(*shapes)

    @property
    def stated_input(self) -> Any:
        return self.layer.stated_input

    def forward(self, *xs: Any, **kw: Any) -> Any:
        return self.layer(*xs, **kw)

    def label(self) -> str:
        return self.layer.label()


def lift(value: T) -> Builder[T]:
    """The builder of a value that needs no seed."""
    return lambda stream: (value, stream)


def with_seed(make: Callable[[int], T]) -> Builder[T]:
    """The builder that draws one seed and makes a value of it.

    Example:
        >>> from tensorem import nn
        >>> builder = with_seed(lambda seed: nn.pure.embedding(7, 3, seed_w=seed))
        >>> run(0, builder) == run(0, builder) != run(1, builder)
        True
    """
    return with_seeds(1, make)


def with_seeds(n: int, make: Callable[..., T]) -> Builder[T]:
    """The builder that draws n seeds, and makes a value of them in this order."""

    def builder(stream: SeedStream) -> tuple[T, SeedStream]:
        seeds, rest = stream.take(n)
        return make(*seeds), rest

    return builder


def in_turn(*builders: Builder[Any]) -> Builder[tuple[Any, ...]]:
    """The builder of all their values, each from the seeds that those before it left.

    Example:
        >>> from tensorem import nn
        >>> linear = with_seeds(2, lambda w, b: nn.pure.linear(3, 3, seed_w=w, seed_b=b))
        >>> layers = run(0, in_turn(linear, lift(nn.ReLU()), linear))
        >>> layers[0] == layers[2]
        False
    """

    def builder(stream: SeedStream) -> tuple[tuple[Any, ...], SeedStream]:
        values = []
        for one in builders:
            value, stream = one(stream)
            values.append(value)
        return tuple(values), stream

    return builder


def run(seed: int | SeedStream, builder: Builder[T]) -> T:
    """What a builder makes of the stream of a seed, from its first member on.

    Args:
        seed: The seed, or a stream, such as `rand.SeedStream.original(0)`.
    """
    return builder(_stream(seed))[0]


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


def run_global(builder: Builder[T]) -> T:
    """What a builder makes of the next seeds of the global stream."""
    value, _Global.stream = builder(_Global.stream)
    return value


def next_seed() -> int:
    """The next seed of the global stream."""
    return next_seeds(1)[0]


fresh_seed = next_seed
"""The page's other name for it."""


def next_seeds(n: int) -> tuple[int, ...]:
    """The next n seeds of the global stream."""
    return run_global(with_seeds(n, lambda *seeds: seeds))


def with_model(builder: Builder[T], use: Callable[[T], S]) -> S:
    """use(model), for the model that a builder makes of one new seed of the global stream.

    The global stream moves on by one, however many seeds the builder draws.
    """
    return use(run(next_seed(), builder))


def _stream(seed: int | SeedStream) -> SeedStream:
    return seed if isinstance(seed, SeedStream) else SeedStream(seed)
