"""The CSV of results: a row an evaluation, which several runners may append to at a time."""
import contextlib
import csv
import fcntl
import os
import pathlib
from typing import NamedTuple

FIELDS = ["arm", "seed", "labels", "batch", "lambda_u", "ramp", "step", "accuracy", "labelled_loss", "unlabelled_loss",
          "guess_age", "wall_s", "threads", "commit"]


class StepResult(NamedTuple):
    """What an update tells; the CSV has the means since the evaluation before."""

    labelled_loss: float
    unlabelled_loss: float  # without its weight
    guess_age: int  # updates between the weights that guessed and those that are trained


class Key(NamedTuple):
    """What tells one run from another, as the CSV has it."""

    arm: str
    seed: str
    labels: str
    batch: str
    lambda_u: str  # "" where nothing is guessed, as is ramp
    ramp: str


def key_of(row):
    return Key(*(row[name] for name in Key._fields))


def read(path):
    """The rows as dicts of text; none where there is no file."""
    path = pathlib.Path(path)
    if not path.exists():
        return []
    with open(path, newline="") as file:
        fcntl.flock(file, fcntl.LOCK_SH)
        return list(csv.DictReader(file))


def is_finished(path, key, steps):
    """Whether the run has been evaluated at `steps` or later."""
    return any(key_of(row) == key and int(row["step"]) >= steps for row in read(path))


@contextlib.contextmanager
def _locked(path):
    with open(path, "a+", newline="") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield file


def append(path, row):
    """row: a value for each of FIELDS."""
    with _locked(path) as file:
        writer = csv.DictWriter(file, FIELDS, lineterminator="\n")
        if file.seek(0, os.SEEK_END) == 0:  # now that no other runner can write
            writer.writeheader()
        writer.writerow(row)


def forget(path, key):
    """Takes out the rows of a run that was interrupted."""
    with _locked(path) as file:
        file.seek(0)
        kept = [row for row in csv.DictReader(file) if key_of(row) != key]
        file.truncate(0)
        writer = csv.DictWriter(file, FIELDS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(kept)
