# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The figures of the demo, computed from the events of its conductor."""

import json
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

Event = dict[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class DemoResult:
    """
    What the demo found; the names are the keys of its JSON file. None where nothing was counted.

    A command is *harmless* if the simulator, run on a copy before the command is sent, shows no
    hazard; *refused* if it did not reach the controller, or in shadow mode if its verdict did not
    allow it.

    :param commands: sent through the gate.
    :param collisions_ungated: episodes that ended in a collision without the gate.
    :param collisions_gated: the same with the gate.
    :param prevented_pct: 100 (1 - collisions_gated / collisions_ungated).
    :param vetoes: refused commands.
    :param false_veto_pct: refused harmless commands in % of the harmless commands.
    :param veto_precision_pct: refused hazardous commands in % of the refused commands.
    :param warning_median_s: rehearsed time of the first hazard less the time to the verdict,
        median over the refused hazardous commands.
    :param release_p50_ms: policy's command to its release on the controller's topic, as an
        independent observer receives them.
    :param deadline_misses: verdicts that came too late, as the gate counts them.
    :param unverified_releases: commands on the controller's topic for which the observer saw
        neither a matching verdict nor a measured position to hold.
    :param frames_per_s: predicted frames over the time from chunk to frames, on the wire.
    :param emergency_stops: episodes in which the gate latched its emergency stop; the conductor
        cleared it for the next one.
    :param missed: hazardous commands that were released.
    """

    episodes: int
    commands: int
    collisions_ungated: int
    collisions_gated: int
    prevented_pct: float | None
    vetoes: int
    false_veto_pct: float | None
    warning_median_s: float | None
    release_p50_ms: float | None
    release_p99_ms: float | None
    release_max_ms: float | None
    deadline_misses: int
    unverified_releases: int
    frames_per_s: float | None
    mode: str
    seed: int
    commands_ungated: int
    harmless_commands: int
    hazardous_commands: int
    false_vetoes: int
    veto_precision_pct: float | None
    missed: int
    emergency_stops: int
    refused_by: dict[str, int] = field(default_factory=dict)
    unverified: tuple[str, ...] = ()
    duration_s: float = 0.0

    def to_dict(self) -> dict[str, Any]:
        """Return the figures as JSON can hold them."""
        return asdict(self)

    def write(self, path: Path) -> None:
        """Write the figures as JSON; the file appears only when it is whole."""
        path.parent.mkdir(parents=True, exist_ok=True)
        scratch = path.with_name(f'.{path.name}.{os.getpid()}.tmp')
        try:
            scratch.write_text(json.dumps(self.to_dict(), indent=2) + '\n', encoding='utf-8')
            scratch.replace(path)
        finally:
            scratch.unlink(missing_ok=True)


def make_result(events: Sequence[Event], *, mode: str, seed: int,
                duration_s: float = 0.0) -> DemoResult:
    """
    Compute the figures.

    :param events: of a conductor that came to its end.
    """
    end = next(event for event in events if event['event'] == 'end')
    gated = [e for e in events if e['event'] == 'command' and e['phase'] == 'gated']
    ungated = [e for e in events if e['event'] == 'command' and e['phase'] == 'ungated']
    collisions = Counter(e['phase'] for e in events if e['event'] == 'episode' and e['collided'])
    refused = [e for e in gated if is_refused(e, mode)]
    harmless = [e for e in gated if e['first_hazard_s'] is None]
    rightly = [e for e in refused if e['first_hazard_s'] is not None]
    false_vetoes = len(refused) - len(rightly)
    releases = [e['release_ms'] for e in gated if e['release_ms'] is not None]
    drawn = [e for e in gated if e['predict_s']]
    return DemoResult(
        episodes=sum(e['event'] == 'episode' and e['phase'] == 'gated' for e in events),
        commands=len(gated), commands_ungated=len(ungated),
        collisions_ungated=collisions['ungated'], collisions_gated=collisions['gated'],
        prevented_pct=_percent(
            collisions['ungated'] - collisions['gated'], collisions['ungated']),
        vetoes=len(refused), false_vetoes=false_vetoes,
        false_veto_pct=_percent(false_vetoes, len(harmless)),
        veto_precision_pct=_percent(len(rightly), len(refused)),
        warning_median_s=_median(
            [e['first_hazard_s'] - (e['verdict_ms'] or 0.0) / 1e3 for e in rightly]),
        release_p50_ms=_percentile(releases, 50), release_p99_ms=_percentile(releases, 99),
        release_max_ms=_percentile(releases, 100), deadline_misses=end['deadline_misses'],
        unverified_releases=len(end['unverified']), unverified=tuple(end['unverified']),
        frames_per_s=_round(sum(e['num_frames'] for e in drawn)
                            / sum(e['predict_s'] for e in drawn)) if drawn else None,
        mode=mode, seed=seed, harmless_commands=len(harmless),
        hazardous_commands=len(gated) - len(harmless),
        emergency_stops=end.get('emergency_stops', 0),
        missed=len(gated) - len(harmless) - len(rightly),
        refused_by=dict(Counter(_cause(e) for e in refused)), duration_s=round(duration_s, 1))


def is_refused(event: Event, mode: str) -> bool:
    """Say whether a gated command was refused; in shadow mode, whether it would have been."""
    if mode == 'shadow':
        return event['decision'] not in ('OK', 'SLOW')
    return not event['is_released']


def _cause(event: Event) -> str:
    """Name why a command was refused: the verdict's reasons, or no usable verdict in time."""
    if event['decision'] in ('', 'OK', 'SLOW'):
        return 'DEADLINE'
    return '+'.join((event['decision'], *event['reasons']))


def _percent(part: int, whole: int) -> float | None:
    return _round(100.0 * part / whole) if whole else None


def _median(values: Sequence[float]) -> float | None:
    return _percentile(values, 50)


def _percentile(values: Sequence[float], percent: float) -> float | None:
    return _round(float(np.percentile(values, percent))) if values else None


def _round(value: float) -> float:
    return round(float(value), 3)
