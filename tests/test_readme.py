"""The links and file names in README and the other documents are right, and their examples run."""

from __future__ import annotations

import re
import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pytest

ROOT = Path(__file__).parents[1]
DOCUMENTS = {
    str(path.relative_to(ROOT)): path.read_text(encoding="utf-8")
    for path in [*ROOT.glob("*.md"), *sorted(ROOT.glob("docs/*.md"))]
    if path.name != "CHANGELOG.md"
}
# In an sdist the README's links are absolute, for PyPI.
DOCUMENTS["README.md"] = README = re.sub(
    r"\]\(https://github\.com/[\w-]+/[\w-]+/(blob|raw)/\w+/", "](", DOCUMENTS["README.md"]
)
ARCHITECTURE = DOCUMENTS["docs/architecture.md"]
ALL = "".join(DOCUMENTS.values())
LINKS = sorted(
    {
        (name, link)
        for name, text in DOCUMENTS.items()
        for link in re.findall(r"\]\(([^)\s]+)\)", text)
        if not link.startswith("https://")
    }
)
# In backticks, and in shell commands.
FILES = sorted(
    set(re.findall(r"`([\w./]+/[\w.]+\.\w+)`", ALL)) | set(re.findall(r"python ([\w./]+\.py)", ALL))
)
BLOCKS = {
    name: blocks
    for name, text in DOCUMENTS.items()
    if (blocks := re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL))
}


def anchors(path: Path) -> list[str]:
    """Return the anchors that GitHub gives to the headings of a document."""
    headings = re.findall(r"^#+ (.*)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return [re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings]


@pytest.mark.parametrize(("document", "link"), LINKS)
def test_links_lead_somewhere(document: str, link: str) -> None:
    name, _, anchor = link.partition("#")
    target = (ROOT / document).parent / name if name else ROOT / document
    assert target.exists()
    assert not anchor or anchor in anchors(target)


@pytest.mark.parametrize("name", FILES)
def test_files_that_are_named_exist(name: str) -> None:
    if name.startswith(".ci/") and not (ROOT / ".ci").exists():
        return  # an sdist, which has no .ci
    assert any((folder / name).exists() for folder in (ROOT, ROOT / "csrc", ROOT / "python/cnet"))


def test_the_tree_in_architecture_lists_every_module_and_no_other() -> None:
    house = ARCHITECTURE.split("```")[3]
    for folder in (ROOT / "csrc", ROOT / "python" / "cnet"):
        for path in folder.iterdir():
            if path.name not in ("__init__.py", "__pycache__", "py.typed") and path.suffix != ".so":
                assert path.name in house, path
    for name in re.findall(r"[\w.]+\.(?:pyi?|hpp)\b", house):
        assert list(ROOT.glob(f"*/**/{name}")), name


def test_each_cell_of_cnet_has_a_test_or_a_dash() -> None:
    table = README.split("## Comparison with other libraries")[1].split("\n## ")[0]
    rows = [line.split(" | ") for line in table.splitlines() if line.startswith("| ")][1:]
    features = [row for row in rows if not row[0].startswith("| **")]
    assert len(features) > 30
    for row in features:
        assert len(row) == 5
        assert row[1] == "\N{EN DASH}" or re.fullmatch(r"\[[^]]+\]\(tests/[\w/]+\.py\)", row[1]), (
            row[0]
        )
        assert all(row[2:])


@pytest.mark.parametrize("document", BLOCKS)
def test_blocks_run(
    document: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    """As one program for each document, with a few random digits in place of the download."""
    from cnet import get_num_threads, set_num_threads
    from cnet.datasets import mnist

    rng = np.random.default_rng(0)
    digits = rng.integers(0, 256, (300, 28, 28), dtype=np.uint8), rng.integers(0, 10, 300)
    monkeypatch.setattr(mnist, "load_data", lambda: (digits, digits))
    monkeypatch.chdir(tmp_path)
    threads = get_num_threads()
    names: dict[str, Any] = {}
    try:
        for number, block in enumerate(BLOCKS[document]):
            path = tmp_path / f"block_{number}.py"
            path.write_text(block, encoding="utf-8")
            names = runpy.run_path(str(path), names)
    finally:
        set_num_threads(threads)
    if document == "README.md":
        assert names["history"].epoch == [0, 1, 2, 3, 4]
        assert names["model"].predict(digits[0][:2], verbose=0).shape == (2, 10)
        assert (tmp_path / "digits.safetensors").exists()
    elif document == "docs/training.md":
        assert names["optimizer"].iterations == 1
    capsys.readouterr()


def test_there_are_examples_to_run() -> None:
    assert len(BLOCKS["README.md"]) == 1
    for guide in ("training", "saving", "numerics", "performance", "operations"):
        assert f"docs/{guide}.md" in BLOCKS
