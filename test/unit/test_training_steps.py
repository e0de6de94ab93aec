# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The pieces of a training step, by hand, and what a run tells of itself."""

import copy
import dataclasses
import math

import numpy as np
import pytest

torch = pytest.importorskip('torch', reason="needs the train extra: pip install 'wm_ros[train]'")

from accelerate.state import AcceleratorState  # noqa: E402
from model_rig import make_geometry  # noqa: E402
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator  # noqa: E402
from tiny_checkpoint import tiny_config  # noqa: E402
from training_rig import Recorder, make_trainer, make_windows  # noqa: E402

from wm_ros.inference.weights import load_model  # noqa: E402
from wm_ros.training.augmentation import (  # noqa: E402
    bend_colours,
    draw_curves,
    draw_fading,
    fade_colours,
)
from wm_ros.training.batches import BatchSampler  # noqa: E402
from wm_ros.training.config import TrainConfig  # noqa: E402
from wm_ros.training.losses import world_model_loss  # noqa: E402
from wm_ros.training.optimisation import (  # noqa: E402
    is_spike,
    learning_rate_at,
    next_level,
    seed_noise,
    update_average,
)
from wm_ros.training.prefetch import Prefetcher  # noqa: E402
from wm_ros.training.trainer import BEST_FILE  # noqa: E402
from wm_ros.world_model.model import WorldModel  # noqa: E402


@pytest.fixture(autouse=True)
def _fresh_accelerate():
    """Let each test choose its precision: accelerate settles it once for a process."""
    AcceleratorState._reset_state(reset_partial_state=True)
    yield
    AcceleratorState._reset_state(reset_partial_state=True)


def test_the_learning_rate_rises_and_falls_by_hand():
    config = TrainConfig(steps=12, warmup_steps=4, learning_rate=0.2)
    rates = [learning_rate_at(step, config) for step in range(13)]
    assert rates[:5] == pytest.approx([0.05, 0.1, 0.15, 0.2, 0.2])
    # Half a cosine over the eight steps after: a quarter, half and all of the way down.
    assert rates[6] == pytest.approx(0.1 * (1 + math.sqrt(0.5)))
    assert rates[8] == pytest.approx(0.1)
    assert rates[12] == pytest.approx(0.0)
    config = TrainConfig(steps=2, warmup_steps=0, learning_rate=0.2)
    assert learning_rate_at(0, config) == pytest.approx(0.2)


def test_the_average_by_hand():
    average, model = torch.nn.Linear(1, 1), torch.nn.Linear(1, 1)
    for module, value in ((average, 1.0), (model, 3.0)):
        for parameter in module.parameters():
            torch.nn.init.constant_(parameter, value)
    # Young: the decay after step 1 is 2/11, so 1 * 2/11 + 3 * 9/11.
    young = copy.deepcopy(average)
    update_average(young, model, 0.9, 1)
    assert young.weight.item() == pytest.approx(29 / 11)
    # Old: 1 * 0.9 + 3 * 0.1.
    update_average(average, model, 0.9, 1000)
    assert average.bias.item() == pytest.approx(1.2)


def test_a_spike_is_a_loss_far_above_its_level():
    assert next_level(None, 2.0) == 2.0
    assert next_level(2.0, 4.0) == pytest.approx(0.98 * 2 + 0.02 * 4)
    assert is_spike(2.0, 8.1, 60, 4.0)
    assert not is_spike(2.0, 7.9, 60, 4.0)
    assert not is_spike(2.0, 80.0, 3, 4.0)
    assert not is_spike(None, 80.0, 60, 4.0)


def test_a_spike_in_a_run_is_told_and_does_not_stop_it(tmp_path):
    trainer, heard = make_trainer(tmp_path, steps=52), Recorder()
    trainer.progress.step, trainer.progress.level = 50, 1e-3
    trainer.run(heard)
    assert trainer.is_done
    assert [step for step, _ in heard.warnings] == [50, 51]
    assert 'more than 4 times its level 0.001' in heard.warnings[0][1]


