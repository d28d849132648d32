"""Programs in processes of their own, for tests of what may end a process or never end."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any


def run_program(text: str, *arguments: Any, timeout: float, **environment: str) -> Any:
    """Run a program with arguments as JSON in `sys.argv[1]`; return what it prints, as JSON, at its end."""
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
