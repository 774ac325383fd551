"""What a type checker says about programs that use the library."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

PROGRAMS = Path(__file__).with_name("programs.py")
ROOT = Path(__file__).parents[2]


def said() -> dict[int, str]:
    """Line -> what mypy says about it."""
    command = [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", str(PROGRAMS)]
    out = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False).stdout
    found: dict[int, str] = {}
    for line in out.splitlines():
        if match := re.match(r".*programs\.py:(\d+): (.*)", line):
            found[int(match[1])] = found.get(int(match[1]), "") + match[2]
    return found


def test_the_checker_says_the_expected_words_and_nothing_else() -> None:
    lines = PROGRAMS.read_text().splitlines()
    expected = {
        i: line.partition("# says: ")[2] for i, line in enumerate(lines, 1) if "# says: " in line
    }
    found = said()
    assert found.keys() == expected.keys(), found
    for i, words in expected.items():
        assert words in found[i], f"line {i}: {found[i]}"
