# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What came of a campaign: a JSON file that grows walk by walk and can be gone on with."""

import json
import os
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from wm_ros.faults.campaign_action import Action, read_action
from wm_ros.faults.campaign_judge import Violation
from wm_ros.faults.campaign_walk import GENERATOR, Walk
from wm_ros.faults.fault import Graph


@dataclass(frozen=True, kw_only=True, slots=True)
class WalkResult:
    """
    What came of one walk.

    :param walk: that was made.
    :param counts: faults that took effect, by kind and variant.
    :param violations: promises that were broken, in the order of time.
    :param last_action: index of the action before the first violation; None without one.
    :param released_after_s: from the end of the faults to the release of a harmless command, s;
        None if there was none.
    :param duration_s: of the walk with what it had to start, s.
    """

    walk: Walk
    counts: dict[str, int]
    violations: tuple[Violation, ...]
    last_action: int | None
    released_after_s: float | None
    duration_s: float

    @property
    def num_injected(self) -> int:
        """Return the number of faults that took effect."""
        return sum(self.counts.values())

    def breaks(self, invariant: str) -> bool:
        """Say whether a promise was broken."""
        return any(violation.invariant == invariant for violation in self.violations)

    def to_dict(self) -> dict[str, Any]:
        """Return what the JSON file holds of it."""
        return {
            'seed': self.walk.seed, 'graph': self.walk.graph.name.lower(),
            'injected': self.num_injected, 'counts': self.counts,
            'violations': [{'invariant': each.invariant, 'words': each.words}
                           for each in self.violations],
            'released_after_s': self.released_after_s, 'duration_s': round(self.duration_s, 2)}


@dataclass(slots=True)
class CampaignReport:
    """
    Walks and failures, as plain values that JSON can hold.

    :param walks: as WalkResult.to_dict gives them, by the order of running.
    :param failures: of each walk with violations: seed, graph, invariant, words and the few
        actions that break it again.
    """

    walks: list[dict[str, Any]] = field(default_factory=list)
    failures: list[dict[str, Any]] = field(default_factory=list)

    def add(self, result: WalkResult, actions: tuple[Action, ...] = ()) -> None:
        """
        Note a walk.

        :param actions: what its failure was shrunk to; none without a violation.
        """
        self.walks.append(result.to_dict())
        if result.violations:
            first = result.violations[0]
            self.failures.append({
                'seed': result.walk.seed, 'graph': result.walk.graph.name.lower(),
                'invariant': first.invariant, 'words': first.words,
                'actions': [action.to_dict() for action in actions]})

    @property
    def seeds(self) -> set[int]:
        """Return the seeds of the finished walks."""
        return {int(walk['seed']) for walk in self.walks}

    @property
    def num_injected(self) -> int:
        """Return the number of faults that took effect, over all walks."""
        return sum(int(walk['injected']) for walk in self.walks)

    @property
    def num_violations(self) -> int:
        """Return how often a promise was broken, over all walks."""
        return sum(len(walk['violations']) for walk in self.walks)

    def to_dict(self) -> dict[str, Any]:
        """Return what the JSON file holds."""
        counts: Counter[str] = Counter()
        for walk in self.walks:
            counts.update(walk['counts'])
        times = [walk['released_after_s'] for walk in self.walks
                 if walk['released_after_s'] is not None]
        return {
            'generator': GENERATOR, 'injected': self.num_injected,
            'violations': self.num_violations, 'num_walks': len(self.walks),
            'duration_s': round(sum(walk['duration_s'] for walk in self.walks), 1),
            'longest_to_release_s': max(times, default=None),
            'injected_by_kind': dict(sorted(counts.items())),
            'failures': self.failures, 'walks': self.walks}

    def write(self, path: Path) -> None:
        """Write the JSON file under a temporary name and rename it. Raise OSError if it fails."""
        temporary = path.with_name(f'.{path.name}.{os.getpid()}')
        try:
            temporary.write_text(json.dumps(self.to_dict(), indent=1) + '\n', encoding='utf-8')
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)

    def summary(self) -> str:
        """Return the counts in one line."""
        duration_s = sum(walk['duration_s'] for walk in self.walks)
        rate = self.num_injected / duration_s if duration_s else 0.0
        return (f'{self.num_injected} faults in {len(self.walks)} walks, {rate:.1f} a second; '
                f'{self.num_violations} violations')


def read_report(path: Path) -> CampaignReport:
    """
    Read a file to go on with.

    :raises ValueError: if it is none, or its seeds mean other walks than today's.
    """
    data = _read(path)
    if data.get('generator') != GENERATOR:
        raise ValueError(f"{path}: generator is {data.get('generator')!r}, and this version makes "
                         f'the walks of generator {GENERATOR}: begin another file')
    walks, failures = data.get('walks'), data.get('failures')
    if not isinstance(walks, list) or not isinstance(failures, list):
        raise ValueError(f"{path}: 'walks' and 'failures' must be lists")
    return CampaignReport(walks=walks, failures=failures)


def read_failures(path: Path) -> list[tuple[str, Walk]]:
    """
    Read what is to be played again.

    :returns: the broken promise and the actions of each failure.
    :raises ValueError: if the file has none, or an action is not one.
    """
    failures = _read(path).get('failures')
    if not isinstance(failures, list) or not failures:
        raise ValueError(f'{path}: there is no failure in it to replay')
    walks = []
    for failure in failures:
        try:
            actions = tuple(map(read_action, failure['actions']))
            walks.append((str(failure['invariant']), Walk(
                seed=int(failure['seed']), graph=Graph[failure['graph'].upper()],
                actions=actions)))
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f'{path}: a failure has no {error}') from error
    return walks


def _read(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(path.read_text(encoding='utf-8'))
    except json.JSONDecodeError as error:
        raise ValueError(f'{path} is not JSON: {error}') from error
    if not isinstance(data, dict):
        raise ValueError(f'{path} holds no report of a campaign')
    return data
