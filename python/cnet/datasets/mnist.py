"""The MNIST handwritten digits."""

from __future__ import annotations

import os

from ._loader import Dataset, File, Split, load

__all__ = ["load_data"]


def __dir__() -> list[str]:
    return __all__


DATASET = Dataset(
    name="mnist",
    mirrors=(
        "https://ossci-datasets.s3.amazonaws.com/mnist",
        "https://storage.googleapis.com/cvdf-datasets/mnist",
    ),
    files=(
        File(
            "train-images-idx3-ubyte.gz",
            "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
        ),
        File(
            "train-labels-idx1-ubyte.gz",
            "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
        ),
        File(
            "t10k-images-idx3-ubyte.gz",
            "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
        ),
        File(
            "t10k-labels-idx1-ubyte.gz",
            "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
        ),
    ),
)


def load_data(path: str | os.PathLike[str] | None = None) -> tuple[Split, Split]:
    """Load MNIST: 60,000 training and 10,000 test images of handwritten digits.

    Parameters
    ----------
    path
        A folder with the four IDX files, gzipped or not, or an ``.npz`` file with the arrays
        ``x_train``, ``y_train``, ``x_test`` and ``y_test``, such as Keras's ``mnist.npz``.
        Default: the folder ``mnist`` in the folder of the environment variable
        ``CNET_DATA_HOME``, or in the user's cache. Missing files are downloaded (11 MB, needs
        pooch); their SHA-256 is checked.

    Returns
    -------
    (x_train, y_train), (x_test, y_test)
        Images, uint8 (n, 28, 28), from 0, the background, to 255, the ink; and digits from 0 to
        9, uint8 (n,).

    Raises
    ------
    ValueError
        If a file is malformed, or the numbers of images and labels differ.
    OSError
        If a file can't be read or downloaded.
    ImportError
        If pooch is needed and not installed.

    Notes
    -----
    By Yann LeCun, Corinna Cortes and Christopher J.C. Burges, http://yann.lecun.com/exdb/mnist/,
    licence CC BY-SA 3.0.

    Examples
    --------
    >>> from . import mnist
    >>> (x_train, y_train), (x_test, y_test) = mnist.load_data("examples/data/mnist_5k.npz")
    >>> x_train.shape, y_train.shape, x_test.shape, y_test.shape
    ((4000, 28, 28), (4000,), (1000, 28, 28), (1000,))
    """
    return load(DATASET, path)
