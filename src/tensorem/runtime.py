"""The one room for settings of the process: XLA flags, compile cache, allocator, 64-bit mode.

`prepare` runs once, before the first computation. It never overrides what the user has set, and
`TENSOREM_RUNTIME=off` switches all of it off. `tensorem doctor` prints `settings()`.

| setting       | why                                                                           |
|---------------|-------------------------------------------------------------------------------|
| XLA flag      | jaxlib 0.10 sends convolutions to a slower library than XLA's own             |
| compile cache | a program that was compiled once starts at once the next time                 |
| allocator     | memory that is kept is not touched for the first time again (glibc)           |
"""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

SWITCH = "TENSOREM_RUNTIME"
WIDE = ("float64", "int64", "uint64")
"""The dtypes that JAX has in its 64-bit mode only."""
_PRODUCTS_FLAG = "--xla_cpu_experimental_ynn_fusion_type=-individual_convolution,-individual_dot"
_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_MAX = -1, -2, -4


@dataclass(frozen=True)
class Setting:
    """One setting of the process: its name, its value, and who chose it."""

    name: str
    value: str
    chosen_by: str


_settings: list[Setting] = []


def prepare() -> None:
    """Set up the process once; does nothing the second time or where it is switched off."""
    if _settings:
        return
    if os.environ.get(SWITCH, "").lower() in ("off", "0"):
        _settings.append(Setting("runtime", "off", SWITCH))
        return
    _settings.append(_xla_flags())
    _settings.extend(_compile_cache())
    _settings.append(_allocator())


def settings() -> tuple[Setting, ...]:
    """What was set, and by whom."""
    prepare()
    return tuple(_settings)


@contextmanager
def float64() -> Iterator[None]:
    """Within this context JAX computes in 64 bits; the user's own setting is untouched outside."""
    import jax

    with jax.enable_x64(True):
        yield


def precision(dtypes: Iterable[str]) -> AbstractContextManager[None]:
    """`float64()` where one of these dtypes has 64 bits; else nothing changes."""
    return float64() if any(dtype in WIDE for dtype in dtypes) else nullcontext()


def _xla_flags() -> Setting:
    flags = os.environ.get("XLA_FLAGS", "")
    name = _PRODUCTS_FLAG.partition("=")[0]
    if name in flags:
        return Setting("XLA_FLAGS", flags, "user")
    if not version("jaxlib").startswith("0.10."):
        # An unknown flag ends the process, so a flag is set for the versions that were measured.
        return Setting("XLA_FLAGS", flags, "user" if flags else "default")
    os.environ["XLA_FLAGS"] = f"{flags} {_PRODUCTS_FLAG}".strip()
    return Setting("XLA_FLAGS", os.environ["XLA_FLAGS"], "tensorem")


def cache_folder() -> Path:
    """Where compiled programs are kept between runs, per version of jaxlib."""
    home = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(home) / "tensorem" / f"jaxlib-{version('jaxlib')}"


def _compile_cache() -> list[Setting]:
    wanted = {
        "jax_compilation_cache_dir": str(cache_folder()),
        "jax_persistent_cache_min_compile_time_secs": "0",
        "jax_persistent_cache_min_entry_size_bytes": "-1",
    }
    if "JAX_COMPILATION_CACHE_DIR" in os.environ or "JAX_ENABLE_COMPILATION_CACHE" in os.environ:
        chosen = os.environ.get("JAX_COMPILATION_CACHE_DIR", "off")
        return [Setting("jax_compilation_cache_dir", chosen, "user")]
    if not _writable(cache_folder()):
        # JAX would warn once for every program that it cannot keep.
        return [Setting("jax_compilation_cache_dir", f"off: {cache_folder()} not writable", "disk")]
    return [_jax_setting(name, value) for name, value in wanted.items()]


def _writable(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return False
    return os.access(folder, os.W_OK | os.X_OK)


def _jax_setting(name: str, value: str) -> Setting:
    """Through the environment before jax is imported, through its config afterwards."""
    if name.upper() in os.environ:
        return Setting(name, os.environ[name.upper()], "user")
    if "jax" not in sys.modules:
        os.environ[name.upper()] = value
        return Setting(name, value, "tensorem")
    import jax

    if name.endswith("_dir"):
        if getattr(jax.config, name) is not None:
            return Setting(name, getattr(jax.config, name), "user")
        jax.config.update(name, value)
    else:
        jax.config.update(name, int(value))
    return Setting(name, value, "tensorem")


def _allocator() -> Setting:
    if "MALLOC_TOP_PAD_" in os.environ or "MALLOC_MMAP_MAX_" in os.environ:
        return Setting("allocator", "environment", "user")
    if not sys.platform.startswith("linux"):
        return Setting("allocator", "system default", "default")
    with suppress(OSError, AttributeError):
        libc = ctypes.CDLL("libc.so.6")
        libc.mallopt(_M_MMAP_MAX, 0)
        libc.mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)
        libc.mallopt(_M_TOP_PAD, 64 << 20)
        return Setting("allocator", "glibc keeps freed memory (64 MiB steps)", "tensorem")
    return Setting("allocator", "system default", "default")
