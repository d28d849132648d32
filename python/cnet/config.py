"""What holds for the whole process: the default floating-point type."""

from __future__ import annotations

__all__ = ["floatx", "set_floatx"]

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


def set_floatx(value: str) -> None:
    """Set the default floating-point type of layers that are made from now on.

    Parameters
    ----------
    value : {"float32", "float64"}

    Raises
    ------
    ValueError
        If `value` is neither.
    """
    global _floatx
    _floatx = standardize_dtype(str(value), "set_floatx")


def standardize_dtype(dtype: str | None, call: str) -> str:
    """Return `dtype`, or the default if it is None; `call` names the caller in the error."""
    if dtype is None:
        return _floatx
    # np.dtype("float32") has a name, np.float32 a __name__.
    name = getattr(dtype, "name", None) or getattr(dtype, "__name__", dtype)
    if name not in _FLOAT_TYPES:
        raise ValueError(f"{call}: expected dtype 'float32' or 'float64', got {dtype!r}")
    return str(name)
