"""What each process of the tests does: it forgets programs before it holds too many."""

from __future__ import annotations

from collections.abc import Iterator

import jax
import pytest

KEPT = 1000
"""Programs: JAX keeps each with some 2 MB, and up to thousands of them."""
_compiled: list[str] = []


def _count(event: str, **_: object) -> None:
    if event.endswith("compile_requests_use_cache"):
        _compiled.append(event)


jax.monitoring.register_event_listener(_count)


@pytest.fixture(autouse=True, scope="module")
def forgetful() -> Iterator[None]:
    """A file whose programs are many leaves none behind."""
    yield
    if len(_compiled) > KEPT:
        jax.clear_caches()
        _compiled.clear()
