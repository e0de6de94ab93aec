# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""
The shipped policy, enforced by the security plugins of a real Fast DDS.

Every test runs twice, with peers in C++ on whichever Fast DDS the compiler finds (Debian:
libfastrtps-dev) and with ROS nodes on theirs; the wheels' was built without the plugins. Peers
have the topics, permissions and keys of the nodes; what is in a message the plugins do not see.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import pytest

pytest.importorskip('lxml.etree', reason='lxml is in requirements/test.txt')
pytest.importorskip('cryptography', reason='cryptography is in requirements/test.txt')

from dataclasses import replace  # noqa: E402 (the tests need both packages above)

from keystore import Keystore, make_signer  # noqa: E402
from policy_rig import enclaves, load_policy  # noqa: E402
from process_rig import wait_until  # noqa: E402

SOURCE = Path(__file__).resolve().parents[1] / 'secure_peer.cpp'
NODE = SOURCE.with_name('secure_node.py')
GATE, PREDICTOR, POLICY = '/wm_ros/wm_gate', '/wm_ros/wm_predictor', '/wm_ros/policy'
ROBOT, OBSERVER, OPERATOR = '/wm_ros/robot', '/wm_ros/observer', '/wm_ros/operator'
BROKEN = '/wm_ros/broken'
VERDICT = 'rt/wm_predictor/verdict'
COMMAND = 'rt/arm_controller/joint_trajectory'
NO_PARTICIPANT, NO_ENDPOINT = 3, 4
TIMEOUT_S = 60.0
# How long a peer that must not be heard goes on speaking after one that must be was heard.
WATCH_S = 3.0


def compile_peer(folder: Path) -> Path:
    """Compile the C++ peer, or skip and say what this host lacks."""
    if shutil.which('g++') is None:
        pytest.skip('no g++ to compile the peer with')
    path = folder / 'secure_peer'
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
    listing = subprocess.run(['ldd', str(path)], capture_output=True, text=True).stdout
    (library,) = [line.split()[2] for line in listing.splitlines() if 'libfastrtps' in line]
    if b'builtin.PKI-DH' not in Path(library).read_bytes():
        pytest.skip(f'{library} was built without the security plugins (-DSECURITY=ON)')
    return path


@pytest.fixture(scope='module', params=['plain', 'ros'])
def command(request, store, tmp_path_factory) -> list[str]:
    """The program that stands in for a node, with plain Fast DDS or with the nodes' own."""
    if request.param == 'plain':
        return [str(compile_peer(tmp_path_factory.mktemp('peer')))]
    command = [sys.executable, str(NODE)]
    peer = Peer(command, 'read', VERDICT, 'probe', store, GATE)
    peer.end()
    if 'security libraries' in peer.errors():
        pytest.skip("the nodes' Fast DDS was built without the security plugins: "
                    'ROS from apt has them, the wheels from PyPI do not')
    return command


@pytest.fixture(scope='module')
def store(tmp_path_factory) -> Keystore:
    """A key store of the shipped policy, and enclaves that are not what they seem."""
    # The domain is the one that this test process has reserved.
    store = Keystore(tmp_path_factory.mktemp('keys'), int(os.environ['ROS_DOMAIN_ID']))
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
    store.add(replace(allowed[GATE], path=BROKEN))
    return store


class Peer:
    """
    One process on one topic.

    :param command: of a peer in C++ or ROS.
    :param role: write or read.
    :param enclave: whose keys it has; '' for none.
    """

    def __init__(self, command: list[str], role: str, topic: str, name: str, store: Keystore,
                 enclave: str = '') -> None:
        # The profile in config/ is for the nodes' Fast DDS, which may be of another version.
        environment = {key: value for key, value in os.environ.items()
                       if not key.startswith(('FASTRTPS_', 'ROS_SECURITY_'))}
        keys: list[str] = []
        if enclave and command[-1] == str(NODE):
            keys = ['--ros-args', '--enclave', enclave]
            environment |= {'ROS_SECURITY_ENABLE': 'true', 'ROS_SECURITY_STRATEGY': 'Enforce',
                            'ROS_SECURITY_KEYSTORE': str(store.root)}
        elif enclave:
            keys = [str(store.directory(enclave))]
        self._errors = tempfile.TemporaryFile(mode='w+')  # noqa: SIM115 (closed by end)
        self._process = subprocess.Popen(
            [*command, role, str(store.domain), topic, name, *keys], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=self._errors, text=True, env=environment)
        self.lines: list[str] = []
        self._error_text = ''
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
        def is_there() -> bool:
            if line in self.lines:
                return True
            assert self._process.poll() is None, (
                f'ended with code {self._process.returncode} before {line!r}: {self.errors()}')
            return False

        wait_until(is_there, TIMEOUT_S, lambda: f'no {line!r} in {TIMEOUT_S} s: {self.lines}')

    def exit_code(self) -> int:
        """Wait for the end of a process that refuses to work."""
        return self._process.wait(timeout=TIMEOUT_S)

    def poll(self) -> int | None:
        """Return the exit code, None while the process runs."""
        return self._process.poll()

    def errors(self) -> str:
        """Return what the process wrote to standard error."""
        if not self._errors.closed:
            self._errors.seek(0)
            self._error_text = self._errors.read()
        return self._error_text

    def end(self) -> None:
        """Let the process end, or kill it."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            self._process.wait(timeout=30.0)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._thread.join()
        self.errors()
        self._errors.close()
        if self._process.stdout is not None:
            self._process.stdout.close()


@pytest.fixture
def start(command, store):
    """Return a function that starts a peer; all are ended with the test."""
    peers: list[Peer] = []

    def make(role: str, topic: str, name: str, enclave: str = '') -> Peer:
        peers.append(Peer(command, role, topic, name, store, enclave))
        return peers[-1]

    yield make
    for peer in peers:
        peer.end()


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
])
def test_an_enclave_cannot_even_open_what_it_may_not_use(start, role, topic, enclave):
    assert start(role, topic, 'x', enclave).exit_code() == NO_ENDPOINT


@pytest.mark.parametrize('service', ['clear_emergency_stop', 'set_parameters', 'change_state'])
def test_a_policy_cannot_ask_what_only_people_may(start, command, service):
    if command[-1] == str(NODE):
        pytest.skip('a topic of ROS cannot have the name of a service; the plain peer shows it')
    assert start('write', f'rq/wm_gate/{service}Request', 'x', POLICY).exit_code() == NO_ENDPOINT
    start('write', f'rq/wm_gate/{service}Request', 'x', OPERATOR).wait_for('ready')


def test_an_enclave_without_its_key_does_not_start(start, store):
    (store.directory(BROKEN) / 'key.pem').unlink(missing_ok=True)
    assert start('read', VERDICT, 'x', BROKEN).exit_code() == NO_PARTICIPANT


def test_a_node_with_keys_and_no_plugins_does_not_start_unprotected(store):
    # Where the plugins are, the gate starts; where they are not, it must not fall back to none.
    peer = Peer([sys.executable, str(NODE)], 'read', VERDICT, 'x', store, GATE)
    wait_until(lambda: 'ready' in peer.lines or peer.poll() is not None, TIMEOUT_S,
               'it neither starts nor refuses to')
    peer.end()
    if 'ready' not in peer.lines:
        assert peer.poll() == NO_PARTICIPANT
        assert 'security libraries' in peer.errors()
