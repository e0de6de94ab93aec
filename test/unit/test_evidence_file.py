# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Files of evidence: written whole or not at all, bounded, and read as far as they can be."""

import os
import sys
import threading

import numpy as np
import pytest

pytest.importorskip('rosbags', reason="needs the data extra: pip install 'wm_ros[data]'")
pytest.importorskip('mcap', reason="needs the data extra: pip install 'wm_ros[data]'")

from evidence_files import MS, START_NS, TOPICS, Scene, definition, new, sample
from rosbags.rosbag2 import Reader

from wm_ros.data import evidence_store
from wm_ros.data.evidence import read_evidence
from wm_ros.data.evidence_buffer import EvidenceBuffer, Sample, cdr_stamp_ns
from wm_ros.data.evidence_store import Case, EvidenceStore
from wm_ros.data.evidence_writer import RECORD_TOPIC, scratch_path, write_evidence
from wm_ros.errors import DatasetError
from wm_ros.inference.checkpoint import resolve_checkpoint
from wm_ros.inference.judge import Judge
from wm_ros.inference.replay import replay

TEXT = 'std_msgs/msg/String'


@pytest.fixture(scope='module')
def scene():
    judge = Judge.load(resolve_checkpoint('default'))
    yield Scene(judge)
    judge.close()


def text_sample(text, at_ns=START_NS, topic='/text'):
    return sample(topic, TEXT, at_ns, new(TEXT, data=text))


def make_case(number, *, kilobytes=20):
    """Make a case of noise, which does not compress."""
    noise = np.random.default_rng(number).integers(0, 16, 2000 * kilobytes)
    return Case(name=f'evidence_{number:03d}', record={'version': 1}, definitions={
        TEXT: definition(TEXT)}, samples=[text_sample(''.join(f'{v:x}' for v in noise))])


def put(store, case):
    """Hand over a case as soon as there is room."""
    while not store.submit(case):
        threading.Event().wait(0.01)


def test_the_buffer_forgets_by_age():
    buffer = EvidenceBuffer(span_s=1.0, max_bytes=10**6)
    for k in range(30):
        buffer.add(text_sample(str(k)), k * 100 * MS)
    assert len(buffer) == 11
    assert len(buffer.since(2_800 * MS)) == 2
    buffer.trim(10_000 * MS)
    assert (len(buffer), buffer.num_bytes, buffer.num_short) == (0, 0, 0)


def test_the_buffer_forgets_the_oldest_when_memory_is_short_and_says_so():
    size = len(text_sample('x' * 99).data)
    buffer = EvidenceBuffer(span_s=100.0, max_bytes=3 * size)
    for k in range(5):
        buffer.add(text_sample('x' * 99, START_NS + k), k)
    assert [item.stamp_ns - START_NS for item in buffer.since(0)] == [2, 3, 4]
    assert buffer.num_short == 2
    assert buffer.num_bytes == 3 * size


def test_a_stamp_is_read_from_the_bytes(scene):
    data = sample('/j', 'sensor_msgs/msg/JointState', 0, scene.joints_message(START_NS + 5)).data
    assert cdr_stamp_ns(data) == START_NS + 5
    swapped = b'\0\0\0\0' + data[4:8][::-1] + data[8:12][::-1]
    assert cdr_stamp_ns(swapped) == START_NS + 5
    with pytest.raises(ValueError, match='3 bytes has no header'):
        cdr_stamp_ns(b'abc')


def test_what_was_written_is_read_again(scene, tmp_path):
    path = scene.write(tmp_path / 'a.mcap')
    evidence = read_evidence(path)
    assert evidence.problems == []
    assert evidence.cameras == ('front',)
    assert evidence.picture_stamps('front') == list(scene.images)
    stamp = evidence.picture_stamps('front')[4]
    np.testing.assert_array_equal(
        evidence.picture('front', stamp).data, scene.images[stamp].reshape(-1))
    assert list(evidence.joints) == scene.joint_stamps
    assert evidence.verdicts[7].risk == pytest.approx(scene.verdict.risk)
    assert evidence.record['parameters']['wm_gate'] == {'mode': 'enforce'}
    assert list(tmp_path.iterdir()) == [path]


