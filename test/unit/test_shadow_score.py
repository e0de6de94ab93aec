# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Scoring a shadow recording: figures by hand, real bags, what cannot be scored."""

import json

import numpy as np
import pytest

pytest.importorskip('rosbags', reason="needs the data extra: pip install 'wm_ros[data]'")
pytest.importorskip('mcap', reason="needs the data extra: pip install 'wm_ros[data]'")

from bag_rig import header, picture, time
from evidence_files import MS, START_NS, definition, new, sample
from tiny_checkpoint import make_episode

from wm_ros.cli import main
from wm_ros.data.bag_reader import CONTACTS_DEFINITION, CONTACTS_TYPE
from wm_ros.data.episode import encode_frame
from wm_ros.data.evidence_writer import write_evidence
from wm_ros.data.problems import Problems
from wm_ros.data.shadow_recording import ShadowCommand, read_shadow, shadow_bags
from wm_ros.datatypes import Decision, Reason
from wm_ros.errors import CalibrationError, DatasetError
from wm_ros.training.shadow_score import Matched, Scored, chosen_threshold, match, score_figures

S = 1_000_000_000
IMAGE, JOINTS = 'sensor_msgs/msg/CompressedImage', 'sensor_msgs/msg/JointState'


def command(number, at_s, risk, decision=Decision.OK, **changes):
    values = {'chunk_id': number, 'stamp_ns': S + round(at_s * S), 'risk': risk,
              'decision': decision, 'horizon_s': 0.5, **changes}
    return ShadowCommand(**values)


def scored(risks, hazards, *, threshold=0.5, group=lambda k: k):
    return Matched(scored=[Scored(
        command(k, k, risk, Decision.VETO if risk >= threshold else Decision.OK), 0, group(k),
        0.3 if hazard else np.inf)
        for k, (risk, hazard) in enumerate(zip(risks, hazards, strict=True))])


def test_what_followed_each_command_is_found_by_hand():
    """The episode goes from 1 s to 2.9 s, its hazard is 1.0 s after the start."""
    episode = make_episode(frames=20, hazard_at=1.0)
    commands = [command(1, 0.3, 0.1), command(2, 0.6, 0.9), command(3, 1.05, 0.9),
                command(4, 1.2, 0.1), command(5, 1.6, 0.1), command(6, 9.0, 0.1),
                command(7, 0.7, float('nan'), None, horizon_s=0.0)]
    matched = Matched()
    match(commands, [episode], 3, matched)
    found = {item.command.chunk_id: item.hazard_s for item in matched.scored}
    assert found == {1: np.inf, 2: pytest.approx(0.4), 4: np.inf, 7: pytest.approx(0.3)}
    assert matched.left_out == {'began in contact': 1, 'its end was not recorded': 1,
                                'no joint states around it': 1}


def test_shares_counts_and_thresholds_are_those_worked_out_by_hand():
    """Hazards at 0.9, 0.6, 0.32; safe ones at 0.1 to 0.55 in steps of 0.05: one over 0.5."""
    risks = [0.9, 0.6, 0.32, *np.arange(2, 12) * 0.05]
    matched = scored(risks, [True] * 3 + [False] * 10, threshold=0.52)
    figures = score_figures(matched, repeats=50)
    assert (figures['commands'], figures['hazards'], figures['would_have_refused']) == (13, 3, 3)
    assert figures['false_veto_count'] == [1, 10]
    assert figures['caught_count'] == [2, 3]
    assert figures['rightly_count'] == [2, 3]
    assert figures['caught'] == pytest.approx(2 / 3)
    low, high = figures['rightly_ci95']
    assert low <= 0.094 + 1e-3  # Clopper-Pearson of 2 of 3: 0.094 to 0.992
    assert high >= 0.991
    assert figures['decisions']['VETO'] == 3
    # 0.9 and 0.6 are above all safe ones, 0.32 is above five.
    assert figures['auroc'] == pytest.approx((10 + 10 + 5) / 30)
    row = next(row for row in figures['thresholds'] if row['name'].startswith('90 %'))
    assert row['threshold'] == pytest.approx(0.32)
    assert row['caught'] == 1.0
    assert row['false_veto_count'] == [5, 10]
    json.dumps(figures, allow_nan=False)


def test_the_chosen_threshold_vetoes_no_more_safe_commands_than_was_asked_for():
    rng = np.random.default_rng(0)
    risk = np.concatenate([rng.uniform(0, 0.6, 400), rng.uniform(0.4, 1, 50)])
    hazard = np.arange(450) >= 400
    row = chosen_threshold(risk, hazard, np.arange(450), 0.02, 20)
    safe = np.sort(risk[:400])
    # The conformal rank of 400 scores at 2 %: ceil(401 * 0.98) = 393, so 7 are above.
    assert row['false_veto_count'] == [7, 400]
    assert safe[392] < row['threshold'] <= safe[393]
    assert row['caught'] == pytest.approx((risk[400:] > safe[392]).mean())
    assert row['upper_bound'] == pytest.approx(0.0326, abs=5e-4)


