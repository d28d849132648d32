"""What the README, CONTRIBUTING and SECURITY name is there, and what they show runs."""

from __future__ import annotations

import re
import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pytest

ROOT = Path(__file__).parents[1]
# In an sdist its links are absolute, for PyPI.
README = re.sub(
    r"\]\(https://github\.com/[\w-]+/[\w-]+/(blob|raw)/\w+/",
    "](",
    (ROOT / "README.md").read_text(encoding="utf-8"),
)
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
SECURITY = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
ALL = README + CONTRIBUTING + SECURITY
LINKS = sorted(set(re.findall(r"\]\(([^)\s]+)\)", ALL)))
# In backticks, and in lines of the shell.
FILES = sorted(
    set(re.findall(r"`([\w./]+/[\w.]+\.\w+)`", ALL)) | set(re.findall(r"python ([\w./]+\.py)", ALL))
)
BLOCKS = re.findall(r"^```python\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


def anchor(heading: str) -> str:
    """Return the link to a heading, as GitHub makes it."""
    return "#" + re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


@pytest.mark.parametrize("link", [link for link in LINKS if not link.startswith("https://")])
def test_links_lead_somewhere(link: str) -> None:
    if link.startswith("#"):
        assert link in [
            anchor(heading) for heading in re.findall(r"^#+ (.*)$", README, re.MULTILINE)
        ]
    else:
        assert (ROOT / link).exists()


@pytest.mark.parametrize("name", FILES)
def test_files_that_are_named_exist(name: str) -> None:
    assert (ROOT / name).exists() or (ROOT / "csrc" / name).exists()


def test_the_house_has_every_module_and_no_other() -> None:
    house = CONTRIBUTING.split("```")[1]
    for folder in (ROOT / "csrc", ROOT / "python" / "cnet"):
        for path in folder.iterdir():
            if path.name not in ("__init__.py", "__pycache__", "py.typed") and path.suffix != ".so":
                assert path.name in house, path
    for name in re.findall(r"[\w.]+\.(?:pyi?|hpp)\b", house):
        assert list(ROOT.glob(f"*/**/{name}")), name


def test_each_of_cnets_cells_has_a_test_or_a_dash() -> None:
    table = README.split("## Beside others")[1].split("\n## ")[0]
    rows = [line.split(" | ") for line in table.splitlines() if line.startswith("| ")][1:]
    features = [row for row in rows if not row[0].startswith("| **")]
    assert len(features) > 30
    for row in features:
        assert len(row) == 5
        assert row[1] == "\N{EN DASH}" or re.fullmatch(r"\[[^]]+\]\(tests/[\w/]+\.py\)", row[1]), (
            row[0]
        )
        assert all(row[2:])


def test_blocks_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    """In one program, on a few random digits in the place of the download."""
    from cnet.datasets import mnist

    rng = np.random.default_rng(0)
    digits = rng.integers(0, 256, (300, 28, 28), dtype=np.uint8), rng.integers(0, 10, 300)
    monkeypatch.setattr(mnist, "load_data", lambda: (digits, digits))
    monkeypatch.chdir(tmp_path)
    assert len(BLOCKS) == 4
    names: dict[str, Any] = {}
    for number, block in enumerate(BLOCKS):
        path = tmp_path / f"block_{number}.py"
        path.write_text(block, encoding="utf-8")
        names = runpy.run_path(str(path), names)
    assert names["history"].epoch == [0, 1, 2, 3, 4]
    assert names["model"].predict(digits[0][:2], verbose=0).shape == (2, 10)
    assert (tmp_path / "model.safetensors").exists()
    assert names["optimizer"].iterations == 1
    names["forecast"].fit(np.ones((8, 3)), np.ones(8), verbose=0)
    capsys.readouterr()
