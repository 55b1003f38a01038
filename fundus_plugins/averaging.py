"""The exponential moving average of a model's weights, which training ends with."""

from detectron2.engine import HookBase
from detectron2.utils.comm import is_main_process
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn


class WeightAverage(HookBase):
    """Averages the weights after every iteration; after the last, the model gets the average in place of its own.

    It comes before the hooks that evaluate and save. What is evaluated or saved on the way are the model's own
    weights; a checkpoint holds the average beside them, so that a resumed run goes on with it.

    Args:
        decay: of the average, per iteration; early on 1 - 10 / (n + 10) after n iterations if that is smaller, so that
            the random start is forgotten.
    """

    def __init__(self, decay: float):
        if not 0 < decay < 1:
            raise ValueError(f"SOLVER.AVERAGE_DECAY: expected 0 to 1, found {decay}")
        self.decay = decay
        self._loaded = None

    def before_train(self) -> None:
        self.average = AveragedModel(self.trainer.model, multi_avg_fn=self._average, use_buffers=True)
        if self._loaded is not None:
            self.average.load_state_dict(self._loaded)

    def _average(self, averaged, current, count) -> None:
        count = int(count)
        get_ema_multi_avg_fn(min(self.decay, count / (count + 10)))(averaged, current, count)

    def after_step(self) -> None:
        self.average.update_parameters(self.trainer.model)
        if self.trainer.iter + 1 >= self.trainer.max_iter:
            self.trainer.model.load_state_dict(self.average.module.state_dict())

    def state_dict(self) -> dict:
        return {"average": self.average.state_dict()} if is_main_process() else {}

    def load_state_dict(self, state: dict) -> None:
        self._loaded = state["average"]