def test_accumulation_has_the_gradient_of_all_its_batches_at_once(tmp_path):
    trainer = make_trainer(tmp_path, accumulate=3, clip_norm=1e9)
    at_once, config = copy.deepcopy(trainer.model), trainer.config
    sampler = BatchSampler(make_windows(), config, tiny_config())
    totals = []
    for part in range(3):
        seed_noise(config.seed, 0, part)
        totals.append(world_model_loss(at_once, sampler.draw(0, part), config).total)
    torch.stack(totals).mean().backward()
    heard = Recorder()
    trainer.run(heard, stop_at=1)
    assert heard.losses == pytest.approx(
        [torch.stack(totals).mean().item()], rel=1e-5)
    pairs = list(zip(trainer.model.parameters(), at_once.parameters(), strict=True))
    assert sum(one.grad is not None for one, _ in pairs) > 10
    for one, two in pairs:
        assert (one.grad is None) == (two.grad is None)
        if one.grad is not None:
            torch.testing.assert_close(one.grad, two.grad, rtol=1e-4, atol=1e-6)


def test_a_step_draws_other_windows_for_each_part_and_the_same_again():
    config = TrainConfig(batch_size=8)
    sampler = BatchSampler(make_windows(), config, tiny_config())
    first, second, again = sampler.draw(3), sampler.draw(3, 1), sampler.draw(3, 0)
    assert not torch.equal(first.actions, second.actions)
    assert torch.equal(first.actions, again.actions)
    assert torch.equal(first.images, again.images)


def test_bfloat16_trains_near_full_precision(tmp_path):
    losses = {}
    for precision in ('no', 'bf16'):
        heard = Recorder()
        AcceleratorState._reset_state(reset_partial_state=True)
        make_trainer(tmp_path / precision, mixed_precision=precision).run(heard)
        losses[precision] = heard.losses
    assert losses['bf16'] == pytest.approx(losses['no'], rel=0.05)
    assert losses['bf16'] != losses['no']


def test_a_precision_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(ValueError, match="'bf17' must be one of no, bf16, fp16"):
        TrainConfig(mixed_precision='bf17')
    if not torch.cuda.is_available():
        with pytest.raises(ValueError, match="'fp16' needs a GPU"):
            make_trainer(tmp_path, mixed_precision='fp16')


def test_the_log_holds_losses_rate_norm_and_validation(tmp_path):
    heard = Recorder()
    settings = {'log_every': 2, 'validate_every': 3, 'sample_frames': 2}
    make_trainer(tmp_path, **settings).run(heard, stop_at=3)
    make_trainer(tmp_path, **settings).run(heard)
    log = EventAccumulator(str(tmp_path / 'tensorboard')).Reload()
    steps = [entry.step for entry in log.Scalars('loss/total')]
    # The second is logged by rule, the third ends the first piece.
    assert steps == [2, 3, 4, 6]
    assert [entry.value for entry in log.Scalars('loss/total')] == pytest.approx(
        [heard.losses[step - 1] for step in steps])
    rates = [entry.value for entry in log.Scalars('optimiser/learning_rate')]
    config = TrainConfig(steps=6, warmup_steps=2)
    assert rates == pytest.approx([learning_rate_at(step - 1, config) for step in steps])
    assert all(entry.value > 0 for entry in log.Scalars('optimiser/gradient_norm'))
    found = [entry.value for entry in log.Scalars('held_out/hazard_auroc')]
    assert found == pytest.approx([found.auroc for _, found in heard.validations])
    assert [step for step, _ in heard.validations] == [3, 6]
    assert set(log.Tags()['scalars']) >= {'held_out_loss/total', 'held_out_loss/hazard'}
    assert heard.validations[0][1].frames.shape == (2 * 32, 2 * 48, 3)
    assert log.Tags()['images'] == ['held_out/truth_above_prediction']


def test_the_best_weights_are_kept_until_better_ones_come(tmp_path, monkeypatch):
    from wm_ros.training import trainer as module
    from wm_ros.training.validation import Validation
    values = iter([0.7, 0.6, float('nan'), 0.8, 0.75, 0.1])
    monkeypatch.setattr(module, 'validate', lambda *_: Validation(auroc=next(values)))
    trainer = make_trainer(tmp_path, validate_every=1)
    trainer.run(stop_at=3)
    assert (trainer.progress.best, trainer.progress.best_step) == (0.7, 1)
    trainer = make_trainer(tmp_path, validate_every=1)
    trainer.run(stop_at=4)
    kept = copy.deepcopy(trainer.average)
    trainer.run()
    assert (trainer.progress.best, trainer.progress.best_step) == (0.8, 4)
    best = load_model(tmp_path / BEST_FILE, tiny_config())
    for one, two in zip(best.parameters(), kept.parameters(), strict=True):
        assert torch.equal(one, two)


