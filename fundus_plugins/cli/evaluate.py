"""`fundus evaluate`: masks from anywhere, scored as the REFUGE challenge scores them."""

import sys

import rich_click as click

from .options import PATH, Command, Several


@click.command(cls=Command)
@click.option("--gt", required=True, type=PATH, help="true masks")
@click.option("--pred", required=True, cls=Several, type=PATH, help="predicted masks; with several, their ranks, too")
@click.option("--labels", type=PATH, help="a sheet of labels, where --gt brings none (1: glaucoma)")
@click.option("--categories", cls=Several, metavar="disc=NAME", help="names in COCO JSON beside the usual ones")
@click.option("--output", type=PATH, help="a folder for scores.json and a CSV for each --pred")
@click.option("--strict", is_flag=True, help="write nothing if there is any problem")
def command(gt, pred, labels, categories, output, strict):
    """Score predicted disc and cup masks as the REFUGE challenge does; no model is run.

    Both are a folder of masks (0 cup, 128 rim, 255 background; or 0, 1, 2; or folders OD and OC of two values), or a
    COCO JSON; predictions also COCO results beside a COCO ground truth. They are matched by name. A prediction that is
    missing or cannot be used counts as an empty mask and is listed.
    """
    from fundus_plugins.experiments.submission import score_folders, summary, write_scores

    scores = score_folders(gt, pred, labels, categories)
    if strict and scores.problems:
        return _list(scores.problems)
    if not scores.rows:
        _list(scores.problems)
        raise ValueError(f"no true mask of {gt} could be used")
    print(summary(scores))
    if output:
        write_scores(scores, output)
    return _list(scores.problems)


def _list(problems: list[str]) -> int:
    for problem in problems:
        print(f"problem: {problem}", file=sys.stderr)
    return 1 if problems else 0
