# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The shipped checkpoint: damaged, or asked the same in shadow and in enforce."""

import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from safetensors.numpy import load_file, save_file

from wm_ros.datatypes import Decision
from wm_ros.faults.judging import Findings
from wm_ros.inference.checkpoint import resolve_checkpoint, write_manifest
from wm_ros.msg import GateState, Verdict
from wm_ros.ros.faults_calls import CONFIGURE
from wm_ros.ros.faults_rig import Rig
from wm_ros.ros.faults_trajectories import trajectory

_GRAPH_FILE, _GOLDEN_FILE = 'predict.onnx', 'golden.safetensors'
# A model of another build gives other numbers; these are far from rounding.
_SCALE = 1.2
_STORED_FILE = 'self_test.safetensors'
_SHOW_S = 0.4
# Where the steps of the model fall in a command depends on the age of the newest picture.
_SAME_RISK = 0.1
# This is about what is decided, not how fast; a machine may be busy.
_TIMEOUT_S = 5.0
_MOST_TRIES = 4
# From one observation to the next the arm jumps, which no hold would survive.
_PATIENT_GATE = {'decision_timeout': _TIMEOUT_S, 'heartbeat_timeout': 2.0, 'hold_tolerance': 99.0}
_PATIENT_PREDICTOR = {
    'strict_budget': False, 'enable_drift_monitor': False, 'frozen_motion': 10.0,
    'verdict_ttl': _TIMEOUT_S}


def engine_file(rig: Rig, found: Findings) -> None:
    """Cut the graph short, and flip one of its bits."""
    def truncate(directory: Path) -> None:
        path = directory / _GRAPH_FILE
        path.write_bytes(path.read_bytes()[:-1000])

    def flip(directory: Path) -> None:
        path = directory / _GRAPH_FILE
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.write_bytes(data)

    for words, change in (('truncated', truncate), ('bit-flipped', flip)):
        _expect_failure(rig, found, words, change, _GRAPH_FILE)


def model_not_golden(rig: Rig, found: Findings) -> None:
    """Store golden frames that the weights do not give."""
    def swap_colours(directory: Path) -> None:
        _change_golden(directory, 'images', lambda images: images[..., ::-1])

    def scale_joints(directory: Path) -> None:
        _change_golden(directory, 'joint_positions', lambda joints: joints * _SCALE + 0.3)

    def other_weights(directory: Path) -> None:
        _change_golden(directory, 'risk', lambda risk: 1.0 - risk)

    for words, change in (('swapped colours', swap_colours), ('other scale', scale_joints),
                          ('other weights', other_weights)):
        _expect_failure(rig, found, words, change, 'golden')


def _change_golden(directory: Path, key: str, change: Callable[[np.ndarray], np.ndarray]) -> None:
    path = directory / _GOLDEN_FILE
    arrays = load_file(path)
    arrays[key] = np.ascontiguousarray(change(arrays[key])).astype(arrays[key].dtype)
    save_file(arrays, path)
    # The files agree with each other again: only running the model can tell.
    write_manifest(directory)


def _expect_failure(rig: Rig, found: Findings, words: str, change: Callable[[Path], None],
                    text: str) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        directory = Path(scratch) / 'checkpoint'
        shutil.copytree(resolve_checkpoint('default'), directory)
        change(directory)
        name = rig.predictor_name
        rig.calls.set_together(name, checkpoint_path=str(directory))
        since_ns = time.time_ns()
        is_configured = rig.calls.change_state(name, CONFIGURE, timeout_s=120.0)
        found.check(not is_configured, f'{words}: not configured')
        rig.wait(lambda: rig.observer.logs_since(since_ns, text), 2.0)
        said = ' '.join(rig.observer.logs_since(since_ns, text))
        found.check(bool(said), f'{words}: the log says {said[:160]!r}')
        rig.calls.bring_to(name, 'unconfigured')


