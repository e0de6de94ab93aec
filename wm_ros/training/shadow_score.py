# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
What a gate in shadow mode would have refused, and how often rightly.

A command is a hazard if one happens within the time that the model looked ahead: what its risk is
calibrated for. Commands that begin in contact and those whose end was not recorded are left out.

Letters: N commands, S joint samples.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wm_ros.calibration.binomial import clopper_pearson, upper_bound
from wm_ros.calibration.conformal import needed_scores, veto_threshold
from wm_ros.data.episode import Episode
from wm_ros.data.shadow_recording import ShadowCommand
from wm_ros.datatypes import Decision
from wm_ros.errors import CalibrationError
from wm_ros.training.bootstrap import bootstrap
from wm_ros.training.hazard_metrics import ranking_figures
from wm_ros.training.metrics import recall_threshold

BLOCK_S = 10.0
RECALLS = (0.9, 0.95, 0.99)
FALSE_VETOES = (0.01, 0.02, 0.05)
_CONTACT_S = 0.1
_CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True, eq=False)
class Scored:
    """
    One command beside what followed.

    :param recording: which of the recordings it is from.
    :param group: block of commands that may depend on each other.
    :param hazard_s: when a hazard followed, s after its start; infinite if none did.
    """

    command: ShadowCommand
    recording: int
    group: int
    hazard_s: float

    @property
    def is_hazard(self) -> bool:
        """Whether a hazard followed."""
        return bool(np.isfinite(self.hazard_s))

    @property
    def is_refused(self) -> bool:
        """Whether a gate that enforces would have refused it."""
        return self.command.is_late or self.command.decision not in (Decision.OK, Decision.SLOW)


@dataclass(slots=True, eq=False)
class Matched:
    """
    All commands that can be scored, and how many cannot.

    :param left_out: number of commands by the reason.
    """

    scored: list[Scored] = field(default_factory=list)
    left_out: dict[str, int] = field(default_factory=dict)

    def leave_out(self, reason: str) -> None:
        """Count a command that cannot be scored."""
        self.left_out[reason] = self.left_out.get(reason, 0) + 1


def match(commands: Sequence[ShadowCommand], episodes: Sequence[Episode], recording: int,
          into: Matched) -> None:
    """
    Find out what followed each command of a recording.

    :param episodes: of the recording, with hazard labels.
    :param into: is given the commands.
    """
    horizons = [item.horizon_s for item in commands if item.horizon_s > 0]
    usual_s = float(np.median(horizons)) if horizons else 0.0
    first_ns = min((item.stamp_ns for item in commands), default=0)
    for command in commands:
        horizon_s = command.horizon_s or usual_s
        found = next((episode for episode in episodes if episode.joint_stamps_ns[0]
                      <= command.stamp_ns <= episode.joint_stamps_ns[-1]), None)
        if not horizon_s:
            into.leave_out('no model judged any command of the recording')
        elif found is None:
            into.leave_out('no joint states around it')
        elif _in_contact(found, command.stamp_ns):
            into.leave_out('began in contact')
        else:
            hazard_s = _hazard_after_s(found, command.stamp_ns, horizon_s)
            end_ns = command.stamp_ns + round(horizon_s * 1e9)
            if np.isinf(hazard_s) and found.joint_stamps_ns[-1] < end_ns:
                into.leave_out('its end was not recorded')
                continue
            # A prime keeps the blocks of recordings apart.
            block = int((command.stamp_ns - first_ns) / (BLOCK_S * 1e9))
            into.scored.append(Scored(command, recording, recording * 1_000_003 + block, hazard_s))


def _in_contact(episode: Episode, stamp_ns: int) -> bool:
    stamps = episode.joint_stamps_ns
    rows = (stamps > stamp_ns - round(_CONTACT_S * 1e9)) & (stamps <= stamp_ns)
    return bool(episode.hazards[rows].any())


def _hazard_after_s(episode: Episode, stamp_ns: int, horizon_s: float) -> float:
    stamps = episode.joint_stamps_ns
    rows = (stamps > stamp_ns) & (stamps <= stamp_ns + round(horizon_s * 1e9))
    hits = stamps[rows & (episode.hazards > 0)]
    return float((hits[0] - stamp_ns) / 1e9) if hits.size else float('inf')


