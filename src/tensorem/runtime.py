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
import hashlib
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, cast

SWITCH = "TENSOREM_RUNTIME"
WIDE = frozenset(("float64", "int64", "uint64"))
"""The dtypes that JAX has in its 64-bit mode only."""
XLA_FLAG = "--xla_cpu_experimental_ynn_fusion_type=-individual_convolution"
"""Convolutions stay with XLA's own library."""
_CACHE, _ENABLED = "jax_compilation_cache_dir", "jax_enable_compilation_cache"
_THRESHOLDS = (
    ("jax_persistent_cache_min_compile_time_secs", 1, 0),
    ("jax_persistent_cache_min_entry_size_bytes", 0, -1),
)
"""What JAX keeps: its name, what JAX takes by itself, and what we take (everything)."""
_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_MAX, _M_ARENA_MAX = -1, -2, -4, -8
_OF_ALLOCATOR = "MALLOC_TOP_PAD_", "MALLOC_MMAP_MAX_", "MALLOC_ARENA_MAX"


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


def float64() -> AbstractContextManager[None]:
    """Within this context JAX computes in 64 bits; the user's own setting is untouched outside."""
    import jax

    context: AbstractContextManager[None] = jax.enable_x64(True)
    return context


def precision(dtypes: Iterable[str]) -> AbstractContextManager[None]:
    """`float64()` where one of these dtypes has 64 bits; else nothing changes."""
    return nullcontext() if WIDE.isdisjoint(dtypes) else float64()


def is_tracing() -> bool:
    """Whether a transform of JAX is at work here, so that nobody knows values."""
    return not _is_outside()()


@cache
def _is_outside() -> Callable[[], bool]:
    """What JAX says of that, looked up once: each call of a model asks."""
    from jax._src.core import trace_state_clean

    return trace_state_clean


_SCOPE = re.compile(r"@([^/()]*)")


def scope(path: str) -> AbstractContextManager[Any]:
    """A context in which what is traced is known to be of the layer at this path."""
    import jax

    return jax.named_scope(f"@{path}")


def scope_of(eqn: Any) -> str | None:
    """The path of the layer in whose scope an equation was traced; None where it was in none."""
    scopes = _SCOPE.findall(str(eqn.source_info.name_stack))
    return scopes[-1] if scopes else None


def compiled_for() -> dict[str, Any]:
    """What JAX compiles a program anew for, by name: its trace context, as far as it is settings.

    JAX keeps the list itself; what logs, caches or checks is not in it.
    """
    from jax._src import config

    states, names = config.config_states, cast(Any, config.trace_context_names)
    return {name: states[name].value for name in names() if name in states}


def compile_options() -> str:
    """A hash of what JAX tells its compiler, as its compile cache reads it; paths aside."""
    from jax._src import cache_key, compiler, config

    digest = hashlib.sha256()
    with config.config_states["jax_persistent_cache_enable_xla_caches"]("none"):
        options = compiler.get_compile_options(num_replicas=1, num_partitions=1)
    cache_key._hash_serialized_compile_options(digest, options)
    return digest.hexdigest()[:12]


@contextmanager
def compiling_for(values: Mapping[str, Any]) -> Iterator[None]:
    """Within this context JAX has these values of `compiled_for`."""
    from jax._src import config

    here = compiled_for()
    with ExitStack() as stack:
        for name, value in values.items():
            if here.get(name) != value:
                stack.enter_context(config.config_states[name](value))
        yield


def _xla_flags() -> Setting:
    flags = os.environ.get("XLA_FLAGS", "")
    name = XLA_FLAG.partition("=")[0]
    if name in flags:
        return Setting("XLA_FLAGS", flags, "user")
    if not version("jaxlib").startswith("0.10."):
        # An unknown flag ends the process, so a flag is set for the versions that were measured.
        return Setting("XLA_FLAGS", flags, "user" if flags else "default")
    os.environ["XLA_FLAGS"] = f"{flags} {XLA_FLAG}".strip()
    return Setting("XLA_FLAGS", os.environ["XLA_FLAGS"], "tensorem")


def cache_folder() -> Path:
    """Where we keep compiled programs between runs, per version of jaxlib.

    Raises:
        RuntimeError: The user has no home folder.
    """
    home = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(home) / "tensorem" / f"jaxlib-{version('jaxlib')}"


def compile_cache() -> Setting:
    """The compile cache in use, and who chose it: a folder, or why there is none."""
    found = [setting for setting in settings() if setting.name == _CACHE]
    return found[0] if found else _users_cache() or Setting(_CACHE, "off", SWITCH)


def _compile_cache() -> list[Setting]:
    if users := _users_cache():
        return [users]
    try:
        folder = cache_folder()
    except RuntimeError:
        return [Setting(_CACHE, "off: there is no home folder", "system")]
    if not _writable(folder):
        # JAX would warn once for every program that it cannot keep.
        return [Setting(_CACHE, f"off: {folder} not writable", "disk")]
    return [_our_cache(folder), *(_unless_changed(*threshold) for threshold in _THRESHOLDS)]


def _users_cache() -> Setting | None:
    """What JAX was told about its cache, by the environment or by its config."""
    import jax

    if not getattr(jax.config, _ENABLED):
        return Setting(_CACHE, "off", _teller(_ENABLED))
    folder = getattr(jax.config, _CACHE)
    return None if folder is None else Setting(_CACHE, folder or "off", _teller(_CACHE))


def _teller(name: str) -> str:
    return name.upper() if name.upper() in os.environ else "jax.config"


def _our_cache(folder: Path) -> Setting:
    import jax

    jax.config.update(_CACHE, str(folder))
    chosen_by = "XDG_CACHE_HOME" if os.environ.get("XDG_CACHE_HOME") else "tensorem"
    return Setting(_CACHE, str(folder), chosen_by)


def _unless_changed(name: str, default: int, ours: int) -> Setting:
    """A setting of JAX that keeps what it is, if that is not what JAX takes by itself."""
    import jax

    found = getattr(jax.config, name)
    if found != default:
        return Setting(name, str(found), _teller(name))
    jax.config.update(name, ours)
    return Setting(name, str(ours), "tensorem")


def _writable(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return False
    return os.access(folder, os.W_OK | os.X_OK)


def _allocator() -> Setting:
    if any(name in os.environ for name in _OF_ALLOCATOR):
        return Setting("allocator", "environment", "user")
    if not sys.platform.startswith("linux"):
        return Setting("allocator", "system default", "default")
    with suppress(OSError, AttributeError):
        keep_freed_memory()
        return Setting("allocator", "glibc keeps freed memory (64 MiB steps)", "tensorem")
    return Setting("allocator", "system default", "default")


def keep_freed_memory() -> None:
    """Tell glibc to keep what is freed: memory is not touched for the first time again.

    One arena serves all threads: an arena of a thread of XLA has no room for 64 MiB, so that it
    would ask the system for the memory of every call anew, whatever it was told.

    Raises:
        OSError: There is no glibc.
        AttributeError: It is another library under that name.
    """
    libc = ctypes.CDLL("libc.so.6")
    libc.mallopt(_M_MMAP_MAX, 0)
    libc.mallopt(_M_TRIM_THRESHOLD, -1)
    libc.mallopt(_M_TOP_PAD, 64 << 20)
    libc.mallopt(_M_ARENA_MAX, 1)