def shadow_enforce(rig: Rig, found: Findings) -> None:
    """Put the stored observations before the model, with their commands, in both modes."""
    stored = load_file(resolve_checkpoint('default') / _STORED_FILE)
    count = len(stored['images'])
    calls = rig.calls
    calls.bring_to(rig.predictor_name, 'unconfigured')
    calls.set_together(rig.predictor_name, checkpoint_path='default', **_PATIENT_PREDICTOR)
    # The first picture fixes the size.
    rig.robot.picture = stored['images'][0, -1]
    time.sleep(_SHOW_S)
    calls.bring_to(rig.predictor_name, 'active')
    # The arm stays where it is: both modes must see the same.
    rig.robot.ignores_commands = True
    logs: dict[str, list[_Answer]] = {}
    unsafe: list[str] = []
    for mode in ('enforce', 'shadow'):
        calls.bring_to(rig.gate_name, 'unconfigured')
        calls.set_together(rig.gate_name, mode=mode, **_PATIENT_GATE)
        calls.bring_to(rig.gate_name, 'active')
        rig.clear()
        answers = [_ask_again(rig, {key: value[index] for key, value in stored.items()})
                   for index in range(count)]
        logs[mode] = [answer for answer in answers if answer is not None]
        # Shadow forwards what no verdict allowed: only enforce is held to that.
        unsafe += rig.unverified() if mode == 'enforce' else []
        rig.clear()
    enforce, shadow = logs['enforce'], logs['shadow']
    if not found.check(len(enforce) == len(shadow) == count, f'{count} verdicts in each mode'):
        return
    decisions = [Decision(answer.decision).name for answer in enforce]
    found.check(len(set(decisions)) > 1, f'enforce: {", ".join(decisions)}')
    found.check([one.decision for one in enforce] == [one.decision for one in shadow],
                'shadow: the same decisions')
    apart = max(abs(one.risk - two.risk) for one, two in zip(enforce, shadow, strict=True))
    found.check(apart < _SAME_RISK, f'risks at most {apart:.2g} apart')
    found.check(all(answer.is_forwarded for answer in shadow), 'shadow forwards all')
    held = [not answer.is_forwarded for answer in enforce]
    found.check(held == [answer.is_held for answer in shadow],
                f'enforce held {sum(held)}; shadow says of the same that it would hold')
    for problem in unsafe:
        found.check(False, problem)


class _Answer(NamedTuple):
    decision: int
    risk: float
    is_forwarded: bool
    is_held: bool


def _ask_again(rig: Rig, window: dict[str, np.ndarray]) -> _Answer | None:
    """Ask until the model has looked at it: a busy machine may leave it without pictures."""
    for _ in range(_MOST_TRIES):
        if (answer := _ask(rig, window)) is not None:
            return answer
    return None


def _ask(rig: Rig, window: dict[str, np.ndarray]) -> _Answer | None:
    """Show one stored observation, send its command, return what came of it."""
    rig.robot.place(window['joint_positions'].astype(np.float64))
    rig.robot.picture = window['images'][-1]
    # Both pictures that the model looks at are this one then.
    time.sleep(_SHOW_S)
    rig.need(lambda: rig.observer.state is not None and rig.observer.state.state in (
        GateState.RUNNING, GateState.SLOW, GateState.HOLD), 60.0, rig.words)
    sent_ns = rig.send(trajectory([
        (0.1 * (step + 1), row) for step, row in enumerate(window['actions'])]))

    def verdicts() -> list[Verdict]:
        return [verdict for at_ns, verdict in list(rig.observer.verdicts)
                if at_ns >= sent_ns and verdict.num_steps]

    if not rig.wait(verdicts, _TIMEOUT_S / 2):
        return None
    answered_ns = time.time_ns()
    is_forwarded = rig.was_released(sent_ns, 0.3)
    rig.wait(lambda: rig.observer.state_ns > answered_ns, 2.0)
    state, verdict = rig.observer.state, verdicts()[0]
    is_held = state is not None and bool(state.would_hold or state.state == GateState.HOLD)
    return _Answer(int(verdict.decision), float(verdict.risk), is_forwarded, is_held)


ROWS = (engine_file, model_not_golden, shadow_enforce)
