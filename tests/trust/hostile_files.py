"""Open hostile files in a process of its own: ``python hostile_files.py KIND SEED COUNT FILE``.

Each is a changed file of the corpus: bytes are flipped, cut, repeated, moved or taken from another file, or
the content is changed and all checksums and sizes are corrected, or a graph is connected otherwise. If the process
dies, the file that it had open remains.
"""

from __future__ import annotations

import gzip
import json
import math
import os
import random
import re
import resource
import signal
import struct
import sys
import time
import traceback
import warnings
import zlib
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import cnet
from cnet.datasets.idx import read_idx
from cnet.models.nesting import leaves_of, nested_as

sys.path.insert(0, str(Path(__file__).parents[1]))
from support.graphs import CUSTOM_OBJECTS
from trust.hostile_graphs import copied, nodes, reconnect
from trust.make_corpus import CORPUS, inputs

MEMORY = 64 << 20  # no small file may take as much
SECONDS = 1.0  # CPU time, for each file

BYTES = [0, 1, 7, 8, 31, 32, 34, 44, 48, 57, 58, 91, 92, 93, 101, 123, 125, 127, 128, 192, 237, 255]
VALUES: list[Any] = [
    *(None, True, False, 0, -1, 1, 2, 7, 2**24, 2**31, 2**32, 2**40, 2**53 + 1, 2**62, 2**63 - 1),
    *(2**63, 2**64, 10**30, 10**400, -(2**31), -(2**63), 1e308, -1e308, 5e-324, 0.5, -0.0, 1e-7),
    *(float("nan"), float("inf"), -float("inf"), "", " ", "x" * 3000, "\0", "ü雪🙂", "\ud800", "1"),
    *("nan", "inf", "float16", "float64", "int8", "F64", "I8", "auto", "relu", "softmax", "adam"),
    *(
        "mse",
        "accuracy",
        "Dense",
        "Sequential",
        "Layer",
        "__class__",
        "__init__",
        "os.system",
        "../x",
    ),
    *([], [[]], [1] * 9, [0], [-1], [2**62, 4], [1, 2, 3], ["a"], [None], {}, {"": 0}, {"a": {}}),
    {"class_name": "Sequential", "config": {"name": "x", "layers": []}},
    {"class_name": "Dense", "config": {"units": 2**31}},
    {"class_name": "partial", "config": {"function": "relu"}},
]


DOES_NOT_FIT = r"is outside|is not an id|expected (numbers|text|integers)|call adapt"
LARGE = [2**17, 2**20, 2**24, 2**28, 2**31, 2**40, 2**62]  # candidates for sizes


def deep(depth: int) -> Any:
    value: Any = 1
    for n in range(depth):
        value = [value] if n % 2 else {"config": value}
    return value


