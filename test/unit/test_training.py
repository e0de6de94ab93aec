# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Training: resumes to the bit, refuses other settings, says when the loss is not finite."""

import dataclasses

import numpy as np
import pytest

torch = pytest.importorskip('torch', reason="needs the train extra: pip install 'wm_ros[train]'")

from tiny_checkpoint import make_episode, tiny_config  # noqa: E402

from wm_ros.data.windows import cut_windows, join_windows  # noqa: E402
from wm_ros.errors import CheckpointError, WorldModelError  # noqa: E402
from wm_ros.training.baseline import baseline_risk, train_baseline  # noqa: E402
from wm_ros.training.config import TrainConfig  # noqa: E402
from wm_ros.training.losses import frame_loss, hazard_loss  # noqa: E402
from wm_ros.training.observer import Observer  # noqa: E402
from wm_ros.training.trainer import Trainer  # noqa: E402


def make_windows():
    return join_windows([
        cut_windows(make_episode(hazard_at=at), tiny_config(), number=number)
        for number, at in enumerate((None, 0.8, 1.2))])


def make_trainer(out, **changes):
    settings = TrainConfig(**{'steps': 6, 'batch_size': 16, 'threads': 1, **changes})
    windows = make_windows()
    return Trainer(windows, windows, tiny_config(), settings, out)


def weights(trainer):
    return {**{f'm.{k}': v for k, v in trainer.model.state_dict().items()},
            **{f'a.{k}': v for k, v in trainer.average.state_dict().items()}}


def test_a_stopped_run_goes_on_to_the_bit(tmp_path):
    whole = make_trainer(tmp_path / 'whole')
    whole.run()
    make_trainer(tmp_path / 'parts').run(stop_at=3)
    resumed = make_trainer(tmp_path / 'parts')
    assert resumed.step == 3
    resumed.run()
    one, two = weights(whole), weights(resumed)
    assert one.keys() == two.keys()
    for name, value in one.items():
        assert torch.equal(value, two[name]), name


def test_other_settings_and_damage_are_refused(tmp_path):
    make_trainer(tmp_path).run(stop_at=1)
    with pytest.raises(CheckpointError, match=r'learning_rate.*0\.5'):
        make_trainer(tmp_path, learning_rate=0.5)
    state = tmp_path / 'train_state.safetensors'
    state.write_bytes(state.read_bytes()[:500])
    with pytest.raises(CheckpointError, match='not a whole training state'):
        make_trainer(tmp_path)


def test_a_loss_that_is_not_finite_stops_with_the_last_good_state(tmp_path):
    trainer = make_trainer(tmp_path)
    trainer.run(stop_at=2)
    with torch.no_grad():
        trainer.model.hazard.norm.weight[0] = float('nan')
    with pytest.raises(WorldModelError, match='not finite at step 2'):
        trainer.run()
    assert make_trainer(tmp_path).step == 2


def test_training_lowers_the_loss(tmp_path):
    losses = []

    class Listener(Observer):
        def on_step(self, step, parts):
            losses.append(float(parts.total))

    make_trainer(tmp_path, steps=40, warmup_steps=5).run(Listener())
    assert np.mean(losses[-8:]) < 0.8 * np.mean(losses[:8])


def test_losses_by_hand():
    still = torch.full((1, 3, 2, 2), 0.5)
    target = still.clone()
    target[..., 0, 0] = 0.9
    # One moving pixel of four: error 0.4, weight 5, 0.5 * 0.4 + 5 * 0.16 = 1.0.
    assert float(frame_loss(still, target, still, 4.0)) == pytest.approx(5 / 4, abs=1e-6)
    logits = torch.zeros(1, 2, 2)
    found = hazard_loss(logits, torch.tensor([[0.0, 1.0]]), torch.tensor([[1.0, 0.0]]))
    assert float(found) == pytest.approx(np.log(2), abs=1e-6)
    nothing = hazard_loss(logits, torch.zeros(1, 2), torch.zeros(1, 2))
    assert float(nothing) == 0


def test_the_kinematic_baseline_learns_and_runs_without_torch():
    windows = make_windows()
    config = tiny_config()
    weights = train_baseline(windows, config, seed=0, epochs=200)
    risk = baseline_risk(weights, windows, config)
    assert risk.shape == (len(windows), 5)
    assert (np.diff(risk, axis=1) >= 0).all()
    hazard = windows.hazard_by_step(config.step_s)[:, -1] & ~windows.in_contact
    assert risk[hazard, -1].mean() > risk[~hazard & ~windows.in_contact, -1].mean()


@pytest.mark.parametrize(('change', 'message'), [
    ({'steps': 0}, 'steps = 0'), ({'hazard_share': 1.0}, 'hazard_share = 1.0'),
    ({'learning_rate': float('nan')}, 'learning_rate'), ({'batch_size': 2.5}, 'batch_size'),
    ({'accumulate': 0}, 'accumulate = 0'), ({'clip_norm': 0.0}, 'clip_norm = 0.0'),
    ({'ema_decay': 1.0}, 'ema_decay = 1.0'), ({'spike_factor': 1.0}, 'spike_factor = 1.0'),
])
def test_settings_that_cannot_train_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(TrainConfig(), **change)
