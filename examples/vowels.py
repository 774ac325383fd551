"""Who speaks: nine men say two vowels, 7 to 29 steps long, and an LSTM tells them apart.

Sequences are padded to one length; `lengths` says where each ends, and what stands behind changes
nothing. The baseline of the archive is the nearest neighbour under dynamic time warping.
"""

from pathlib import Path

import _show
import numpy as np

import tensorem as tm
from tensorem import metrics, nn, optim, train

SPEAKERS, STEPS, CHANNELS = 9, 29, 12


class Speaker(nn.Layer):
    """The last state that lies inside of a sequence, read by a linear layer."""

    body: nn.LSTM
    head: nn.Linear

    def forward(self, x, lengths):
        return self.head(self.body(x, None, lengths))


def read(part):
    """((padded, lengths), speakers): a line has channels between colons, then the class."""
    name = f"aeon/datasets/data/JapaneseVowels/JapaneseVowels_{part}.ts"
    lines = _show.file("aeon", name).read_text("latin1").split("@data\n")[1].split()
    x = np.zeros((len(lines), STEPS, CHANNELS), np.float32)
    lengths, speakers = np.zeros((2, len(lines)), np.int32)
    for row, line in enumerate(lines):
        *channels, speaker = line.split(":")
        values = np.array([channel.split(",") for channel in channels], np.float32).T
        x[row, : len(values)] = values
        lengths[row], speakers[row] = len(values), int(speaker) - 1
    return (x, lengths), speakers


def main(quick: bool = False, out: Path = Path("runs/vowels")) -> list[_show.Figure]:
    known, test = read("TRAIN"), read("TEST")
    layer = Speaker(nn.LSTM(CHANNELS, 64, returns="last"), nn.Linear(64, SPEAKERS))
    inputs = (("N", STEPS, CHANNELS), tm.Spec(("N",), "int32"))
    model = nn.build(layer, input=inputs, seed=0)
    rule = optim.adamw(optim.cosine_lr(5e-3), weight_decay=0.01)
    rule = optim.chain(optim.clip_grad_norm(1.0), rule)
    run = train.fit(model, known, optimizer=rule, epochs=2 if quick else 60, batch_size=30)
    tm.save(run.model, out)

    confusion = metrics.confusion_matrix(train.predict(run.model, test[0]), test[1])
    np.savetxt(out / "confusion.txt", confusion, "%3d")
    print(confusion, out / "confusion.txt", sep="\n")
    accuracy = np.trace(confusion) / confusion.sum()
    return [_show.Figure("accuracy on 370 utterances", accuracy, least=0.95)]


if __name__ == "__main__":
    _show.show(main)
