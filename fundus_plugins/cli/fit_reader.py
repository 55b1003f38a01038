"""`fundus fit-reader`: a trained model that draws disc and cup as one reader does."""

import tempfile
from pathlib import Path

import rich_click as click

from .options import PATH, Command, dataset_option, load_release, overrides_argument, pairs


@click.command(cls=Command)
@click.option("--weights", metavar="FILE", required=True, help="of `fundus release`, of a model with readers")
@dataset_option("a registered set that this reader outlined, or the path of a COCO JSON", required=True)
@click.option("--name", required=True, help="the reader's, for TEST.READERS")
@click.option(
    "--iterations",
    type=click.IntRange(min=1),
    default=100,
    show_default=True,
    help="of SOLVER.IMS_PER_BATCH photographs",
)
@click.option("--output", required=True, type=PATH, metavar="FILE.safetensors", help="the model with this reader")
@overrides_argument
def command(weights, dataset, name, iterations, output, overrides):
    """Fit a reader's style to a few photographs that this reader outlined.

    Readers draw cups each in their own way. The model stays as it is but for the style, some hundred numbers; the file
    written predicts in it. Measure on other photographs of the same reader whether it helps (`fundus robustness`).
    """
    if output.suffix != ".safetensors":
        raise click.UsageError(f"--output {output}: expected a .safetensors file")
    if not name.isidentifier():
        raise click.UsageError(f"--name {name}: expected letters, digits and _, such as clinic_1")

    import torch

    from fundus_plugins.data.registration import register_fundus_datasets, require_dataset
    from fundus_plugins.engine.fit_reader import fit_reader
    from fundus_plugins.prediction.release import write_release
    from fundus_plugins.provenance import command_line, current_commit

    register_fundus_datasets()
    require_dataset(dataset)
    cfg = load_release(weights, pairs(overrides))

    def log(iteration, loss):
        if (iteration + 1) % 10 == 0:
            print(f"{iteration + 1}/{iterations}: mask loss {loss:.3f}", flush=True)

    cfg, model = fit_reader(cfg, name, dataset, iterations, log)
    with tempfile.TemporaryDirectory() as folder:
        cfg.MODEL.WEIGHTS = str(Path(folder) / "fitted.pth")
        torch.save({"model": model.state_dict()}, cfg.MODEL.WEIGHTS)
        cfg.TEST.READERS = [name]
        facts = {"command": command_line(), "commit": current_commit(), "fitted_from": weights}
        write_release(cfg, str(output), facts)
    print(f"{output}: predicts as {name} draws")
