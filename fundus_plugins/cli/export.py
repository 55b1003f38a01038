"""`fundus export`: RF-Net, or a grader, as an ONNX file."""

import rich_click as click

from .options import PATH, Command, LateChoice, config_option, load_config, load_release, overrides_argument, pairs


@click.command(cls=Command)
@config_option()
@click.option(
    "--weights",
    metavar="FILE",
    help="such as output/.../model_best.pth; default: the config's, or the packaged ones without --config-file",
)
@click.option("--output", required=True, type=PATH, help="a .onnx file")
@click.option(
    "--flips",
    type=LateChoice("fundus_plugins.prediction.settings:FLIPS"),
    help="views that the graph averages; default: TEST.FLIPS",
)
@click.option("--side", type=int, metavar="PIXELS", help="of square views; default: any height and width")
@overrides_argument
def command(config_file, weights, output, flips, side, overrides):
    """Write RF-Net's inference, or a grader's, to an ONNX file, for onnxruntime on any machine or in a browser.

    Without --config-file, --weights is a file of `fundus release`, which holds its config; without either it is the
    packaged one.
    """
    if output.suffix != ".onnx":
        raise click.UsageError(f"--output {output}: expected a .onnx file")

    from fundus_plugins.prediction.export import write_onnx
    from fundus_plugins.prediction.release import PACKAGED, release_facts

    if config_file:
        facts = {}
        cfg = load_config(config_file, [*(["MODEL.WEIGHTS", weights] if weights else []), *pairs(overrides)])
    else:
        cfg = load_release(weights or PACKAGED, pairs(overrides))
        facts = release_facts(weights or PACKAGED)
    if cfg.MODEL.GRADING.MASK == "crop":
        from fundus_plugins.prediction.export_grader import write_grader_onnx

        if flips or side:
            raise click.UsageError("--flips and --side are of RF-Net, and this is a grader")
        write_grader_onnx(cfg, output, facts)
    else:
        write_onnx(cfg, output, flips=flips, side=side, facts=facts)
    print(f"{output}: {output.stat().st_size / 1e6:.1f} MB")
