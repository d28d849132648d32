"""If the tests run under a sanitizer (.ci/sanitized), it must detect faults in the module."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

SANITIZER = os.environ.get("CNET_SANITIZER")

BEYOND_MEMORY = """
import numpy as np
import cnet

x = np.lib.stride_tricks.as_strided(np.zeros((1000, 5), np.float32), (2000, 5))
cnet.Sequential([cnet.layers.Dense(3)]).predict(x, verbose=0)
"""

RACE = """
import threading
import numpy as np
import cnet

x, out = np.ones(100_000, np.float32), np.empty(100_000, np.float32)

def write():
    for _ in range(50):
        cnet.ops.relu_forward(x, out=out)

threads = [threading.Thread(target=write) for _ in range(2)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
"""

FAULTS = {
    "address": (BEYOND_MEMORY, "AddressSanitizer: heap-buffer-overflow"),
    "thread": (RACE, "ThreadSanitizer: data race"),
}


@pytest.mark.skipif(SANITIZER is None, reason="needs a cnet built with a sanitizer")
def test_a_fault_is_reported() -> None:
    program, expected = FAULTS[str(SANITIZER)]
    # To stderr, not to the collected reports.
    options = {
        name: value + ":log_path=stderr"
        for name, value in os.environ.items()
        if name in ("ASAN_OPTIONS", "TSAN_OPTIONS")
    }
    result = subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ | options,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 66
    assert expected in result.stderr
    assert "cnet::kernels" in result.stderr
