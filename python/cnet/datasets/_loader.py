"""Loading, downloading and checking of data sets of 28 by 28 images in ten classes.

The module of each data set defines its name, URLs and checksums as a `Dataset`.
"""

from __future__ import annotations

import hashlib
import importlib
import io
import os
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import numpy as np
import numpy.typing as npt

from .idx import read_idx

Array = npt.NDArray[np.uint8]
Split = tuple[Array, Array]


@dataclass(frozen=True)
class File:
    """A published file, and the SHA-256 of its bytes in hex."""

    name: str
    sha256: str


@dataclass(frozen=True)
class Dataset:
    """A data set published as four gzipped IDX files.

    Attributes
    ----------
    name
        Name of its module, and of its folder in the cache.
    mirrors
        URLs of folders with its files, tried in order.
    files
        Training images and labels, test images and labels.
    """

    name: str
    mirrors: tuple[str, ...]
    files: tuple[File, File, File, File]


def load(dataset: Dataset, path: str | os.PathLike[str] | None = None) -> tuple[Split, Split]:
    """Load a data set from `path` or the cache, downloading missing files.

    Argument, result and errors are those of `cnet.datasets.mnist.load_data`.
    """
    if path is None:
        sources = {str(file): read_idx(file) for file in _cached_files(dataset)}
    elif Path(path).is_dir():
        sources = {str(file): read_idx(file) for file in _local_files(dataset, Path(path))}
    else:
        sources = _read_npz(path)
    train_images, train_labels, test_images, test_labels = sources.items()
    return _split(train_images, train_labels), _split(test_images, test_labels)


def _split(images: tuple[str, Array], labels: tuple[str, Array]) -> Split:
    """Return the images and labels of a split after checks; both are given as (source, array)."""
    (x_source, x), (y_source, y) = images, labels
    if x.dtype != np.uint8 or x.shape[1:] != (28, 28):
        raise ValueError(f"{x_source}: expected images uint8 (n, 28, 28), got {x.dtype} {x.shape}")
    if y.dtype != np.uint8 or y.ndim != 1:
        raise ValueError(f"{y_source}: expected labels uint8 (n,), got {y.dtype} {y.shape}")
    if len(x) != len(y):
        raise ValueError(f"{x_source} holds {len(x)} images, but {y_source} {len(y)} labels")
    outside = np.flatnonzero(y > 9)
    if outside.size:
        row = outside[0]
        raise ValueError(f"{y_source}: label {y[row]} at row {row} is outside [0, 10)")
    return x, y


def _read_npz(path: str | os.PathLike[str]) -> dict[str, Array]:
    keys = ("x_train", "y_train", "x_test", "y_test")
    data = Path(path).read_bytes()
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as archive:
            # asarray, since members that aren't .npy files are bytes
            return {f"{path}: {key}": np.asarray(archive[key]) for key in keys}
    except Exception as error:  # zipfile, zlib and NumPy raise many types for damaged files
        raise ValueError(f"{path}: expected .npz with {', '.join(keys)}: {error}") from error


def _local_files(dataset: Dataset, folder: Path) -> list[Path]:
    found = []
    for file in dataset.files:
        gzipped = folder / file.name
        plain = gzipped.with_suffix("")
        if not gzipped.exists() and not plain.exists():
            raise FileNotFoundError(f"{folder}: holds neither {gzipped.name} nor {plain.name}")
        found.append(gzipped if gzipped.exists() else plain)
    return found


def _cached_files(dataset: Dataset) -> list[Path]:
    home = os.environ.get("CNET_DATA_HOME") or _pooch().os_cache("cnet")
    folder = Path(home).expanduser() / dataset.name
    return [_cached_file(dataset, file, folder) for file in dataset.files]


def _cached_file(dataset: Dataset, file: File, folder: Path) -> Path:
    """Return the path of a file with the right SHA-256 in `folder`, downloading it if necessary."""
    cached = folder / file.name
    tried = []
    if cached.exists():
        sha256 = hashlib.sha256(cached.read_bytes()).hexdigest()
        if sha256 == file.sha256:
            return cached
        tried.append(f"{cached}: expected SHA-256 {file.sha256}, got {sha256}")

    retrieve = _pooch().retrieve
    for mirror in dataset.mirrors:
        url = f"{mirror}/{file.name}"
        try:
            return Path(retrieve(url, f"sha256:{file.sha256}", fname=file.name, path=folder))
        except (OSError, ValueError) as error:  # unreachable, or a wrong checksum
            tried.append(f"{url}: {error}")
    raise OSError(
        f"{dataset.name}.load_data: no valid copy of {cached}, tried\n  "
        + "\n  ".join(tried)
        + f"\nWithout a network, copy the published files to {folder}:\n  "
        + "\n  ".join(f"{f.name} (SHA-256 {f.sha256})" for f in dataset.files)
        + "\nor pass a folder of IDX files, or an .npz file, as path="
    )


def _pooch() -> ModuleType:
    try:
        return importlib.import_module("pooch")
    except ImportError as error:
        raise ImportError(
            "cnet.datasets: downloads need pooch: pip install pooch, or pass path=, "
            "or set CNET_DATA_HOME to a folder with the files"
        ) from error
