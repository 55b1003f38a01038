"""`fundus release`: a training run's weights and config in one file."""

import rich_click as click

from .options import PATH, Command, load_config, overrides_argument, pairs


@click.command(cls=Command)
@click.option("--run", "folder", required=True, type=PATH, help="a folder with config.yaml and the weights")
@click.option("--checkpoint", default="model_final.pth", show_default=True, help="such as model_best.pth")
@click.option("--output", required=True, type=PATH, help="a .safetensors file")
@click.option("--command", "made_by", required=True, help="the command that made the weights; kept in the file")
@overrides_argument
def command(folder, checkpoint, output, made_by, overrides):
    """Pack a run's weights, in half precision, and its config into one safetensors file, which `predict` reads."""
    from fundus_plugins.prediction.release import write_release
    from fundus_plugins.provenance import current_commit

    if not (folder / "config.yaml").is_file():
        raise click.UsageError(f"{folder} is no run: there is no config.yaml in it")
    weights = ["MODEL.WEIGHTS", str(folder / checkpoint)]
    cfg = load_config(str(folder / "config.yaml"), [*pairs(overrides), *weights])
    write_release(cfg, output, {"command": made_by, "commit": current_commit()})
    print(f"{output}: {output.stat().st_size / 1e6:.1f} MB")
