# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Read the columns of a LeRobot table as arrays.

The main rule: a column of another type than its values should have is refused with its file.

Letters: N rows.
"""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wm_ros.errors import DatasetError


def whole_numbers(path: Path, table: Any, name: str) -> NDArray[np.int64]:
    """
    Return a column of one whole number in each row, int64 (N,).

    :param path: file of the table.
    :raises DatasetError: if it is of another type or values are missing.
    """
    from pyarrow import types
    column = table.column(name)
    _check(path, name, column, types.is_integer(column.type), 'a whole number')
    return np.asarray(column, np.int64)


def numbers(path: Path, table: Any, name: str) -> NDArray[np.float64]:
    """
    Return a column of one number in each row, float64 (N,).

    :param path: file of the table.
    :raises DatasetError: if it is of another type or values are missing.
    """
    from pyarrow import types
    column = table.column(name)
    _check(path, name, column,
           types.is_integer(column.type) or types.is_floating(column.type), 'a number')
    return np.asarray(column, np.float64)


def _check(path: Path, name: str, column: Any, is_right: bool, what: str) -> None:
    if not is_right or column.null_count:
        raise DatasetError(f'{path}: {name} is {column.type} and misses {column.null_count} '
                           f'values; expected {what} in each row')


def matrix(path: Path, table: Any, name: str, width: int) -> NDArray[np.float64]:
    """
    Return a column of some numbers in each row, float64 (N, width); a missing number is NaN.

    :param path: file of the table.
    :raises DatasetError: if a row has another number of them, or they are no numbers.
    """
    column = table.column(name)
    rows = [item if isinstance(item, list) else [item] for item in column.to_pylist()]
    wrong = [index for index, item in enumerate(rows) if len(item) != width]
    if wrong:
        raise DatasetError(f'{path}: {name} has {len(rows[wrong[0]])} values at frame '
                           f'{wrong[0]}, expected {width}')
    try:
        return np.array(rows, np.float64).reshape(len(rows), width)
    except (TypeError, ValueError) as error:
        raise DatasetError(f'{path}: {name} is {column.type}; expected {width} numbers in each '
                           'row') from error