def test_the_file_is_a_bag_for_others(scene, tmp_path):
    path = scene.write(tmp_path / 'a.mcap')
    with Reader(path) as reader:
        assert reader.topics[RECORD_TOPIC].msgcount == 1
        assert reader.topics[TOPICS['verdict']].msgtype == 'wm_ros/msg/Verdict'
        assert reader.message_count == len(scene.samples()) + 1
        stamps = [stamp for _, stamp, _ in reader.messages()]
    assert stamps == sorted(stamps)


def test_a_type_without_definition_is_refused_and_nothing_is_left(tmp_path):
    with pytest.raises(DatasetError, match='no definition of std_msgs/msg/String'):
        write_evidence(tmp_path / 'a.mcap', {}, [text_sample('a')], {})
    assert list(tmp_path.iterdir()) == []


def test_a_failed_write_leaves_nothing(tmp_path):
    bad = Sample('/text', TEXT, -1, b'')
    with pytest.raises(Exception, match=r'.'):
        write_evidence(tmp_path / 'a.mcap', {}, [bad], {TEXT: definition(TEXT)})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize('seed', range(8))
def test_a_file_cut_anywhere_gives_what_is_readable_or_a_clear_error(scene, tmp_path, seed):
    data = scene.write(tmp_path / 'a.mcap').read_bytes()
    rng = np.random.default_rng(seed)
    told = []
    for cut in [*rng.integers(0, len(data), 12), *range(seed, 80, 8)]:
        path = tmp_path / f'cut_{cut}.mcap'
        path.write_bytes(data[:cut])
        try:
            evidence = read_evidence(path)
        except DatasetError as error:
            told.append((str(path), str(error)))
            continue
        assert any('what came before it is kept' in text for text in evidence.problems)
        assert len(evidence.picture_stamps('front')) >= 30 * (cut - 80_000) // len(data)
        for stamp in evidence.picture_stamps('front'):
            assert stamp in scene.images
    assert told
    assert all(path in text for path, text in told)


@pytest.mark.parametrize('seed', range(8))
def test_flipped_bytes_never_escape_as_anything_but_a_clear_error(scene, tmp_path, seed):
    data = scene.write(tmp_path / 'a.mcap').read_bytes()
    rng, told = np.random.default_rng(100 + seed), []
    for k in range(12):
        broken = bytearray(data)
        for place in rng.integers(0, len(data) if k % 2 else 400, 1 + k):
            broken[place] = rng.integers(0, 256)
        path = tmp_path / f'flip_{k}.mcap'
        path.write_bytes(bytes(broken))
        try:
            evidence = read_evidence(path)
            for stamp in evidence.picture_stamps('front')[:3]:
                evidence.picture('front', stamp)
            replay(evidence, scene.judge, [7], tolerance=0.0)
        except DatasetError as error:
            told.append((str(path), str(error)))
    assert all(path in text for path, text in told)


