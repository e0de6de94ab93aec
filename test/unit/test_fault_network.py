# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The cable between two network namespaces: what is asked of ``ip``, and what a host may lack."""

import subprocess

import pytest

from wm_ros.faults import network
from wm_ros.faults.fault import NotMeasured
from wm_ros.faults.network import Cable, plug


@pytest.fixture
def asked(monkeypatch):
    """Note what ``ip`` is asked for; it does nothing and refuses what starts as ``refused``."""
    lines, refused = [], []

    def run(command, **_settings):
        lines.append(' '.join(command[1:]))
        code = int(any(lines[-1].startswith(words) for words in refused))
        return subprocess.CompletedProcess(command, code, '', 'Operation not permitted\n')

    monkeypatch.setattr(network.shutil, 'which', lambda _name, path: '/sbin/ip')
    monkeypatch.setattr(network.subprocess, 'run', run)
    return lines, refused


def test_both_ends_are_in_namespaces_and_both_are_removed(asked):
    lines, _ = asked
    with Cable() as cable:
        here, there = cable.here, cable.there
        plug(there, is_in=False)
    assert here != there
    assert max(len(here), len(there)) <= 15, 'Linux takes no longer name of an interface'
    assert f'link add {here} netns {here} type veth peer name {there} netns {there}' in lines
    assert lines[-3:] == [f'-n {there} link set {there} down', f'netns delete {here}',
                          f'netns delete {there}']


def test_a_host_without_the_privilege_is_said_in_words_and_nothing_stays(asked):
    lines, refused = asked
    refused.append('link add')
    words = "the privilege to make them: 'ip link add .*permitted"
    with pytest.raises(NotMeasured, match=words), Cable():
        pytest.fail('there is no cable')
    assert [line.split()[1] for line in lines[-2:]] == ['delete', 'delete']


def test_a_host_without_ip_is_told_what_to_install(monkeypatch):
    monkeypatch.setattr(network.shutil, 'which', lambda _name, path: None)
    with pytest.raises(NotMeasured, match='install iproute2'), Cable():
        pytest.fail('there is no cable')
