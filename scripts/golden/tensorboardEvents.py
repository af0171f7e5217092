"""Writes test/golden/tensorboard.json: records of event files by the tensorboard package (2.21), in hexadecimal.

Run from the repository with that package: python3 scripts/golden/tensorboardEvents.py
"""

import io
import json

from tensorboard.compat.proto import event_pb2, summary_pb2
from tensorboard.summary.writer.record_writer import RecordWriter


def record(event):
    file = io.BytesIO()
    RecordWriter(file).write(event.SerializeToString())
    return file.getvalue().hex()


def scalars(step, wall_time, values):
    entries = [summary_pb2.Summary.Value(tag=tag, simple_value=value) for tag, value in values.items()]
    return record(event_pb2.Event(wall_time=wall_time, step=step, summary=summary_pb2.Summary(value=entries)))


VALUES = {"train/loss": 2.293500969838351, "train/accuracy": 0.111328125, "learning_rate": 0.01, "images_per_second": 809.355}
# Steps on both sides of a varint's growth by a byte, and beyond 32 bits.
CASES = [(1, 1700000000.25), (127, 1700000001.5), (128, 1700000002.0), (16384, 1.0), (5000000000, 1700000003.125)]

golden = {
    "version": record(event_pb2.Event(wall_time=1700000000.25, step=1, file_version="brain.Event:2")),
    "start": record(
        event_pb2.Event(
            wall_time=1700000000.25, step=301, session_log=event_pb2.SessionLog(status=event_pb2.SessionLog.START)
        )
    ),
    "values": VALUES,
    "scalars": [{"step": s, "wallTime": t, "record": scalars(s, t, VALUES)} for s, t in CASES],
    # Longer than 127 bytes, so that its length takes two bytes.
    "long": {"tag": "x" * 300, "record": scalars(2, 2.5, {"x" * 300: -1.5})},
}
with open("test/golden/tensorboard.json", "w") as file:
    json.dump(golden, file, indent=1)
    file.write("\n")
