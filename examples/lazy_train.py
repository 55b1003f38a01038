"""RF-Net from a LazyConfig, by the training loop of Detectron2's tools/lazyconfig_train_net.py on one processor.

Where you have Detectron2's repository, its own script takes the same config once the data are registered.
"""

import sys
from pathlib import Path

from detectron2.checkpoint import DetectionCheckpointer
from detectron2.config import LazyConfig, instantiate
from detectron2.engine import SimpleTrainer, default_writers, hooks
from detectron2.evaluation import inference_on_dataset
from omegaconf import DictConfig

import fundus_plugins
from fundus_plugins.data.converters import CONVERTERS
from fundus_plugins.data.converters.convert import convert_dataset
from fundus_plugins.data.phantom import write_refuge_layout

CONFIG = Path(__file__).parent / "lazy" / "rfnet_phantoms.py"


def do_test(cfg: DictConfig, model) -> dict:
    return inference_on_dataset(model, instantiate(cfg.dataloader.test), instantiate(cfg.dataloader.evaluator))


def do_train(cfg: DictConfig) -> dict:
    model = instantiate(cfg.model).to(cfg.train.device)
    cfg.optimizer.params.model = model
    optimizer = instantiate(cfg.optimizer)
    trainer = SimpleTrainer(model, instantiate(cfg.dataloader.train), optimizer)
    checkpointer = DetectionCheckpointer(model, cfg.train.output_dir, trainer=trainer)
    trainer.register_hooks(
        [
            hooks.IterationTimer(),
            hooks.LRScheduler(scheduler=instantiate(cfg.lr_multiplier)),
            hooks.PeriodicCheckpointer(checkpointer, **cfg.train.checkpointer),
            hooks.EvalHook(cfg.train.eval_period, lambda: do_test(cfg, model)),
            hooks.PeriodicWriter(default_writers(cfg.train.output_dir, cfg.train.max_iter), cfg.train.log_period),
        ]
    )
    trainer.train(0, cfg.train.max_iter)
    return trainer.storage.latest()


def main(output: Path) -> None:
    raw = output / "datasets" / "phantom" / "raw"
    if not raw.exists():
        write_refuge_layout(raw, train=4, val=2, test=1, size=128, seed=0)
        convert_dataset(CONVERTERS["refuge"], raw, raw.parent)
    fundus_plugins.register_fundus_datasets(str(output / "datasets"))
    cfg = LazyConfig.load(str(CONFIG))
    cfg.train.output_dir = str(output / "lazy")
    Path(cfg.train.output_dir).mkdir(parents=True, exist_ok=True)
    seen = do_train(cfg)
    print(f"loss {seen['total_loss'][0]:.2f}; Dice of discs {seen['disc_cup/dice_od'][0]:.3f}")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "output/examples"))
