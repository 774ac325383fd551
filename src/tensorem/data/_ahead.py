"""Work begun before its result is asked for."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

A = TypeVar("A")
B = TypeVar("B")


def ahead(f: Callable[[A], B], items: Iterable[A], workers: int) -> Iterator[B]:
    """f of each item, in order; threads work on the next ones, one each, as results are used.

    Args:
        workers: How many threads; 0: none.

    Example:
        >>> list(ahead(str, range(5), workers=2))
        ['0', '1', '2', '3', '4']
    """
    if workers == 0:
        yield from map(f, items)
        return
    with ThreadPoolExecutor(workers) as threads:
        begun: deque[Future[B]] = deque()
        for item in items:
            begun.append(threads.submit(f, item))
            if len(begun) > workers:
                yield begun.popleft().result()
        while begun:
            yield begun.popleft().result()
