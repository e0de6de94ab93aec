# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Draw the contact sheet of a veto: what the camera saw, what was predicted, how risky it was."""

import os
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

_CELL_H, _CELL_W = 120, 160
_GAP, _TITLE_H, _LABEL_H, _BAR_H = 6, 58, 22, 90
_INK, _PAPER, _FAINT = (30, 30, 30), (250, 250, 250), (225, 225, 225)
_SAFE, _UNSAFE, _LINE = (70, 150, 90), (205, 60, 50), (30, 60, 200)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class VetoPictures:
    """
    What a veto looked like; all pictures RGB uint8.

    :param context: the last frames of the camera, (T, h, w, 3).
    :param predicted: one per step, (H, h, w, 3).
    :param risk: probability of a hazard by each step, (H,).
    :param offsets: time of each step after the command, (H,), s.
    :param happened: what the camera saw at these times when the same command ran without the
        gate, (H, h, w, 3), or (0, h, w, 3).
    """

    context: NDArray[np.uint8]
    predicted: NDArray[np.uint8]
    risk: NDArray[np.float32]
    offsets: NDArray[np.float64]
    happened: NDArray[np.uint8]


def draw_sheet(pictures: VetoPictures, *, title: str, subtitle: str,
               threshold: float) -> NDArray[np.uint8]:
    """
    Draw the sheet.

    :param threshold: the risk from which a command is refused.
    :returns: RGB uint8 (h, w, 3).
    """
    steps, context = len(pictures.predicted), len(pictures.context)
    rows = 2 if len(pictures.happened) == steps else 1
    width = _GAP + (context + steps) * (_CELL_W + _GAP) + 3 * _GAP
    height = _TITLE_H + rows * (_LABEL_H + _CELL_H + _GAP) + _BAR_H + 3 * _GAP
    sheet = np.full((height, width, 3), _PAPER, np.uint8)
    _text(sheet, title, (_GAP, 24), size=0.7, thickness=2)
    _text(sheet, subtitle, (_GAP, 48))
    left = _GAP + context * (_CELL_W + _GAP) + 3 * _GAP
    top = _TITLE_H
    _draw_row(sheet, pictures.context, 'what the camera saw', (_GAP, top))
    _draw_row(sheet, pictures.predicted, 'what was predicted', (left, top))
    if rows == 2:
        top += _LABEL_H + _CELL_H + _GAP
        _draw_row(sheet, pictures.happened,
                  'what happened when the same command ran without the gate', (left, top))
    _draw_risk(sheet, pictures, threshold, (left, top + _LABEL_H + _CELL_H + _GAP))
    return sheet


def write_sheet(path: Path, sheet: NDArray[np.uint8]) -> None:
    """Write a sheet as PNG; the file appears only when it is whole."""
    _good, data = cv2.imencode('.png', cv2.cvtColor(sheet, cv2.COLOR_RGB2BGR))
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_name(f'.{path.name}.{os.getpid()}.tmp')
    try:
        scratch.write_bytes(bytes(data))
        scratch.replace(path)
    finally:
        scratch.unlink(missing_ok=True)


def read_pictures(path: Path) -> VetoPictures:
    """Read the pictures as the conductor saved them."""
    with np.load(path) as arrays:
        return VetoPictures(**{name: arrays[name] for name in arrays.files})


def _draw_row(sheet: NDArray[np.uint8], frames: NDArray[np.uint8], label: str,
              at: tuple[int, int]) -> None:
    left, top = at
    _text(sheet, label, (left, top + 15))
    for index, frame in enumerate(frames):
        x, y = left + index * (_CELL_W + _GAP), top + _LABEL_H
        sheet[y:y + _CELL_H, x:x + _CELL_W] = cv2.resize(
            frame, (_CELL_W, _CELL_H), interpolation=cv2.INTER_CUBIC)


def _draw_risk(sheet: NDArray[np.uint8], pictures: VetoPictures, threshold: float,
               at: tuple[int, int]) -> None:
    """Draw one bar per step under its picture, and the threshold across them."""
    left, top = at
    full = _BAR_H - 34
    base = top + full
    for index, (risk, offset) in enumerate(zip(pictures.risk, pictures.offsets, strict=True)):
        x = left + index * (_CELL_W + _GAP)
        cv2.rectangle(sheet, (x, top), (x + _CELL_W, base), _FAINT, -1)
        colour = _UNSAFE if risk >= threshold else _SAFE
        bar = round(full * float(np.clip(risk, 0, 1)))
        cv2.rectangle(sheet, (x, base - bar), (x + _CELL_W, base), colour, -1)
        _text(sheet, f'{offset:+.2f} s  risk {risk:.3f}', (x + 4, base + 17))
    line = base - round(full * float(np.clip(threshold, 0, 1)))
    right = left + len(pictures.risk) * (_CELL_W + _GAP) - _GAP
    cv2.line(sheet, (left, line), (right, line), _LINE, 2)
    _text(sheet, f'refused from {threshold:.3f}', (left - 150, line + 5), colour=_LINE)


def _text(sheet: NDArray[np.uint8], text: str, at: tuple[int, int], *, size: float = 0.45,
          thickness: int = 1, colour: tuple[int, int, int] = _INK) -> None:
    cv2.putText(sheet, text, at, cv2.FONT_HERSHEY_SIMPLEX, size, colour, thickness, cv2.LINE_AA)