@pytest.mark.parametrize('depth', [0, 1, 3])
def test_batches_drawn_ahead_are_those_drawn_one_by_one(depth):
    asked = []

    def draw(step, part):
        asked.append((step, part))
        return step, part

    batches = Prefetcher(draw, parts=[1, 3], depth=depth)
    found = [batches.draw(step, micro) for step in (5, 6) for micro in (0, 1)]
    assert found == [(5, 1), (5, 3), (6, 1), (6, 3)]
    # A run that is taken up elsewhere is drawn from there.
    assert batches.draw(40, 1) == (40, 3)
    assert len(asked) == len(set(asked))


def changed_by(path, only):
    """Return which weights of a model two steps of training a part of it change."""
    torch.manual_seed(4)
    start = WorldModel(tiny_config(geometry=make_geometry()))
    before = copy.deepcopy(start.state_dict())
    trainer = make_trainer(path, steps=2, start=start, only=only, warmup_steps=0)
    trainer.run()
    return {name for name, value in trainer.model.state_dict().items()
            if not torch.equal(value, before[name])}


def test_frames_alone_can_be_trained_and_the_rest_stays_as_it_is(tmp_path):
    changed = {name.split('.')[0] if not name.startswith('encoder.shade') else 'shade'
               for name in changed_by(tmp_path, 'frames')}
    assert changed == {'decoder', 'shade', 'log_joint_error', 'joint_error_by_risk',
                       'joint_error_shared', 'residual', 'flow'}
    with pytest.raises(ValueError, match="only = 'frames' needs a model to start from"):
        make_trainer(tmp_path / 'other', steps=2, only='frames')
    with pytest.raises(ValueError, match="'pixels' must be one of all, dynamics, frames, "
                       'obstacles, spread'):
        TrainConfig(only='pixels')


def test_the_spread_of_joints_alone_can_be_trained(tmp_path):
    assert changed_by(tmp_path, 'spread') == {
        'log_joint_error', 'joint_error_by_risk', 'joint_error_shared'}
    with pytest.raises(ValueError, match="only = 'spread' needs a model to start from"):
        make_trainer(tmp_path / 'other', steps=2, only='spread')


def test_seeing_obstacles_alone_can_be_trained(tmp_path):
    changed = changed_by(tmp_path, 'obstacles')
    assert {name.split('.')[0] for name in changed} == {'encoder', 'reach'}
    assert not [name for name in changed if name.startswith('encoder.shade')]
    assert {name.split('.')[1] for name in changed if name.startswith('reach')} == {'field'}
    with pytest.raises(ValueError, match="only = 'obstacles' needs known kinematics"):
        make_trainer(tmp_path / 'other', steps=2, only='obstacles')


def test_all_but_seeing_can_be_trained(tmp_path):
    changed = changed_by(tmp_path, 'dynamics')
    model = WorldModel(tiny_config(geometry=make_geometry()))
    seeing = {name for name, _ in model.named_parameters()
              if name.startswith(('encoder.', 'reach.field.')) and 'shade' not in name}
    assert not changed & seeing
    parts = {name.split('.')[0] for name in changed}
    assert parts >= {'actions', 'dynamics', 'hazard', 'reach', 'decoder', 'residual', 'flow',
                     'match_latent', 'encoder'}
    with pytest.raises(ValueError, match="only = 'dynamics' needs a model to start from"):
        make_trainer(tmp_path / 'other', steps=2, only='dynamics')


def test_one_window_that_trains_the_sampler_has_another_action_to_tell_apart():
    torch.manual_seed(5)
    model = WorldModel(tiny_config())
    config = TrainConfig(batch_size=8, frame_share=0.125, sample_share=0.125)
    batch = BatchSampler(make_windows(), config, model.config).draw(0)
    batch = batch._replace(actions=batch.actions + torch.arange(8.0)[:, None, None])
    heard = []
    foresee = model.foresee

    def listening(context, positions, velocities, actions):
        heard.append(actions)
        return foresee(context, positions, velocities, actions)

    model.foresee = listening
    with torch.no_grad():
        world_model_loss(model, batch, config)
    true, wrong = heard
    assert true.shape[0] == 8
    moved = wrong[0] - batch.positions[0]
    # The change that another window asks for, from where this one is.
    same = [torch.allclose(moved, batch.actions[row] - batch.positions[row], atol=1e-4)
            for row in range(8)]
    assert sum(same[1:]) == 1
    assert not same[0]


