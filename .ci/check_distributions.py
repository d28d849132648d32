"""Fail unless a wheel and an sdist contain what they should, and nothing else.

Usage: ``python .ci/check_distributions.py WHEEL SDIST``
"""

from __future__ import annotations

import sys
import tarfile
import zipfile
from pathlib import Path

wheel, sdist = map(Path, sys.argv[1:])
with zipfile.ZipFile(wheel) as archive:
    in_wheel = archive.namelist()
with tarfile.open(sdist) as tar:
    in_sdist = [name.split("/", 1)[1] for name in tar.getnames() if "/" in name]

assert {"cnet/py.typed", "cnet/_core.pyi", "cnet/__init__.py"} <= set(in_wheel), in_wheel
assert sum(name.startswith("cnet/_core.") and name.endswith(".so") for name in in_wheel) == 1
outside = [name for name in in_wheel if not name.startswith("cnet")]
assert not outside, f"the wheel contains {outside}"
assert not [name for name in in_wheel if "test" in name or name.endswith((".npz", ".cpp", ".hpp"))]
assert wheel.stat().st_size <= 1_500_000, f"the wheel has {wheel.stat().st_size:,} bytes"

for name in (
    "README.md",
    "LICENSE",
    "CITATION.cff",
    "CMakeLists.txt",
    "csrc/kernels/simd/avx2.hpp",
    "docs/training.md",
    "tests/ops/test_init.py",
):
    assert name in in_sdist, f"the sdist lacks {name}"
assert not [name for name in in_sdist if name.startswith(("build/", "."))]
print(f"{wheel.name}: {wheel.stat().st_size:,} bytes, {len(in_wheel)} files")
