"""`fundus explain`: class activation maps of a grading model."""

import rich_click as click

from .options import PATH, Command, config_option, dataset_option, load_config, overrides_argument, pairs


@click.command(cls=Command)
@config_option(required=True)
@click.option("--weights", required=True, metavar="FILE", help="of a two-stage model; of another, with FC_DIM 0")
@dataset_option("a registered grading set, such as rim_one_r3_test_grading", required=True)
@click.option("--output", required=True, type=PATH, help="a folder for pictures and numbers")
@click.option("--pictures", type=click.IntRange(min=0), help="draw only the first so many; default: all")
@overrides_argument
def command(config_file, weights, dataset, output, pictures, overrides):
    """Draw what a grading model's class activation maps leave of each photograph, and how much is on the disc.

    Writes a picture a photograph (photograph, mask filters, ROI image) and, where disc masks lie beside the grades,
    cam_overlap.csv and cam_overlap.json.
    """
    from fundus_plugins.config import without_weights
    from fundus_plugins.data.registration import register_fundus_datasets, require_dataset
    from fundus_plugins.engine.trainer import FundusTrainer
    from fundus_plugins.experiments.explain import explain_to_folder
    from fundus_plugins.weights.loading import load_trained_weights

    register_fundus_datasets()
    require_dataset(dataset)
    cfg = without_weights(load_config(config_file, pairs(overrides)))
    model = FundusTrainer.build_model(cfg)
    load_trained_weights(model, weights)
    summary = explain_to_folder(model, cfg, dataset, output, pictures)
    if summary is None:
        print(f"{dataset}: pictures only, for no disc masks lie beside the grades -> {output}")
        return
    for column, found in summary.items():
        print(f"{column:12} {found['mean']:.3f}  ({found['low']:.3f} to {found['high']:.3f})")
