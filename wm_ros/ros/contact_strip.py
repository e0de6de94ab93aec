# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Draw one picture of what is seen, what is predicted, and how risky each step is."""

import cv2
import numpy as np
from numpy.typing import NDArray

_CELL_H, _CELL_W, _TITLE_H, _BAR_H = 144, 192, 44, 40
_INK, _PAPER = (235, 235, 235), (40, 40, 40)
_SAFE, _UNSAFE, _LINE = (70, 170, 90), (220, 60, 50), (240, 200, 60)


def draw_strip(seen: NDArray[np.uint8], predicted: NDArray[np.uint8], *,
               risk: NDArray[np.float32], offsets: NDArray[np.float64], threshold: float,
               title: str) -> NDArray[np.uint8]:
    """
    Draw the source frame, then one cell per step with a bar for its risk.

    :param seen: the frame that the prediction began with, RGB uint8 (h, w, 3) of any size, or
        (0, 0, 3) if it was missed.
    :param predicted: RGB uint8 (H, h, w, 3).
    :param risk: probability of a hazard by each step, (H,).
    :param offsets: time of each step after the command, (H,), s.
    :param threshold: veto from this risk on.
    :param title: one line of text.
    :returns: RGB uint8 (228, (1 + H) * 192, 3).
    :raises ValueError: if there are no frames or the counts differ.
    """
    if not len(predicted) or not len(predicted) == len(risk) == len(offsets):
        raise ValueError(f'{len(predicted)} frames, {len(risk)} risks, {len(offsets)} offsets')
    shape = (_TITLE_H + _CELL_H + _BAR_H, (1 + len(predicted)) * _CELL_W, 3)
    strip = np.full(shape, _PAPER, np.uint8)
    _text(strip, title, (8, 18))
    _cell(strip, 0, seen, 'seen')
    for step, frame in enumerate(predicted):
        _cell(strip, step + 1, frame, f'+{offsets[step]:.2f} s  risk {risk[step]:.3f}')
        _bar(strip, step + 1, float(risk[step]), threshold)
    return strip


def _cell(strip: NDArray[np.uint8], column: int, frame: NDArray[np.uint8], label: str) -> None:
    left = column * _CELL_W
    _text(strip, label, (left + 8, _TITLE_H - 8))
    if frame.size:
        strip[_TITLE_H:_TITLE_H + _CELL_H, left + 1:left + _CELL_W - 1] = cv2.resize(
            frame, (_CELL_W - 2, _CELL_H), interpolation=cv2.INTER_AREA)


def _bar(strip: NDArray[np.uint8], column: int, risk: float, threshold: float) -> None:
    left, base = column * _CELL_W + 8, strip.shape[0] - 4
    full, right = _BAR_H - 8, left + _CELL_W - 16
    height = round(full * float(np.clip(np.nan_to_num(risk, nan=1.0), 0, 1)))
    line = base - round(full * float(np.clip(np.nan_to_num(threshold), 0, 1)))
    cv2.rectangle(strip, (left, base - height), (right, base),
                  _SAFE if risk < threshold else _UNSAFE, -1)
    cv2.line(strip, (left, line), (right, line), _LINE, 1)


def _text(strip: NDArray[np.uint8], text: str, at: tuple[int, int]) -> None:
    cv2.putText(strip, text, at, cv2.FONT_HERSHEY_SIMPLEX, 0.45, _INK, 1, cv2.LINE_AA)
