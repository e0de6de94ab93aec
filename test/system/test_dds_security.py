# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
The shipped policy, enforced by the security plugins of a real Fast DDS.

The wheels' Fast DDS was built without them, so the peers here are a C++ program on whichever
Fast DDS the compiler finds (Debian: libfastrtps-dev). They use the topics, the permissions and
the keys of the nodes, which the plugins see; what is inside a message they do not see.
"""

import os
import shutil
import subprocess
import threading
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

pytest.importorskip('lxml.etree', reason='lxml is in requirements/test.txt')
pytest.importorskip('cryptography', reason='cryptography is in requirements/test.txt')

from dataclasses import replace  # noqa: E402 (the tests need both packages above)

from keystore import Keystore, make_signer  # noqa: E402
from policy_rig import Enclave, enclaves, load_policy  # noqa: E402

SOURCE = Path(__file__).resolve().parents[1] / 'secure_peer.cpp'
GATE, PREDICTOR, POLICY = '/wm_ros/wm_gate', '/wm_ros/wm_predictor', '/wm_ros/policy'
ROBOT, OBSERVER = '/wm_ros/robot', '/wm_ros/observer'
VERDICT = 'rt/wm_predictor/verdict'
COMMAND = 'rt/arm_controller/joint_trajectory'
NO_PARTICIPANT, NO_ENDPOINT = 3, 4
TIMEOUT_S = 60.0
# How long a peer that must not be heard goes on speaking after one that must be was heard.
WATCH_S = 3.0


@pytest.fixture(scope='module')
def program(tmp_path_factory) -> Path:
    """Compile the peer, or say why this host cannot."""
    if shutil.which('g++') is None:
        pytest.skip('no g++ to compile the peer with')
    path = tmp_path_factory.mktemp('peer') / 'secure_peer'
    probe = subprocess.run(
        ['g++', '-xc++', '-E', '-'], input='#include <fastdds/dds/domain/DomainParticipant.hpp>',
        capture_output=True, text=True)
    if probe.returncode:
        pytest.skip('no headers of a Fast DDS that has the security plugins; on Debian 12: '
                    'apt-get install libfastrtps-dev')
    built = subprocess.run(
        ['g++', '-std=c++17', str(SOURCE), '-o', str(path), '-lfastrtps', '-lfastcdr'],
        capture_output=True, text=True)
    assert built.returncode == 0, built.stderr
    return path


@pytest.fixture(scope='module')
def has_plugins(program, store) -> None:
    """Skip where the Fast DDS found has no security plugins: it would let everybody in."""
    listing = subprocess.run(['ldd', str(program)], capture_output=True, text=True).stdout
    (library,) = [line.split()[2] for line in listing.splitlines() if 'libfastrtps' in line]
    if b'builtin.PKI-DH' not in Path(library).read_bytes():
        pytest.skip(f'{library} was built without the security plugins (-DSECURITY=ON)')


@pytest.fixture(scope='module')
def domain() -> int:
    """The domain that this test process has reserved."""
    return int(os.environ['ROS_DOMAIN_ID'])


@pytest.fixture(scope='module')
def store(tmp_path_factory, domain) -> Keystore:
    """A key store of the shipped policy, and three that are not what they seem."""
    store = Keystore(tmp_path_factory.mktemp('keys'), domain)
    allowed = enclaves(load_policy())
    for enclave in allowed.values():
        store.add(enclave)
    # Everything that the honest writers may do, but signed by somebody else.
    greedy = {VERDICT, COMMAND} | allowed[POLICY].publish
    stranger = make_signer('a stranger')
    store.add(replace(allowed[POLICY], path='/forged/permissions', publish=greedy),
              permissions_authority=stranger)
    store.add(replace(allowed[POLICY], path='/forged/identity', publish=greedy),
              identity_authority=stranger)
    return store


class Peer:
    """
    One process on one topic.

    :param program: secure_peer.
    :param role: write or read.
    :param enclave: its keys; '' for none.
    """

    def __init__(self, program: Path, role: str, topic: str, name: str, domain: int,
                 enclave: str = '') -> None:
        # The profile in config/ is for the nodes' Fast DDS, which may be of another version.
        environment = {k: v for k, v in os.environ.items() if not k.startswith('FASTRTPS_')}
        self._process = subprocess.Popen(
            [program, role, str(domain), topic, name, *([enclave] if enclave else [])],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
            env=environment)
        self.lines: list[str] = []
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def _read(self) -> None:
        """Collect what the process says; runs on a thread of its own until it ends."""
        for line in self._process.stdout or ():
            # Fast DDS logs to the same place.
            if line.startswith(('ready', 'heard ')):
                self.lines.append(line.strip())

    def wait_for(self, line: str) -> None:
        """Wait until the process has printed a line."""
        deadline = time.monotonic() + TIMEOUT_S
        while line not in self.lines:
            assert self._process.poll() is None, (
                f'ended with code {self._process.returncode} before {line!r}: {self.lines}')
            assert time.monotonic() < deadline, f'no {line!r} in {TIMEOUT_S} s: {self.lines}'
            time.sleep(0.02)

    def exit_code(self) -> int:
        """Wait for the end of a process that refuses to work."""
        return self._process.wait(timeout=TIMEOUT_S)

    def end(self) -> None:
        """End the process."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            self._process.wait(timeout=10.0)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._thread.join()
        if self._process.stdout is not None:
            self._process.stdout.close()


