# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
The catalogue of faults: what is injected, and what the package promises.

What injects and measures a row is the function of wm_ros.ros.faults_* with the row's name in
underscores; wm_ros.ros.faults_rows finds it. A row that says what is missing is listed and never
counted as held.
"""

from difflib import get_close_matches

from wm_ros.faults.fault import Fault, Graph

_GATE, _PREDICTOR, _MODEL, _OWN, _NONE = (
    Graph.GATE, Graph.PREDICTOR, Graph.MODEL, Graph.OWN, Graph.NONE)


def _row(number: int, name: str, graph: Graph, injected: str, promise: str, *,
         slow: bool = False, missing: str = '') -> Fault:
    return Fault(number=number, name=name, graph=graph, injected=injected, promise=promise,
                 is_slow=slow, missing=missing)


# Every row, by number.
CATALOGUE = (
    _row(1, 'camera-stops', _PREDICTOR, 'the camera stops',
         'HOLD within image_timeout and one tick, reason STALE_IMAGE'),
    _row(2, 'camera-frozen', _PREDICTOR, 'the same pixels again and again, with fresh stamps',
         'STALE_IMAGE by content after frozen_frames pictures'),
    _row(3, 'camera-slow', _PREDICTOR, 'the camera slows down to under the rate of the model',
         'diagnostics WARN or ERROR with the rate; before that no veto while frames are near '
         'enough'),
    _row(4, 'camera-stamps', _PREDICTOR, 'stamps of pictures that are old, future and zero',
         'refused, TIME_SYNC, and usable again afterwards'),
    _row(5, 'camera-malformed', _PREDICTOR,
         'step and length that do not fit, 0x0, an unknown encoding, 16UC1, no data, half a JPEG',
         'INVALID, no crash, one warning for each, recovers'),
    _row(6, 'camera-changes', _PREDICTOR, 'size and encoding change while running',
         'INVALID until configured again'),
    _row(7, 'joints-stop', _GATE,
         'joint_states permuted; then without a joint; then none at all',
         'permuted ones found by name; HOLD while the last joints are young enough to hold at'),
    _row(8, 'joints-nan', _GATE, 'joint_states with NaN',
         'not used: HOLD at the last good joints, with the reason'),
    _row(9, 'command-not-finite', _GATE, 'commands with NaN, Inf and 1e308',
         'never forwarded, HOLD with the reason in words'),
    _row(10, 'command-malformed', _GATE,
         'wrong names, wrong count, times that do not increase, an empty trajectory',
         'never forwarded, the reason in words'),
    _row(11, 'command-stamps', _GATE, 'commands stamped 1 s ahead, 10 s ago, and zero',
         'the first two refused by max_future_skew and max_command_age; zero means now'),
    _row(12, 'command-burst', _GATE, '1000 commands per second for 3 s',
         'memory flat, the latest wins, dropped counts, the gate goes on reporting'),
    _row(13, 'policy-dies', _GATE, 'the policy dies in the middle of a chunk',
         'at most one hold after the chunk, then silence; the arm is at rest'),
    _row(14, 'predictor-killed', _PREDICTOR, 'kill -9 of wm_predictor',
         'HOLD within 250 ms, reason PREDICTOR_LOST'),
    _row(15, 'predictor-stopped', _PREDICTOR,
         'SIGSTOP of wm_predictor; then a model that hangs while the executor lives',
         'HOLD within 250 ms each time'),
    _row(16, 'gate-killed', _GATE, 'kill -9 of wm_gate in the middle of a chunk',
         'the arm at rest within the horizon; no command kept for late joiners'),
    _row(17, 'restarts', _PREDICTOR, 'the predictor, then the gate, restart',
         'RUNNING only after arm_cycles; verdicts from before release nothing', slow=True),
    _row(18, 'verdict-forged', _GATE,
         'verdicts for another chunk, with a wrong digest, twice, out of order, expired',
         'none releases'),
    _row(19, 'verdict-late', _GATE, 'verdicts 10 ms and 1 s after decide_by',
         'veto with DEADLINE; the late verdict releases nothing'),
    _row(20, 'camera-qos', _PREDICTOR,
         'a camera that is reliable or best effort, volatile or transient local',
         'each is heard; nothing that a camera can offer is a mismatch'),
    _row(21, 'late-joiner', _GATE, 'a listener that joins late',
         'gets the state and never a command'),
    _row(22, 'clock', _GATE, '/clock absent, paused, 10 s back and 10 s ahead',
         'watchdogs fire; a jump back is a HOLD and forgets everything, one ahead is no HOLD',
         slow=True),
    _row(23, 'wall-clock', _GATE,
         'the wall clock of gate, robot and predictor steps by 10 s ahead, 20 s back, 0.3 s',
         'no false HOLD', slow=True),
    _row(24, 'bypass-dies', _GATE, 'the publisher of the bypass dies',
         'HOLD within bypass_timeout and one tick', slow=True),
    _row(25, 'clear-refused', _GATE, 'clear_emergency_stop while the cause lives',
         'refused with the reason; granted when it is gone'),
    _row(26, 'lifecycle', _GATE,
         'every transition from every state, unknown ids, 100 rounds of configure and cleanup',
         'no crash, no leak, works afterwards', slow=True),
    _row(27, 'deactivate-moving', _GATE, 'deactivate while the arm moves',
         'the last message on the wire is the hold'),
    _row(28, 'parameters', _GATE, 'values that are bad, conflicting or structural',
         'refused as a whole, with the reason'),
    _row(29, 'action-proxy', _GATE,
         'cancel before and after the verdict, preempt, abort, absent controller, dead client',
         'one terminal state, no orphaned goal', slow=True),
    _row(30, 'engine-raises', _PREDICTOR,
         'out of memory, illegal access and driver reset, as exceptions of the engine',
         'INVALID with MODEL_ERROR, the gate holds, no hang, recovers'),
    _row(31, 'engine-file', _MODEL, 'a truncated and a bit-flipped graph of the checkpoint',
         'refused when configured, naming the file', slow=True),
    _row(32, 'model-not-golden', _MODEL,
         'weights, colour order or normalisation that are not those of the golden frames',
         'configure fails at the golden frames', slow=True),
    _row(33, 'model-nonsense', _PREDICTOR,
         'a model that returns NaN; one that ignores its actions',
         'INVALID; not configured'),
    _row(34, 'overload', _PREDICTOR, 'every core busy for 20 s while commands come',
         'misses are counted and none is a release; memory flat', slow=True),
    _row(35, 'two-gates', _GATE, "a second publisher on the controller's topic",
         'diagnostics ERROR'),
    _row(36, 'partition', _OWN,
         'the network between gate and predictor is cut for longer than the lease of DDS',
         'HOLD within 250 ms, reason PREDICTOR_LOST; releases again when the network is back',
         slow=True),
    _row(37, 'obstacle-replay', _MODEL,
         'recorded episodes in which an object comes in the way of a repeated command and goes',
         'stop within 0.6 s, hold 90 % of the time, resume within 0.6 s, false stops 5 %',
         slow=True),
    _row(38, 'escape', _PREDICTOR,
         'a risk where the arm is; commands further in and away from it, and after an e-stop',
         'further in refused; away allowed, no faster than escape_max_velocity, until the risk '
         'is gone; nothing leaves an e-stop', slow=True),
    _row(39, 'fuzz', _GATE, 'every inbound message with random fields',
         'no exception escapes, nothing unjustified on the wire, works afterwards'),
    _row(40, 'two-robots', _GATE, 'two namespaced robots in one graph', 'no cross-talk',
         slow=True),
    _row(41, 'shadow-enforce', _MODEL,
         'the same stored observations and commands in shadow and in enforce',
         'the same verdicts; shadow forwards all and says what enforce held', slow=True),
)


def find_fault(name: str) -> Fault:
    """
    Find a row by name or number.

    :raises ValueError: naming the nearest names.
    """
    for fault in CATALOGUE:
        if name in (fault.name, str(fault.number)):
            return fault
    names = [fault.name for fault in CATALOGUE]
    close = get_close_matches(name, names, n=3)
    hint = f'did you mean {", ".join(close)}?' if close else "see 'wm-ros faults list'"
    raise ValueError(f'there is no fault {name!r}; {hint}')
