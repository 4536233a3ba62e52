"""Compiled kernels: how they are compiled, and where they are kept between processes.

Numba compiles a kernel for this very processor when it is first called, a few seconds each, and keeps the machine
code on disk. Its own cache notices changes of the file a kernel stands in, not of the files whose functions it calls;
here the key is a hash of all kernel sources and of Numba's version, so that no stale code is ever run.

The folder is ``$CHAINRULE_KERNELS`` or the user's cache folder.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import logging
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numba
from numba import types
from numba.core.caching import CompileResultCacheImpl, FunctionCache, _CacheLocator

F = TypeVar("F", bound=Callable[..., Any])
log = logging.getLogger("chainrule")
KERNELS: list[Any] = []
NOT_FOR_PYTHON = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}
"""Helpers are called from kernels only: what Python would call need not be compiled."""
IMPORTS = (b"numba", b"compiled.cache", b"compiled.simd")
WITHOUT_IMPORTS = ("codes.py", "geometry.py", "records.py")
"""What is compiled stands in sources that name one of these, or only holds constants and types for them; the others are
the host's, and a change of theirs compiles nothing anew."""
_told = False


@functools.cache
def stamp() -> str:
    """Return a hash of everything that decides how kernels compile, except the processor (Numba looks at that)."""
    engines = Path(__file__).parents[1]
    digest = hashlib.blake2b(numba.__version__.encode(), digest_size=8)
    for source in sorted(engines.rglob("*.py")):
        text = source.read_bytes()
        if source.parent != engines and (source.name in WITHOUT_IMPORTS or any(word in text for word in IMPORTS)):
            digest.update(text)
    return digest.hexdigest()


def directory() -> Path:
    """Return the folder of the compiled kernels of this version; it may not exist yet."""
    chosen = os.environ.get("CHAINRULE_KERNELS")
    if chosen:
        return Path(chosen) / stamp()
    from platformdirs import user_cache_path

    return user_cache_path("chainrule") / "kernels" / stamp()


def is_warm() -> bool:
    """Whether kernels of this version have been compiled into the cache."""
    return any(directory().rglob("*.nbc"))


class _Locator(_CacheLocator):
    """Keeps all kernels in one folder, whatever file they stand in."""

    def __init__(self, py_func: Any) -> None:
        self._name = py_func.__qualname__

    def get_cache_path(self) -> str:
        return str(directory())

    def get_source_stamp(self) -> str:
        return stamp()

    def get_disambiguator(self) -> str:
        return stamp()

    @classmethod
    def from_function(cls, py_func: Any, py_file: str) -> _Locator | None:
        """Return the locator, or None where the folder cannot be written to (kernels then compile in each process)."""
        try:
            directory().mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=directory()):
                return cls(py_func)
        except OSError as error:
            log.warning("compiled kernels cannot be kept in %s (%s): they compile anew each time", directory(), error)
            return None


class _CacheImpl(CompileResultCacheImpl):
    _locator_classes = (_Locator,)


class _Cache(FunctionCache):
    _impl_class = _CacheImpl


def inlined(function: F) -> F:
    """Compile a helper into every kernel that calls it."""
    made: F = numba.njit(forceinline=True, nogil=True, error_model="numpy", **NOT_FOR_PYTHON)(function)
    _for_any_value(made)
    return made


def called(function: F) -> F:
    """Compile a helper that kernels call as a function: code that is long, or seldom run, is then compiled once."""
    made: F = numba.njit(nogil=True, error_model="numpy", **NOT_FOR_PYTHON)(function)
    _for_any_value(made)
    return made


def _for_any_value(made: Any) -> None:
    """Let a helper be compiled by the types of its arguments only: each constant that is passed would get a copy."""
    template = made.get_call_template

    def any_value(args: tuple[Any, ...], kws: dict[str, Any]) -> Any:
        return template(tuple(types.unliteral(kind) for kind in args), kws)

    made.get_call_template = any_value


def merged(function: F) -> F:
    """Write a helper into its caller before anything is compiled: for code that calls much and computes little itself.

    Numba compiles what a function calls once more with each function around it; so few of them should be real.
    """
    made: F = numba.njit(inline="always", nogil=True, error_model="numpy")(function)
    return made


def kernel(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a kernel on its first call for each type of its arguments, and keep it on disk."""
    dispatcher: Any = numba.njit(nogil=True, error_model="numpy", no_cfunc_wrapper=True)(function)
    KERNELS.append(dispatcher)
    return _Kernel(dispatcher)


class _Kernel:
    """A kernel whose cache is looked for when it is first called, not when its module is imported."""

    def __init__(self, dispatcher: Any) -> None:
        self.dispatcher, self.ready = dispatcher, False
        functools.update_wrapper(self, dispatcher.py_func)

    def __call__(self, *args: Any) -> Any:
        if not self.ready:
            self._prepare()
        return self.dispatcher(*args)

    def _prepare(self) -> None:
        global _told
        if not _told and not is_warm():
            _told = True
            log.warning("compiling the training kernels for this machine, once (some seconds; kept in %s)", directory())
        with contextlib.suppress(RuntimeError):  # no folder to keep it in; the locator has said so
            self.dispatcher._cache = _Cache(self.dispatcher.py_func)
        self.ready = True