def changed_bytes(chance: random.Random, content: bytes, others: list[bytes]) -> bytes:
    """Return a file with one to four changes."""
    data = bytearray(content)
    for _ in range(chance.choice((1, 1, 1, 2, 4))):
        at = chance.randrange(len(data) + 1)
        if chance.random() < 0.2:  # the length of the header, and its first names
            at = min(chance.randrange(40), len(data))
        length = min(chance.choice((1, 1, 2, 4, 8, 16, 100)), len(data) - at)
        kind = chance.randrange(9)
        if kind == 0 and length:
            data[at] ^= 1 << chance.randrange(8)
        elif kind == 1:
            data[at : at + length] = bytes(chance.choices(BYTES, k=length))
        elif kind == 2:
            data[at:at] = chance.randbytes(chance.choice((1, 2, 8, 64)))
        elif kind == 3:
            del data[at : at + length]
        elif kind == 4:
            del data[at:]
        elif kind == 5:
            data[at:at] = data[at : at + length] * chance.choice((1, 2, 50))
        elif kind == 6:
            other = chance.choice(others)
            begin = chance.randrange(len(other))
            data[at : at + length] = other[begin : begin + length]
        elif kind == 7:
            begin = chance.randrange(len(data) + 1)
            data[at : at + length] = data[begin : begin + length]
        else:
            number = chance.choice((0, 1, 2**31, 2**63, 2**64 - 1, len(data), len(data) // 2))
            data[at : at + 8] = struct.pack("<Q", number)
    return bytes(data)


def change(chance: random.Random, tree: Any, others: list[tuple[Any, Any]]) -> None:
    """Change one place of a tree of lists and dicts."""
    places = nodes(tree, [])
    if not places:
        return
    container, key = chance.choice(places)
    value = container[key]
    kind = chance.randrange(10)
    if kind == 0:
        del container[key]
    elif kind == 1:
        other, place = chance.choice(places)
        container[key] = copied(other[place])
    elif kind in (2, 3):
        other, place = chance.choice(others)
        container[key] = copied(other[place])
    elif kind == 4 and type(value) in (int, float):
        nearby = (value + 1, value - 1, -value, value * 2, value / 2 if abs(value) < 1e300 else 0)
        container[key] = chance.choice((*nearby, *LARGE))
    elif kind == 4 and isinstance(value, list) and value:
        value.extend(value[: chance.randrange(1, 4)])
    elif kind == 5 and isinstance(container, dict):
        name = chance.choice((key + "x", key[:-1], "", "name", "dtype", "a" * 300))
        container[name] = copied(value)
    elif kind == 6:
        container[key] = chance.choice(
            ([copied(value)], {"class_name": copied(value)}, deep(70), deep(300))
        )
    else:
        container[key] = copied(chance.choice(VALUES))


class ModelFile:
    """The parsed content of a model file."""

    def __init__(self, content: bytes) -> None:
        (length,) = struct.unpack("<Q", content[:8])
        self.header = json.loads(content[8 : 8 + length])
        self.data = content[8 + length :]
        metadata = self.header.pop("__metadata__")
        self.document = json.loads(metadata["cnet"])
        self.checksums = json.loads(metadata["checksums"])
        self.text = json.dumps([self.header, self.document, self.checksums])
        self.places, self.header_places = nodes(self.document, []), nodes(self.header, [])

    def changed(
        self, chance: random.Random, others: list[ModelFile], *, reconnects: bool = False
    ) -> bytes:
        """Return a file with changed content, and valid checksums and lengths."""
        header, document, checksums = json.loads(self.text)
        data = self.data
        kinds = [chance.randrange(20) for _ in range(chance.choice((1, 1, 2, 4)))]
        for which in (
            sorted(kinds) if reconnects else kinds
        ):  # graphs are connected before other damage
            if reconnects and which < 16:
                reconnect(chance, document)
            elif which == 0:
                change(chance, checksums, others[0].places)
            elif which <= 2:
                change(chance, header, chance.choice(others).header_places)
            elif which == 3:
                data = changed_bytes(chance, data, [other.data for other in others])
            elif which == 4:
                document = copied(chance.choice(others).document)
            else:
                change(chance, document, chance.choice(others).places)
        texts = [json.dumps(each) for each in (document, checksums)]
        if chance.random() < 0.05:  # a repeated name
            at = chance.randrange(2)
            names = list(re.finditer(r'"\w+": ', texts[at]))
            if names:
                name = chance.choice(names)
                texts[at] = texts[at][: name.start()] + f"{name[0]}0, " + texts[at][name.start() :]
        checksum = f"{zlib.crc32(''.join(texts).encode()):08x}"
        metadata = {"cnet": texts[0], "checksums": texts[1], "checksum": checksum}
        text = json.dumps({"__metadata__": metadata, **header}).encode()
        return struct.pack("<Q", len(text)) + text + data


def refused(error: Exception, path: str) -> str:
    assert path in str(error)
    return "refused"


def try_model(path: str) -> str:
    """Load a model; it must predict, and train or refuse to if it was compiled."""
    try:
        model = cnet.models.load_model(path, CUSTOM_OBJECTS)
    except (cnet.FormatError, OSError) as error:
        return refused(error, path)
    if not model.built or size(model) > 2**16:
        return "loaded"
    x = inputs(model, ids=1)
    try:
        y = model.predict(x, verbose=0)
    except (TypeError, ValueError) as error:  # what layers of categories make is not always an id
        if not re.search(DOES_NOT_FIT, str(error)):
            raise
        return "loaded"
    if model.loss is None:
        return "predicted"
    labels = [np.abs(rows).clip(0, 1) for rows in leaves_of(y)]
    try:
        model.train_on_batch(x, nested_as(y, labels))
    except (TypeError, ValueError, FloatingPointError):  # unusual arguments of metric functions
        return "predicted"
    return "trained"


def size(model: Any) -> int:
    """Return how many numbers a model computes for a sample, or more."""
    tensors = [t for node in getattr(model, "_nodes_in_order", ()) for t in leaves_of(node.outputs)]
    shapes = [tensor.shape for tensor in tensors] + model.input_shapes + model.output_shapes
    own = sum(math.prod(each or 1 for each in shape) for shape in shapes)
    return own + sum(size(layer) for layer in model.layers if hasattr(layer, "layers"))


def forget(model: Any) -> None:
    model.set_weights([np.zeros_like(weight) for weight in model.get_weights()])


def try_weights(path: str, model: Any) -> str:
    """Load weights into a model with cleared weights; refused weights must change nothing."""
    try:
        model.load_weights(path)
    except (cnet.FormatError, OSError) as error:
        assert not any(weight.any() for weight in model.get_weights())
        return refused(error, path)
    forget(model)
    return "loaded"


def try_idx(path: str) -> str:
    """Read a file of pictures or labels."""
    try:
        read_idx(path)
    except (ValueError, OSError) as error:
        return refused(error, path)
    return "read"


Attempt = tuple[bytes, Callable[[str], str]]


def attempts_of_models(chance: random.Random, kind: str) -> Callable[[], Attempt]:
    """Return a function that makes model files with changed "bytes", content ("model"), "graph" or "weights"."""
    paths = sorted(CORPUS.glob("*/*.safetensors"))
    contents = [path.read_bytes() for path in paths]
    files = [ModelFile(content) for content in contents]
    whole = [n for n, file in enumerate(files) if "model" in file.document]
    graphs = [n for n in whole if "keras_history" in files[n].text]
    models = {n: cnet.models.load_model(paths[n], CUSTOM_OBJECTS) for n in whole}
    for each in models.values():
        forget(each)

    def bytes_() -> Attempt:
        return changed_bytes(chance, chance.choice(contents), contents), try_model

    def model() -> Attempt:
        return files[chance.choice(whole)].changed(chance, files), try_model

    def graph() -> Attempt:
        return files[chance.choice(graphs)].changed(chance, files, reconnects=True), try_model

    def weights() -> Attempt:
        n = chance.choice(whole)
        if chance.random() < 0.5:
            content = files[n].changed(chance, files)
        else:
            content = changed_bytes(chance, contents[n], contents)
        return content, lambda path: try_weights(path, models[n])

    return {"bytes": bytes_, "model": model, "graph": graph, "weights": weights}[kind]


def attempts_of_idx(chance: random.Random) -> Callable[[], Attempt]:
    """Return a function that makes IDX files; gzipped ones are changed before or after compression."""
    plain = [
        struct.pack(f">4B{len(shape)}I", 0, 0, 8, len(shape), *shape) + bytes(math.prod(shape))
        for shape in ((5,), (2, 3), (3, 4, 5), (40, 28, 28))
    ]
    packed = [gzip.compress(each) for each in plain]
    bombs = [
        plain[2] + bytes(2**24),
        struct.pack(">4B3I", 0, 0, 8, 3, *(2**30,) * 3) + bytes(2**22),
    ]
    packed += [gzip.compress(each, 1) for each in bombs]

    def attempt() -> Attempt:
        kind = chance.randrange(3)
        if kind == 0:
            content = changed_bytes(chance, chance.choice(plain), plain)
        elif kind == 1:
            content = changed_bytes(chance, chance.choice(packed), packed)
        else:
            content = gzip.compress(changed_bytes(chance, chance.choice(plain), plain), 1)
        return content, try_idx

    return attempt


def limit_memory() -> None:
    """Limit the memory of this process to its current size and a little more; not on macOS."""
    if sys.platform == "linux":
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        size = pages * resource.getpagesize() + MEMORY
        resource.setrlimit(resource.RLIMIT_AS, (size, size))


def peak_memory() -> int:
    """Return the peak memory of this process in bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak << 10


def main(kind: str, seed: int, count: int, path: str) -> int:
    """Open `count` files; print the outcomes as JSON, or the first harmful file."""
    chance = random.Random(seed)
    attempt = attempts_of_idx(chance) if kind == "idx" else attempts_of_models(chance, kind)
    warnings.simplefilter("ignore")  # a heavily damaged model may warn
    seen: Counter[str] = Counter()
    slowest = 0.0
    allowed = math.inf
    file = os.open(path, os.O_RDWR | os.O_CREAT)
    for n in range(count):
        # After all lazy imports. A sanitizer needs memory of its own.
        if n == 100 and "CNET_SANITIZER" not in os.environ:
            limit_memory()
            allowed = peak_memory() + MEMORY
        if n % 100 == 0:
            signal.alarm(100)  # ends a hanging process
        try:
            content, use = attempt()
        except RecursionError:  # from nested nesting: too deep to be written
            continue
        os.pwrite(file, content, 0)
        os.ftruncate(file, len(content))
        begin = time.process_time()
        try:
            seen[use(path)] += 1
        except BaseException:  # noqa: BLE001 # any exception is a finding
            traceback.print_exc()
            return 1
        seconds = time.process_time() - begin
        if seconds > SECONDS:
            sys.stderr.write(f"{seconds} seconds\n")
            return 1
        if peak_memory() > allowed:
            sys.stderr.write(f"more than {MEMORY} bytes of memory\n")
            return 1
        slowest = max(slowest, seconds)
    sys.stdout.write(json.dumps({**seen, "slowest": round(slowest, 3)}))
    Path(path).unlink()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]))
