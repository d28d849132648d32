from __future__ import annotations

import os
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

import cnet

# Trains, predicts and draws random numbers; prints a hash of all the bits.
PROGRAM = """
import hashlib, numpy as np, cnet
from cnet import layers, optimizers
cnet.utils.set_random_seed(3)
digest = hashlib.sha256()
rng = np.random.default_rng(0)
for dtype in ("float32", "float64"):
    for optimizer in (
        optimizers.SGD(0.1), optimizers.SGD(0.1, momentum=0.9, nesterov=True),
        optimizers.RMSprop(), optimizers.Adam(),
    ):
        x = rng.normal(size=(203, 37))
        model = cnet.Sequential([
            layers.Rescaling(0.5, 0.1, dtype=dtype),
            layers.Dense(50, activation="relu", kernel_initializer="he_normal", dtype=dtype),
            layers.Softmax(dtype=dtype),
            layers.Dense(19, activation="relu", dtype=dtype),
            layers.Dense(10, activation="softmax", dtype=dtype),
        ])
        model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
        history = model.fit(x, np.arange(203) % 10, batch_size=33, epochs=3, verbose=0)
        for array in (*model.get_weights(), model.predict(x), np.array(history.history["loss"])):
            digest.update(array.tobytes())
print(digest.hexdigest())
"""


def run(program: str, *options: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *options, "-c", program],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_build_info() -> None:
    info = cnet.build_info()
    assert info["version"] == cnet.__version__ == metadata.version("cnet")
    assert info["compiler"].split()[0] in ("GNU", "Clang", "AppleClang")
    assert info["instruction_set"] in info["instruction_sets"]
    assert info["instruction_sets"][0] == "scalar"
    assert info["threads"] >= 1


def supported() -> list[str]:
    """Return the instruction sets of this build that this CPU can run."""
    program = "import cnet; print(cnet.build_info()['instruction_set'])"
    return [
        isa
        for isa in cnet.build_info()["instruction_sets"]
        if run(program, CNET_ISA=isa).stdout.split()[-1:] == [isa]
    ]


def test_every_instruction_set_gives_the_same_bits() -> None:
    isas = supported()
    assert isas[0] == "scalar"
    assert cnet.build_info()["instruction_set"] in isas
    results = {isa: run(PROGRAM, CNET_ISA=isa) for isa in isas}
    hashes = {isa: result.stdout.split()[-1] for isa, result in results.items()}
    assert len(set(hashes.values())) == 1, hashes
    assert len(hashes["scalar"]) == 64


@pytest.mark.parametrize("isa", ["mmx", "AVX2", "avx512 "])
def test_an_unknown_instruction_set_is_refused(isa: str) -> None:
    result = run("import cnet", CNET_ISA=isa)
    assert result.returncode == 1
    assert "CNET_ISA: expected one of scalar" in result.stderr
    assert f"got '{isa}'" in result.stderr


def test_a_missing_core_tells_how_to_build_it(tmp_path: Path) -> None:
    package = tmp_path / "cnet"
    package.mkdir()
    source = Path(cnet.__file__).read_text()
    (package / "__init__.py").write_text(source)
    # -S: without site-packages, where the real one is.
    result = run(f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import cnet", "-S")
    assert result.returncode == 1
    assert "pip install" in result.stderr


# Switches flush-to-zero on as a careless library would, through the C library's own functions.
FLUSH_TO_ZERO = """
import ctypes, platform
import numpy as np, cnet
libm = ctypes.CDLL("libm.so.6")
environment = (ctypes.c_uint32 * 16)()
word, flags = {"x86_64": (7, 0x8040), "aarch64": (0, 1 << 24)}[platform.machine()]
libm.fegetenv(environment)
environment[word] |= flags
libm.fesetenv(environment)
tiny = np.full(64, np.finfo(np.float32).smallest_normal)
half = cnet.ops.rescaling_forward(tiny, 0.5)
print((tiny * np.float32(0.5)).any(), (half.view(np.uint32) == 1 << 22).all())
print((tiny * np.float32(0.5)).any())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads glibc's layout of fenv_t")
def test_the_bits_do_not_depend_on_flush_to_zero_in_the_process() -> None:
    """A subnormal result survives, and the caller finds his own mode again."""
    lines = run(FLUSH_TO_ZERO).stdout.splitlines()[-2:]
    assert lines == ["False True", "False"]
