"""Checkpoints of a run: whole files or none, read without running what they may hold, the newest whole one resumed."""

import os
from collections.abc import Iterable
from pathlib import Path

import torch
from detectron2.checkpoint import DetectionCheckpointer
from detectron2.config import CfgNode

from fundus_plugins.files import atomic_write
from fundus_plugins.weights.loading import local_weights, read_weights

POINTER = "last_checkpoint"
FINAL = "model_final"


class FundusCheckpointer(DetectionCheckpointer):
    """Detectron2's checkpointer, which neither unpickles nor fetches what a config or `last_checkpoint` names.

    A checkpoint is written beside its name, brought to the disk and renamed; `last_checkpoint` names it only then.
    Where the one that it names is damaged or gone, the newest whole one is resumed, and a warning says so.

    Raises ValueError, FileNotFoundError or RuntimeError as `read_weights`; to save, FloatingPointError for weights that
    are not finite, and OSError; to resume, ValueError for a checkpoint of another model.
    """

    def save(self, name, **kwargs):
        if not self.save_dir or not self.save_to_disk:
            return
        state = self.model.state_dict()
        _refuse_not_finite(name, state)
        data = {"model": state} | {key: x.state_dict() for key, x in self.checkpointables.items()} | kwargs
        path = os.path.join(self.save_dir, f"{name}.pth")
        self.logger.info(f"Saving checkpoint to {path}")
        try:
            with atomic_write(path, "wb", durable=True) as file:
                torch.save(data, file)
        except (OSError, RuntimeError) as error:  # torch hides the system's reason behind its own
            raise _reason_of(error, path) from error
        self.tag_last_checkpoint(os.path.basename(path))

    def tag_last_checkpoint(self, last_filename_basename):
        with atomic_write(os.path.join(self.save_dir, POINTER), durable=True) as file:
            file.write(last_filename_basename)

    def has_checkpoint(self):
        return bool(self.candidates())

    def candidates(self) -> list[str]:
        """The checkpoints to resume from, the one that `last_checkpoint` names first, then the newest."""
        named = self.get_checkpoint_file()
        first = [] if named in ("", os.path.join(self.save_dir, "")) else [named]  # a torn pointer names nothing
        there = sorted(checkpoints(self.save_dir), key=lambda x: (x.stat().st_mtime_ns, x.name), reverse=True)
        return first + [str(x) for x in there if str(x) not in first]

    def resume_or_load(self, path, *, resume=True):
        if not resume:
            return self.load(path, checkpointables=[])
        if not self.has_checkpoint():
            self.logger.warning(f"{self.save_dir}: no checkpoint to go on from; training begins at iteration 0")
            return self.load(path, checkpointables=[])
        found, state = self.newest_whole()
        _refuse_another_model(found, state, self.model.state_dict())
        return self.load(found)

    def newest_whole(self) -> tuple[str, dict]:
        """The first of `candidates` that can be read, and what it holds. Raises the first one's error if none can."""
        failed: Exception | None = None
        for path in self.candidates():
            try:
                state = read_weights(path, POINTER)
                if "trainer" not in state:
                    raise RuntimeError(f"{path} holds weights alone, and no state of a training")
            except (RuntimeError, FileNotFoundError) as error:
                self.logger.warning(f"cannot go on from {path}: {error}")
                failed = failed or error
                continue
            if failed is not None:
                self.logger.warning(f"going on from {path}; what came after it is done again")
            return path, state
        raise failed or FileNotFoundError(f"{self.save_dir}: no checkpoint")

    def load(self, path, *args, **kwargs):
        return super().load(local_weights(path) if path else path, *args, **kwargs)

    def _load_file(self, filename):
        found = read_weights(filename)
        return found if "model" in found else {"model": found}


def checkpoints(folder: str | os.PathLike) -> list[Path]:
    """The checkpoints that a run left in a folder, in the order of their names."""
    return sorted(Path(folder).glob("model_*.pth"))


def is_whole(path: str | os.PathLike) -> bool:
    """Whether a checkpoint is there and can be read."""
    try:
        read_weights(os.fspath(path))
    except (RuntimeError, ValueError, FileNotFoundError):
        return False
    return True


def remove_earlier_run(stages: Iterable[CfgNode]) -> None:
    """Remove the checkpoints of stages' OUTPUT_DIR, and the metrics, to which Detectron2 would add the next run's."""
    for stage in stages:
        folder = Path(stage.OUTPUT_DIR)
        noted = [folder / "metrics.json", *folder.glob("events.out.tfevents.*")]
        for path in [folder / POINTER, *checkpoints(folder), *noted]:  # the pointer may not outlive what it names
            path.unlink(missing_ok=True)


def refuse_earlier_run(stages: Iterable[CfgNode]) -> None:
    """Raise ValueError where a stage's OUTPUT_DIR holds checkpoints."""
    for stage in stages:
        found = checkpoints(stage.OUTPUT_DIR)
        pointer = Path(stage.OUTPUT_DIR, POINTER)
        if found or pointer.is_file():
            what = found[-1].name if found else POINTER
            raise ValueError(
                f"{stage.OUTPUT_DIR} holds an earlier run, with {what}: --resume goes on with it, --overwrite removes "
                "its checkpoints, another OUTPUT_DIR keeps both"
            )


def _refuse_not_finite(name: str, state: dict[str, torch.Tensor]) -> None:
    for key, tensor in state.items():
        if tensor.is_floating_point() and not torch.isfinite(tensor).all():
            raise FloatingPointError(f"the weights are no longer finite ({key}), and {name} is not saved")


def _refuse_another_model(path: str, state: dict, own: dict[str, torch.Tensor]) -> None:
    state = state["model"]
    other = [key for key in own if key not in state or state[key].shape != own[key].shape]
    if other:
        there = tuple(state[other[0]].shape) if other[0] in state else "none"
        raise ValueError(
            f"{path} is of another model than this config's: of {len(other)} tensors, such as {other[0]}, expected "
            f"{tuple(own[other[0]].shape)}, found {there}; resume with the run's own config, or choose another "
            "OUTPUT_DIR"
        )


def _reason_of(error: BaseException, path: str) -> OSError:
    reason: BaseException | None = error
    while reason is not None and not isinstance(reason, OSError):
        reason = reason.__cause__ or reason.__context__
    if isinstance(reason, OSError):
        return OSError(reason.errno, f"{reason.strerror}, the checkpoint before it is whole", path)
    return OSError(f"{path} could not be written: {error}")
