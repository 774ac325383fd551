"""Tokens in a second behind a cache, and a text of 10 MB as tokens."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

from bench.interleave import in_turns
from bench.layers import Call, serve
from bench.process import THREADS
from bench.variants import OURS, PYTORCH, Run, has_compiler, is_installed

COMPILED = f"{PYTORCH} compile"
SIZES = {"GPT d128 L4": (128, 4, 4), "GPT d384 L6": (384, 6, 6)}
"""The size of a vector, blocks and heads, by name."""
VOCABULARY, PROMPT, NEW, PLACES = 256, 64, 64, 256


def asked(only: Callable[[str], bool]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """(model, the sides)."""
    compiled = (COMPILED,) if has_compiler() else ()
    theirs = (PYTORCH, *compiled) if is_installed("torch") else ()
    for name in filter(only, SIZES):
        yield name, (OURS, *theirs)


def sides() -> dict[str, Run]:
    """Every side, by name."""
    return {
        OURS: partial(serve, _ours), PYTORCH: partial(serve, partial(_torch, False)),
        COMPILED: partial(serve, partial(_torch, True)),
    }  # fmt: skip


def _ours(name: str) -> Call:
    from tensorem import Spec, models, nn, text

    layer = models.gpt2(SIZES[name], VOCABULARY, PLACES, 0.0)
    model = nn.build(layer, input=Spec(("N", "T"), "int32"), seed=0)
    options = text.GenerationOptions(max_new_tokens=NEW, top_k=1, max_length=PLACES)

    def call() -> int:
        return len(text.generate(model, _prompt(), options=options))

    return call


def _torch(compiled: bool, name: str) -> Call:
    import torch

    from bench.networks.writer import Writer
    from tensorem import runtime

    runtime.keep_freed_memory()
    torch.set_num_threads(THREADS)
    writer = Writer(*SIZES[name], VOCABULARY, PLACES)
    step = torch.compile(writer.next_of_all) if compiled else writer.next
    prompt = torch.tensor(_prompt())[None]

    def call() -> int:
        with torch.inference_mode():
            return len(writer.write(prompt, NEW, step))

    return call


def _prompt() -> Any:
    return np.random.default_rng(0).integers(0, VOCABULARY, PROMPT).astype(np.int64)


def tokenizing(rounds: int, size: int = 10_000_000) -> float:
    """Our time over that of `tokenizers`, for a text of so many characters."""
    from tensorem import text

    rng = np.random.default_rng(0)
    words = ["".join(map(chr, rng.integers(97, 123, n))) for n in rng.integers(2, 10, 2000)]
    ours = text.BPETokenizer.train([" ".join(words)] * 3, vocab_size=2000)
    drawn = " ".join(rng.choice(words, size // 5))[:size]
    seconds = in_turns(
        {"ours": lambda: ours.encode(drawn), "theirs": lambda: ours.inner.encode(drawn).ids}, rounds
    )
    pairs = zip(seconds["ours"], seconds["theirs"], strict=True)
    return statistics.median(a / b for a, b in pairs)
