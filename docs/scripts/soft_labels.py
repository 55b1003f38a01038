"""Soft labels beside hard ones, in five folds: the row of the recipe's table that no config can ask for.

    for n in 2 4; do
        fundus convert drishti_gs1 --root ... --output datasets/agree$n --consensus $n
    done
    python docs/scripts/soft_labels.py --agree datasets/agree2 datasets/agree4 --output output/recipe

Every photograph is three times in the set to learn from: with the masks on which at least two, three (as else) and
four of the four experts agree. So a pixel's mean label is 0, 0, 1/3, 2/3 or 1 where 0 to 4 experts drew it, at the
same cost.
"""

import argparse
import copy
import json
import sys
from dataclasses import replace
from pathlib import Path

import fundus_plugins
from fundus_plugins.data.coco import write_json
from fundus_plugins.experiments.report import report_table, write_report
from fundus_plugins.experiments.runs import Run, execute
from fundus_plugins.experiments.table import plan_runs, read_table

TABLE = Path("tables/recipe.yaml")
DATASET, FOLDS = "drishti_gs1_train", 5
NAME = "labels: soft"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--agree", nargs=2, required=True, type=Path, help="folders with train.json of 2 and 4 experts")
    parser.add_argument("--output", required=True, type=Path, help="as of fundus table")
    args = parser.parse_args()
    fundus_plugins.register_fundus_datasets()
    table = read_table(TABLE)
    table = replace(table, title="Soft labels", rows=[row for row in table.rows if row.name == table.reference])
    planned = plan_runs(
        table,
        dataset=DATASET,
        folds=FOLDS,
        fold_seed=0,
        seeds=[0],
        output=args.output,
        options=["DATALOADER.NUM_WORKERS", "0"],
    )
    soft = [with_soft_labels(run, args.agree) for run in planned]
    fundus_plugins.register_fundus_datasets()  # those just written
    trainer = [sys.executable, "tools/train_net.py"]
    results = [execute(run, trainer)[0] for pair in zip(planned, soft, strict=True) for run in pair]
    table = replace(table, rows=[*table.rows, replace(table.rows[0], name=NAME)])
    command = f"python docs/scripts/soft_labels.py --agree {args.agree[0]} {args.agree[1]} --output {args.output}"
    report = report_table(table, results, dataset=DATASET, folds=FOLDS, seeds=[0], command=command)
    write_report(report, args.output, "soft_labels")


def with_soft_labels(run: Run, agree: list[Path]) -> Run:
    """The same run on a set that has each of its photographs with three pairs of masks."""
    fit, val = run.files
    documents = [json.loads(path.read_text()) for path in (fit, *(folder / "train.json" for folder in agree))]
    soft = documents[0] | {"images": [], "annotations": []}
    by_name = [{Path(image["file_name"]).name: image["id"] for image in x["images"]} for x in documents]
    for image in documents[0]["images"]:
        for document, ids in zip(documents, by_name, strict=True):
            number = len(soft["images"]) + 1
            soft["images"].append(image | {"id": number})
            for annotation in document["annotations"]:
                if annotation["image_id"] == ids[Path(image["file_name"]).name]:
                    soft["annotations"].append(
                        copy.deepcopy(annotation) | {"image_id": number, "id": len(soft["annotations"]) + 1}
                    )
    path = fit.with_name(fit.name.replace("train_", "soft_"))
    write_json({path: soft})
    folder = run.folder.parents[1].with_name("soft_labels") / run.folder.parent.name / run.folder.name
    options = [x.replace("train_fold", "soft_fold") if x.endswith('_fit",)') else x for x in run.options]
    options[options.index("OUTPUT_DIR") + 1] = str(folder)
    return replace(run, row=NAME, folder=folder, options=tuple(options), files=(path, val))


if __name__ == "__main__":
    main()
