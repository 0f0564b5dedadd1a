"""The extension module that draws: the one that loads OpenCV (client/python/native/draw.cc)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

def draw(figure: object) -> bytes: ...
def decode(png: bytes) -> npt.NDArray[np.uint8]: ...
