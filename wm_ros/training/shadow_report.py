# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Lay out the score of a shadow recording: tables, film strips, an HTML page."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from wm_ros.data.episode import Episode
from wm_ros.data.pictures import decode_picture, resize
from wm_ros.errors import ObservationError
from wm_ros.training.film import Strip
from wm_ros.training.page import html_film, html_note, html_page, html_table, write_page
from wm_ros.training.shadow_score import Matched, Scored
from wm_ros.training.tables import TextTable, number

_CONTEXT_S = (-0.2, -0.1, 0.0)
_STEP_S = 0.1
_WIDTH_PX = 160
_EACH = 3
_NEAR_NS = 150_000_000


def shadow_tables(figures: Mapping[str, Any]) -> list[TextTable]:
    """Return the tables of a score."""
    tables = [_ran_table(figures)]
    rows = list(figures['thresholds'])
    if 'chosen' in figures:
        rows.append({**figures['chosen'], 'name':
                     f"chosen for {100 * figures['chosen']['wanted_false_veto']:g} %"})
    if rows:
        note = ('Veto from the threshold on; of the commands that a model judged; percent, in '
                'brackets the 95 % interval. Caught: of the hazards. Rightly: of the vetoes. '
                f"AUROC {number(figures['auroc'])}.")
        if 'chosen' in figures:
            note += (' The chosen threshold is conformal: of new safe commands like these at most '
                     f"{100 * figures['chosen']['wanted_false_veto']:g} % are vetoed on average; "
                     'with confidence 95 % at most '
                     f"{number(figures['chosen']['upper_bound'], share=True)}.")
        tables.append(TextTable(
            'By threshold', ('threshold for', 'risk', 'false vetoes', 'caught', 'rightly'),
            [(row['name'], number(row['threshold']), *_cells(row)) for row in rows], note))
    return tables


def write_shadow_report(path: Path, figures: Mapping[str, Any], strips: Sequence[Strip], *,
                        title: str) -> None:
    """Write the page under a temporary name and rename it into place."""
    write_page(path, html_page(title, [
        html_note('Each interval is the wider of the exact binomial one and a bootstrap over '
                  'blocks of 10 s; docs/score.md defines each figure.'),
        *(html_table(table) for table in shadow_tables(figures)),
        '<h2>Film strips</h2>', *(html_film(strip) for strip in strips)]))


def shadow_strips(matched: Matched, episodes: Mapping[int, Sequence[Episode]]) -> list[Strip]:
    """
    Return strips of the surest right vetoes and of the worst mistakes.

    :param episodes: by the number of their recording.
    """
    refused = [item for item in matched.scored if item.is_refused]
    chosen = [
        *(('Refused rightly', item) for item in _ranked(
            [item for item in refused if item.is_hazard], -1)),
        *(('Refused, and nothing happened', item) for item in _ranked(
            [item for item in refused if not item.is_hazard], -1)),
        *(('Hazard that was let through', item) for item in _ranked(
            [item for item in matched.scored if item.is_hazard and not item.is_refused], 1))]
    return [strip for title, item in chosen
            if (strip := _strip(title, item, episodes[item.recording])) is not None]


def _ran_table(figures: Mapping[str, Any]) -> TextTable:
    rows = [('commands', str(figures['commands']), ''),
            ('hazards among them', str(figures['hazards']), ''),
            ('would have been refused', str(figures['would_have_refused']), ''),
            *((f'  {name}', str(count), '') for name, count in figures['decisions'].items()),
            ('  too late', str(figures['late']), ''),
            ('  no verdict', str(figures['without_verdict']), '')]
    for name, label in (('false_veto', 'safe commands refused'),
                        ('caught', 'hazards caught'), ('rightly', 'refusals that are right')):
        count, total = figures[f'{name}_count']
        rows.append((f'{label}: {count} of {total}', number(figures[name], share=True),
                     _interval(figures[f'{name}_ci95'])))
    left = ', '.join(f'{count} {reason}' for reason, count in figures['left_out'].items())
    return TextTable('As it ran', ('figure', 'value', '95 % interval'), rows,
                     f"Model {', '.join(figures['models']) or 'unknown'}."
                     + (f' Left out: {left}.' if left else ''))


