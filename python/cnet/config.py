"""Process-wide settings: default floating-point type, traceback filtering, threadpoolctl."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from . import _core
from ._absent import absent
from ._errors import short_repr
from ._tracebacks import Filtering

__all__ = [
    "disable_traceback_filtering",
    "enable_traceback_filtering",
    "floatx",
    "is_traceback_filtering_enabled",
    "register_threadpoolctl",
    "set_floatx",
]


def __dir__() -> list[str]:
    return __all__


_FLOAT_TYPES = ("float32", "float64")
_floatx = "float32"


def floatx() -> str:
    """Return the default floating-point type of new layers, "float32" or "float64".

    Examples
    --------
    >>> import cnet
    >>> cnet.config.floatx()
    'float32'
    """
    return _floatx


def set_floatx(value: Any) -> None:
    """Set the default floating-point type of layers created from now on.

    Parameters
    ----------
    value : {"float32", "float64"}

    Raises
    ------
    ValueError
        If `value` is something else.
    """
    global _floatx
    _floatx = standardize_dtype("None" if value is None else value, "set_floatx")


def enable_traceback_filtering() -> None:
    """Remove cnet's own frames from tracebacks; this is the default."""
    Filtering.enabled = True


def disable_traceback_filtering() -> None:
    """Keep cnet's own frames in tracebacks, to debug cnet itself."""
    Filtering.enabled = False


def is_traceback_filtering_enabled() -> bool:
    """Return True if cnet's own frames are removed from tracebacks.

    Examples
    --------
    >>> import cnet
    >>> cnet.config.is_traceback_filtering_enabled()
    True
    """
    return Filtering.enabled


@cache  # once per process
def register_threadpoolctl() -> None:
    """Let threadpoolctl 3.3 or newer see and limit cnet's threads.

    Afterwards ``threadpool_limits(1)`` limits cnet too, and ``threadpool_info()`` lists it with
    "cnet" as its `user_api`. The limit is process-wide, like that of `cnet.set_num_threads`. Results
    do not depend on it.

    Importing cnet calls this function if threadpoolctl has already been imported. Otherwise call it
    yourself: cnet doesn't import optional libraries by itself.

    Raises
    ------
    ImportError
        If threadpoolctl is not installed.

    Examples
    --------
    >>> import cnet
    >>> from threadpoolctl import threadpool_limits
    >>> cnet.config.register_threadpoolctl()
    >>> with threadpool_limits(1):
    ...     cnet.get_num_threads()
    1
    """
    from pathlib import Path

    import threadpoolctl

    class CnetController(threadpoolctl.LibController):  # type: ignore[misc] # without types
        user_api = internal_api = "cnet"
        filename_prefixes = ("_core.",)
        check_symbols = ("PyInit__core",)

        def get_num_threads(self) -> int:
            return _core.get_num_threads()

        def set_num_threads(self, num_threads: int) -> None:
            _core.set_num_threads(min(num_threads, 1024))

        def get_version(self) -> Any:
            return _core.build_info()["version"]

        def set_additional_attributes(self) -> None:
            if not Path(self.filepath).samefile(_core.__file__):
                self.dynlib = None  # another package's _core: threadpoolctl skips it

    threadpoolctl.register(CnetController)


def standardize_dtype(dtype: Any, call: str) -> str:
    """Return the name of a dtype, the default for None; `call` names the caller in the error."""
    if dtype is None:
        return _floatx
    # np.dtype("float32") has a name, np.float32 a __name__.
    name = getattr(dtype, "name", None) or getattr(dtype, "__name__", dtype)
    if not isinstance(name, str) or name not in _FLOAT_TYPES:
        raise ValueError(f"{call}: expected dtype 'float32' or 'float64', got {short_repr(dtype)}")
    return str(name)


if not TYPE_CHECKING:
    __getattr__ = absent(__name__)