def test_too_few_safe_commands_for_a_wanted_share_are_told():
    with pytest.raises(CalibrationError, match=r'20 safe commands cannot support.*29 more'):
        chosen_threshold(np.linspace(0, 1, 20), np.zeros(20, bool), np.arange(20), 0.02, 10)


def test_commands_of_one_block_widen_the_interval():
    risks = [0.9] * 20 + [0.1] * 20
    alone = score_figures(scored(risks, [False] * 40), repeats=200)['false_veto_ci95']
    together = score_figures(scored(risks, [False] * 40, group=lambda k: k // 10),
                             repeats=200)['false_veto_ci95']
    assert together[0] < alone[0]
    assert together[1] > alone[1]


def test_late_and_missing_verdicts_count_as_refused():
    matched = scored([0.1, 0.1, 0.1], [False] * 3)
    base = matched.scored
    matched.scored = [
        Scored(command(1, 0, 0.1, is_late=True), 0, 0, np.inf),
        Scored(command(2, 0, float('nan'), None), 0, 1, np.inf), base[2]]
    figures = score_figures(matched, repeats=10)
    assert (figures['would_have_refused'], figures['late'], figures['without_verdict']) == (
        2, 1, 1)


def write_bag(path, *, enforcing=False, hazard_ms=(3000,), risks=None, frames=True):
    """Write 8 s of a camera, joints, contacts and a command each 500 ms."""
    risks = risks or {k: 0.9 if 2200 <= 500 * k < 3000 else 0.1 for k in range(14)}
    samples = []
    for at in range(0, 8000, 50):
        stamp = START_NS + at * MS
        samples.append(sample('/joint_states', JOINTS, stamp, new(
            JOINTS, header=header(stamp), name=['a'], position=np.array([at / 1e4]),
            velocity=np.zeros(0), effort=np.zeros(0))))
        if at in hazard_ms:
            samples.append(sample_contacts(stamp - MS))
        if at % 100 == 0:
            samples.append(sample('/camera/image_raw', IMAGE, stamp, new(
                IMAGE, header=header(stamp), format='jpeg',
                data=np.frombuffer(encode_frame(picture(at // 100)), np.uint8))))
    for k, risk in risks.items():
        stamp = START_NS + (500 * k + 210) * MS
        samples.append(sample('/wm_gate/action_chunk', 'wm_ros/msg/ActionChunk', stamp, new(
            'wm_ros/msg/ActionChunk', header=header(stamp), chunk_id=k + 1, source='policy',
            trajectory=new('trajectory_msgs/msg/JointTrajectory', header=header(0)),
            start_state=new(JOINTS, header=header(0)), digest=np.zeros(16, np.uint8),
            decide_by=time(stamp))))
        decision = Decision.VETO if risk > 0.5 else Decision.OK
        samples.append(sample('/wm_predictor/verdict', 'wm_ros/msg/Verdict', stamp + MS, new(
            'wm_ros/msg/Verdict', header=header(stamp), chunk_id=k + 1, risk=risk, horizon=0.8,
            decision=int(decision), reasons=int(Reason.RISK), model_id='m-0',
            digest=np.zeros(16, np.uint8), valid_until=time(stamp),
            observation_stamp=time(stamp - 9 * MS), joint_stamp=time(stamp))))
        if frames:
            jpeg = new(IMAGE, header=header(stamp), format='jpeg',
                       data=np.frombuffer(encode_frame(picture(200)), np.uint8))
            samples.append(sample(
                '/wm_predictor/prediction', 'wm_ros/msg/Prediction', stamp + 2 * MS, new(
                    'wm_ros/msg/Prediction', header=header(stamp), chunk_id=k + 1,
                    offsets=np.arange(1, 9) * 0.1, frames=[jpeg] * 8,
                    risk=np.linspace(0, risk, 8, dtype=np.float32),
                    uncertainty=np.zeros(8, np.float32))))
    samples.append(sample('/wm_gate/action_chunk', 'wm_ros/msg/ActionChunk', START_NS, new(
        'wm_ros/msg/ActionChunk', header=header(START_NS), chunk_id=99, source='probe',
        trajectory=new('trajectory_msgs/msg/JointTrajectory', header=header(0)),
        start_state=new(JOINTS, header=header(0)), digest=np.zeros(16, np.uint8),
        decide_by=time(START_NS))))
    samples.append(sample('/wm_gate/state', 'wm_ros/msg/GateState', START_NS, new(
        'wm_ros/msg/GateState', header=header(START_NS), enforcing=enforcing, would_hold=True)))
    definitions = {item.type: CONTACTS_TEXT if item.type == CONTACTS_TYPE
                   else definition(item.type) for item in samples}
    write_evidence(path, {'version': 1}, samples, definitions)
    return path


CONTACTS_TEXT = CONTACTS_DEFINITION + (
    '=' * 80 + '\nMSG: std_msgs/Header\nbuiltin_interfaces/Time stamp\nstring frame_id\n'
    + '=' * 80 + '\nMSG: builtin_interfaces/Time\nint32 sec\nuint32 nanosec\n')


def sample_contacts(stamp_ns):
    from wm_ros.data.bag_reader import typestore
    from wm_ros.data.evidence_buffer import Sample
    message = typestore().types[CONTACTS_TYPE](
        header=header(stamp_ns), hazard=True, pairs=['arm|table'], forces=np.ones(1))
    return Sample('/contacts', CONTACTS_TYPE, stamp_ns,
                  bytes(typestore().serialize_cdr(message, CONTACTS_TYPE)))


def test_a_bag_is_scored_with_tables_figures_and_film_strips(tmp_path, capsys):
    bag, out, page = write_bag(tmp_path / 'a.mcap'), tmp_path / 'o.json', tmp_path / 'o.html'
    assert main(['score', str(bag), '--hazard', '/contacts', '--json', str(out),
                 '--report', str(page), '--bootstrap', '20']) == 0
    figures = json.loads(out.read_text())
    # Commands at 2.21 and 2.71 s are followed by the contact at 3.0 s within 0.8 s.
    assert (figures['commands'], figures['hazards'], figures['would_have_refused']) == (14, 2, 1)
    assert figures['caught_count'] == [1, 2]
    assert figures['false_veto_count'] == [0, 12]
    assert figures['would_hold_share'] == 1.0
    assert figures['models'] == ['m-0']
    text = page.read_text()
    assert text.count('data:image/png') >= 2 * (3 + 8 + 8)
    assert 'Hazard that was let through' in text
    assert 'foreseen' in text
    assert 'src="http' not in text
    assert '<link' not in text
    assert 'hazards caught' in capsys.readouterr().out


def test_a_directory_of_bags_is_one_score(tmp_path, capsys):
    write_bag(tmp_path / 'a.mcap')
    write_bag(tmp_path / 'b.mcap', frames=False, hazard_ms=())
    out = tmp_path / 'o.json'
    assert [path.name for path in shadow_bags(tmp_path)] == ['a.mcap', 'b.mcap']
    assert main(['score', str(tmp_path), '--hazard', '/contacts', '--json', str(out),
                 '--bootstrap', '20']) == 1
    assert 'b.mcap: has no topic /contacts' in capsys.readouterr().err
    assert json.loads(out.read_text())['recordings'] == 1


def test_a_wanted_false_veto_rate_gives_a_threshold_or_says_how_much_more_is_needed(
        tmp_path, capsys):
    bag, out = write_bag(tmp_path / 'a.mcap'), tmp_path / 'o.json'
    arguments = ['score', str(bag), '--hazard', '/contacts', '--bootstrap', '20']
    assert main([*arguments, '--false-veto', '0.02']) == 1
    assert '12 safe commands cannot support --false-veto 0.02' in capsys.readouterr().err
    assert main([*arguments, '--false-veto', '0.1', '--json', str(out)]) == 0
    chosen = json.loads(out.read_text())['chosen']
    assert chosen['wanted_false_veto'] == 0.1
    assert 0.1 < chosen['threshold'] < 0.2


def test_a_recording_of_an_enforcing_gate_is_refused(tmp_path, capsys):
    bag = write_bag(tmp_path / 'a.mcap', enforcing=True)
    assert main(['score', str(bag), '--hazard', '/contacts']) == 1
    assert 'record with mode shadow' in capsys.readouterr().err


def test_a_bag_without_verdicts_says_what_to_record(tmp_path):
    from bag_rig import BagRig, write_plain
    with BagRig(tmp_path / 'bag') as rig:
        write_plain(rig)
    with pytest.raises(DatasetError, match=r'no topic of type wm_ros/msg/ActionChunk; record'):
        read_shadow(tmp_path / 'bag', Problems())


def test_interval_files_label_hazards_as_in_other_verbs(tmp_path):
    bag, out = write_bag(tmp_path / 'a.mcap', hazard_ms=()), tmp_path / 'o.json'
    intervals = tmp_path / 'i.csv'
    intervals.write_text('start,end,kind\n5.0,5.2,spill\n')
    assert main(['score', str(bag), '--label-intervals', str(intervals), '--json', str(out),
                 '--bootstrap', '20']) == 0
    assert json.loads(out.read_text())['hazards'] == 2
