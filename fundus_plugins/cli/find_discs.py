"""`fundus find-discs`: where the discs lie in the photographs of grading files."""

import rich_click as click

from .options import PATH, Command, report_failures


@click.command(cls=Command)
@click.option("--weights", metavar="FILE", help="of `fundus export` (.onnx); default: the packaged ones")
@click.argument("files", nargs=-1, required=True, type=PATH, metavar="GRADING.json...")
def command(weights, files):
    """Find the disc in every photograph of grading files, for models with MODEL.GRADING.MASK disc, both or crop.

    Each photograph in the file gets disc_box, [x, y, width, height] in its pixels; one without a disc gets none, and
    is named. The same command goes on where it was interrupted.
    """
    from fundus_plugins.experiments.find_discs import find_discs
    from fundus_plugins.files import file_hash
    from fundus_plugins.prediction.predictor import PACKAGED, FundusPredictor

    chosen = weights or PACKAGED
    predictor = FundusPredictor(chosen, grade=False)
    failures = []
    for path in files:
        found, without, unread = find_discs(predictor, path, {"weights_sha256": file_hash(chosen)})
        for name in without:
            print(f"no disc: {name}")
        print(f"{found} discs -> {path}; {len(without)} photographs without")
        failures += unread
    return report_failures(failures)
