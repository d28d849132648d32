"""CSVLogger."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import cnet
from cnet import callbacks

X, Y = np.eye(3), np.arange(3)


def fit(file: Path, options: dict[str, Any], **how: Any) -> callbacks.History:
    model = cnet.Sequential([cnet.layers.Dense(3, activation="softmax")])
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])
    logger = callbacks.CSVLogger(file, **options)
    return model.fit(X, Y, **({"epochs": 2, "verbose": 0, "callbacks": [logger]} | how))


def rows(file: Path, separator: str = ",") -> list[list[str]]:
    with file.open(newline="") as stream:
        return list(csv.reader(stream, delimiter=separator))


@pytest.mark.parametrize("separator", [",", ";"])
def test_a_row_for_each_epoch(tmp_path: Path, separator: str) -> None:
    file = tmp_path / "log.csv"
    history = fit(file, {"separator": separator}, validation_data=(X, Y)).history
    header, *body = rows(file, separator)
    assert header == ["epoch", "accuracy", "loss", "val_accuracy", "val_loss"]
    assert body == [
        [str(epoch), *(str(history[key][epoch]) for key in header[1:])] for epoch in range(2)
    ]


def test_validation_columns_exist_before_the_first_validation(tmp_path: Path) -> None:
    file = tmp_path / "log.csv"
    fit(file, {}, validation_data=(X, Y), validation_freq=2)
    header, first, second = rows(file)
    assert header == ["epoch", "accuracy", "loss", "val_accuracy", "val_loss"]
    assert first[3:] == ["NA", "NA"]
    assert "NA" not in second


def test_no_validation_columns_without_validation(tmp_path: Path) -> None:
    file = tmp_path / "log.csv"
    reduce = callbacks.ReduceLROnPlateau("loss")
    fit(file, {}, callbacks=[reduce, callbacks.CSVLogger(file)])
    header = rows(file)[0]
    assert header == ["epoch", "accuracy", "learning_rate", "loss", "val_accuracy", "val_loss"]


def test_appending(tmp_path: Path) -> None:
    file = tmp_path / "log.csv"
    fit(file, {"append": True})
    fit(file, {"append": True})
    assert [row[0] for row in rows(file)] == ["epoch", "0", "1", "0", "1"]
    fit(file, {})
    assert [row[0] for row in rows(file)] == ["epoch", "0", "1"]


@pytest.mark.parametrize("cut", range(1, 12))
def test_appending_to_a_truncated_row(tmp_path: Path, cut: int) -> None:
    file = tmp_path / "log.csv"
    fit(file, {})
    content = file.read_bytes()[:-cut]
    file.write_bytes(content)
    fit(file, {"append": True})
    assert file.read_bytes().startswith(content)
    assert [row[0] for row in rows(file) if row][-3:] == ["1", "0", "1"]
    assert {len(row) for row in rows(file)[-2:]} == {5}


@pytest.mark.parametrize("content", [b"\0\xff\xfe", b"\n", b'"epoch,loss\n', b"x" * 10_000])
def test_appending_to_a_file_that_is_not_a_log(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "log.csv"
    file.write_bytes(content)
    fit(file, {"append": True})
    assert file.read_bytes().startswith(content)
    assert [line[:2] for line in file.read_bytes().splitlines()[-2:]] == [b"0,", b"1,"]


def test_metrics_with_a_value_for_each_class(tmp_path: Path) -> None:
    file = tmp_path / "log.csv"
    add = callbacks.LambdaCallback(on_epoch_end=lambda _, logs: logs.update(f1=np.array([0.5, 1])))
    fit(file, {}, callbacks=[add, callbacks.CSVLogger(str(file))], epochs=1)
    assert rows(file)[1][2] == '"[0.5, 1.0]"'


def test_rows_are_flushed_at_once(tmp_path: Path) -> None:
    file = tmp_path / "log.csv"

    def look(epoch: int, _: Any) -> None:
        assert len(rows(file)) == epoch + 2
        if epoch == 1:
            raise LookupError

    hooks = [callbacks.CSVLogger(file), callbacks.LambdaCallback(on_epoch_end=look)]
    with pytest.raises(LookupError):
        fit(file, {}, callbacks=hooks, epochs=5)
    assert len(rows(file)) == 3


def test_an_unwritable_file(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="no_folder"):
        fit(tmp_path / "no_folder" / "log.csv", {})