def _cells(row: Mapping[str, Any]) -> tuple[str, ...]:
    """Return each share in percent with its interval in brackets."""
    return tuple(
        '-' if row[name] is None else
        '{:.1f} ({:.0f}–{:.0f})'.format(*(100 * value for value in (
            row[name], *row[f'{name}_ci95']))) for name in ('false_veto', 'caught', 'rightly'))


def _interval(ends: Sequence[float] | None) -> str:
    if ends is None:
        return ''
    low, high = (number(end, share=True) for end in ends)
    return f'{low.removesuffix(" %")}–{high}'


def _ranked(items: Sequence[Scored], sign: int) -> list[Scored]:
    known = [item for item in items if np.isfinite(item.command.risk)]
    return sorted(known, key=lambda item: sign * item.command.risk)[:_EACH]


def _strip(title: str, item: Scored, episodes: Sequence[Episode]) -> Strip | None:
    """Return what was seen, foreseen and came; None if there are no pictures of it."""
    command = item.command
    offsets = command.offsets_s or tuple(
        _STEP_S * k for k in range(1, max(2, round(command.horizon_s / _STEP_S)) + 1))
    seen = [_at(episodes, command.stamp_ns, offset) for offset in _CONTEXT_S]
    came = [_at(episodes, command.stamp_ns, offset) for offset in offsets]
    first = next((frame for frame in (*seen, *came) if frame is not None), None)
    if first is None:
        return None
    rows = {'came': _stack(came, first)}
    foreseen = _foreseen(command.frames, first)
    if foreseen is not None and len(foreseen) == len(offsets):
        rows = {'foreseen': foreseen, **rows}
    risk = np.array(command.step_risk or [np.nan] * len(offsets), np.float32)
    when = f'hazard after {item.hazard_s:.2f} s' if item.is_hazard else 'no hazard'
    decision = command.decision.name if command.decision is not None else 'no verdict'
    return Strip(title=title, context=_stack(seen, first), rows=rows, risk=risk,
                 step_s=float(np.median(np.diff(offsets))) if len(offsets) > 1 else _STEP_S,
                 caption=f'command {command.chunk_id}: {decision}, risk {command.risk:.3f}, '
                 f'{when}')


def _at(episodes: Sequence[Episode], stamp_ns: int, offset_s: float) -> NDArray[np.uint8] | None:
    """Return the picture nearest to a time, None if none is near."""
    wanted = stamp_ns + round(offset_s * 1e9)
    for episode in episodes:
        gaps = np.abs(episode.frame_stamps_ns - wanted)
        if len(gaps) and gaps.min() <= _NEAR_NS:
            return _small(episode.decode(int(gaps.argmin())))
    return None


def _foreseen(frames: Sequence[bytes], like: NDArray[np.uint8]) -> NDArray[np.uint8] | None:
    try:
        found = [decode_picture(data) for data in frames]
    except ObservationError:
        return None
    return np.stack([resize(frame, *like.shape[:2]) for frame in found]) if found else None


def _small(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    height, width = rgb.shape[:2]
    return np.asarray(cv2.resize(
        rgb, (_WIDTH_PX, max(1, round(height * _WIDTH_PX / width))),
        interpolation=cv2.INTER_AREA), np.uint8)


def _stack(frames: Sequence[NDArray[np.uint8] | None], like: NDArray[np.uint8]
           ) -> NDArray[np.uint8]:
    """Return pictures as one array; a missing one is grey."""
    return np.stack([np.full_like(like, 128) if frame is None else frame for frame in frames])
