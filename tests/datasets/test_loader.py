"""The loader reads the given path, else the cache, else the mirrors, and checks the hashes."""

from __future__ import annotations

import functools
import hashlib
import http.server
import re
import sys
import threading
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from cnet.datasets._loader import Dataset, File, Split, load

Array = npt.NDArray[np.uint8]
Encode = Callable[[Array], bytes]
Serve = Callable[[Path], str]

NAMES = (
    "train-images-idx3-ubyte.gz",
    "train-labels-idx1-ubyte.gz",
    "t10k-images-idx3-ubyte.gz",
    "t10k-labels-idx1-ubyte.gz",
)
KEYS = ("x_train", "y_train", "x_test", "y_test")


@pytest.fixture
def dataset(folder: Path) -> Dataset:
    """Return the files of `folder` as a published dataset without a mirror."""
    train_x, train_y, test_x, test_y = (
        File(name, hashlib.sha256((folder / name).read_bytes()).hexdigest()) for name in NAMES
    )
    return Dataset("shapes", mirrors=(), files=(train_x, train_y, test_x, test_y))


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder of the dataset `shapes` in CNET_DATA_HOME, which does not exist yet."""
    monkeypatch.setenv("CNET_DATA_HOME", str(tmp_path / "home"))
    return tmp_path / "home" / "shapes"


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Iterator[Serve]:
    """Return a function that serves a folder on the loopback interface and returns its URL."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    running = []

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    def start(folder: Path) -> str:
        server = http.server.HTTPServer(
            ("127.0.0.1", 0), functools.partial(Handler, directory=str(folder))
        )
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        running.append((server, thread))
        return f"http://127.0.0.1:{server.server_port}"

    yield start
    for server, thread in running:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def unreachable(monkeypatch: pytest.MonkeyPatch) -> str:
    """Return the URL of a server that is down."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with http.server.HTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler) as server:
        return f"http://127.0.0.1:{server.server_port}"


def spoil(folder: Path, altered: Path) -> Path:
    """Copy the files of `folder` with one byte of each flipped."""
    altered.mkdir(parents=True)
    for name in NAMES:
        content = bytearray((folder / name).read_bytes())
        content[4] ^= 1
        (altered / name).write_bytes(content)
    return altered


def save_npz(path: Path, arrays: list[Any], save: Callable[..., None] = np.savez) -> None:
    save(path, **dict(zip(KEYS, arrays, strict=True)))


def assert_loaded(loaded: tuple[Split, Split], arrays: list[Array]) -> None:
    (x_train, y_train), (x_test, y_test) = loaded
    for got, expected in zip((x_train, y_train, x_test, y_test), arrays, strict=True):
        np.testing.assert_array_equal(got, expected, strict=True)


def test_folder_of_gzipped_files(dataset: Dataset, folder: Path, arrays: list[Array]) -> None:
    assert_loaded(load(dataset, folder), arrays)
    assert_loaded(load(dataset, str(folder)), arrays)


def test_folder_of_plain_files(
    dataset: Dataset, tmp_path: Path, arrays: list[Array], encode: Encode
) -> None:
    for name, array in zip(NAMES, arrays, strict=True):
        (tmp_path / name).with_suffix("").write_bytes(encode(array))
    assert_loaded(load(dataset, tmp_path), arrays)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_npz(
    dataset: Dataset, tmp_path: Path, arrays: list[Array], save: Callable[..., None]
) -> None:
    path = tmp_path / "shapes.npz"
    save_npz(path, arrays, save)
    assert_loaded(load(dataset, path), arrays)
    assert_loaded(load(dataset, str(path)), arrays)


def test_absent_files_are_named(dataset: Dataset, folder: Path, tmp_path: Path) -> None:
    (folder / NAMES[2]).unlink()
    message = f"{folder}: holds neither t10k-images-idx3-ubyte.gz nor t10k-images-idx3-ubyte"
    with pytest.raises(FileNotFoundError, match=re.escape(message)):
        load(dataset, folder)
    with pytest.raises(FileNotFoundError, match=r"absent\.npz"):
        load(dataset, tmp_path / "absent.npz")


@pytest.mark.parametrize(
    ("which", "array", "message"),
    [
        (0, np.zeros((6, 28, 27), np.uint8), "expected images uint8 (n, 28, 28), got uint8 (6, 28"),
        (0, np.zeros(6, np.uint8), "expected images uint8 (n, 28, 28), got uint8 (6,)"),
        (1, np.zeros((6, 1), np.uint8), "expected labels uint8 (n,), got uint8 (6, 1)"),
        (3, np.array([1, 12, 10], np.uint8), "label 12 at row 1 is outside [0, 10)"),
    ],
)
def test_invalid_images_and_labels_are_refused(
    dataset: Dataset,
    folder: Path,
    arrays: list[Array],
    encode: Encode,
    which: int,
    array: Array,
    message: str,
) -> None:
    path = folder / NAMES[which]
    path.write_bytes(encode(array))
    with pytest.raises(ValueError, match=re.escape(f"{path}: {message}")):
        load(dataset, folder)

    arrays[which] = array
    path = folder / "shapes.npz"
    save_npz(path, arrays)
    with pytest.raises(ValueError, match=re.escape(f"{path}: {KEYS[which]}: {message}")):
        load(dataset, path)


def test_counts_must_agree(
    dataset: Dataset, folder: Path, arrays: list[Array], encode: Encode
) -> None:
    images, labels = folder / NAMES[2], folder / NAMES[3]
    labels.write_bytes(encode(arrays[3][:2]))
    message = f"{images} holds 3 images, but {labels} 2 labels"
    with pytest.raises(ValueError, match=re.escape(message)):
        load(dataset, folder)


def test_npz_of_another_dtype_is_refused(
    dataset: Dataset, tmp_path: Path, arrays: list[Array]
) -> None:
    path = tmp_path / "shapes.npz"
    save_npz(path, [*arrays[:2], arrays[2] / np.float32(255), arrays[3]])
    message = "x_test: expected images uint8 (n, 28, 28), got float32 (3, 28, 28)"
    with pytest.raises(ValueError, match=re.escape(f"{path}: {message}")):
        load(dataset, path)
    save_npz(path, [*arrays[:3], arrays[3].astype(np.int64)])
    message = "y_test: expected labels uint8 (n,), got int64 (3,)"
    with pytest.raises(ValueError, match=re.escape(f"{path}: {message}")):
        load(dataset, path)


def test_bad_npz(dataset: Dataset, tmp_path: Path, arrays: list[Array]) -> None:
    path = tmp_path / "bad.npz"
    expected = re.escape(f"{path}: expected .npz with x_train, y_train, x_test, y_test: ")

    path.write_bytes(b"not a zip archive")
    with pytest.raises(ValueError, match=expected):
        load(dataset, path)

    with path.open("wb") as file:
        np.save(file, arrays[0])
    with pytest.raises(ValueError, match=expected):
        load(dataset, path)

    np.savez(path, x_train=arrays[0], y_train=arrays[1], x_test=arrays[2])
    with pytest.raises(ValueError, match=expected + ".*y_test"):
        load(dataset, path)

    save_npz(path, arrays)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ValueError, match=expected):
        load(dataset, path)

    save_npz(path, [*arrays[:3], np.array([None])])
    with pytest.raises(ValueError, match=expected + ".*allow_pickle"):
        load(dataset, path)

    with zipfile.ZipFile(path, "w") as archive:
        for key in KEYS:
            archive.writestr(f"{key}.npy", b"no array")
    with pytest.raises(ValueError, match=re.escape(f"{path}: x_train: expected images uint8")):
        load(dataset, path)


def test_a_large_size_in_an_npz_header_allocates_no_memory(
    dataset: Dataset, tmp_path: Path
) -> None:
    path = tmp_path / "claim.npz"
    with zipfile.ZipFile(path, "w") as archive, archive.open("x_train.npy", "w") as member:
        header = {"descr": "|u1", "fortran_order": False, "shape": (1 << 50, 28, 28)}
        np.lib.format.write_array_header_1_0(member, header)
    with pytest.raises(ValueError, match=re.escape(str(path))):
        load(dataset, path)


def test_the_cache_is_used_without_pooch_or_a_network(
    dataset: Dataset,
    folder: Path,
    cache: Path,
    arrays: list[Array],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cache.parent.mkdir()
    folder.rename(cache)
    monkeypatch.setitem(sys.modules, "pooch", None)
    assert_loaded(load(dataset), arrays)


def test_the_default_cache_is_that_of_pooch(
    dataset: Dataset,
    folder: Path,
    tmp_path: Path,
    arrays: list[Array],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("CNET_DATA_HOME", raising=False)
    monkeypatch.setattr("pooch.os_cache", lambda project: tmp_path / "caches" / project)
    (tmp_path / "caches" / "cnet").mkdir(parents=True)
    folder.rename(tmp_path / "caches" / "cnet" / "shapes")
    assert_loaded(load(dataset), arrays)


def test_a_cached_file_with_the_wrong_hash_is_refused(
    dataset: Dataset, folder: Path, cache: Path
) -> None:
    spoil(folder, cache)
    path = cache / NAMES[0]
    got = hashlib.sha256(path.read_bytes()).hexdigest()
    message = f"{path}: expected SHA-256 {dataset.files[0].sha256}, got {got}"
    with pytest.raises(OSError, match=re.escape(message)):
        load(dataset)


def test_a_cached_file_with_the_wrong_hash_is_downloaded_again(
    dataset: Dataset, folder: Path, cache: Path, arrays: list[Array], serve: Serve
) -> None:
    spoil(folder, cache)
    assert_loaded(load(replace(dataset, mirrors=(serve(folder),))), arrays)
    for name in NAMES:
        assert (cache / name).read_bytes() == (folder / name).read_bytes()


@pytest.mark.usefixtures("cache")
def test_downloading_needs_pooch(dataset: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pooch", None)
    with pytest.raises(ImportError, match="pip install pooch"):
        load(dataset)


def test_download_once(
    dataset: Dataset, folder: Path, cache: Path, arrays: list[Array], serve: Serve
) -> None:
    assert_loaded(load(replace(dataset, mirrors=(serve(folder),))), arrays)
    assert sorted(file.name for file in cache.iterdir()) == sorted(NAMES)
    assert_loaded(load(dataset), arrays)


@pytest.mark.usefixtures("cache")
def test_the_next_mirror_is_used_if_one_is_down(
    dataset: Dataset,
    folder: Path,
    tmp_path: Path,
    arrays: list[Array],
    serve: Serve,
    unreachable: str,
) -> None:
    (tmp_path / "empty").mkdir()
    mirrors = (unreachable, serve(tmp_path / "empty"), serve(folder))
    assert_loaded(load(replace(dataset, mirrors=mirrors)), arrays)


def test_the_next_mirror_is_used_if_one_has_other_bytes(
    dataset: Dataset,
    folder: Path,
    cache: Path,
    tmp_path: Path,
    arrays: list[Array],
    serve: Serve,
) -> None:
    mirrors = (serve(spoil(folder, tmp_path / "altered")), serve(folder))
    assert_loaded(load(replace(dataset, mirrors=mirrors)), arrays)
    for name in NAMES:
        assert (cache / name).read_bytes() == (folder / name).read_bytes()


def test_the_error_without_a_valid_mirror_says_what_to_do(
    dataset: Dataset,
    folder: Path,
    cache: Path,
    tmp_path: Path,
    serve: Serve,
    unreachable: str,
) -> None:
    (tmp_path / "empty").mkdir()
    altered, empty = serve(spoil(folder, tmp_path / "altered")), serve(tmp_path / "empty")
    with pytest.raises(OSError, match=r"^shapes\.load_data: no valid copy of ") as caught:
        load(replace(dataset, mirrors=(unreachable, altered, empty)))
    message = str(caught.value)
    assert f"{unreachable}/{NAMES[0]}: " in message
    assert f"{altered}/{NAMES[0]}: SHA256 hash of downloaded file" in message
    assert f"{empty}/{NAMES[0]}: 404 Client Error" in message
    assert f"copy the published files to {cache}:" in message
    for file in dataset.files:
        assert f"{file.name} (SHA-256 {file.sha256})" in message
    assert message.endswith("as path=")
    assert not any(cache.iterdir())
