# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Faults of the camera, seen through the whole predictor."""

import time

import numpy as np
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CompressedImage, Image

from wm_ros.datatypes import Decision, Reason
from wm_ros.faults.judging import Findings
from wm_ros.ros import qos
from wm_ros.ros.diagnostics import ERROR, WARN
from wm_ros.ros.faults_calls import CLEANUP, DEACTIVATE
from wm_ros.ros.faults_rig import TICK_S, Rig
from wm_ros.ros.faults_robot import CAMERA_RATE_HZ
from wm_ros.ros.gate_messages import ns_to_time

_S = 1_000_000_000
# Until a changed picture is the newest one that the predictor knows.
_SETTLE_S = 0.2
_STALE_S = 0.6


def camera_stops(rig: Rig, found: Findings) -> None:
    """Stop the camera and wait for the gate."""
    timeout_s = rig.calls.parameter(rig.gate_name, 'image_timeout')
    rig.robot.change_picture = lambda message: None
    took_s, state = rig.stop_after(rig.robot.last_picture_ns)
    found.within(took_s, timeout_s + TICK_S, 'stop')
    found.reason(state.reasons if state else 0, Reason.STALE_IMAGE)


def camera_frozen(rig: Rig, found: Findings) -> None:
    """Repeat one picture with fresh stamps."""
    num_frames = 10
    rig.robot.picture = np.full((48, 64, 3), 77, np.uint8)
    frozen_ns = time.time_ns()
    took_s, state = rig.stop_after(frozen_ns)
    limit_s = num_frames / CAMERA_RATE_HZ + rig.calls.parameter(rig.gate_name, 'image_timeout')
    found.within(took_s, limit_s + TICK_S, f'stop after {num_frames} equal pictures')
    found.reason(state.reasons if state else 0, Reason.STALE_IMAGE)
    sent_ns = rig.send_harmless()
    _expect_verdict(rig, found, sent_ns, Reason.STALE_IMAGE, 'frozen')


def camera_slow(rig: Rig, found: Findings) -> None:
    """Halve the rate with jitter, then go under the rate of the model, then far under it."""
    rng = np.random.default_rng(3)

    def jitter(message: Image) -> Image:
        time.sleep(float(rng.uniform(0.0, 0.01)))
        return message

    rig.robot.change_picture = jitter
    rig.robot.set_camera_rate(CAMERA_RATE_HZ / 2)
    time.sleep(0.5)
    num_sent, begin_ns = 5, time.time_ns()
    for _ in range(num_sent):
        rig.was_released(rig.send_harmless())
        time.sleep(0.1)
    refused = [verdict for at_ns, verdict in list(rig.observer.verdicts)
               if at_ns >= begin_ns and verdict.reasons & int(Reason.STALE_IMAGE)]
    found.check(not refused, f'at half the rate with jitter {len(refused)} of {num_sent} commands '
                             'refused for their frames')
    for rate_hz, level, name in ((8.0, WARN, 'WARN'), (4.0, ERROR, 'ERROR')):
        rig.robot.set_camera_rate(rate_hz)
        since_ns = time.time_ns() + _S

        def is_reported(since_ns: int = since_ns, level: bytes = level) -> bool:
            return any(report.level >= level for report in rig.observer.reports_since(
                since_ns, 'wm_predictor: inputs'))

        found.check(rig.wait(is_reported, 5.0), f'diagnostics {name} at {rate_hz:g} Hz')


def camera_stamps(rig: Rig, found: Findings) -> None:
    """Stamp pictures wrongly in three ways, with good ones between."""
    for words, text, change_ns in (
            ('old', 's old', lambda now: now - 10 * _S),
            ('future', 'future', lambda now: now + 10 * _S), ('zero', 'stamp 0', lambda now: 0)):
        def restamp(message: Image, change_ns=change_ns) -> Image:
            message.header.stamp = ns_to_time(change_ns(time.time_ns()))
            return message

        rig.robot.change_picture = restamp
        time.sleep(_SETTLE_S)
        _expect_verdict(rig, found, rig.send_harmless(), Reason.TIME_SYNC, text, words)
        rig.robot.change_picture = lambda message: message
        found.check(rig.releases(), f'released again after stamps that were {words}')


