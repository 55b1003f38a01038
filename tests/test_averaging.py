"""The averaged weights: the average itself, and that training ends with it."""

from types import SimpleNamespace

import pytest
import torch

from fundus_plugins.averaging import WeightAverage


def run(hook, values, *, start=0, total=None):
    """Iterations after each of which the only weight has the next of `values`; the model at the end."""
    model = torch.nn.BatchNorm1d(1)
    total = len(values) if total is None else total
    hook.trainer = SimpleNamespace(model=model, iter=start, max_iter=total)
    hook.before_train()
    for hook.trainer.iter, value in enumerate(values, start):
        with torch.no_grad():
            model.weight.fill_(value)
            model.running_mean.fill_(10 * value)
            model.num_batches_tracked += 1
        hook.after_step()
    return model


def by_hand(values, decay):
    average = values[0]
    for n, value in enumerate(values[1:], 1):
        now = min(decay, n / (n + 10))
        average = now * average + (1 - now) * value
    return average


@pytest.mark.parametrize("decay", [0.1, 0.999])
def test_training_ends_with_the_average_of_weights_and_statistics(decay):
    values = [1.0, 2.0, -1.0, 4.0, 0.5]
    model = run(WeightAverage(decay), values)
    assert model.weight.item() == pytest.approx(by_hand(values, decay), rel=1e-5)
    assert model.running_mean.item() == pytest.approx(10 * by_hand(values, decay), rel=1e-5)


def test_a_resumed_run_goes_on_with_its_average():
    values = [1.0, 2.0, -1.0, 4.0, 0.5]
    first = WeightAverage(0.9)
    assert run(first, values[:3], total=5).weight.item() == -1.0  # its own weights until the end
    second = WeightAverage(0.9)
    second.load_state_dict(first.state_dict())
    assert run(second, values[3:], start=3, total=5).weight.item() == pytest.approx(by_hand(values, 0.9), rel=1e-5)


def test_decay_is_checked():
    with pytest.raises(ValueError, match="AVERAGE_DECAY.*1.5"):
        WeightAverage(1.5)
