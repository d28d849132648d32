from __future__ import annotations

import os
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

import cnet


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
    # -S: without site-packages, which contains the compiled module.
    result = run(f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import cnet", "-S")
    assert result.returncode == 1
    assert "pip install" in result.stderr


# Enables flush-to-zero through the C library, as some libraries do. The table has the index of the control word
# in fenv_t, in units of 32 bits, and the flags, for x86-64 and aarch64.
FLUSH_TO_ZERO = """
import ctypes, platform, sys
import numpy as np, cnet
word, flags = {
    ("linux", "x86_64"): (7, 0x8040),  # glibc and musl
    ("linux", "aarch64"): (0, 1 << 24),
    ("darwin", "x86_64"): (1, 0x8040),
    ("darwin", "arm64"): (2, 1 << 24),
}[sys.platform, platform.machine()]
libc = ctypes.CDLL(None)  # and libm, which Python is linked with
environment = (ctypes.c_uint32 * 16)()
libc.fegetenv(environment)
environment[word] |= flags
libc.fesetenv(environment)
tiny = np.full(64, np.finfo(np.float32).smallest_normal)
half = cnet.ops.rescaling_forward(tiny, 0.5)
print((tiny * np.float32(0.5)).any(), (half.view(np.uint32) == 1 << 22).all())
print((tiny * np.float32(0.5)).any())
"""


def test_the_bits_do_not_depend_on_flush_to_zero_in_the_process() -> None:
    """Subnormal results survive, and the mode of the caller is restored."""
    result = run(FLUSH_TO_ZERO)
    assert result.stdout.splitlines() == ["False True", "False"], result.stderr
