# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
Say in words what is wrong with a graph, and what to do about it.

The main rule: each check looks at facts alone and tells one kind of trouble, with the names and
values that are wrong.
"""

import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from rclpy.qos import QoSCompatibility, qos_check_compatible

from wm_ros.msg import GateState
from wm_ros.ros.doctor_facts import Facts, Wire

ERROR, WARNING, NOTE = 'error', 'warning', 'note'
DEFAULT_SEGMENT_BYTES = 512 * 1024
_LEAST_RATE_HZ = 10.0
_STATES = {GateState.HOLD: 'holds', GateState.ESTOP: 'has its e-stop latched',
           GateState.WAITING: 'waits', GateState.BYPASS: 'is bypassed'}


@dataclass(frozen=True, slots=True)
class Finding:
    """
    One thing that is wrong.

    :param level: error: nothing moves, or something unsafe might; warning; note.
    :param code: its kind, for programs.
    :param text: what is wrong.
    :param fix: what to do.
    """

    level: str
    code: str
    text: str
    fix: str = ''


def check_graph(facts: Facts) -> list[Finding]:
    """Return everything that is wrong, the worst first."""
    order = {ERROR: 0, WARNING: 1, NOTE: 2}
    found = [finding for check in CHECKS for finding in check(facts)]
    return sorted(dict.fromkeys(found), key=lambda finding: order[finding.level])


def check_nodes(facts: Facts) -> Iterator[Finding]:
    """Look for gate and predictor, and for each only once and active."""
    counts = Counter(facts.nodes)
    for code, name, start in (
            ('gate_absent', facts.gate, 'guard.launch.py starts it'),
            ('predictor_absent', facts.predictor, 'guard.launch.py starts it; without it the gate '
                                                  'holds')):
        if not counts[name]:
            others = [node for node in counts if node.endswith(name.rpartition('/')[2])]
            yield Finding(ERROR, code, f'there is no node {name}', (
                f"there is {', '.join(others)}: give its namespace" if others else start))
        elif counts[name] > 1:
            yield Finding(ERROR, 'node_twice', f'{counts[name]} nodes are called {name}',
                          'end all but one; every topic of theirs is mixed up')
        state = facts.states.get(name)
        if counts[name] and state not in (None, 'active'):
            yield Finding(ERROR, 'not_active', f'{name} is {state}',
                          'its log says why; then configure and activate it')


def check_writers(facts: Facts) -> Iterator[Finding]:
    """See that the gate alone writes to the controller, and that somebody listens."""
    wire = facts.command_out
    if wire is None:
        return
    writers = [end.node for end in wire.publishers]
    others = [node for node in writers if node != facts.gate]
    if others or len(writers) > 1:
        yield Finding(ERROR, 'two_writers', f"{wire.topic} is written by {', '.join(writers)}",
                      'the gate alone may write it: remap the others to its inputs')
    if not wire.subscriptions:
        yield Finding(ERROR, 'no_controller', f'nobody listens on {wire.topic}',
                      'start the controller, or set command_out_topic to its topic')


def check_publishers(facts: Facts) -> Iterator[Finding]:
    """See that cameras and joint states are published at all."""
    for wire, code in (*((camera, 'no_camera') for camera in facts.cameras),
                       (facts.joints, 'no_joint_states')):
        if wire is None or wire.publishers:
            continue
        own = tuple(f'{node}/' for node in (facts.predictor, facts.gate))
        others = sorted(topic for topic, kind in facts.topics.items() if kind == wire.type
                        and topic != wire.topic and not topic.startswith(own))
        yield Finding(ERROR, code, f'nobody publishes {wire.role} on {wire.topic}', (
            f"of that type there is {', '.join(others)}: set the parameter or remap" if others
            else 'start the driver'))


def check_types(facts: Facts) -> Iterator[Finding]:
    """See that both ends of a topic speak of the same type."""
    for wire in facts.wires():
        kinds = {end.type for end in (*wire.publishers, *wire.subscriptions)}
        if wire.type:
            kinds.add(wire.type)
        if len(kinds) > 1:
            yield Finding(ERROR, 'type_mismatch',
                          f"{wire.topic} is spoken of as {', '.join(sorted(kinds))}",
                          'nothing passes between different types; set the type or the topic')


def check_qos(facts: Facts) -> Iterator[Finding]:
    """Look for publishers and subscriptions that hear nothing of each other."""
    for wire in facts.wires():
        for writer in wire.publishers:
            for reader in wire.subscriptions:
                fit, reason = qos_check_compatible(writer.qos, reader.qos)
                if fit == QoSCompatibility.ERROR:
                    words = reason.strip().rstrip(';').removeprefix('ERROR: ')
                    yield Finding(ERROR, 'qos_mismatch',
                                  f'{reader.node} hears nothing of {writer.node} on {wire.topic}: '
                                  f'{words}', 'give both ends the same policy')


def check_joints(facts: Facts) -> Iterator[Finding]:
    """See that every joint is there."""
    message = facts.heard_on(facts.joints).newest
    wanted = facts.parameter(facts.gate, 'joint_names', ())
    if message is None or facts.joints is None:
        return
    missing = [name for name in wanted if name not in message.name]
    if missing:
        yield Finding(ERROR, 'missing_joint',
                      f"{facts.joints.topic} lacks {', '.join(missing)}; it has "
                      f"{', '.join(message.name)}", 'the gate holds without them: correct '
                      'joint_names, or merge the drivers into one topic')


def check_rates(facts: Facts) -> Iterator[Finding]:
    """See that cameras and joints come, and often enough."""
    for wire in (*facts.cameras, *((facts.joints,) if facts.joints else ())):
        is_camera, rate_hz = wire in facts.cameras, _rate_hz(facts, wire)
        if not wire.publishers:
            continue
        if not rate_hz and not facts.heard_on(wire).count:
            yield Finding(ERROR, 'silent', f'nothing came on {wire.topic} in '
                          f'{facts.duration_s:.1f} s, though '
                          f"{', '.join(end.node for end in wire.publishers)} publishes it",
                          _silence_advice(facts) if is_camera else 'look at that node')
            continue
        wanted_hz = _wanted_hz(facts, wire) if is_camera else 1.0 / float(
            facts.parameter(facts.gate, 'joint_state_timeout', 0.2))
        if rate_hz < 0.95 * wanted_hz:
            yield Finding(ERROR, 'low_rate', f'{wire.topic} comes at {rate_hz:.1f} Hz; '
                          f'needed are {wanted_hz:.1f} Hz',
                          'raise the rate of the driver, or lower the load of this machine')


def check_clock(facts: Facts) -> Iterator[Finding]:
    """Look at simulated time and at stamps that are of another clock."""
    simulated = {name: bool(facts.parameter(name, 'use_sim_time', False))
                 for name in (facts.gate, facts.predictor) if facts.parameters.get(name)}
    if len(set(simulated.values())) > 1:
        names = ', '.join(name for name, value in simulated.items() if value)
        yield Finding(ERROR, 'sim_time_differs', f'use_sim_time is true for {names} alone',
                      'set it alike for gate and predictor: their stamps are compared')
    if any(simulated.values()) and not facts.clock_count:
        yield Finding(ERROR, 'no_clock', 'use_sim_time is true, but nothing comes on /clock',
                      'start what publishes /clock, or set use_sim_time to false')
    if facts.num_clocks > 1:
        yield Finding(ERROR, 'two_clocks', f'{facts.num_clocks} nodes publish /clock',
                      'end all but one: time jumps between them')
    if facts.clock_count and simulated and not any(simulated.values()):
        yield Finding(WARNING, 'clock_unused', '/clock is published, but gate and predictor use '
                      'the wall clock', 'set use_sim_time, unless the drivers use the wall clock')
    if not any(simulated.values()):
        yield from _check_stamps(facts)


def check_predictor(facts: Facts) -> Iterator[Finding]:
    """Hear what the predictor says of itself."""
    beat = facts.heard_on(facts.heartbeat).newest
    if beat is None:
        if facts.states.get(facts.predictor) == 'active':
            yield Finding(ERROR, 'no_heartbeat', f'{facts.predictor} is active and sends no '
                          'heartbeat', 'its inference thread hangs: see its log')
        return
    is_enforcing = facts.parameter(facts.gate, 'mode', 'enforce') == 'enforce'
    if not beat.calibrated:
        yield Finding(ERROR if is_enforcing else WARNING, 'uncalibrated',
                      f'model {beat.model_id} may run in shadow mode only',
                      "run 'wm-ros calibrate'; the log of the predictor says what is missing")
    if beat.message:
        yield Finding(ERROR, 'predictor_problem', f'{facts.predictor} says: {beat.message}')
    limit_ms = 1e3 * float(facts.parameter(facts.gate, 'decision_timeout', 0.15))
    if beat.latency_p99_ms > limit_ms:
        yield Finding(ERROR, 'slow_model', f'a check takes {beat.latency_p99_ms:.0f} ms (p99); '
                      f'the gate waits {limit_ms:.0f} ms',
                      'use a faster engine or machine, or raise decision_timeout')


def check_gate(facts: Facts) -> Iterator[Finding]:
    """Hear why the gate does not forward."""
    state = facts.heard_on(facts.state).newest
    if state is None:
        return
    if state.state in _STATES:
        yield Finding(WARNING, 'gate_not_running',
                      f'{facts.gate} {_STATES[state.state]}: {state.message}')
    if state.would_hold:
        yield Finding(WARNING, 'would_hold', f'{facts.gate} would hold: {state.message}')
    if state.deadline_missed:
        yield Finding(WARNING, 'deadline_missed',
                      f'{state.deadline_missed} verdicts came too late (decision p99 '
                      f'{state.decision_ms_p99:.0f} ms)',
                      'lower the load, or raise decision_timeout')


def check_middleware(facts: Facts) -> Iterator[Finding]:
    """Look at the size of DDS buffers against that of the pictures."""
    if 'fastrtps' not in facts.middleware:
        return
    largest = max((facts.heard_on(camera).num_bytes for camera in facts.cameras), default=0)
    segment = facts.segment_bytes or DEFAULT_SEGMENT_BYTES
    if largest > segment or (not largest and facts.cameras and not facts.segment_bytes):
        yield Finding(
            ERROR if not largest else WARNING, 'dds_buffers',
            f'the shared-memory segment of Fast DDS has {segment // 1024} KiB here'
            + (f', a picture {largest // 1024} KiB' if largest else ' and no picture came'),
            'set FASTRTPS_DEFAULT_PROFILES_FILE to config/fastdds.xml for every process')


def check_diagnostics(facts: Facts) -> Iterator[Finding]:
    """Repeat what nodes of this package report as an error."""
    for name, (level, message, _values) in facts.statuses.items():
        if level == 2 and name.startswith('wm_'):
            yield Finding(ERROR, 'diagnostics', f'{name}: {message}')


CHECKS: tuple[Callable[[Facts], Iterator[Finding]], ...] = (
    check_nodes, check_writers, check_publishers, check_types, check_qos, check_joints,
    check_rates, check_clock, check_predictor, check_gate, check_middleware, check_diagnostics)


def _check_stamps(facts: Facts) -> Iterator[Finding]:
    for wire, limit in (*((camera, 'image_timeout') for camera in facts.cameras),
                        (facts.joints, 'joint_state_timeout')):
        delay_s = facts.heard_on(wire).delay_s
        if wire is None or math.isnan(delay_s):
            continue
        oldest_s = float(facts.parameter(facts.predictor, limit, 0.3))
        future_s = float(facts.parameter(facts.predictor, 'max_future_skew', 0.02))
        if delay_s > oldest_s or delay_s < -future_s:
            where = 'behind' if delay_s > 0 else 'ahead of'
            yield Finding(ERROR, 'clock_skew', f'stamps on {wire.topic} are {abs(delay_s):.3f} s '
                          f'{where} the clock', 'synchronise the clocks (chrony, PTP), or let the '
                          'driver stamp with the time of this host')


def _rate_hz(facts: Facts, wire: Wire) -> float:
    """Return the rate at which the predictor hears a topic; before it tells, that of here."""
    values = _told(facts, wire)
    try:
        return float(values['frame_rate_node'])
    except (KeyError, ValueError):
        return facts.heard_on(wire).rate_hz


def _told(facts: Facts, wire: Wire) -> Mapping[str, str]:
    """Return what the predictor reports of a topic."""
    name = f"{facts.predictor.rpartition('/')[2]} {wire.topic}"
    return facts.statuses.get(name, (0, '', {}))[2]


def _wanted_hz(facts: Facts, wire: Wire) -> float:
    """Return the rate that the model needs, as the predictor reports it."""
    try:
        return float(_told(facts, wire)['expected_frequency']) or _LEAST_RATE_HZ
    except (KeyError, ValueError):
        return _LEAST_RATE_HZ


def _silence_advice(facts: Facts) -> str:
    if 'fastrtps' in facts.middleware and not facts.segment_bytes:
        return 'large pictures are lost by the default of Fast DDS: see dds_buffers'
    return 'look at that node, and at the QoS of both ends'