def test_where_obstacles_stand_is_learned_from_them_alone():
    torch.manual_seed(5)
    model = WorldModel(tiny_config(geometry=make_geometry()))
    config = TrainConfig(batch_size=4, only='obstacles', distance_points=40, distance_weight=2.0)
    batch = BatchSampler(make_windows(), config, model.config).draw(0)
    assert batch.targets.shape[1] == 0
    box = torch.tensor([0.2, 0.0, 0.3, 0.02, 0.02, 0.05, 1.0]).expand(4, 3, 7)
    losses = world_model_loss(model, batch._replace(obstacles=box), config)
    losses.total.backward()
    found = {name: float(value.detach()) for name, value in losses._asdict().items()}
    assert found['total'] == pytest.approx(
        2 * found['distance'] + 0.3 * found['camera'], rel=1e-5)
    assert found['distance'] > 0
    assert [name for name, value in found.items() if value] == ['total', 'distance', 'camera']
    assert model.encoder.stem.weight.grad.abs().sum() > 0
    # What stands where nobody knows teaches nothing.
    with torch.no_grad():
        nowhere = world_model_loss(model, batch._replace(obstacles=box * math.nan), config)
    assert float(nowhere.distance) == 0


def unfilmed(windows, rows):
    """Return windows of which some have no frames of what followed."""
    future = windows.future.copy()
    future[rows] = -1
    return dataclasses.replace(windows, future=future)


def test_only_what_was_filmed_is_decoded():
    windows = make_windows()
    number = np.arange(len(windows), dtype=np.float32)
    windows = dataclasses.replace(windows, velocities=windows.velocities * 0 + number[:, None])
    config = TrainConfig(batch_size=8, frame_share=0.25, sample_share=0.25)
    filmed = np.zeros(len(windows), bool)
    filmed[::5] = True
    some = unfilmed(windows, ~filmed)
    seen, others = set(), [1, 2, 3, 5, 6, 7]
    for step in range(40):
        batch = BatchSampler(some, config, tiny_config()).draw(step)
        rows = batch.velocities[:, 0].numpy().astype(int)
        assert filmed[rows[[0, 4]]].all()
        seen |= set(rows.tolist())
        # What is not decoded is drawn as where all was filmed.
        whole = BatchSampler(windows, config, tiny_config()).draw(step)
        assert torch.equal(batch.velocities[others], whole.velocities[others])
        # The share of hazards stays, three of eight.
        assert int(batch.hazard[:, -1].sum()) >= 3
    assert len(seen) > filmed.sum()
    nothing = unfilmed(windows, slice(None))
    with pytest.raises(ValueError, match='no window has frames of what followed; train with'):
        BatchSampler(nothing, config, tiny_config())
    BatchSampler(nothing, TrainConfig(batch_size=8, only='obstacles'), tiny_config()).draw(0)


def test_shadows_are_learned_where_recordings_know_the_lamp():
    config = TrainConfig(batch_size=4, frames_per_window=1)
    model = WorldModel(tiny_config(geometry=make_geometry()))
    batch = BatchSampler(make_windows(), config, model.config).draw(0)

    def losses(lamp):
        with torch.no_grad():
            return world_model_loss(model, batch._replace(lamp=lamp), config)

    unknown = losses(torch.full((4, 3), math.nan))
    assert float(unknown.shade) == 0
    assert math.isfinite(float(unknown.total))
    lamp = torch.tensor([[0.2, 0.1, 0.7]]).expand(4, 3)
    with torch.no_grad():
        shade = model.encoder.shade[-2]
        shade.weight.zero_()
        shade.bias.fill_(0.3)
        context = model.encode(batch.images)
        truth = model.look(batch.positions, context, lamp)
    # Cross-entropy by hand: log(1 + e^x) - x t, over the halves of patches that show no arm.
    def pooled(part):
        return part.reshape(4, 16, 2, 24, 2).mean((2, 4))

    shadow, free = pooled(truth.shadow), 1 - pooled(truth.coverage)
    wanted = ((np.log1p(np.exp(0.3)) - 0.3 * shadow) * free).sum() / free.sum()
    assert float(losses(lamp).shade) == pytest.approx(float(wanted), rel=1e-5)


