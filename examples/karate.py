"""Who joins which club: a graph network on Zachary's karate club, with two labelled members.

A club of 34 split after a dispute of its instructor (member 0) and its president (member 33).
Their sides alone are known in training; the network finds those of the others from who met whom.
The baseline takes the side of the nearer leader, and half a point where both are as near.

Friendships and sides: W. W. Zachary, An Information Flow Model for Conflict and Fission in Small
Groups, Journal of Anthropological Research 33 (1977), numbered as in networkx.
"""

from pathlib import Path

import _show
import jax
import numpy as np
import optax
from matplotlib import figure

import tensorem as tm
from tensorem import losses, models, nn, optim

FRIENDS = {
    0: "1 2 3 4 5 6 7 8 10 11 12 13 17 19 21 31", 1: "2 3 7 13 17 19 21 30",
    2: "3 7 8 9 13 27 28 32",
    3: "7 12 13", 4: "6 10", 5: "6 10 16", 6: "16", 8: "30 32 33", 9: "33", 13: "33", 14: "32 33",
    15: "32 33", 18: "32 33", 19: "33", 20: "32 33", 22: "32 33", 23: "25 27 29 32 33",
    24: "25 27 31", 25: "31", 26: "29 33", 27: "33", 28: "31 33", 29: "32 33", 30: "32 33",
    31: "32 33", 32: "33",
}  # fmt: skip
WITH_INSTRUCTOR = [0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 11, 12, 13, 16, 17, 19, 21]
LEADERS = np.array([0, 33])


def club():
    """Who met whom, 0 or 1, and the side of each."""
    met, side = np.zeros((34, 34), np.float32), np.ones(34, np.int32)
    for one, others in FRIENDS.items():
        met[one, [int(other) for other in others.split()]] = 1
    side[WITH_INSTRUCTOR] = 0
    return met + met.T, side


def nearer(met):
    """How surely each is nearer to the president: 0, a half, or 1."""
    reach, paths = np.eye(34), np.full((34, 34), 34)
    for length in range(34):
        paths = np.where((reach > 0) & (paths == 34), length, paths)
        reach = reach @ met
    return (1 + np.sign(paths[:, 0] - paths[:, 33])) / 2


def main(quick: bool = False, out: Path = Path("runs/karate")) -> list[_show.Figure]:
    met, side = club()
    whole = np.eye(34, dtype=np.float32), met  # a member is known by its number alone
    layer, adam = models.gcn(34, 16, 2), optim.adamw(1e-2, weight_decay=0.05).transform()

    @jax.jit
    def step(model, state):
        def loss(params):
            scores = model.apply(params, *whole)[LEADERS]
            return losses.mean(losses.cross_entropy(scores, side[LEADERS]))

        updates, state = adam.update(jax.grad(loss)(model.params), state, model.params)
        return model.replace(params=optax.apply_updates(model.params, updates)), state

    rest, right = np.setdiff1d(np.arange(34), LEADERS), []
    for seed in range(1 if quick else 10):
        model = nn.build(layer, input=((34, 34), (34, 34)), seed=seed)
        state = adam.init(model.params)
        for _ in range(10 if quick else 200):
            model, state = step(model, state)
        said = np.asarray(model(*whole)).argmax(axis=1)
        right.append((said == side)[rest].mean())
    tm.save(model, out)

    hidden = np.asarray(model(*whole))
    picture = figure.Figure(figsize=(5, 4), layout="tight")
    axes = picture.subplots()
    for one, other in np.argwhere(np.triu(met)):
        axes.plot(*hidden[[one, other]].T, color="lightgray", linewidth=0.5, zorder=0)
    for kind, name in enumerate(("instructor", "president")):
        axes.scatter(*hidden[side == kind].T, label=f"went with the {name}")
    for member, place in enumerate(hidden):
        axes.annotate(str(member), place, fontsize=7)
    axes.set(xlabel="score of the instructor's side", ylabel="score of the president's side")
    axes.legend()
    picture.savefig(out / "club.png")
    print(out / "club.png")
    baseline = 1 - abs(nearer(met) - side)[rest].mean()
    return [
        _show.Figure("accuracy on the other 32, 10 seeds", float(np.mean(right)), least=0.93),
        _show.Figure("the nearer leader", baseline),
    ]


if __name__ == "__main__":
    _show.show(main)