def score_figures(matched: Matched, *, false_veto: float | None = None,
                  repeats: int = 500) -> dict[str, Any]:
    """
    Return all figures as JSON.

    :param false_veto: wanted share of safe commands that are vetoed.
    :param repeats: draws behind each interval.
    """
    rows = matched.scored
    hazard = np.array([item.is_hazard for item in rows], bool)
    refused = np.array([item.is_refused for item in rows], bool)
    groups = np.array([item.group for item in rows], np.int64)
    risk = np.array([item.command.risk for item in rows], np.float64)
    judged = np.isfinite(risk)
    decisions = [item.command.decision for item in rows]
    figures: dict[str, Any] = {
        'commands': len(rows), 'left_out': dict(matched.left_out),
        'hazards': int(hazard.sum()), 'would_have_refused': int(refused.sum()),
        'decisions': {name: sum(item is not None and item.name == name for item in decisions)
                      for name in Decision.__members__},
        'without_verdict': sum(item is None for item in decisions),
        'late': sum(item.command.is_late for item in rows),
        'models': sorted({item.command.model_id for item in rows if item.command.model_id}),
        **_shares(refused, hazard, groups, repeats),
        'thresholds': [], 'auroc': None}
    if judged.any():
        risk, hazard, groups = risk[judged], hazard[judged], groups[judged]
        figures.update({name: _finite(value)
                        for name, value in ranking_figures(risk, hazard).items()})
        figures['thresholds'] = _threshold_rows(risk, hazard, groups, repeats)
        if false_veto is not None:
            figures['chosen'] = chosen_threshold(risk, hazard, groups, false_veto, repeats)
    return figures


def chosen_threshold(risk: NDArray[np.float64], hazard: NDArray[np.bool_],
                     groups: NDArray[np.int64], false_veto: float, repeats: int
                     ) -> dict[str, Any]:
    """
    Return the threshold that vetoes at most a share of new safe commands, and what it costs.

    :raises CalibrationError: if there are too few safe commands for that share.
    """
    safe = risk[~hazard]
    try:
        # Conformal thresholds are exceeded; a gate vetoes from its threshold on.
        threshold = float(np.nextafter(veto_threshold(safe, false_veto), np.inf))
    except CalibrationError as error:
        needed = needed_scores(false_veto)
        raise CalibrationError(
            f'{len(safe)} safe commands cannot support --false-veto {false_veto}: it takes '
            f'{needed}; record {needed - len(safe)} more') from error
    above = int((safe >= threshold).sum())
    return {'wanted_false_veto': false_veto,
            'upper_bound': upper_bound(above, len(safe), _CONFIDENCE),
            **_threshold_row('chosen', threshold, risk, hazard, groups, repeats)}


def _threshold_rows(risk: NDArray[np.float64], hazard: NDArray[np.bool_],
                    groups: NDArray[np.int64], repeats: int) -> list[dict[str, Any]]:
    wanted = [(f'{round(100 * recall)} % caught',
               recall_threshold(risk, hazard, recall)) for recall in RECALLS if hazard.any()]
    safe = np.sort(risk[~hazard])
    for share in FALSE_VETOES:
        if len(safe) >= needed_scores(share):
            wanted.append((f'{100 * share:g} % false vetoes',
                           float(np.nextafter(veto_threshold(safe, share), np.inf))))
    return [_threshold_row(name, threshold, risk, hazard, groups, repeats)
            for name, threshold in wanted]


def _threshold_row(name: str, threshold: float, risk: NDArray[np.float64],
                   hazard: NDArray[np.bool_], groups: NDArray[np.int64], repeats: int
                   ) -> dict[str, Any]:
    return {'name': name, 'threshold': threshold,
            **_shares(risk >= threshold, hazard, groups, repeats)}


def _shares(refused: NDArray[np.bool_], hazard: NDArray[np.bool_], groups: NDArray[np.int64],
            repeats: int) -> dict[str, Any]:
    """Return the three shares that matter, each with counts and an interval."""
    masks = {'false_veto': (~hazard, refused), 'caught': (hazard, refused),
             'rightly': (refused, hazard)}

    def draw(index: NDArray[np.int64]) -> dict[str, float]:
        return {name: _share(base[index], hit[index]) for name, (base, hit) in masks.items()}

    drawn = bootstrap(draw, groups, repeats=repeats) if len(groups) else {}
    found: dict[str, Any] = {}
    for name, (base, hit) in masks.items():
        total, count = int(base.sum()), int((base & hit).sum())
        found[name] = _finite(count / total if total else float('nan'))
        found[f'{name}_count'] = [count, total]
        found[f'{name}_ci95'] = _interval(count, total, drawn.get(name))
    return found


def _share(base: NDArray[np.bool_], hit: NDArray[np.bool_]) -> float:
    return float(hit[base].mean()) if base.any() else float('nan')


def _interval(count: int, total: int, drawn: list[Any] | None) -> list[float] | None:
    """Return the wider of the exact binomial interval and the bootstrap over blocks."""
    if not total:
        return None
    low, high = clopper_pearson(count, total, _CONFIDENCE)
    ends = [end for end in drawn or () if np.isfinite(end)]
    return [min([low, *ends]), max([high, *ends])]


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