def test_joints_are_further_off_where_the_risk_is_high():
    model = WorldModel(tiny_config())
    with torch.no_grad():
        # By 10 at the fourth knot, a logit of 3; a knot is 3 wide.
        model.joint_error_by_risk[3] = math.log(10) / 50
        model.log_joint_error[1] = math.log(2) / 10
    logits = torch.tensor([-9.0, 3.0, 4.5, 7.0]).reshape(4, 1, 1).expand(4, 2, 3)
    num = model.config.num_joints
    error = model.joint_error(logits)
    assert error.shape == (4, 2, num, num)
    assert torch.equal(error, error * torch.eye(num))
    error = error.diagonal(dim1=2, dim2=3)
    wanted = 0.01 * torch.tensor([1, 10, 10 ** 0.5, 1])
    assert torch.allclose(error[:, 0], wanted[:, None].expand(4, model.config.num_joints))
    assert torch.allclose(error[:, 1], 2 * error[:, 0])


def test_joints_that_something_stops_are_off_together():
    model = WorldModel(tiny_config())
    with torch.no_grad():
        # At a logit of 3 the second joint has three quarters of what the first has, and what is
        # above the diagonal counts for nothing.
        model.joint_error_shared[3, 1, 0] = 0.75 / 50
        model.joint_error_shared[3, 0, 1] = 7.0
        found = model.joint_error(torch.tensor([0.0, 1.5, 3.0]).reshape(3, 1, 1))[:, 0]
    assert torch.allclose(found, found.tril())
    assert torch.allclose(found.square().sum(2).sqrt(), torch.full(found.shape[:2], 0.01))
    assert torch.allclose(found[0], 0.01 * torch.eye(found.shape[1]))
    assert torch.allclose(found[2, 1, :2], 0.01 * torch.tensor([0.6, 0.8]))
    assert torch.allclose(found[1, 1, 0] / found[1, 1, 1], torch.tensor(0.375))


def test_how_far_off_joints_usually_are_is_learned_by_hand():
    config = TrainConfig(batch_size=4, frames_per_window=1)
    model = WorldModel(tiny_config())
    batch = BatchSampler(make_windows(), config, model.config).draw(0)
    with torch.no_grad():
        made = model.predict(model.encode(batch.images), batch.positions, batch.velocities,
                             batch.actions)
        off = (made.joints - batch.joints).abs().mean()
        model.log_joint_error.zero_()
        found = world_model_loss(model, batch, config).spread
    # Laplace: the error in units of 0.01 rad, and the logarithm of that.
    assert float(found) == pytest.approx(float(off) / 0.01 + math.log(0.01), rel=1e-4)


def test_how_far_off_joints_are_together_is_learned_by_hand():
    config = TrainConfig(batch_size=4, frames_per_window=1, only='spread')
    model = WorldModel(tiny_config())
    batch = BatchSampler(make_windows(), config, model.config).draw(0)
    with torch.no_grad():
        model.joint_error_shared[:, 1, 0] = 0.75 / 50
        made = model.predict(model.encode(batch.images), batch.positions, batch.velocities,
                             batch.actions)
        found = world_model_loss(model, batch, config).spread
    off = (batch.joints - made.joints).double() / 0.01
    # The second joint is 0.6 of the first's deviate and 0.8 of its own.
    deviates = off.clone()
    deviates[..., 1] = (off[..., 1] - 0.6 * off[..., 0]) / 0.8
    wanted = deviates.abs().mean() + math.log(0.01) + math.log(0.8) / off.shape[-1]
    assert float(found) == pytest.approx(float(wanted), rel=1e-4)


def test_frames_of_a_share_of_the_windows_teach_and_hazards_of_all():
    torch.manual_seed(6)
    model = WorldModel(tiny_config(geometry=make_geometry()))
    config = TrainConfig(batch_size=8, frame_share=0.25, sample_share=0.25)
    batch = BatchSampler(make_windows(), config, model.config).draw(0)
    rows = torch.tensor([0, 4])
    with torch.no_grad():
        few = world_model_loss(model, batch, config)
        whole = world_model_loss(model, batch, TrainConfig(batch_size=8))
        part = world_model_loss(model, type(batch)(*(
            item[rows] if item.dim() else item for item in batch)), TrainConfig(batch_size=2))
    for name in ('hazard', 'joint', 'camera', 'spread'):
        assert float(getattr(few, name)) == float(getattr(whole, name))
    assert float(few.frame) == pytest.approx(float(part.frame), rel=1e-4)
    assert float(few.frame) != pytest.approx(float(whole.frame), rel=1e-4)
    for values, words in (({'frame_share': 0.0}, 'frame_share = 0.0 must be above 0'),
                          ({'frame_share': 0.25, 'sample_share': 0.5}, 'sample_share = 0.5 must'),
                          ({'gamma': 0.9}, 'gamma = 0.9 must be at least 1')):
        with pytest.raises(ValueError, match=words):
            TrainConfig(**values)


