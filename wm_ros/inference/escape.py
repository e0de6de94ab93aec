# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Does a motion lead away from a risk that is there already?

No threshold can say so: where staying is a risk, every command has one. What can be compared is
the motion with holding still, for the same pictures.
"""

from wm_ros.datatypes import Prediction

# By how much the risk of staying may be exceeded on the way: two runs of a model differ so.
_NOISE = 0.02
# How much lower the risk must be in the end, at least.
_LEAST_GAIN = 0.05


def leads_away(moving: Prediction, staying: Prediction, threshold: float) -> bool:
    """
    Compare a motion with holding still.

    The risk of a prediction is that of a hazard by each step, so it never falls. A motion leads
    away if by no step it is more dangerous than to stay, if in the end it is less so, by more
    than the ensemble disagrees on either, and if it calms down: the chance of a hazard in the
    later half, where none was in the first, must be one that a command of its own would be
    allowed.

    :param moving: of the motion. :param staying: of holding still, as many steps.
    :param threshold: a risk below it is allowed.
    :returns: False as well where it cannot be told: one step alone, or a hazard that is certain
        before the later half begins.
    """
    num_steps = len(moving.risk)
    if num_steps < 2 or len(staying.risk) != num_steps:
        return False
    gain = float(staying.risk[-1]) - float(moving.risk[-1])
    doubt = max(float(moving.uncertainty[-1]), float(staying.uncertainty[-1]))
    before = float(moving.risk[num_steps // 2 - 1])
    if not (gain > max(_LEAST_GAIN, doubt) and before < 1.0):
        return False
    is_never_worse = bool((moving.risk <= staying.risk + _NOISE).all())
    later = (float(moving.risk[-1]) - before) / (1.0 - before)
    return is_never_worse and later < threshold
