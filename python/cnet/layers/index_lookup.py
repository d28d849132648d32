"""The base class of layers that number the tokens of a vocabulary, given or learned by `adapt`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt

from .._data import Array, FloatArray, as_count, as_optional_count, require_default, yields_batches
from .._errors import missing, short_repr
from .._serialization import named_options
from .._tracebacks import brief_traceback
from .categories import MODES, CategoryLayer, as_output_mode, encode
from .core import Layer
from .hashing import as_salt
from .preprocessing import batches_of
from .tokens import as_integers, ids_by, ids_of, place
from .vocabulary import (
    TokenCounts,
    Vocabulary,
    as_idf_weights,
    check_tokens,
    read_lines,
    with_means,
)

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["IndexLookup"]

# What stands for tokens without an id: it is looked up, or they are left out.
_UNKNOWN, _MASKED = -1, -2


class IndexLookup(CategoryLayer):
    """Base of `StringLookup` and `IntegerLookup`, whose docstrings describe the parameters."""

    #: The encoding of files and bytes.
    encoding = "utf-8"
    _stored_as: ClassVar = {
        **Layer._stored_as,
        "vocabulary": "_tokens_for_config",
        "idf_weights": "_weights_for_config",
    }

    def __init__(
        self,
        *,
        max_tokens: int | None,
        num_oov_indices: int,
        mask_token: Any,
        oov_token: Any,
        invert: bool,
        output_mode: str,
        pad_to_max_tokens: bool,
        sparse: bool,
        salt: Any,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        call = type(self).__name__
        self.num_oov_indices = as_count(f"{call}: num_oov_indices", num_oov_indices)
        self.mask_token = self._as_token(f"{call}: mask_token", mask_token)
        self.oov_token = self._as_token(f"{call}: oov_token", oov_token)
        self.invert = bool(invert)
        self.output_mode = as_output_mode(call, output_mode, (*MODES, "tf_idf"))
        self.sparse = require_default(call, "sparse", sparse, default=False)
        self.salt = as_salt(call, salt)
        self.max_tokens = as_optional_count(
            f"{call}: max_tokens", max_tokens, least=max(2, self._first_id + 1)
        )
        self.pad_to_max_tokens = bool(pad_to_max_tokens)
        if self.pad_to_max_tokens and self.max_tokens is None:
            raise ValueError(f"{call}: pad_to_max_tokens requires max_tokens, got None")
        if self.invert and self.output_mode != "int":
            raise ValueError(f"{call}: invert requires output_mode 'int', got {output_mode!r}")
        if self.invert and self.oov_token is None:
            raise ValueError(f"{call}: invert requires an oov_token, got None")
        self._vocabulary: Vocabulary | None = None
        self._is_given = False  # by the constructor
        self.reset_state()

    def _give(self, vocabulary: Any, idf_weights: Any) -> None:
        """Set the vocabulary that the constructor got, if any; `adapt` doesn't replace it."""
        if vocabulary is not None:
            self.set_vocabulary(vocabulary, idf_weights)
            self._is_given = True
        elif idf_weights is not None:
            raise ValueError(
                f"{type(self).__name__}: idf_weights require a vocabulary of the same length, got None"
            )

    # What depends on the type of the tokens.

    def _as_token(self, argument: str, value: Any) -> Any:
        raise NotImplementedError(missing(self, "_as_token(argument, value)"))

    def _as_tokens(self, value: Any, argument: str) -> Array:
        raise NotImplementedError(missing(self, "_as_tokens(value, argument)"))

    def _parse(self, line: str, argument: str) -> Any:
        raise NotImplementedError(missing(self, "_parse(line, argument)"))

    def _oov_bins(self, tokens: list[Any]) -> Array:
        raise NotImplementedError(missing(self, "_oov_bins(tokens)"))

    def _as_outputs(self, tokens: list[Any]) -> Array:
        raise NotImplementedError(missing(self, "_as_outputs(tokens)"))

    # The vocabulary.

    @property
    def _first_oov_id(self) -> int:
        return int(self.mask_token is not None and self.output_mode == "int")

    @property
    def _first_id(self) -> int:
        return self._first_oov_id + self.num_oov_indices

    @property
    def _special_tokens(self) -> list[Any]:
        return [self.mask_token] * self._first_oov_id + [self.oov_token] * self.num_oov_indices

    @property
    def _state(self) -> frozenset[str]:
        return super()._state | {"_vocabulary", "_is_given", "_counts"}

    def _update_from(self, attribute: str, other: Any) -> None:
        if self._vocabulary is not None and attribute not in ("name", "trainable", "dtype"):
            raise ValueError(
                f"{self._call}: {attribute}: the layer has a vocabulary, for "
                f"{attribute}={short_repr(getattr(self, attribute))}; create another layer"
            )
        super()._update_from(attribute, other)

    def get_vocabulary(self, include_special_tokens: bool = True) -> list[Any]:
        """Return the tokens in the order of their ids.

        Parameters
        ----------
        include_special_tokens : bool, default True
            Whether to begin with the mask token, if it has an id, and the `num_oov_indices` OOV tokens.
        """
        tokens = [] if self._vocabulary is None else self._vocabulary.tokens
        return [*(self._special_tokens if include_special_tokens else []), *tokens]

    def vocabulary_size(self) -> int:
        """Return the number of ids, with those of the mask and OOV tokens."""
        return self._first_id + (0 if self._vocabulary is None else len(self._vocabulary.tokens))

    @property
    def idf_weights(self) -> FloatArray | None:
        """The weight of each id in the output mode "tf_idf"; None in others and before `adapt`."""
        weights = None if self._vocabulary is None else self._vocabulary.idf_weights
        if weights is None:
            return None
        return np.pad(weights, (0, self._depth() - len(weights))).astype(self.dtype)

    @brief_traceback
    def set_vocabulary(self, vocabulary: Any, idf_weights: npt.ArrayLike | None = None) -> None:
        """Set the tokens, in the order of their ids.

        Parameters
        ----------
        vocabulary : list, array or path
            Different tokens, or the path of a text file with a token on each line. A list may begin with
            all special tokens, as the result of `get_vocabulary` does.
        idf_weights : array_like, optional
            For "tf_idf" only: a weight for each token of `vocabulary`. The OOV tokens, unless they are
            among them, get the mean.

        Raises
        ------
        TypeError, ValueError
            If the tokens are of the wrong type, too many, none or not all different.
        OSError
            If a file can't be read.
        """
        call = f"{self._call}: vocabulary"
        self._use(self._checked(vocabulary, idf_weights, call))

    def _checked(self, vocabulary: Any, idf_weights: Any, call: str) -> Vocabulary:
        if (idf_weights is None) == (self.output_mode == "tf_idf"):
            raise ValueError(
                f"{call}: output_mode 'tf_idf', and no other, requires idf_weights, got output_mode="
                f"{self.output_mode!r}, idf_weights={short_repr(idf_weights)}"
            )
        is_path = isinstance(vocabulary, (str, os.PathLike))
        if is_path and idf_weights is not None:
            raise ValueError(f"{call}: expected a list, as idf_weights has, got a path")
        if is_path:
            lines = read_lines(vocabulary, self.encoding, call)
            given = [self._parse(line, f"{call}: line {n}") for n, line in enumerate(lines, 1)]
        else:
            array = self._as_tokens(vocabulary, call)
            if array.ndim != 1:
                raise ValueError(f"{call}: expected a list of tokens, got shape {array.shape}")
            given = array.tolist()
        has_special = (
            not is_path
            and len(given) >= self._first_id
            and given[: self._first_id] == self._special_tokens
        )
        tokens = given[self._first_id :] if has_special else given
        if not given:
            raise ValueError(f"{call}: expected at least one token, got none")
        self._check_tokens(tokens, call)
        if idf_weights is None:
            return self._make(tokens, None)
        weights = as_idf_weights(f"{self._call}: idf_weights", idf_weights, len(given))
        if not has_special:
            weights = with_means(weights, self._first_id)
        return self._make(tokens, weights)

    def _check_tokens(self, tokens: list[Any], call: str) -> None:
        """Raise unless tokens can be a vocabulary."""
        reserved = {"mask_token": self.mask_token}
        if self.invert:
            reserved["oov_token"] = self.oov_token
        check_tokens(tokens, call, reserved)
        size = self._first_id + len(tokens)
        if self.max_tokens is not None and size > self.max_tokens:
            raise ValueError(
                f"{call}: expected at most max_tokens={self.max_tokens} tokens, got {size} with the special "
                "ones"
            )

    def _make(self, tokens: list[Any], idf_weights: FloatArray | None) -> Vocabulary:
        first = self._first_id
        ids = dict(zip(tokens, range(first, first + len(tokens)), strict=True))
        if self.mask_token is not None:
            ids[self.mask_token] = 0 if self.output_mode == "int" else _MASKED
        return Vocabulary(tokens, ids, idf_weights)

    def _use(self, vocabulary: Vocabulary) -> None:
        """Replace the vocabulary; raise if the output of a layer in a built model would change its size."""
        if self._vocabulary is not None and self.output_mode != "int" and self.built:
            sizes = [len(each.tokens) for each in (self._vocabulary, vocabulary)]
            if sizes[0] != sizes[1] and not self.pad_to_max_tokens and any(self._ancestors()):
                raise ValueError(
                    f"{self._call}: a built model contains the layer with {sizes[0]} tokens, got {sizes[1]}; "
                    "create another layer"
                )
        self._vocabulary = vocabulary

    # Learning it.

    @brief_traceback
    def adapt(self, data: Any, batch_size: int | None = None, steps: int | None = None) -> None:
        """Learn the vocabulary: the tokens of data, the most frequent first, those of a tie in descending order.

        Parameters
        ----------
        data : array_like, or batches of such
            Of one dimension, it holds samples of one token. Batches come from a generator, a
            `cnet.utils.PyDataset` or another iterable, which is read once. The first item of a tuple of
            arrays is used, as in `fit`. Mask and OOV tokens are left out.
        batch_size : int, optional
            Ignored.
        steps : int, optional
            Number of batches. Default: all.

        Raises
        ------
        ValueError
            If the layer was created with a vocabulary, or there are no tokens.
        """
        del batch_size
        call = f"{self._call}: adapt"
        is_batched = yields_batches(data)
        self.reset_state()
        try:
            for batch in batches_of(data, steps, call):
                tokens = self._as_tokens(batch, call)
                self._count(tokens if is_batched or tokens.ndim != 1 else tokens[:, np.newaxis])
            if not self._counts:
                raise ValueError(f"{call}: expected at least one token, got none")
            self.finalize_state()
        finally:
            self.reset_state()

    @brief_traceback
    def update_state(self, data: Any) -> None:
        """Count the tokens of a batch; an array of one dimension is a single sample."""
        self._count(self._as_tokens(data, f"{self._call}: update_state"))

    def _count(self, tokens: Array) -> None:
        if self._is_given:
            raise ValueError(f"{self._call}: adapt: the layer was created with a vocabulary")
        self._counts.update(tokens)

    def finalize_state(self) -> None:
        """Make the vocabulary from what `update_state` has counted; without counts, keep the old one."""
        if not self._counts:
            return
        tokens = self._counts.most_frequent({self.mask_token, self.oov_token})
        if self.max_tokens is not None:
            tokens = tokens[: self.max_tokens - self._first_id]
        weights: FloatArray | None = None
        if self.output_mode == "tf_idf":
            weights = with_means(self._counts.idf_weights(tokens), self._first_id)
        self._use(self._make(tokens, weights))
        self.reset_state()

    def reset_state(self) -> None:
        """Forget the counts of `update_state`, but not the vocabulary."""
        self._counts = TokenCounts(of_samples=self.output_mode == "tf_idf")

    # Using it.

    def _read(self, x: Any) -> Array:
        return as_integers(x, self._call) if self.invert else self._as_tokens(x, self._call)

    def _transform(self, values: Array) -> Array:
        vocabulary = self._known_vocabulary()
        if self.invert:
            tokens = self._as_outputs([*self._special_tokens, *vocabulary.tokens, self.oov_token])
            oov = len(tokens) - 1
            known = np.where((values >= 0) & (values < oov), values, oov)
            found: Array = tokens[known.reshape(-1)].reshape(values.shape)
            return found
        ids = ids_of(values, vocabulary.ids, _UNKNOWN)
        unknown = np.flatnonzero(ids == _UNKNOWN)
        if unknown.size:
            ids.reshape(-1)[unknown] = self._oov_ids(values, unknown)
        if self.output_mode != "tf_idf":
            return self._encoded(ids)
        counts = encode(ids, "count", self._depth(), self.dtype, self._call)
        weighted: Array = counts * np.asarray(self.idf_weights)
        return weighted

    def _oov_ids(self, values: Array, unknown: Array) -> Any:
        """Return the ids of the values at some places, which are not in the vocabulary."""
        if self.num_oov_indices == 1:
            return self._first_oov_id
        tokens = values.reshape(-1)[unknown]
        if self.num_oov_indices == 0:
            raise ValueError(
                f"{self._call}: {short_repr(tokens.tolist()[0])}{place(values.shape, unknown[0])} is not in "
                "the vocabulary, and num_oov_indices is 0"
            )
        return self._first_oov_id + ids_by(self._oov_bins, tokens)

    def _known_vocabulary(self) -> Vocabulary:
        if self._vocabulary is None:
            raise ValueError(f"{self._call}: call adapt() first, or pass a vocabulary")
        return self._vocabulary

    def _depth(self) -> int:
        if self.pad_to_max_tokens and self.max_tokens is not None:
            return self.max_tokens
        return self._first_id + len(self._known_vocabulary().tokens)

    # Its description.

    @property
    def _tokens_for_config(self) -> list[Any] | None:
        # With the special tokens, so that tokens that look like them aren't taken for them.
        include = self.oov_token is not None
        return None if self._vocabulary is None else self.get_vocabulary(include)

    @property
    def _weights_for_config(self) -> list[float] | None:
        if self._vocabulary is None or self._vocabulary.idf_weights is None:
            return None
        first = 0 if self.oov_token is not None else self._first_id
        weights: list[float] = self._vocabulary.idf_weights[first:].tolist()
        return weights

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        if self._vocabulary is not None and not self._is_given:
            config["has_input_vocabulary"] = False  # Keras's name
        return config

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Self:
        plain = named_options(cls, config)
        size = plain.pop("vocabulary_size", None)
        is_given = plain.pop("has_input_vocabulary", True)
        vocabulary, weights = plain.pop("vocabulary", None), plain.pop("idf_weights", None)
        if vocabulary is not None and not isinstance(vocabulary, (list, tuple, np.ndarray)):
            raise TypeError(  # a config from a model's file mustn't read other files
                f"{cls.__name__}: vocabulary: expected a list in a config, got {short_repr(vocabulary)}"
            )
        layer = cls(**plain)
        layer._give(vocabulary, weights)
        layer._is_given = bool(is_given) and vocabulary is not None
        if vocabulary is not None and size not in (None, layer.vocabulary_size()):
            raise ValueError(
                f"{cls.__name__}: vocabulary: expected vocabulary_size={short_repr(size)} tokens, got "
                f"{layer.vocabulary_size()}"
            )
        return layer
