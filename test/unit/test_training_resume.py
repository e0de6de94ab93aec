# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A run survives a kill at any moment, a damaged file and pieces of any length."""

import signal
import time

import pytest

torch = pytest.importorskip('torch', reason="needs the train extra: pip install 'wm_ros[train]'")

from training_rig import Recorder, make_trainer, start_python, weights  # noqa: E402

from wm_ros.errors import CheckpointError  # noqa: E402
from wm_ros.training.state import PREVIOUS_FILE, STATE_FILE, locked  # noqa: E402

KILLED_IN_A_STEP = '''
import os, pathlib, signal, sys
from training_rig import Recorder, make_trainer

class Killer(Recorder):
    def on_step(self, step, losses):
        if step == 4:
            os.kill(os.getpid(), signal.SIGKILL)

make_trainer(pathlib.Path(sys.argv[1]), checkpoint_every_s=0).run(Killer())
'''

# The first save renames once, each later one twice: the newest to the previous, the new one to
# the newest. The fifth renaming is the one that would have shown the state of step 3.
KILLED_BEFORE_A_RENAME = '''
import os, pathlib, signal, sys
from training_rig import make_trainer
trainer = make_trainer(pathlib.Path(sys.argv[1]), checkpoint_every_s=0)
rename, calls = pathlib.Path.replace, []

def replace(path, target):
    calls.append(path)
    if len(calls) == int(sys.argv[2]):
        os.kill(os.getpid(), signal.SIGKILL)
    return rename(path, target)

pathlib.Path.replace = replace
trainer.run()
'''


@pytest.fixture(scope='module')
def whole(tmp_path_factory):
    """Return the weights of a run that nothing interrupted."""
    trainer = make_trainer(tmp_path_factory.mktemp('whole'))
    trainer.run()
    return weights(trainer)


def assert_same(found, wanted):
    assert found.keys() == wanted.keys()
    for name, value in wanted.items():
        assert torch.equal(value, found[name]), name


@pytest.mark.timeout(600)
@pytest.mark.parametrize(('code', 'argument', 'step'), [
    (KILLED_IN_A_STEP, '', 3), (KILLED_BEFORE_A_RENAME, '4', 2),
    (KILLED_BEFORE_A_RENAME, '5', 2)])
def test_a_killed_run_goes_on_to_the_bit(tmp_path, whole, code, argument, step):
    with start_python(code, tmp_path, argument) as process:
        _, errors = process.communicate()
    assert process.returncode == -signal.SIGKILL, errors
    resumed = make_trainer(tmp_path, checkpoint_every_s=0)
    assert (resumed.step, resumed.warning) == (step, '')
    resumed.run()
    assert_same(weights(resumed), whole)
    assert not list(tmp_path.glob('.*.tmp'))


def test_pieces_that_end_in_time_add_up_to_the_whole(tmp_path, whole):
    for piece in range(6):
        trainer = make_trainer(tmp_path)
        assert trainer.step == piece
        # The time is up at once, yet each piece does one step and saves it.
        trainer.run(deadline=time.monotonic())
    assert trainer.is_done
    assert_same(weights(make_trainer(tmp_path)), whole)


def test_a_piece_with_time_to_spare_does_not_stop(tmp_path):
    trainer = make_trainer(tmp_path)
    trainer.run(deadline=time.monotonic() + 3600)
    assert trainer.is_done


def test_a_request_to_stop_ends_after_the_step_with_the_state_saved(tmp_path):
    trainer = make_trainer(tmp_path)

    class Stopper(Recorder):
        def on_step(self, step, losses):
            super().on_step(step, losses)
            if step == 2:
                trainer.stop()

    heard = Stopper()
    trainer.run(heard)
    assert len(heard.losses) == 3
    assert make_trainer(tmp_path).step == 3


@pytest.mark.parametrize('how', ['truncated', 'one bit', 'no file'])
def test_a_damaged_newest_state_falls_back_to_the_one_before(tmp_path, whole, how):
    make_trainer(tmp_path).run(stop_at=2)
    make_trainer(tmp_path).run(stop_at=4)
    newest = tmp_path / STATE_FILE
    content = bytearray(newest.read_bytes())
    content[-9] ^= 1
    if how == 'no file':
        newest.unlink()
    else:
        newest.write_bytes(bytes(content) if how == 'one bit' else bytes(content[:500]))
    resumed = make_trainer(tmp_path)
    assert resumed.step == 2
    assert ('not a whole training state' in resumed.warning) == (how != 'no file')
    resumed.run()
    assert_same(weights(resumed), whole)


def test_a_run_without_a_whole_state_is_refused(tmp_path):
    make_trainer(tmp_path).run(stop_at=1)
    make_trainer(tmp_path).run(stop_at=2)
    for name in (STATE_FILE, PREVIOUS_FILE):
        (tmp_path / name).write_bytes(b'not a state')
    with pytest.raises(CheckpointError, match=f'{STATE_FILE}.*not a whole.*delete it'):
        make_trainer(tmp_path)


def test_two_runs_cannot_share_a_directory(tmp_path):
    trainer = make_trainer(tmp_path)
    with locked(tmp_path), pytest.raises(CheckpointError, match='another process trains there'):
        trainer.run()
    trainer.run(stop_at=1)
    assert make_trainer(tmp_path).step == 1


def test_settings_may_change_where_they_do_not_matter_or_where_it_is_asked_for(tmp_path):
    make_trainer(tmp_path).run(stop_at=2)
    assert make_trainer(tmp_path, log_every=3, checkpoint_every_s=5.0).step == 2
    with pytest.raises(CheckpointError, match=r'train.steps: 6 there, 8 here'):
        make_trainer(tmp_path, steps=8)
    longer = make_trainer(tmp_path, steps=8, lenient=True)
    assert longer.step == 2
    assert 'train.steps: 6 there, 8 here' in longer.warning
    longer.run()
    assert make_trainer(tmp_path, steps=8).step == 8
