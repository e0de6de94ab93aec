# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The figures of one evaluation and their JSON form; docs/evaluation.md defines each of them."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

# None stands for a figure that there is not; the notes say why.
Figure = float | None
PerStep = list[float] | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Evaluation:
    """
    Figures of one checkpoint on one set of episodes; lists are per step.

    ``_kinematic`` is a classifier that sees joints and command but no camera, ``_copy`` the
    newest frame repeated, ``_linear`` the newest frame with its motion going on, ``_command``
    each command taken as reached.

    :param auroc: of the hazard within 0.8 s.
    :param auroc_command: the same over commands that start from rest, what the gate asks.
    :param average_precision: of the hazard within 0.8 s.
    :param false_veto_at_90_recall: share of safe windows over the threshold that catches 90 %.
    :param premature_veto_share: of the false vetoes at 95 % recall, the share in which a hazard
        comes within the horizon all the same, only later than 0.8 s.
    :param ece: expected calibration error of the risk as a probability.
    :param brier: mean squared difference of risk and outcome.
    :param reliability: bins of risk: low, high, windows, risk, observed.
    :param psnr: dB, predicted frames.
    :param psnr_moving: dB, predicted frames on pixels that change.
    :param ssim: structural similarity.
    :param lpips: perceptual distance; None without its weights.
    :param joint_error_deg: mean absolute error of predicted joints, degrees.
    :param joint_error_deg_by_joint: each joint's, at the step that hazards are asked for.
    :param warning_median_s: median time from the first window over the threshold to the hazard.
    :param warned_share: share of episodes with a hazard that were warned at all.
    :param warned_early_share: the share that were warned at least 0.4 s before.
    :param uncertainty_spearman: rank correlation of the ensemble's spread with |risk - outcome|.
    :param uncertainty_ause: area under its sparsification error curve; ``_coin`` is the variance
        of a coin with the predicted risk instead, ``_chance`` an uncertainty that knows nothing.
    :param uncertainty: both candidates on the same windows.
    :param uncertainty_earned_by: the candidate that should feed ABSTAIN, or 'none'.
    :param auroc_shuffled: AUROC when actions are shuffled between windows.
    :param sensitivity: the same and frames under each alteration of the action.
    :param gradient_energy_ratio: of sampled to real frames at 0.8 s; None without a sampler.
    :param gradient_energy_ratio_mean: of mean to real frames.
    :param psnr_best_of_8: dB, the best of eight sampled futures; None without a sampler.
    :param psnr_mean_frame: dB, mean frames of the same windows.
    :param sampler: further figures of sampled futures.
    :param by_kind: the hazard figures of each kind of hazard against all safe windows.
    :param hazard_share: share of windows with a hazard.
    :param windows: number of windows.
    :param frame_windows: how many of them had their frames compared.
    :param episodes: number of episodes.
    :param step_s: time between the steps of lists, s.
    :param model_id: what was measured.
    :param ci95: figure to [low, high], 95 % bootstrap over episodes; nested ones dotted.
    :param notes: figure to why it is None.
    """

    auroc: Figure
    auroc_kinematic: Figure
    auroc_command: Figure
    average_precision: Figure
    average_precision_kinematic: Figure
    false_veto_at_90_recall: Figure
    false_veto_at_90_recall_kinematic: Figure
    false_veto_at_95_recall: Figure
    false_veto_at_95_recall_kinematic: Figure
    false_veto_at_99_recall: Figure
    false_veto_at_99_recall_kinematic: Figure
    premature_veto_share: Figure
    ece: Figure
    ece_kinematic: Figure
    brier: Figure
    reliability: list[dict[str, float]]
    psnr: PerStep
    psnr_copy: PerStep
    psnr_linear: PerStep
    psnr_moving: PerStep
    psnr_moving_copy: PerStep
    psnr_moving_linear: PerStep
    ssim: PerStep
    ssim_copy: PerStep
    ssim_linear: PerStep
    lpips: PerStep = None
    lpips_copy: PerStep = None
    lpips_linear: PerStep = None
    joint_error_deg: PerStep
    joint_error_deg_command: PerStep
    joint_error_deg_by_joint: dict[str, float]
    warning_median_s: Figure
    warned_share: Figure
    warned_early_share: Figure
    uncertainty_spearman: Figure
    uncertainty_spearman_coin: Figure
    uncertainty_ause: Figure
    uncertainty_ause_coin: Figure
    uncertainty_ause_chance: Figure
    uncertainty: dict[str, Any]
    uncertainty_earned_by: str
    auroc_shuffled: Figure
    sensitivity: dict[str, Any]
    gradient_energy_ratio: Figure = None
    gradient_energy_ratio_mean: Figure
    psnr_best_of_8: PerStep = None
    psnr_mean_frame: PerStep
    sampler: dict[str, Any]
    by_kind: dict[str, dict[str, Any]]
    hazard_share: Figure
    windows: int
    frame_windows: int
    episodes: int
    step_s: float
    model_id: str
    ci95: dict[str, list[Any]] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form: what is not a finite number is null, as JSON has no other."""
        made: dict[str, Any] = plain(asdict(self))
        return made


def plain(value: Any) -> Any:
    """Return a value with None for every number that is not finite."""
    if isinstance(value, Mapping):
        return {name: plain(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def nested(figures: Mapping[str, Any]) -> dict[str, Any]:
    """
    Return figures named ``a.b`` or ``a.b.c`` as dictionaries within dictionaries.

    The middle may have dots of its own, as the names of joints do.
    """
    made: dict[str, Any] = {}
    for name, value in figures.items():
        first, _, rest = name.partition('.')
        middle, _, last = rest.rpartition('.')
        place = made.setdefault(first, {})
        if middle:
            place = place.setdefault(middle, {})
        place[last] = value
    return made