def test_colours_are_bent_alike_in_all_pictures_of_a_window():
    rng = np.random.default_rng(3)
    plain = draw_curves(rng, 4, 0.0, 0.0, 1.0)
    images = rng.integers(0, 256, (2, 5, 6, 3), dtype=np.uint8)
    assert np.allclose(bend_colours(images, plain[0]), images / 255)
    curves = draw_curves(rng, 200, 0.3, 0.1, 1.5)
    assert curves.shape == (200, 256, 3)
    assert (np.diff(curves, axis=1) >= 0).all()
    assert curves[:, 0].max() == 0
    assert curves.max() <= 1
    # (128 / 255) to the power of 1 / 1.5 to 1.5, times 0.7 * 0.9 to 1.3 * 1.1.
    middle = curves[:, 128] / (128 / 255) ** np.array([[1.5], [1 / 1.5]])[:, :, None]
    assert 0.63 <= middle[0].min() < 0.8
    assert 1.2 < middle[1].max() <= 1.43


def test_a_share_of_windows_becomes_negatives():
    def drawn(share):
        rng = np.random.default_rng(3)
        return draw_curves(rng, 200, 0.0, 0.0, 1.0, share), rng.bit_generator.state

    plain, state = drawn(0.0)
    curves, _ = drawn(0.25)
    inverted = curves[:, 0, 0] == 1
    assert 0.15 < inverted.mean() < 0.35
    np.testing.assert_allclose(curves[inverted], 1 - plain[inverted], atol=1e-6)
    np.testing.assert_array_equal(curves[~inverted], plain[~inverted])
    # Where none is wanted, what is drawn after it is as before there were any.
    before = np.random.default_rng(3)
    draw_curves(before, 200, 0.0, 0.0, 1.0)
    assert before.bit_generator.state == state
    with pytest.raises(ValueError, match='invert_share = -0.1 must be at least 0 and at most 1'):
        TrainConfig(invert_share=-0.1)
    windows = dataclasses.replace(make_windows(), frames=np.full_like(make_windows().frames, 51))
    config = TrainConfig(batch_size=16, brightness=0.0, tint=0.0, invert_share=0.5)
    shades = BatchSampler(windows, config, tiny_config()).draw(0).images.amax((1, 2, 3, 4))
    assert {round(float(shade), 4) for shade in shades} == {0.2, 0.8}


def test_colours_fade_towards_grey_of_the_same_luma():
    rng = np.random.default_rng(3)
    pictures = rng.random((2, 5, 6, 3), np.float32)
    assert fade_colours(pictures, 0.0) is pictures
    luma = pictures @ np.float32([0.299, 0.587, 0.114])
    for share in (0.3, 1.0):
        found = fade_colours(pictures, share)
        assert found.dtype == np.float32
        assert np.allclose(found, pictures + share * (luma[..., None] - pictures), atol=1e-6)
    before = rng.bit_generator.state
    assert not draw_fading(rng, 5, 0.0).any()
    # What is drawn after it is as if there were none.
    assert rng.bit_generator.state == before
    drawn = draw_fading(rng, 300, 0.6)
    assert 0 <= drawn.min() < 0.05
    assert 0.55 < drawn.max() < 0.6
    with pytest.raises(ValueError, match=r'fading = 1.2 must be at least 0 and at most 1'):
        TrainConfig(fading=1.2)
    # In a batch each window fades by a share of its own.
    windows = make_windows()
    windows = dataclasses.replace(windows, frames=np.random.default_rng(5).integers(
        0, 256, windows.frames.shape, dtype=np.uint8))
    config = TrainConfig(batch_size=8, brightness=0.0, tint=0.0, fading=1.0)
    images = BatchSampler(windows, config, tiny_config()).draw(0).images
    colour = (images - images.mean(2, keepdim=True)).abs().mean((1, 2, 3, 4))
    assert 0 < colour.min() < 0.05
    assert colour.max() > 0.1
