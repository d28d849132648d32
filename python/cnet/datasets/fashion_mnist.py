"""The Fashion-MNIST images of clothes."""

from __future__ import annotations

import os

from ._loader import Dataset, File, Split, load

__all__ = ["load_data"]


def __dir__() -> list[str]:
    return __all__


CLASS_NAMES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)

DATASET = Dataset(
    name="fashion_mnist",
    mirrors=(
        "https://storage.googleapis.com/tensorflow/tf-keras-datasets",
        "https://fashion-mnist.s3.eu-central-1.amazonaws.com",
        "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion",
    ),
    files=(
        File(
            "train-images-idx3-ubyte.gz",
            "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
        ),
        File(
            "train-labels-idx1-ubyte.gz",
            "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
        ),
        File(
            "t10k-images-idx3-ubyte.gz",
            "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
        ),
        File(
            "t10k-labels-idx1-ubyte.gz",
            "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
        ),
    ),
)


def load_data(path: str | os.PathLike[str] | None = None) -> tuple[Split, Split]:
    """Load Fashion-MNIST: 60,000 training and 10,000 test images of clothes.

    The classes, also in `CLASS_NAMES`: 0 T-shirt/top, 1 Trouser, 2 Pullover, 3 Dress, 4 Coat,
    5 Sandal, 6 Shirt, 7 Sneaker, 8 Bag, 9 Ankle boot.

    Parameters
    ----------
    path
        A folder with the four IDX files, gzipped or not, such as ``/usr/share/datasets/
        fashion-mnist`` of Debian's package dataset-fashion-mnist; or an ``.npz`` file with the
        arrays ``x_train``, ``y_train``, ``x_test`` and ``y_test``. Default: the folder
        ``fashion_mnist`` in the folder of the environment variable ``CNET_DATA_HOME``, or in the
        user's cache. Missing files are downloaded (30 MB, needs pooch); their SHA-256 is checked.

    Returns
    -------
    (x_train, y_train), (x_test, y_test)
        Images, uint8 (n, 28, 28), from 0, the background, to 255, the darkest pixels; and classes
        from 0 to 9, uint8 (n,).

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
    By Han Xiao, Kashif Rasul and Roland Vollgraf at Zalando Research,
    https://github.com/zalandoresearch/fashion-mnist, licence MIT.

    Examples
    --------
    >>> from . import fashion_mnist
    >>> (x_train, y_train), (x_test, y_test) = fashion_mnist.load_data()  # doctest: +SKIP
    >>> fashion_mnist.CLASS_NAMES[y_train[0]]  # doctest: +SKIP
    'Ankle boot'
    """
    return load(DATASET, path)
