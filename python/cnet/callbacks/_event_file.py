"""Event files for TensorBoard, written with its own package, without TensorFlow.

`tensorboard.summary.writer.RecordWriter` frames the records. `EventFileWriter` is not used, as it
starts a thread for each file, and imports TensorFlow if that is installed.
"""

from __future__ import annotations

import io
import itertools
import os
import socket
import time
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary, SummaryMetadata
from tensorboard.plugins.histogram.summary_v2 import histogram_pb
from tensorboard.plugins.image.metadata import create_summary_metadata
from tensorboard.plugins.scalar.summary_v2 import scalar_pb
from tensorboard.summary.writer.record_writer import RecordWriter
from tensorboard.util.tensor_util import make_tensor_proto

from .._data import Array

__all__ = ["EventFile", "graph", "histogram_pb", "image", "scalar_pb"]

_numbers = itertools.count()


class EventFile:
    """An event file in a folder, created with the first event.

    Parameters
    ----------
    folder : Path
    """

    def __init__(self, folder: Path) -> None:
        # TensorBoard finds event files by "tfevents", and reads them in the order of their names.
        parts = (f"{int(time.time()):010d}", socket.gethostname(), os.getpid(), next(_numbers))
        self._path = folder / f"events.out.tfevents.{'.'.join(map(str, parts))}"

    def write(self, summaries: list[Any], step: int) -> None:
        """Append summaries of one step.

        The file is opened for each call, so that it isn't left open if an exception ends training.
        """
        now = time.time()
        events = [Event(wall_time=now, step=step, summary=summary) for summary in summaries]
        if not self._path.exists():
            self._path.parent.mkdir(parents=True, exist_ok=True)
            events.insert(0, Event(wall_time=now, file_version="brain.Event:2"))
        with self._path.open("ab") as file:
            records = RecordWriter(file)
            for event in events:
                records.write(event.SerializeToString())


def graph(tag: str, model_json: str) -> Any:
    """Return the summary of a model's layers for the graphs tab."""
    plugin = SummaryMetadata.PluginData(plugin_name="graph_keras_model", content=b"1")
    return _summary(tag, model_json.encode(), SummaryMetadata(plugin_data=plugin))


def image(tag: str, pixels: Array) -> Any:
    """Return the summary of a grey image, (height, width), clipped to [0, 1]; 0 is black."""
    # Rounded like tf.image.convert_image_dtype.
    levels = np.clip(pixels * 255.5, 0, 255).astype(np.uint8)
    png = io.BytesIO()
    Image.fromarray(levels).save(png, "png")
    height, width = levels.shape
    content = [str(width).encode(), str(height).encode(), png.getvalue()]
    return _summary(tag, content, create_summary_metadata(None, None))


def _summary(tag: str, content: bytes | list[bytes], metadata: Any) -> Any:
    summary = Summary()
    summary.value.add(tag=tag, tensor=make_tensor_proto(content), metadata=metadata)
    return summary
