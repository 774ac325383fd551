"""The page in a real browser: nothing leaves the screen, and it is dark where that is asked."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from html import escape, unescape
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tensorem as tm
from tensorem import data, nn, optim, report, train

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
BROWSER = next(filter(None, map(shutil.which, NAMES)), None)
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(BROWSER is None, reason="no headless browser is installed"),
]

MEASURE = """
<script>onload = () => {
  const page = document.querySelector("iframe").contentDocument, body = page.body;
  const drawn = [...page.querySelectorAll("svg, img")].map(x => x.getBoundingClientRect());
  const texts = [...page.querySelectorAll("svg text")].map(x => x.getBoundingClientRect().height);
  document.body.dataset.found = JSON.stringify({
    wide: page.documentElement.scrollWidth, background: getComputedStyle(body).backgroundColor,
    line: getComputedStyle(page.querySelector(".line")).stroke,
    drawings: drawn.length, empty: drawn.filter(x => x.width < 20 || x.height < 20).length,
    text: Math.min(...texts),
    outside: [...page.querySelectorAll("svg")].flatMap(svg => {
      const all = svg.getBoundingClientRect();
      return [...svg.querySelectorAll("text, polyline, circle, path")].map(x =>
        x.getBoundingClientRect()).filter(x => x.left < all.left - 1 || x.right > all.right + 1 ||
        x.top < all.top - 1 || x.bottom > all.bottom + 1);
    }).length,
    loaded: performance.getEntriesByType("resource").length,
  });
}</script>
"""


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> str:
    path, digits = tmp_path_factory.mktemp("run"), data.digits()
    layer = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
    model = nn.build(layer, input=("N", 1, 8, 8), seed=0)
    rule = optim.groups({"*.bias": optim.sgd(0.1), "*": optim.adam(optim.cosine_lr(1e-2))})
    run = train.fit(
        model, digits.train, optimizer=rule, epochs=3, validation=digits.test, path=path,
        progress="none",
    )  # fmt: skip
    tm.save(run.model, path)
    report.examine(run.model, digits.test).save(path)
    return report.page(report.gather(path))


def measured(page: str, width: int, folder: Path, *flags: str) -> dict[str, Any]:
    frame = f'<iframe style="width:{width}px;height:900px;border:0" srcdoc="{escape(page)}">'
    (file := folder / "framed.html").write_text(f"<body>{frame}</iframe>{MEASURE}")
    call = [
        str(BROWSER), "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={folder}",
        "--virtual-time-budget=4000", *flags, "--dump-dom", file.as_uri(),
    ]  # fmt: skip
    out = subprocess.run(call, capture_output=True, text=True, timeout=120, check=True).stdout
    found = re.search('data-found="(.*?)"', out)
    assert found is not None, out[-2000:]
    measures: dict[str, Any] = json.loads(unescape(found[1]))
    return measures


def luminance(colour: str) -> float:
    return float(np.mean([int(v) for v in re.findall(r"\d+", colour)[:3]]))


@pytest.mark.parametrize("width", [360, 1000])
def test_everything_is_drawn_and_nothing_leaves_the_screen(
    page: str, width: int, tmp_path: Path
) -> None:
    found = measured(page, width, tmp_path)
    assert found["wide"] <= width and found["outside"] == found["empty"] == 0
    assert found["drawings"] >= 3 + 1 + 12 + 2 and found["text"] >= 8 and found["loaded"] == 0
    assert luminance(found["background"]) > 240


def test_it_is_dark_where_that_is_asked(page: str, tmp_path: Path) -> None:
    found = measured(page, 500, tmp_path, "--blink-settings=preferredColorScheme=0")
    assert luminance(found["background"]) < 40 < 100 < luminance(found["line"])