def camera_malformed(rig: Rig, found: Findings) -> None:
    """Send pictures that are not what they say."""
    num_refusals = 0
    begin_ns = time.time_ns()
    for words, fields in (
            ('step x height is not the length', {'step': 7}),
            ('0x0', {'width': 0, 'height': 0, 'step': 0, 'data': b''}),
            ('an unknown encoding', {'encoding': 'rainbow'}),
            ('16UC1', {'encoding': '16UC1', 'step': 128}),
            ('no data', {'data': b''})):
        def spoil(message: Image, fields=fields) -> Image:
            for name, value in fields.items():
                setattr(message, name, value)
            return message

        rig.robot.change_picture = spoil
        time.sleep(_SETTLE_S)
        _expect_verdict(rig, found, rig.send_harmless(), Reason.STALE_IMAGE, '', words)
        rig.robot.change_picture = lambda message: message
        found.check(rig.releases(), f'released again after {words}')
        num_refusals += 1
    _truncate_jpeg(rig, found)
    num_refusals += 1
    warnings = rig.observer.logs_since(begin_ns, 'camera refused')
    found.check(len(warnings) == num_refusals,
                f'{len(warnings)} warnings for {num_refusals} kinds of refusal')


def _truncate_jpeg(rig: Rig, found: Findings) -> None:
    """Listen to the compressed camera meanwhile, and cut its pictures short."""
    words = 'a truncated JPEG'

    def truncate(message: CompressedImage) -> CompressedImage:
        message.data = message.data[:len(message.data) // 2]
        return message

    _use_transport(rig, 'compressed')
    found.check(rig.releases(), 'released with whole JPEGs')
    rig.robot.change_jpeg = truncate
    time.sleep(_SETTLE_S)
    _expect_verdict(rig, found, rig.send_harmless(), Reason.STALE_IMAGE, '', words)
    rig.robot.change_jpeg = lambda message: message
    found.check(rig.releases(), f'released again after {words}')
    _use_transport(rig, 'raw')


def _use_transport(rig: Rig, name: str) -> None:
    rig.calls.bring_to(rig.predictor_name, 'unconfigured')
    rig.calls.set_together(rig.predictor_name, image_transport=name)
    rig.calls.bring_to(rig.predictor_name, 'active')


def camera_qos(rig: Rig, found: Findings) -> None:
    """Offer pictures in every way that a camera driver can."""
    try:
        for reliability in (ReliabilityPolicy.BEST_EFFORT, ReliabilityPolicy.RELIABLE):
            for durability in (DurabilityPolicy.VOLATILE, DurabilityPolicy.TRANSIENT_LOCAL):
                rig.robot.open_camera(QoSProfile(
                    depth=1, reliability=reliability, durability=durability))
                # Longer than the oldest picture that the predictor would still take.
                time.sleep(_STALE_S)
                found.check(rig.releases(), f'heard: {reliability.name}, {durability.name}')
    finally:
        rig.robot.open_camera(qos.CAMERA_OUT)


def camera_changes(rig: Rig, found: Findings) -> None:
    """Change the size, go back, and configure the predictor again."""
    rig.robot.picture = np.zeros((24, 32, 3), np.uint8)
    time.sleep(_SETTLE_S)
    _expect_verdict(rig, found, rig.send_harmless(), Reason.STALE_IMAGE, 'camera changed')
    rig.robot.picture = None
    time.sleep(_SETTLE_S)
    _expect_verdict(rig, found, rig.send_harmless(), Reason.STALE_IMAGE, 'configure')
    for transition in (DEACTIVATE, CLEANUP):
        rig.calls.change_state(rig.predictor_name, transition)
    rig.calls.bring_to(rig.predictor_name, 'active')
    found.check(rig.releases(), 'released again once configured again')


def _expect_verdict(rig: Rig, found: Findings, sent_ns: int, reason: Reason, text: str,
                    words: str = '') -> None:
    """Expect a refusal of the command that was sent, whether by the predictor or the gate."""
    def answers() -> list:
        return [verdict for at_ns, verdict in list(rig.observer.verdicts) if at_ns >= sent_ns]

    prefix = f'{words}: ' if words else ''
    if not rig.wait(answers, 2.0):
        found.check(False, f'{prefix}no verdict')
        return
    verdict = answers()[-1]
    found.check(verdict.decision == Decision.INVALID and bool(verdict.reasons & int(reason)),
                f'{prefix}{Decision(verdict.decision).name} {verdict.message!r}')
    if text:
        found.says(verdict.message, text)
    found.check(not rig.was_released(sent_ns, 0.2), f'{prefix}nothing released')


ROWS = (camera_stops, camera_frozen, camera_slow, camera_stamps, camera_malformed,
        camera_changes, camera_qos)
