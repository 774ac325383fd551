"""The other tests of the checker catch every fault of this table, planted in a copy of its source.

Each fault leaves out one thing that docs/checker.md needs, or turns it around.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import tensorem

SOURCE = Path(tensorem.__file__).parent
TESTS = Path(__file__).parent

FAULTS: dict[str, tuple[str, str, str]] = {
    "no error of a dot product forward": (
        "_steps.py",
        "noise = _product(size, step.slack, a) + step.bias_slack + a.tiny",
        "noise = 0 * centre + step.bias_slack + a.tiny",
    ),
    "no error of a bias": (
        "_steps.py",
        "step.slack, a) + step.bias_slack + a.tiny",
        "step.slack, a) + a.tiny",
    ),
    "no underflow of an affine step": (
        "_steps.py",
        "+ step.bias_slack + a.tiny",
        "+ step.bias_slack",
    ),
    "errors of an affine step taken once": (
        "_steps.py",
        "return centre - spread - 2 * noise, centre + spread + 2 * noise, noise",
        "return centre - spread - noise, centre + spread + noise, noise",
    ),
    "the radius of a weight forgotten": (
        "_steps.py",
        "np.abs(w) + weight.radius + a.tiny",
        "np.abs(w) + a.tiny",
    ),
    "the radius of a bias forgotten": (
        "_steps.py",
        "np.abs(b.middle) + b.radius",
        "np.abs(b.middle)",
    ),
    "the longer side of a weight forgotten": ("_steps.py", "a.gamma(max(k, o))", "a.gamma(k)"),
    "no error of a leak": (
        "_steps.py",
        "noise = a.gamma(1) * step.leak * x.size + a.tiny",
        "noise = 0 * x.size",
    ),
    "an offset that is not enlarged": (
        "_steps.py",
        "rise + 2 * (a.gamma(4) * rise + a.tiny)",
        "rise",
    ),
    "one end of a chord": (
        "_steps.py",
        "np.maximum((upper - step.leak) * -x.lower, (1 - upper) * x.upper)",
        "(upper - step.leak) * -x.lower",
    ),
    "a lower slope below the leak": (
        "_steps.py",
        "np.maximum(given.astype(np.float64), leak)",
        "given.astype(np.float64)",
    ),
    "the certificate's slope where the sign is known": (
        "_steps.py",
        "np.where(open_, lower, itself)",
        "lower",
    ),
    "no error of relu lines": (
        "_steps.py",
        "noise = a.gamma(1) * x.size + a.gamma(offset.size) * offset + a.tiny",
        "noise = 0 * x.size",
    ),
    "lower and upper slopes swapped": (
        "_steps.py",
        "return Lines(step.read, lower, step.read, upper, offset, noise)",
        "return Lines(step.read, upper, step.read, lower, offset, noise)",
    ),
    "a max offset that is not enlarged": (
        "_steps.py",
        "itself, 0, rise + 2 * slop",
        "itself, 0, rise",
    ),
    "a max of which one cell is the largest, whatever the slope": (
        "_steps.py",
        "itself = (rest <= low) & (slope == 1)",
        "itself = rest <= low",
    ),
    "a chord that is no number": (
        "_steps.py",
        "np.fmin(np.fmax(slope, least), 1)",
        "np.minimum(np.maximum(slope, least), 1)",
    ),
    "exact lines of other slopes than the rounded ones": (
        "_check.py",
        "lines(step, x, values.lines[i].slopes, lined, a)",
        "lines(step, x, slopes(step, x.map(lambda v: v.astype(float)), lined), lined, a)",
    ),
    "pairs of axes that are matched as one list": (
        "_ops.py",
        "matching = lead == y_lead and x_last == y_last",
        "matching = lead + x_last == y_lead + y_last",
    ),
    "a max that takes padding for cells": (
        "_steps.py",
        "other = step.inside & (np.arange(window) != pick[:, None])",
        "other = np.arange(window) == pick[:, None]",
    ),
    "no error of max lines": (
        "_steps.py",
        "noise = a.gamma(1) * size + a.gamma(count) * np.abs(offset) + a.tiny",
        "noise = 0 * size",
    ),
    "a weight that is not transposed backward": (
        "_steps.py",
        "step.weight.transpose(0, 2, 1), a)",
        "step.weight.reshape(batch, o, k), a)",
    ),
    "results of several places mixed up backward": (
        "_steps.py",
        "stacked = rows.reshape(count, batch, step.places, o).transpose(1, 0, 2, 3)",
        "stacked = rows.reshape(batch, count, step.places, o)",
    ),
    "a bias forgotten backward": (
        "_steps.py",
        "a.matmul(rows, step.bias)",
        "0 * a.matmul(rows, step.bias)",
    ),
    "offsets forgotten backward": (
        "_steps.py",
        "term = a.matmul(negative, line.offset)",
        "term = 0 * a.matmul(negative, line.offset)",
    ),
    "offsets of lower lines forgotten backward": (
        "_steps.py",
        "term = term + a.matmul(positive, line.lower_offset)",
        "term = term + 0 * a.matmul(positive, line.lower_offset)",
    ),
    "slopes of the second factor forgotten": (
        "_steps.py",
        "slope.reshape(-1, count)).reshape",
        "np.where(np.arange(slope.size) < count, slope, 0).reshape(-1, count)).reshape",
    ),
    "two corners of a product left out": (
        "_steps.py",
        "for q in (v.lower, v.upper)]\n\n",
        "for q in (v.lower,)]\n\n",
    ),
    "no error of the corners of a product": (
        "_steps.py",
        "2 * (a.gamma(4) * size + a.tiny)",
        "0 * size",
    ),
    "no error of two lines": (
        "_steps.py",
        "noise = a.gamma(1) * size + a.gamma(step.count) * rest + a.tiny",
        "noise = 0 * size + a.gamma(step.count) * rest + a.tiny",
    ),
    "no error of the offsets of two lines": (
        "_steps.py",
        "a.gamma(step.count) * rest + a.tiny",
        "0 * rest + a.tiny",
    ),
    "a function between the ends of pieces left out": (
        "_curves.py",
        "heights[1:]) - cut.sag)",
        "heights[1:]))",
    ),
    "one end of every piece left out": (
        "_curves.py",
        "np.minimum(heights[:-1], heights[1:])",
        "heights[:-1]",
    ),
    "values of a function taken as right": (
        "_curves.py",
        "ERROR * (np.abs(cut.y) + np.abs(product))",
        "0 * (np.abs(cut.y) + np.abs(product))",
    ),
    "values at ends taken as right": (
        "_curves.py",
        "slop = 2 * (ERROR * np.abs(ends) + TINY)",
        "slop = 0 * ends",
    ),
    "a pole inside an interval": (
        "_curves.py",
        "np.where(near > 0, 2 / near**3, np.inf)",
        "2 / np.abs(near) ** 3",
    ),
    "a function below where it is known": (
        "_curves.py",
        "np.where(lower > 0, bend(lower), np.inf)",
        "bend(np.abs(lower))",
    ),
    "floats to nearest for a curve": (
        "_numbers.py",
        "[float_above(v) for v in x.ravel().tolist()]",
        "[float(v) for v in x.ravel().tolist()]",
    ),
    "a falling function taken as rising": (
        "_curves.py",
        "ends = cut.y[[0, -1]][:: f.rises]",
        "ends = cut.y[[0, -1]]",
    ),
    "a bend that is too small": (
        "_curves.py",
        "_sigmoid, _at_most(0.097)",
        "_sigmoid, _at_most(0.09)",
    ),
    "softmax without its own share": (
        "_smooth.py",
        "affine_of(c, powers, ones, constant(c, (1, 1, 1), 1))",
        "affine_of(c, powers, ones, constant(c, (1, 1, 1), 0.9))",
    ),
    "a mean by another number": (
        "_smooth.py",
        "share = inverse(constant(c, (1, size, 1), size), c.arithmetic)",
        "share = inverse(constant(c, (1, size, 1), size + 1), c.arithmetic)",
    ),
    "a coefficient of both signs": ("_steps.py", "parts[0][1] + parts[1][1]", "parts[0][1]"),
    "no error of a step backward": (
        "_bounds.py",
        "affine_backward(step, rows, a), values.noise[i]",
        "affine_backward(step, rows, a), 0 * values.noise[i]",
    ),
    "no error of a bend backward": (
        "_bounds.py",
        "bend_backward(values.lines[i], rows, a), values.lines[i].noise",
        "bend_backward(values.lines[i], rows, a), 0 * values.lines[i].noise",
    ),
    "no error at the box": (
        "_bounds.py",
        "noise = a.gamma(b.size.size) * b.size + a.tiny",
        "noise = 0 * b.size",
    ),
    "no error of the running total": (
        "_bounds.py",
        "+ values.floor[i] + a.gamma(0) * np.abs(total)",
        "+ values.floor[i]",
    ),
    "no underflow of a row": (
        "_bounds.py",
        "error + values.floor[i] + a.gamma(0)",
        "error + a.gamma(0)",
    ),
    "no error of adding rows": (
        "_bounds.py",
        "slop = slop + a.matmul(np.abs(sums), a.gamma(0) * size[source.hit] + a.tiny)",
        "slop = 1 * slop",
    ),
    "errors of a backward pass taken once": (
        "_bounds.py",
        "return -a.up(2 * slop - total)",
        "return -a.up(slop - total)",
    ),
    "the last rounding to nearest": (
        "_bounds.py",
        "return -a.up(2 * slop - total)",
        "return total - 2 * slop",
    ),
    "tightened bounds that are not intersected": (
        "_bounds.py",
        "np.maximum(old.lower, lower), np.minimum(old.upper, upper)",
        "lower, upper",
    ),
    "the upper line of a part left out": (
        "_narrow.py",
        "for side in (lines.lower, lines.upper):",
        "for side in (lines.lower,):",
    ),
    "one line of a part for both": (
        "_narrow.py",
        "if lines.upper is not lines.lower:",
        "if False:",
    ),
    "a part that reads one group": (
        "_narrow.py",
        "reached[_windows(step)[:, places]] = True",
        "reached[_windows(step)[:1, places]] = True",
    ),
    "a part with the first biases": (
        "_narrow.py",
        "bias=step.bias[own]",
        "bias=step.bias[: own.size]",
    ),
    "a part at no error": (
        "_narrow.py",
        "found.noise.append(values.noise[i][own])",
        "found.noise.append(0 * values.noise[i][own])",
    ),
    "a part at no underflow": (
        "_narrow.py",
        "found.floor.append(values.floor[i])",
        "found.floor.append(0 * values.floor[i])",
    ),
    "only the first part": (
        "_narrow.py",
        "yield narrowed(program, values, at[start : start + TOGETHER])",
        "yield first",
    ),
    "a radius to nearest": (
        "_numbers.py",
        "radius = a.up(np.maximum(upper - middle, middle - lower))",
        "radius = np.maximum(upper - middle, middle - lower)",
    ),
    "gamma of nothing": ("_numbers.py", "k = (n + SPARE) * UNIT", "k = 0.0 * UNIT"),
    "no roundings to spare": ("_numbers.py", "k = (n + SPARE) * UNIT", "k = n * UNIT"),
    "a unit that is too small": ("_numbers.py", "UNIT = 2.0**-53", "UNIT = 2.0**-54"),
    "no allowance for underflow": ("_numbers.py", "TINY = 2.0**-1000", "TINY = 0.0"),
    "bounds that are not finite": (
        "_numbers.py",
        "if not (a.finite(lower) and a.finite(upper)):",
        "if False:",
    ),
    "bounds that are out of order": (
        "_numbers.py",
        "if not bool(np.all(lower <= upper)):",
        "if False:",
    ),
    "a root from one side only": (
        "_numbers.py",
        "Fraction(root + 1, 1 << shift)",
        "Fraction(root, 1 << shift)",
    ),
    "subnormal numbers that are flushed": (
        "_numbers.py",
        "if not bool(np.all(small @",
        "if False and not bool(np.all(small @",
    ),
    "exact numbers of any length": ("_numbers.py", "MOST_BITS = 2**13", "MOST_BITS = 2**20"),
    "a box to nearest": (
        "_claim.py",
        "lower, upper = -a.up(eps - point), a.up(point + eps)",
        "lower, upper = point - eps, point + eps",
    ),
    "a box that ignores the clip range": (
        "_claim.py",
        "    if claim.clip is not None:\n        low, high",
        "    if False:\n        low, high",
    ),
    "a clip range rounded inward": (
        "_claim.py",
        "np.maximum(lower, -above(-low, a))",
        "np.maximum(lower, above(low, a))",
    ),
    "a centre outside the clip range": (
        "_claim.py",
        "if not _inside(claim.clip, point, a):",
        "if False:",
    ),
    "a negative eps": ("_claim.py", "    if eps < 0:", "    if False:"),
    "a margin of zero": ("_check.py", "if not margin > 0:", "if not margin >= 0:"),
    "a margin that is no number": ("_check.py", "if not margin > 0:", "if margin <= 0:"),
    "the graph's hash skipped": ("_check.py", "claim.graph == checker.graph_hash", "True"),
    "the weights' hash skipped": (
        "_check.py",
        "claim.weights == checker.weights_hash",
        "True",
    ),
    "the replay skipped": ("_check.py", "        if off <= tolerance:", "        if True:"),
    "a loose replay": ("_check.py", "REPLAY_TOLERANCE = 1e-4", "REPLAY_TOLERANCE = 1e-1"),
    "slopes of any size": (
        "_check.py",
        "np.all((values >= 0) & (values <= 1))",
        "np.all(values == values)",
    ),
    "picks of any cell": ("_check.py", "np.all((picks >= 0) & (picks < inside.shape[1]))", "True"),
    "picks of padding": ("_check.py", "np.all(inside[np.arange(len(inside)), picks])", "True"),
    "numbers that are not finite": (
        "_check.py",
        "np.all(np.isfinite(values))",
        "True",
    ),
    "weights that are not finite": (
        "_check.py",
        "if not bool(np.all(np.isfinite(array))):",
        "if False:",
    ),
    "margins that are not finite": ("_check.py", "_require(a.finite(margins),", "_require(True,"),
    "a label of no class": ("_check.py", "0 <= says.label < classes", "True"),
    "one class left out": (
        "_goals.py",
        "a), classes - 1, rows, tensors)",
        "a), max(1, classes - 2), rows, tensors)",
    ),
    "shapes taken as recorded": ("_call.py", "if tuple(shape) != self.shape:", "if False:"),
    "a value used before it is defined": (
        "_graph.py",
        "            if name not in seen:",
        "            if False:",
    ),
    "a leak above one": ("_ops.py", "if not 0 <= leak <= 1:", "if False:"),
    "a divisor that may be zero": (
        "_ops.py",
        "np.all((y.lower > 0) | (y.upper < 0))",
        "np.all((y.lower != 0) & (y.upper != 0))",
    ),
    "a root of a wrong side": (
        "_numbers.py",
        "bounds(a.root(x.lower)[0], a.root(x.upper)[1], a)",
        "bounds(a.root(x.lower)[0], a.root(x.upper)[0], a)",
    ),
    "a padded cell that is pooled": (
        "_ops.py",
        "np.where(places >= 0, places, last)",
        "places % math.prod(shape)",
    ),
    "a kernel of transposed axes": (
        "_ops.py",
        "k.reshape(groups, out // groups, -1).transpose(0, 2, 1)",
        "k.reshape(groups, -1, out // groups)",
    ),
    "groups of a convolution mixed up": (
        "_ops.py",
        "split = (n, groups, per_group, h, w, -1)\n    order, rows = (1, 0, 3, 4, 2, 5)",
        "split = (n, per_group, groups, h, w, -1)\n    order, rows = (2, 0, 3, 4, 1, 5)",
    ),
    "files whose tensors overlap": (
        "_files.py",
        "        if begin != at:",
        "        if begin > at:",
    ),
    "keys that occur twice": ("_files.py", "        if key in table:", "        if False:"),
    "a hash without names": ("_files.py", '(name.encode(), b"F32"', '(b"", b"F32"'),
    "no error of adding up what is read twice": (
        "_bounds.py",
        "slop = a.matmul(np.abs(rows), a.gamma(source.repeats) * size[source.at] + a.tiny)",
        "slop = a.zeros(len(rows))",
    ),
    "what is read twice counted as read once": ("_steps.py", "int(counts.max())", "1"),
    "rows that replace those of another user": (
        "_bounds.py",
        "        sums = before + sums\n",
        "        sums = 1 * sums\n",
    ),
    "rows added up in disorder": (
        "_steps.py",
        "np.add.reduceat(rows[:, order], starts, axis=1)",
        "np.add.reduceat(rows, starts, axis=1)",
    ),
    "a range where there is none": (
        "_steps.py",
        "if np.array_equal(at, np.arange(first, first + count)):",
        "if at[-1] - first == count - 1:",
    ),
    "a subtraction that adds": (
        "_ops.py",
        "[[[sign] for _, sign in terms]]",
        "[[[1] for _ in terms]]",
    ),
    "a constant subtracted as it is": (
        "_ops.py",
        "lower, upper = (x.lower, x.upper) if sign > 0 else (-x.upper, -x.lower)",
        "lower, upper = x.lower, x.upper",
    ),
    "a product rounded to nearest": (
        "_numbers.py",
        "bounds(-a.up(-np.minimum.reduce(ends)), a.up(np.maximum.reduce(ends)), a)",
        "bounds(np.minimum.reduce(ends), np.maximum.reduce(ends), a)",
    ),
    "a product of lower ends": (
        "_numbers.py",
        "for p in (x.lower, x.upper) for q in (y.lower, y.upper)",
        "for p in (x.lower, x.upper) for q in (y.lower,)",
    ),
    "a quotient rounded to nearest": (
        "_numbers.py",
        "return bounds(-a.up(-1 / x.upper), a.up(1 / x.lower), a)",
        "return bounds(1 / x.upper, 1 / x.lower, a)",
    ),
    "a root rounded to nearest": (
        "_numbers.py",
        "return np.nextafter(nearest, 0), _float_up(nearest)",
        "return nearest, nearest",
    ),
    "a variance that is shifted to nearest": (
        "_ops.py",
        "shifted = bounds(-a.up(above(-eps, a) - var.lower), a.up(var.upper + above(eps, a)), a)",
        "shifted = bounds(var.lower + above(eps, a), var.upper + above(eps, a), a)",
    ),
    "a mean that is added": (
        "_ops.py",
        "bounds(-a.up(moved.upper - bias.lower), a.up(bias.upper - moved.lower), a)",
        "bounds(-a.up(-moved.lower - bias.lower), a.up(bias.upper + moved.upper), a)",
    ),
    "an offset of a batch norm to nearest": (
        "_ops.py",
        "bounds(-a.up(moved.upper - bias.lower), a.up(bias.upper - moved.lower), a)",
        "bounds(bias.lower - moved.upper, bias.upper - moved.lower, a)",
    ),
    "constants that are not bounded": (
        "_call.py",
        "return bounds(lower, upper, self.arithmetic)\n        return change",
        "return bounds(lower, lower, self.arithmetic)\n        return change",
    ),
    "a clip range to nearest": (
        "_numbers.py",
        "return q if a.dtype is object else float_above(q)",
        "return q if a.dtype is object else float(q)",
    ),
    "an image that is cut to its frame": (
        "_ops.py",
        "    whole[inner] = x\n",
        "    whole[inner] = x * 0\n",
    ),
    "a part whose other half is lost": (
        "_goals.py",
        "[(_with(lower, axis, face), upper), (lower",
        "[(lower, _with(upper, axis, face)), (lower",
    ),
    "cuts that leave parts over": ("_goals.py", "if left[-1] != 0 or not", "if not"),
    "cuts that run out of parts": (
        "_goals.py",
        "or not np.all(left[:-1] > 0):",
        "and False:",
    ),
    "a cut across any axis": (
        "_goals.py",
        "if not np.all((axes >= -1) & (axes < len(whole[0]))):",
        "if False:",
    ),
    "multipliers of any sign": (
        "_check.py",
        "np.all((values >= 0) & (values < np.inf))",
        "np.all(np.isfinite(values))",
    ),
    "multipliers of other sets": ("_goals.py", "owner == np.r_[part][:, None]", "owner >= 0"),
    "a bound of the other sign": ("_goals.py", "[-one.bound for", "[one.bound for"),
    "an output counted from the end": (
        "_goals.py",
        "0 <= i < program.output.count",
        "i < program.output.count",
    ),
    "decimals to nearest": (
        "_claim.py",
        "[sign * above(sign * v, a) for v in values]",
        "[above(v, a) if a.dtype is object else float(v) for v in values]",
    ),
    "a part of the box to nearest": (
        "_claim.py",
        "enclosed(lower, a).lower, enclosed(upper, a).upper",
        "enclosed(lower, a).upper, enclosed(upper, a).lower",
    ),
    "the last unsafe set left out": (
        "_goals.py",
        "between(*ends, a), len(claim.unsafe)",
        "between(*ends, a), max(1, len(claim.unsafe) - 1)",
    ),
    "the last part left out": (
        "_check.py",
        "-float_above(-min(margins))",
        "-float_above(-margins[0])",
    ),
    "an empty box": ("_claim.py", "any(low > high for", "any(low == 1j for"),
    "an output named twice": (
        "_claim.py",
        "if len({place for place, _ in terms}) != len(terms):",
        "if False:",
    ),
    "a box of another input": ("_check.py", "len(says.lower) == inputs", "True"),
    "parts at no cost": ("_lower.py", "work = boxes * (work", "work = (work"),
    "parts that take any memory": ("_check.py", "nodes * inputs > LARGEST_SIZE", "False"),
}
"""What is wrong, the file, its text, and the text with the fault."""


@pytest.mark.parametrize("name", FAULTS)
def test_the_table_is_of_this_source(name: str) -> None:
    file, right, wrong = FAULTS[name]
    assert (SOURCE / "check" / file).read_text().count(right) == 1
    assert right != wrong


@pytest.mark.long
@pytest.mark.parametrize("name", FAULTS)
def test_a_planted_fault_is_caught(name: str, tmp_path: Path) -> None:
    plant(tmp_path, *FAULTS[name])
    assert rest_of_the_tests(tmp_path) == 1, f"nothing fails although there is {name}"


@pytest.mark.long
def test_without_a_fault_nothing_fails_in_a_copy(tmp_path: Path) -> None:
    plant(tmp_path, "__init__.py", "", "")
    assert rest_of_the_tests(tmp_path, "test_check_accepts.py") == 0


def plant(folder: Path, file: str, right: str, wrong: str) -> None:
    """A copy of the package in a folder, with a fault in the checker."""
    ignore = shutil.ignore_patterns("__pycache__")
    shutil.copytree(SOURCE, folder / "tensorem", ignore=ignore)
    target = folder / "tensorem" / "check" / file
    target.write_text(target.read_text().replace(right, wrong, 1))


def rest_of_the_tests(folder: Path, *only: str) -> int:
    """The exit code of the short tests of the checker, run on the package in a folder."""
    names = {p.name for p in TESTS.glob("test_*.py")} - {Path(__file__).name}
    files = only or sorted(names, key=lambda name: (name != "test_check_lemmas.py", name))
    flags = ["-q", "-x", "-n", "0", "-m", "not long", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *flags, *(str(TESTS / f) for f in files)],
        env=os.environ | {"PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        timeout=300,
    )
    return done.returncode
