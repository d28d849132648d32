"""Run programs in processes of their own, for tests that may crash or hang."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any


def run_program(text: str, *arguments: Any, timeout: float, **environment: str) -> Any:
    """Run a program with arguments as JSON in `sys.argv[1]`; return its last line of output, parsed as JSON."""
    command = [sys.executable, "-c", text, json.dumps(arguments)]
    result = subprocess.run(
        command,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=timeout,
    )
    assert result.returncode == 0, f"ended by {result.returncode}: {result.stderr[-4000:]}"
    assert result.stderr == "", result.stderr[-4000:]
    return json.loads(result.stdout.splitlines()[-1])