@pytest.fixture
def start(program, has_plugins, store, domain):
    """Return a function that starts a peer; all are ended with the test."""
    with ExitStack() as stack:
        def make(role: str, topic: str, name: str, enclave: str = '') -> Peer:
            folder = str(store.directory(enclave)) if enclave else ''
            peer = Peer(program, role, topic, name, domain, folder)
            stack.callback(peer.end)
            return peer
        yield make


@pytest.mark.parametrize(('topic', 'reader', 'writer'), [
    (VERDICT, GATE, PREDICTOR), (COMMAND, ROBOT, GATE), (COMMAND, OBSERVER, GATE)])
def test_only_the_authorised_writer_is_heard(start, topic, reader, writer):
    listener = start('read', topic, 'listener', reader)
    impostors = (
        start('write', topic, 'without-keys'),
        start('write', topic, 'own-permissions', '/forged/permissions'),
        start('write', topic, 'own-identity', '/forged/identity'))
    for peer in (listener, *impostors):
        peer.wait_for('ready')
    start('write', topic, 'authorised', writer)
    listener.wait_for('heard authorised')
    time.sleep(WATCH_S)
    assert listener.lines == ['ready', 'heard authorised']


def test_a_listener_without_keys_hears_the_impostors(start):
    # Without this, silence in the test above could as well come from a peer that says nothing.
    listener = start('read', VERDICT, 'listener')
    start('write', VERDICT, 'without-keys')
    listener.wait_for('heard without-keys')


@pytest.mark.parametrize(('role', 'topic', 'enclave'), [
    ('write', VERDICT, POLICY), ('write', COMMAND, POLICY), ('write', COMMAND, PREDICTOR),
    ('write', VERDICT, GATE), ('write', VERDICT, OBSERVER), ('read', VERDICT, POLICY),
    ('write', 'rt/emergency_stop', POLICY), ('write', 'rt/wm_gate/bypass', POLICY),
    ('write', 'rq/wm_gate/clear_emergency_stopRequest', POLICY),
    ('write', 'rq/wm_gate/set_parametersRequest', POLICY),
])
def test_an_enclave_cannot_even_open_what_it_may_not_use(start, role, topic, enclave):
    assert start(role, topic, 'x', enclave).exit_code() == NO_ENDPOINT


def test_an_enclave_without_its_key_does_not_start(start, store):
    folder = store.add(Enclave('/broken'))
    (folder / 'key.pem').unlink()
    assert start('read', VERDICT, 'x', '/broken').exit_code() == NO_PARTICIPANT
