# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
The state of the gate and what every change of it does on the wire.

There is one place where states change, and one rule in it: whenever the reported state stops
being one that moves the arm, the hold goes out before anything else can.
"""

from collections.abc import Callable

from wm_ros.datatypes import Reason
from wm_ros.gate.braking import braking_trajectory
from wm_ros.gate.config import GateConfig
from wm_ros.gate.effects import CancelGoal, Effect, Hold, ScaleSpeed, StateChanged
from wm_ros.gate.estop import Cause, EstopLatch
from wm_ros.gate.hold import HoldWatch
from wm_ros.gate.inputs import Inputs
from wm_ros.gate.limits import Limits
from wm_ros.gate.values import MOVING_STATES, Now, State

# Two topics have no common order: a factor is on its way so long before a command relies on it.
_HEARD_NS = 50_000_000
_SHADOWED = frozenset({State.WAITING, State.RUNNING, State.SLOW, State.HOLD})


class Stance:
    """
    State, reasons, e-stop latch and the effects that wait to be carried out.

    In shadow ``state`` is what enforce would be in, and ``reported`` what is really so.

    :param config: the gate's settings.
    :param inputs: source of the measured joints for a hold.
    :param read_limits: gives the limits of the joints as they are known by then.
    """

    def __init__(
            self, config: GateConfig, inputs: Inputs, read_limits: Callable[[], Limits]) -> None:
        self._config = config
        self._inputs = inputs
        self._read_limits = read_limits
        self._effects: list[Effect] = []
        self.state = State.INACTIVE
        self.reasons = Reason.NONE
        self.message = ''
        self.is_engaged = config.engage_on_start
        self.latch = EstopLatch()
        self.hold_watch = HoldWatch()
        self.num_holds = 0
        self.is_scaling_heard = False
        self._told_factor: float | None = None
        self._told_steady_ns = 0
        self._last = (self.reported, self.would_hold)

    @property
    def reported(self) -> State:
        """Return the state the robot is in; shadow runs unless a person has stopped it."""
        if self._config.is_enforcing or self.state not in _SHADOWED:
            return self.state
        return State.RUNNING if self.is_engaged else State.HOLD

    @property
    def would_hold(self) -> bool:
        """Tell whether shadow forwards what enforce would hold."""
        return self.reported is State.RUNNING and self.state in (State.WAITING, State.HOLD)

    def emit(self, effect: Effect) -> None:
        """Queue an effect."""
        self._effects.append(effect)

    def drain(self) -> list[Effect]:
        """Hand out the queued effects, in order."""
        effects, self._effects = self._effects, []
        return effects

    def go(self, state: State, reasons: Reason, message: str, now: Now) -> None:
        """
        Change the state; ends motion first when the new state does not move the arm.

        Without joints young enough to hold at, the goal is cancelled, nothing is published and
        the e-stop latches.
        """
        self.state, self.reasons, self.message = state, reasons, message
        previous, did_hold = self._last
        # Before the hold: it must not be run slowly.
        if self.reported is not State.SLOW:
            self.tell_speed(1.0, now)
        if previous in MOVING_STATES and self.reported not in MOVING_STATES:
            self._end_motion(now)
        if (self.reported, self.would_hold) != (previous, did_hold):
            self.emit(StateChanged(
                state=self.reported, previous=previous, would_hold=self.would_hold,
                reasons=self.reasons, message=self.message))
        self._last = (self.reported, self.would_hold)

    @property
    def told_factor(self) -> float:
        """Return the factor at which the controller runs what it is sent."""
        return 1.0 if self._told_factor is None else self._told_factor

    def tell_speed(self, factor: float, now: Now) -> None:
        """Tell a controller that scales commands itself, where there is one, if it is news."""
        config = self._config
        if not config.speed_scaling_topic or not config.is_enforcing:
            return
        if factor != self._told_factor:
            self._told_factor, self._told_steady_ns = factor, now.steady_ns
            self.emit(ScaleSpeed(factor=factor))

    def forget_speed(self) -> None:
        """Tell the speed anew whatever was told before: the controller may have restarted."""
        self._told_factor = None

    def was_just_told(self, now: Now) -> bool:
        """Tell whether the controller may not have heard of its speed yet."""
        return now.steady_ns - self._told_steady_ns < _HEARD_NS

    def hold(self, reasons: Reason, message: str, now: Now) -> None:
        """Enter HOLD; in HOLD already only the reason is new."""
        self.go(State.HOLD, reasons, message, now)

    def stop(self, cause: Cause, reasons: Reason, message: str, now: Now) -> None:
        """Latch the e-stop; a further cause in ESTOP is kept beside the first."""
        self.latch.causes.add(cause)
        if self.state is State.INACTIVE:
            return
        if self.state is State.ESTOP:
            self.reasons |= reasons
            return
        self.go(State.ESTOP, reasons | Reason.ESTOP, message, now)

    def publish_hold(self, now: Now) -> bool:
        """
        Queue a hold: at the measured joints, or from their motion to rest.

        :returns: False if the joints are too old; nothing is queued then.
        """
        sample = self._inputs.fresh_joints(now)
        if sample is None:
            return False
        braking = braking_trajectory(
            sample, self._inputs.joint_age_s(now), self._read_limits(), self._inputs.config)
        self.emit(Hold(
            joint_names=sample.names, positions=sample.positions.copy(), braking=braking))
        target = sample.positions if braking is None else braking.positions[-1]
        self.hold_watch.start(target, now)
        self.num_holds += 1
        return True

    def _end_motion(self, now: Now) -> None:
        self.emit(CancelGoal(message=self.message))
        if self.publish_hold(now):
            return
        self.message += '; no measured joints to hold at'
        if self.state is not State.INACTIVE:
            self.latch.causes.add(Cause.NO_JOINTS)
            self.reasons |= Reason.STALE_JOINTS | Reason.ESTOP
            self.state = State.ESTOP
