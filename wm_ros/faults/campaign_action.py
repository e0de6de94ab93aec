# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
What a walk of the campaign can do: one action, and the table of all kinds of it.

The main rule: an action says everything about itself in plain values, so that a list of them can
be written down, cut and played again. What carries one out is the function of
wm_ros.ros.campaign_acts_* with the kind's name.
"""

from dataclasses import asdict, dataclass, fields
from typing import Any

from wm_ros.faults.fault import Graph


@dataclass(frozen=True, kw_only=True, slots=True)
class Action:
    """
    One thing that is done to the graph.

    :param kind: a name in KINDS.
    :param variant: which of that kind.
    :param gap_ms: pause before it, after the action before, ms.
    :param for_ms: how long it lasts while others go on, ms; 0: it is over at once.
    :param value: its size, in the unit of the variant.
    """

    kind: str
    variant: str
    gap_ms: int
    for_ms: int = 0
    value: float = 0.0

    def __post_init__(self) -> None:
        kind = KINDS.get(self.kind)
        if kind is None:
            raise ValueError(f'kind is {self.kind!r}; there is {", ".join(KINDS)}')
        if self.variant not in kind.variants:
            raise ValueError(f'variant of {self.kind} is {self.variant!r}; there is '
                             f'{", ".join(kind.variants)}')
        for name in ('gap_ms', 'for_ms'):
            if not 0 <= getattr(self, name) <= 60_000:
                raise ValueError(f'{name} is {getattr(self, name)}; allowed is 0 to 60000')

    def to_dict(self) -> dict[str, Any]:
        """Return what the JSON file holds."""
        return asdict(self)

    def __str__(self) -> str:
        """Say it in a few words."""
        words = [f'{self.kind} {self.variant}']
        words += [f'{self.value:g}'] if self.value else []
        words += [f'for {self.for_ms} ms'] if self.for_ms else []
        return ' '.join(words)


def read_action(data: Any) -> Action:
    """
    Make an action from what a JSON file holds.

    :raises ValueError: naming what is missing or unknown.
    """
    names = {item.name for item in fields(Action)}
    if not isinstance(data, dict) or set(data) != names:
        raise ValueError(f'an action has {", ".join(sorted(names))}; got {data!r}')
    try:
        return Action(**{**data, 'gap_ms': int(data['gap_ms']), 'for_ms': int(data['for_ms']),
                         'value': float(data['value'])})
    except TypeError as error:
        raise ValueError(f'{data!r} is no action: {error}') from error


@dataclass(frozen=True, kw_only=True, slots=True)
class Kind:
    """
    A kind of action.

    :param weight: how often it is drawn, beside the others.
    :param variants: each with the sizes that it may have.
    :param for_ms: the shortest and the longest that it may last, ms.
    :param most: of these in one walk.
    :param graph: where alone it can be done; None: everywhere.
    """

    weight: float
    variants: dict[str, tuple[float, ...]]
    for_ms: tuple[int, int] = (0, 0)
    most: int = 1000
    graph: Graph | None = None


_PLAIN: tuple[float, ...] = (0.0,)


def _plain(*names: str) -> dict[str, tuple[float, ...]]:
    return dict.fromkeys(names, _PLAIN)


# A move is no fault; it is what the faults are to be mistaken for. Sizes keep clear of the
# tolerances with which a busy machine must be judged (see Timeline).
KINDS = {
    'move': Kind(weight=0.0, variants=_plain('short', 'long', 'beyond')),
    # Changed by the man in the middle; each comes with a command of its own.
    'verdict': Kind(weight=40.0, variants={
        'delay': (0.02, 0.06, 0.1, 0.14, 0.16, 0.3, 1.0),  # s
        'double': (0.0, 0.01, 0.05),  # s between the two
        'again': (1.0, 2.0, 5.0), 'again_after': (1.0, 2.0),  # so many verdicts back
        'chunk_id': (-1.0, 1.0, 1e6), 'expired': (0.3, 2.0, 100.0),  # s before its stamp
        'stamp': (-100.0, -2.0, 2.0, 100.0), 'frame': (-100.0, -2.0, 2.0, 100.0),  # s
        'decision': (0.0, 3.0, 4.0, 77.0, 255.0), 'horizon': (-1.0, 0.0, 0.05, 0.25),  # s
        'speed': (-1.0, 0.0, 2.0, 1e9), 'slow': (0.3, 0.5, 0.9),
        'words': (1e5,),  # characters
        **_plain('drop', 'reorder', 'digest_bit', 'digest_zero', 'chunk_zero', 'no_stamps',
                 'risk_high', 'risk_nan', 'threshold_nan', 'horizon_nan', 'horizon_inf',
                 'speed_nan', 'uncalibrated', 'zeroed', 'early')}),
    'beat': Kind(weight=7.0, for_ms=(60, 700), variants=_plain(
        'silent', 'frozen', 'stuck', 'age_none', 'age_nan', 'age_old', 'uncalibrated',
        'double')),
    'joints': Kind(weight=8.0, for_ms=(30, 500), variants={
        'old': (5.0, 100.0), 'ahead': (5.0, 100.0),  # s
        **_plain('silent', 'nan', 'inf', 'missing', 'sizes', 'empty', 'renamed', 'zero_stamp',
                 'velocity_nan', 'permuted', 'extra')}),
    'command': Kind(weight=20.0, variants={
        'ahead': (4.0, 1e5), 'old': (4.0, 1e5),  # s
        'far': (1.2, -1.2), 'limit': (3.0, -3.0),  # rad
        'burst': (5.0, 20.0), 'many': (1001.0,),  # so many
        **_plain('nan', 'inf', 'huge', 'fast', 'name', 'missing', 'twice', 'count', 'swapped',
                 'equal_times', 'negative_time', 'empty', 'no_names', 'velocity_nan',
                 'velocity_count', 'too_long', 'same', 'array_nan', 'array_size', 'array_empty',
                 'chunk_nan', 'chunk_size')}),
    'clock': Kind(weight=4.0, variants={'step': (-10.0, -1.0, -0.3, 0.3, 1.0, 10.0)}, most=4),
    'pause': Kind(weight=4.0, for_ms=(30, 600), variants=_plain('gate'), most=4),
    'stop': Kind(weight=3.0, for_ms=(50, 300), variants=_plain('topic', 'service'), most=3),
    'request': Kind(weight=4.0, for_ms=(50, 200), variants=_plain(
        'disengage', 'bypass', 'check', 'clear')),
    'parameter': Kind(weight=4.0, variants={
        name: tuple(map(float, range(8))) for name in
        ('zero', 'negative', 'nan', 'infinite', 'structural', 'beside')}),
    'lifecycle': Kind(weight=1.0, for_ms=(100, 400), most=1, variants=_plain(
        'deactivate', 'cleanup', 'sim_time', 'impossible')),
    'kill': Kind(weight=0.25, for_ms=(0, 300), most=1, variants=_plain('gate')),
    # With wm_predictor as a process only.
    'predictor': Kind(weight=6.0, for_ms=(50, 800), most=3, graph=Graph.PREDICTOR,
                      variants=_plain('pause', 'kill')),
    'model': Kind(weight=8.0, for_ms=(50, 600), graph=Graph.PREDICTOR,
                  variants=_plain('veto', 'nan', 'raise', 'hang')),
    'camera': Kind(weight=8.0, for_ms=(50, 900), graph=Graph.PREDICTOR, variants={
        'old': (5.0, 100.0), 'ahead': (5.0, 100.0),  # s
        **_plain('silent', 'step', 'empty', 'encoding', 'zero_stamp')}),
}
