"""Settings of the process."""

from __future__ import annotations

from pathlib import Path

import pytest

from tensorem import runtime


@pytest.fixture
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtime, "_settings", [])
    for name in ("JAX_COMPILATION_CACHE_DIR", "JAX_ENABLE_COMPILATION_CACHE", runtime.SWITCH):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.usefixtures("fresh")
def test_a_cache_that_cannot_be_written_is_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    [cache] = [s for s in runtime.settings() if "cache_dir" in s.name]
    assert cache.value.startswith("off: ") and cache.value.endswith("not writable")
    assert cache.chosen_by == "disk"


@pytest.mark.usefixtures("fresh")
def test_one_variable_switches_everything_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(runtime.SWITCH, "off")
    assert runtime.settings() == (runtime.Setting("runtime", "off", runtime.SWITCH),)
