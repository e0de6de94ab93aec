# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Pieces of an HTML page that needs nothing else: tables, film strips, the page around them."""

import base64
import html
import os
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from wm_ros.training.film import Strip
from wm_ros.training.tables import TextTable

_STYLE = '''
body { font: 15px/1.45 system-ui, sans-serif; color: #222; margin: 2em auto; max-width: 1500px;
  padding: 0 1em; }
h1 { font-size: 1.6em; } h2 { font-size: 1.2em; margin-top: 2em; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .2em .7em; text-align: right; border-bottom: 1px solid #e4e4e4; }
th:first-child, td:first-child { text-align: left; }
th { color: #555; font-weight: 600; vertical-align: bottom; }
.wide { overflow-x: auto; } .note { color: #555; max-width: 60em; }
.plots { display: flex; flex-wrap: wrap; gap: 1em; }
figure { margin: 0; } figcaption { color: #333; font-weight: 600; margin: .5em 0; }
.plots figure { width: 360px; } .plots svg { width: 100%; height: auto; }
.film { width: 100%; table-layout: fixed; }
.film td, .film th { padding: 2px; text-align: center; border: 0; font-size: 12px; }
.film img { width: 100%; display: block; }
'''


def write_page(path: Path, text: str) -> None:
    """Write a page under a temporary name and rename it into place."""
    scratch = path.with_name(f'.{path.name}.{os.getpid()}.tmp')
    try:
        with scratch.open('w', encoding='utf-8') as handle:
            handle.write(text)
            handle.flush()
            os.fsync(handle.fileno())
        scratch.replace(path)
    finally:
        scratch.unlink(missing_ok=True)


def html_page(title: str, parts: Sequence[str]) -> str:
    """Return the whole page: a heading, a style and the parts."""
    return ('<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width">'
            f'<title>{html.escape(title)}</title><style>{_STYLE}</style></head>\n<body>\n'
            f'<h1>{html.escape(title)}</h1>\n'
            + '\n'.join(parts) + '\n</body></html>\n')


def html_note(text: str) -> str:
    """Return a paragraph in small print."""
    return f'<p class="note">{html.escape(text)}</p>'


def html_table(table: TextTable) -> str:
    """Return a table with its heading and note."""
    head = ''.join(f'<th>{html.escape(name)}</th>' for name in table.columns)
    body = '\n'.join('<tr>' + ''.join(f'<td>{html.escape(cell)}</td>' for cell in row) + '</tr>'
                     for row in table.rows)
    note = f'<p class="note">{html.escape(table.note)}</p>' if table.note else ''
    return (f'<h2>{html.escape(table.title)}</h2>\n<div class="wide"><table><tr>{head}</tr>\n'
            f'{body}</table></div>{note}')


def html_film(strip: Strip) -> str:
    """Return a film strip; pictures are inside the page."""
    before, steps = len(strip.context), len(strip.risk)
    times = [*(-strip.step_s * k for k in range(before - 1, -1, -1)),
             *(strip.step_s * k for k in range(1, steps + 1))]
    head = ''.join(f'<th>{time:+.1f} s</th>' if time else '<th>now</th>' for time in times)
    rows = ['<tr><td>seen</td>' + ''.join(_cell(frame) for frame in strip.context)
            + '<td></td>' * steps + '</tr>']
    for name, frames in strip.rows.items():
        rows.append(f'<tr><td>{html.escape(name)}</td>' + '<td></td>' * before
                    + ''.join(_cell(frame) for frame in frames) + '</tr>')
    rows.append('<tr><td>risk</td>' + '<td></td>' * before + ''.join(
        f'<td>{value:.3f}</td>' for value in strip.risk) + '</tr>')
    return (f'<figure><figcaption>{html.escape(strip.title)}</figcaption>'
            f'<p class="note">{html.escape(strip.caption)}</p><div class="wide">'
            f'<table class="film"><tr><th></th>{head}</tr>\n' + '\n'.join(rows)
            + '</table></div></figure>')


def _cell(frame: NDArray[np.uint8]) -> str:
    good, data = cv2.imencode('.png', cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))
    if not good:
        raise ValueError(f'OpenCV cannot encode an image of shape {frame.shape}')
    return (f'<td><img alt="" src="data:image/png;base64,'
            f'{base64.b64encode(data.tobytes()).decode("ascii")}"></td>')
