"""Layers that number the tokens of a vocabulary."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from .._data import Array, FloatArray, as_text
from .._errors import short_repr
from .categories import UnnamedOptions
from .hashing import hash_bins
from .index_lookup import IndexLookup
from .tokens import as_bytes, as_integer_token, as_integers, as_strings
from .vocabulary import Vocabulary

if TYPE_CHECKING:
    import os

    from typing_extensions import Self, Unpack

__all__ = ["IntegerLookup", "StringLookup"]

OOV_METHODS = ("floormod", "farmhash")


class StringLookup(IndexLookup):
    """Numbers strings by their place in a vocabulary.

    The first ids are those of the mask token, if there is one, and of the tokens that are out of the
    vocabulary (OOV); those of its tokens follow.

    Parameters
    ----------
    max_tokens : int, optional
        Largest size of the vocabulary, with mask and OOV tokens. `adapt` keeps the most frequent tokens.
    num_oov_indices : int, default 1
        Number of ids for OOV tokens. With more than one a hash chooses it; with 0 OOV tokens raise
        `ValueError`.
    mask_token : str, optional
        The token of id 0. In output modes other than "int" it has no id, and is left out.
    oov_token : str, default "[UNK]"
        The token of ids without another, for `invert`.
    vocabulary : list, array or path, optional
        The tokens, instead of `adapt`; see `set_vocabulary`.
    idf_weights : array_like, optional
        For "tf_idf": the weight of each token of `vocabulary`.
    invert : bool, default False
        Whether to turn ids into tokens.
    output_mode : {"int", "one_hot", "multi_hot", "count", "tf_idf"}, default "int"
        "int": the ids. Otherwise their encodings, as in `CategoryEncoding`; "tf_idf" multiplies the
        count of each token by its inverse document frequency, log(1 + samples / (1 + samples with it)).
    pad_to_max_tokens : bool, default False
        Whether encodings have the size `max_tokens`, even if there are fewer tokens.
    sparse
        Not supported; must be False.
    encoding : str, default "utf-8"
        Encoding of a vocabulary's file, and of bytes.
    name : str, optional
    salt : int or pair of int, optional
        The key of the hash of OOV tokens, as in `Hashing`.
    **options
        See `Layer`.

    Raises
    ------
    TypeError, ValueError
        If an argument is invalid; when called, if data isn't text, or the vocabulary not known.
    OSError
        If a vocabulary's file can't be read.

    Examples
    --------
    >>> from cnet import layers
    >>> lookup = layers.StringLookup()
    >>> lookup.adapt(["red", "blue", "red", "green"])
    >>> lookup.get_vocabulary()
    ['[UNK]', 'red', 'green', 'blue']
    >>> lookup([["red"], ["yellow"]])
    array([[1],
           [0]])
    >>> layers.StringLookup(vocabulary=["red", "green"], output_mode="one_hot")(["red", "blue"])
    array([[0., 1., 0.],
           [1., 0., 0.]], dtype=float32)
    >>> layers.StringLookup(vocabulary=["red", "green"], invert=True)([2, 0])
    array(['green', '[UNK]'], dtype=object)
    """

    def __init__(
        self,
        max_tokens: int | None = None,
        num_oov_indices: int = 1,
        mask_token: str | None = None,
        oov_token: str | None = "[UNK]",
        vocabulary: npt.ArrayLike | os.PathLike[str] | None = None,
        idf_weights: npt.ArrayLike | None = None,
        invert: bool = False,
        output_mode: str = "int",
        pad_to_max_tokens: bool = False,
        sparse: bool = False,
        encoding: str = "utf-8",
        name: str | None = None,
        salt: int | Sequence[int] | None = None,
        **options: Unpack[UnnamedOptions],
    ) -> None:
        self.encoding = _as_encoding(encoding)
        super().__init__(
            max_tokens=max_tokens,
            num_oov_indices=num_oov_indices,
            mask_token=mask_token,
            oov_token=oov_token,
            invert=invert,
            output_mode=output_mode,
            pad_to_max_tokens=pad_to_max_tokens,
            sparse=sparse,
            salt=salt,
            name=name,
            **options,
        )
        self._give(vocabulary, idf_weights)

    @property
    def output_dtype(self) -> str:
        """The dtype of the result: "int64" for ids, "string" with `invert`."""
        return "string" if self.invert else super().output_dtype

    def _as_token(self, argument: str, value: Any) -> Any:
        return None if value is None else as_text(argument, value)

    def _as_tokens(self, value: Any, argument: str) -> Array:
        return as_strings(value, argument, self.encoding)

    def _parse(self, line: str, argument: str) -> str:  # noqa: ARG002 # from IndexLookup
        return line

    def _make(self, tokens: list[Any], idf_weights: FloatArray | None) -> Vocabulary:
        as_bytes(tokens, f"{self._call}: vocabulary")  # tokens are saved as UTF-8
        return super()._make(tokens, idf_weights)

    def _oov_bins(self, tokens: list[Any]) -> Array:
        return hash_bins(as_bytes(tokens, self._call), self.num_oov_indices, self.salt)

    def _as_outputs(self, tokens: list[Any]) -> Array:
        return np.array(tokens, object)

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Self:
        # Keras has oov_method, of integers, in the config of both.
        plain = {**config}
        plain.pop("oov_method", None)
        return super().from_config(plain)


class IntegerLookup(IndexLookup):
    """Numbers integers by their place in a vocabulary; see `StringLookup`.

    Parameters
    ----------
    max_tokens, num_oov_indices, idf_weights, invert, output_mode, sparse, pad_to_max_tokens, name, **options
        As in `StringLookup`.
    mask_token : int, optional
        The integer of id 0.
    oov_token : int, default -1
        The integer of ids without another, for `invert`.
    vocabulary : list, array or path, optional
        The integers, instead of `adapt`.
    vocabulary_dtype
        Not supported; must be "int64".
    oov_method : {"floormod", "farmhash"}, default "floormod"
        How one of several OOV ids is chosen: by the integer modulo `num_oov_indices`, or by a hash.
    salt : int or pair of int, optional
        For "farmhash": the key of the hash, as in `Hashing`.

    Raises
    ------
    TypeError, ValueError, OSError
        As by `StringLookup`. Floats must be whole numbers.

    Examples
    --------
    >>> from cnet import layers
    >>> lookup = layers.IntegerLookup(vocabulary=[12, 36, 1138])
    >>> lookup([[12, 1138], [7, 36]])
    array([[1, 3],
           [0, 2]])
    >>> layers.IntegerLookup(vocabulary=lookup.get_vocabulary(), invert=True)([3, 0])
    array([1138,   -1])
    """

    def __init__(
        self,
        max_tokens: int | None = None,
        num_oov_indices: int = 1,
        mask_token: int | None = None,
        oov_token: int | None = -1,
        vocabulary: npt.ArrayLike | os.PathLike[str] | None = None,
        vocabulary_dtype: str = "int64",
        idf_weights: npt.ArrayLike | None = None,
        invert: bool = False,
        output_mode: str = "int",
        sparse: bool = False,
        pad_to_max_tokens: bool = False,
        oov_method: str = "floormod",
        salt: int | Sequence[int] | None = None,
        name: str | None = None,
        **options: Unpack[UnnamedOptions],
    ) -> None:
        if vocabulary_dtype != "int64":
            raise ValueError(
                f"IntegerLookup: vocabulary_dtype: expected 'int64', got {short_repr(vocabulary_dtype)}"
            )
        self.vocabulary_dtype = vocabulary_dtype
        if not isinstance(oov_method, str):
            raise TypeError(
                f"IntegerLookup: oov_method: expected text, got {short_repr(oov_method)}"
            )
        if oov_method not in OOV_METHODS:
            raise ValueError(
                f"IntegerLookup: oov_method: expected one of {', '.join(OOV_METHODS)}, got {oov_method!r}"
            )
        self.oov_method = oov_method
        if salt is not None and oov_method != "farmhash":
            raise ValueError(
                f"IntegerLookup: salt requires oov_method 'farmhash', got {oov_method!r}"
            )
        super().__init__(
            max_tokens=max_tokens,
            num_oov_indices=num_oov_indices,
            mask_token=mask_token,
            oov_token=oov_token,
            invert=invert,
            output_mode=output_mode,
            pad_to_max_tokens=pad_to_max_tokens,
            sparse=sparse,
            salt=salt,
            name=name,
            **options,
        )
        self._give(vocabulary, idf_weights)

    def _as_token(self, argument: str, value: Any) -> Any:
        return None if value is None else as_integer_token(argument, value)

    def _as_tokens(self, value: Any, argument: str) -> Array:
        return as_integers(value, argument)

    def _parse(self, line: str, argument: str) -> int:
        try:
            return as_integer_token(argument, int(line))
        except ValueError:
            raise ValueError(f"{argument}: expected an integer, got {short_repr(line)}") from None

    def _oov_bins(self, tokens: list[Any]) -> Array:
        if self.oov_method == "floormod":
            return np.mod(np.array(tokens, np.int64), self.num_oov_indices)
        return hash_bins([b"%d" % token for token in tokens], self.num_oov_indices, self.salt)

    def _as_outputs(self, tokens: list[Any]) -> Array:
        return np.array(tokens, np.int64)


def _as_encoding(encoding: Any) -> str:
    """Return the name of an encoding of text."""
    name = as_text("StringLookup: encoding", encoding)
    try:
        "".encode(name)
    except (LookupError, ValueError):
        raise ValueError(f"StringLookup: encoding: unknown encoding {short_repr(name)}") from None
    return name
