"""What the scripts that make goldens share: pinned versions, the example images and the file format.

A file is lines of words between single blanks. `#` starts a line of comment. `case KIND NAME` opens
a case; the lines up to the next one are its fields, `FIELD VALUE...`. A field that occurs again in a
case goes on where it stopped, so that long fields are wrapped by lines. Numbers are written with as
many digits as give back the same float32 (9) or float64 (17), except where a script says less. An
axis order is stated where a field has more than one; the last axis runs fastest.

tests/augment/recipe/golden_file.h reads it.
"""

import importlib.metadata
import sys

import numpy as np


def require(**versions):
    """Stops unless exactly these versions of packages are installed."""
    for package, wanted in versions.items():
        found = importlib.metadata.version(package)
        if found != wanted:
            sys.exit(f"{package} is {found}; this script needs {wanted}")


def example_images(count, channels, height, width):
    """uint8 [count][channels][height][width]: (37n + 59c + 23y + 11x + 7xy + 5n(x + y)) mod 256."""
    n, c, y, x = np.ogrid[:count, :channels, :height, :width]
    return ((37 * n + 59 * c + 23 * y + 11 * x + 7 * x * y + 5 * n * (x + y)) % 256).astype(np.uint8)


def example_labels(count, classes):
    """Label of example i: 3i mod classes."""
    return (3 * np.arange(count)) % classes


def word(value, digits):
    if isinstance(value, np.bool_):
        return str(int(value))
    if isinstance(value, (int, np.integer, str)):
        return str(value)
    return format(float(value), f".{digits}g")


class Writer:
    """Prints cases."""

    def __init__(self, script):
        print(f"# Made by {script}, which says what the fields are. Not to be edited.")

    def case(self, kind, name):
        print("case", kind, name)

    def field(self, name, *values, digits=9):
        """One line a row: an array is printed with a line for each index of its first axis."""
        array = np.asarray(values[0]) if len(values) == 1 else np.array(values, dtype=object)
        for row in array.reshape(1, -1) if array.ndim < 2 else array.reshape(len(array), -1):
            print(name, *(word(value, digits) for value in row))
