"""The species of 344 penguins from a table with missing cells and words, in five folds.

All that is learnt of a column, such as the mean that stands for a missing number, is learnt of
the rows of a fold that are trained on. Logistic regression, the same without a hidden layer, is
the baseline.
"""

from pathlib import Path

import _show
import numpy as np
from matplotlib import figure

import tensorem as tm
from tensorem import data, nn, optim, train

SPECIES = "Adelie", "Chinstrap", "Gentoo"


def fitted(known, hidden, epochs):
    """A classifier of the columns in their units; without a hidden layer it is linear."""
    scale = data.Scale.of(known.x)
    body = nn.blocks.mlp(known.x.shape[1], 3, hidden)
    model = nn.build(nn.Sequential(nn.Standardize(scale.mean, scale.std), *body), known.input)
    rule = optim.adamw(optim.cosine_lr(1e-2), weight_decay=0.05)
    return train.fit(model, known, optimizer=rule, epochs=epochs, progress="none").model


def main(quick: bool = False, out: Path = Path("runs/penguins")) -> list[_show.Figure]:
    table = data.read_table(_show.file("palmerpenguins", "palmerpenguins/data/penguins.csv"))
    species = table.labels(0, SPECIES)
    rows = data.Dataset(np.arange(len(species)), species)
    said = {(): species.copy(), (16,): species.copy()}
    for known, test in data.k_fold(rows, 5, stratify=species):
        columns = data.learn_columns(table, target="species", rows=known.x)
        birds = columns.examples(table)
        for hidden, answers in said.items():
            model = fitted(birds.select(known.x), hidden, 2 if quick else 40)
            answers[test.x] = train.predict(model, birds.x[test.x]).argmax(axis=1)
    tm.save(model, out)
    for feature in columns.features:
        print(f"{feature.column:18} {feature.told()}")

    picture = figure.Figure(figsize=(4, 4), layout="tight")
    axes = picture.subplots()
    for kind, name in enumerate(SPECIES):
        axes.scatter(*birds.x[species == kind][:, [3, 5]].T, 12, label=name)
    missed = birds.x[said[(16,)] != species]
    axes.scatter(missed[:, 3], missed[:, 5], 80, "none", edgecolors="black", label="missed")
    axes.set(xlabel="bill length, mm", ylabel="bill depth, mm")
    axes.legend()
    picture.savefig(out / "penguins.png")
    print(out / "penguins.png")
    linear, network = (float((answers == species).mean()) for answers in said.values())
    return [
        _show.Figure("accuracy in 5 folds", network, least=0.98),
        _show.Figure("logistic regression", linear),
    ]


if __name__ == "__main__":
    _show.show(main)