def test_a_damaged_chunk_costs_its_own_messages_only(scene, tmp_path):
    path = scene.write(tmp_path / 'a.mcap')
    data = bytearray(path.read_bytes())
    for place in range(len(data) // 3, len(data) // 3 + 40):
        data[place] ^= 0x55
    path.write_bytes(bytes(data))
    evidence = read_evidence(path)
    assert any('chunks are damaged' in text for text in evidence.problems)
    assert 20 <= len(evidence.picture_stamps('front')) < 30
    (found,) = replay(evidence, scene.judge, [7], tolerance=0.0)
    assert found.is_equal


def test_the_end_cut_off_still_replays(scene, tmp_path):
    path = scene.write(tmp_path / 'a.mcap')
    data = path.read_bytes()
    path.write_bytes(data[:-200])
    evidence = read_evidence(path)
    assert evidence.problems
    (found,) = replay(evidence, scene.judge, [7], tolerance=0.0)
    assert found.is_equal


@pytest.mark.parametrize(('record', 'text'), [
    ({'version': 99}, 'version 99'), ({'topics': 3}, 'names no topics'),
    ({'topics': {'cameras': {}}}, 'names no topics')])
def test_a_record_that_cannot_be_used_is_told(scene, tmp_path, record, text):
    path = scene.write(tmp_path / 'a.mcap', **record)
    with pytest.raises(DatasetError, match=text):
        read_evidence(path)


def test_another_bag_is_told_from_evidence(tmp_path):
    from bag_rig import BagRig
    with BagRig(tmp_path / 'bag') as rig:
        rig.joints([1.0, 2.0], 1000)
    with pytest.raises(DatasetError, match='wm_evidence did not write it'):
        read_evidence(*(tmp_path / 'bag').glob('*.mcap'))


def test_the_oldest_files_make_room(tmp_path):
    size = write_evidence(tmp_path / 'size.mcap', {'version': 1}, make_case(0).samples,
                          make_case(0).definitions)
    written = []
    store = EvidenceStore(tmp_path / 'out', max_bytes=round(3.5 * size),
                          on_written=written.append)
    foreign = tmp_path / 'out' / 'notes.txt'
    foreign.write_text('x' * 10 * size)
    for number in range(7):
        put(store, make_case(number))
    store.close()
    assert [path.stem for path in store.files()] == [
        'evidence_004', 'evidence_005', 'evidence_006']
    assert [path.stem for path in written] == [f'evidence_{k:03d}' for k in range(7)]
    assert (store.num_written, store.num_removed, store.problem) == (7, 4, '')
    assert store.num_bytes == sum(path.stat().st_size for path in store.files())
    assert foreign.exists()


def test_a_directory_over_its_limit_is_trimmed_at_the_start(tmp_path):
    store = EvidenceStore(tmp_path, max_bytes=10**9)
    for number in range(4):
        put(store, make_case(number))
    store.close()
    size = store.num_bytes // 4
    EvidenceStore(tmp_path, max_bytes=2 * size + size // 2).close()
    assert [path.stem for path in store.files()] == ['evidence_002', 'evidence_003']


def test_a_case_larger_than_the_limit_is_told_and_keeps_the_others(tmp_path):
    store = EvidenceStore(tmp_path, max_bytes=100_000)
    put(store, make_case(0))
    put(store, make_case(1, kilobytes=500))
    store.close()
    assert [path.stem for path in store.files()] == ['evidence_000']
    assert 'evidence_001 is lost' in store.problem
    assert 'raise max_disk_mb' in store.problem


def test_a_slow_disk_costs_cases_and_no_time(tmp_path, monkeypatch):
    release, begun = threading.Event(), threading.Event()

    def slow(*arguments):
        begun.set()
        release.wait(20)
        return write_evidence(*arguments)

    monkeypatch.setattr(evidence_store, 'write_evidence', slow)
    store = EvidenceStore(tmp_path, max_bytes=10**9)
    assert store.submit(make_case(0))
    assert begun.wait(10)
    assert [store.submit(make_case(k)) for k in range(1, 5)] == [True, True, False, False]
    assert store.num_lost == 2
    assert 'evidence_004 is lost: the disk is 2 files behind' in store.problem
    release.set()
    store.close()
    assert store.num_written == 3


def test_a_full_disk_is_told_and_the_next_case_is_tried(tmp_path, monkeypatch):
    def full(*arguments):
        raise OSError(28, 'No space left on device')

    monkeypatch.setattr(evidence_store, 'write_evidence', full)
    store = EvidenceStore(tmp_path, max_bytes=10**9)
    store.submit(make_case(0))
    store.close()
    assert 'No space left on device' in store.problem
    assert store.num_lost == 1


def test_without_its_library_it_does_not_start(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, 'mcap.writer', None)
    with pytest.raises(DatasetError, match='pip install mcap'):
        EvidenceStore(tmp_path, max_bytes=10**9)


def test_what_a_killed_process_left_is_removed_but_not_what_a_running_one_writes(tmp_path):
    mine = scratch_path(tmp_path / 'evidence_1.mcap')
    dead = tmp_path / '.evidence_2.mcap.4194999.tmp'
    for path in (mine, dead):
        path.write_text('half')
    assert str(os.getpid()) in mine.name
    EvidenceStore(tmp_path, max_bytes=10**9).close()
    assert mine.exists()
    assert not dead.exists()
