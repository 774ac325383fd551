"""Settings of the process: what is set, what is left alone, and who is said to have chosen it."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import jax
import jax.numpy as jnp
import pytest

from tensorem import runtime
from tensorem.runtime import Setting

DIR = "jax_compilation_cache_dir"
TIME = "jax_persistent_cache_min_compile_time_secs"
SIZE = "jax_persistent_cache_min_entry_size_bytes"
ENABLED = "jax_enable_compilation_cache"
UNTOUCHED = {DIR: None, TIME: 1.0, SIZE: 0, ENABLED: True}
OURS = "--xla_cpu_experimental_ynn_fusion_type"


@pytest.fixture(autouse=True)
def fresh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A process that was not set up yet, with a cache folder of its own."""
    before = {name: getattr(jax.config, name) for name in UNTOUCHED}
    monkeypatch.setattr(runtime, "_settings", [])
    for name in (*map(str.upper, UNTOUCHED), runtime.SWITCH, "XLA_FLAGS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for name, value in UNTOUCHED.items():
        jax.config.update(name, value)
    yield
    for name, value in before.items():
        jax.config.update(name, value)


def chosen(name: str) -> Setting:
    [found] = [s for s in runtime.settings() if s.name == name]
    return found


def test_ops_set_the_process_up_before_anything_is_computed() -> None:
    code = "from tensorem import ops, runtime; print(len(runtime._settings))"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(out.stdout) == 5


def test_all_is_set_once_and_by_us(monkeypatch: pytest.MonkeyPatch) -> None:
    first = runtime.settings()
    assert [s.name for s in first] == ["XLA_FLAGS", DIR, TIME, SIZE, "allocator"]
    assert {s.chosen_by for s in first if s.name not in (DIR, "allocator")} == {"tensorem"}
    monkeypatch.setenv("XLA_FLAGS", "")
    assert runtime.settings() == first and os.environ["XLA_FLAGS"] == ""


@pytest.mark.parametrize("word", ["off", "OFF", "0"])
def test_one_variable_switches_everything_off(word: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(runtime.SWITCH, word)
    assert runtime.settings() == (Setting("runtime", "off", runtime.SWITCH),)
    assert "XLA_FLAGS" not in os.environ and jax.config.jax_compilation_cache_dir is None
    assert runtime.compile_cache() == Setting(DIR, "off", runtime.SWITCH)
    jax.config.update(DIR, "/theirs")
    assert runtime.compile_cache() == Setting(DIR, "/theirs", "jax.config")


# --- XLA flags


def test_our_flag_joins_those_of_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XLA_FLAGS", "--xla_dump_to=x")
    found = chosen("XLA_FLAGS")
    assert found.value == os.environ["XLA_FLAGS"] and found.chosen_by == "tensorem"
    assert found.value.startswith(f"--xla_dump_to=x {OURS}=")


def test_a_flag_that_the_user_set_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XLA_FLAGS", f"{OURS}=+all")
    assert chosen("XLA_FLAGS") == Setting("XLA_FLAGS", f"{OURS}=+all", "user")
    assert os.environ["XLA_FLAGS"] == f"{OURS}=+all"


@pytest.mark.parametrize(("flags", "by"), [("", "default"), ("--xla_dump_to=x", "user")])
def test_another_jaxlib_gets_no_flag(flags: str, by: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtime, "version", lambda package: "0.11.0")
    monkeypatch.setenv("XLA_FLAGS", flags)
    assert chosen("XLA_FLAGS") == Setting("XLA_FLAGS", flags, by)
    assert os.environ["XLA_FLAGS"] == flags


# --- compile cache


def test_our_cache_keeps_everything_in_a_folder_per_jaxlib(tmp_path: Path) -> None:
    from importlib.metadata import version

    folder = tmp_path / "cache" / "tensorem" / f"jaxlib-{version('jaxlib')}"
    assert runtime.compile_cache() == Setting(DIR, str(folder), "XDG_CACHE_HOME")
    assert folder.is_dir() and jax.config.jax_compilation_cache_dir == str(folder)
    assert (getattr(jax.config, TIME), getattr(jax.config, SIZE)) == (0, -1)


def test_without_a_word_the_cache_is_in_the_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    found = runtime.compile_cache()
    assert found.chosen_by == "tensorem"
    assert Path(found.value).parent == tmp_path / ".cache" / "tensorem"


def test_a_cache_that_cannot_be_written_is_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    cache = runtime.compile_cache()
    assert cache.value.startswith("off: ") and cache.value.endswith("not writable")
    assert cache.chosen_by == "disk" and jax.config.jax_compilation_cache_dir is None


def test_without_a_home_there_is_no_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    def nowhere() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr(Path, "home", nowhere)
    with pytest.raises(RuntimeError, match="home directory"):
        runtime.cache_folder()
    assert runtime.compile_cache() == Setting(DIR, "off: there is no home folder", "system")


@pytest.mark.parametrize(
    ("name", "value", "shown"), [(DIR, "/theirs", "/theirs"), (ENABLED, False, "off")]
)
def test_what_the_user_told_jax_stays(name: str, value: object, shown: str) -> None:
    jax.config.update(name, value)
    assert runtime.compile_cache() == Setting(DIR, shown, "jax.config")
    now = {n: getattr(jax.config, n) for n in UNTOUCHED}
    assert now == UNTOUCHED | {name: value}


def test_a_threshold_of_the_user_stays_in_our_cache() -> None:
    jax.config.update(TIME, 5.0)
    assert chosen(TIME) == Setting(TIME, "5.0", "jax.config")
    assert getattr(jax.config, TIME) == 5.0 and getattr(jax.config, SIZE) == -1


@pytest.mark.parametrize(
    ("variables", "value", "by"),
    [
        ({"JAX_COMPILATION_CACHE_DIR": "there"}, "there", "JAX_COMPILATION_CACHE_DIR"),
        ({"JAX_ENABLE_COMPILATION_CACHE": "false"}, "off", "JAX_ENABLE_COMPILATION_CACHE"),
        ({"TENSOREM_RUNTIME": "off"}, "off", "TENSOREM_RUNTIME"),
    ],
)
def test_variables_choose_the_cache_of_a_process(
    variables: dict[str, str], value: str, by: str, tmp_path: Path
) -> None:
    program = "from tensorem import ops, runtime; print(*vars(runtime.compile_cache()).values())"
    out = subprocess.run(
        [sys.executable, "-c", program], env=os.environ | variables, cwd=tmp_path,
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert out.stdout.split() == [DIR, value, by]


# --- allocator


@pytest.mark.parametrize("name", ["MALLOC_TOP_PAD_", "MALLOC_MMAP_MAX_", "MALLOC_ARENA_MAX"])
def test_an_allocator_that_the_user_set_stays(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "1")
    monkeypatch.setattr(ctypes, "CDLL", None)
    assert chosen("allocator") == Setting("allocator", "environment", "user")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc")
def test_glibc_keeps_what_was_freed(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[int, int]] = []

    class Libc:
        def mallopt(self, option: int, value: int) -> None:
            calls.append((option, value))

    monkeypatch.setattr(ctypes, "CDLL", lambda name: Libc())
    found = chosen("allocator")
    assert found.chosen_by == "tensorem" and found.value.startswith("glibc keeps freed memory")
    assert calls == [(-4, 0), (-1, -1), (-2, 64 << 20), (-8, 1)]


def test_another_libc_stays_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise OSError(name)

    monkeypatch.setattr(ctypes, "CDLL", missing)
    assert chosen("allocator") == Setting("allocator", "system default", "default")


def test_another_system_stays_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(ctypes, "CDLL", None)
    assert chosen("allocator") == Setting("allocator", "system default", "default")


# --- 64 bits


def test_64_bits_end_with_their_context() -> None:
    with pytest.raises(ZeroDivisionError), runtime.float64():
        assert jnp.ones(1, "float64").dtype == "float64"
        raise ZeroDivisionError
    assert not jax.config.jax_enable_x64 and jnp.asarray([1.0]).dtype == "float32"


@pytest.mark.parametrize("dtype", ["float64", "int64", "uint64"])
def test_wide_dtypes_need_64_bits_and_others_do_not(dtype: str) -> None:
    with runtime.precision(["float32", dtype]):
        assert jnp.ones(1, dtype).dtype == dtype
    with runtime.precision(["float32", "bfloat16", "int32"]):
        assert not jax.config.jax_enable_x64
