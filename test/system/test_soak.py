# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A soak of a few seconds over real DDS with the shipped checkpoint: counts, never times."""

import json

import pytest

pytest.importorskip('psutil', reason="needs the bench extra: pip install 'wm_ros[bench]'")

from wm_ros.cli import main  # noqa: E402

MINUTES, RATE_HZ = 0.15, 20.0


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_a_short_soak_counts_every_command_and_releases_nothing_unsafe(tmp_path, capsys):
    path = tmp_path / 'soak.json'
    code = main(['faults', 'soak', '--minutes', str(MINUTES), '--rate', str(RATE_HZ),
                 '--json', str(path), '--output', str(tmp_path / 'out')])
    text = capsys.readouterr().out
    found = json.loads(path.read_text())
    assert found['is_complete'], text
    assert found['unsafe_releases'] == 0, found['unsafe']
    wanted = round(MINUTES * 60 * RATE_HZ)
    # More may be sent before the word to stop has come to the policy.
    assert wanted <= found['commands'] < wanted + 2 * RATE_HZ
    assert found['commands'] == sum(found[name] for name in (
        'released', 'refused', 'late', 'dropped', 'withheld'))
    assert found['held'] is (code == 0)
    assert found['rss_slope_percent_per_h'] == {'wm_gate': None, 'wm_predictor': None}
    (part,) = found['parts']
    assert all(part['processes'][name]['rss_mib'] > 10 for name in ('wm_gate', 'wm_predictor'))
    assert 'unsafe releases: 0' in text
