# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Files of hazard intervals that a person or another program wrote.

CSV with the columns start, end, kind and, if there are several episodes, episode; or JSON, a list
of objects with those keys. start and end are seconds.
"""

import csv
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wm_ros.data.problems import Problems
from wm_ros.errors import DatasetError

_COLUMNS = ('start', 'end', 'kind')


@dataclass(frozen=True, slots=True)
class Interval:
    """
    One row of an interval file.

    :param row: the line of a CSV file, counted from 1; the index into a JSON list.
    :param start_s: s.
    :param end_s: s, not before the start.
    :param kind: hazard kind.
    :param episode: name or number of its episode; '' for every one.
    """

    row: int
    start_s: float
    end_s: float
    kind: str
    episode: str = ''


def read_intervals(path: Path, problems: Problems) -> list[Interval]:
    """
    Read an interval file.

    :param path: .json is JSON, any other name CSV.
    :param problems: is told which rows cannot be used; the others are kept.
    :raises DatasetError: naming the file, if it is missing or not of that form.
    """
    try:
        text = path.read_text(encoding='utf-8-sig')
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(f'{path}: cannot be read ({error})') from error
    read = _json_rows if path.suffix == '.json' else _csv_rows
    found = []
    for row, values in read(path, text):
        try:
            found.append(_interval(row, values))
        except (ValueError, TypeError) as error:
            problems.add(f'{path} {row}', f'{path} row {row}: {error}; left out')
    return found


def _csv_rows(path: Path, text: str) -> Iterator[tuple[int, dict[str, Any]]]:
    reader = csv.DictReader(text.splitlines(), skipinitialspace=True)
    names = [(name or '').strip() for name in reader.fieldnames or ()]
    missing = [name for name in _COLUMNS if name not in names]
    if missing:
        raise DatasetError(f"{path} row 1: there is no column {', '.join(missing)}; expected "
                           'start,end,kind and perhaps episode')
    reader.fieldnames = names
    for values in reader:
        yield reader.line_num, values


def _json_rows(path: Path, text: str) -> Iterator[tuple[int, dict[str, Any]]]:
    try:
        rows = json.loads(text)
    except ValueError as error:
        raise DatasetError(f'{path}: not JSON ({error})') from error
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise DatasetError(f'{path}: expected a list of objects with start, end and kind')
    yield from enumerate(rows)


def _interval(row: int, values: dict[str, Any]) -> Interval:
    for name in _COLUMNS:
        if values.get(name) in (None, ''):
            raise ValueError(f'{name} is missing')
    start, end = float(values['start']), float(values['end'])
    if not (math.isfinite(start) and math.isfinite(end)) or end < start:
        raise ValueError(f'it goes from {start:g} s to {end:g} s; expected an end after the start')
    episode = values.get('episode')
    return Interval(row, start, end, str(values['kind']).strip(),
                    '' if episode is None else str(episode).strip())
