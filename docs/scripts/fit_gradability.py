"""Fits which photographs can be graded, and which pictures are none of a fundus; writes the models and what they catch.

    python docs/scripts/fit_gradability.py --real odir=odir/photographs rim=a:b ... --none pictures \\
        --altered drishti_gs1/train.json=without_drishti.onnx:8 ... --check refuge_14=refuge-14/images ... \\
        --keep DIR --models fundus_plugins/weights/gradability.json --output docs/results/gradability.md

--real: folders of photographs, by source; each source counts the same. --none: a folder of pictures of other things
(`python -m tests.prediction.no_fundus` draws some); parts of them with other colours are made, too. --altered: COCO
JSON with true masks, weights that have not seen them, and into how many pictures each photograph is altered, in a kind
and a level drawn with seed 0; the first is unaltered. --check: photographs that fitted nothing. --keep: where what was
measured is kept, so that the command goes on.
"""

import argparse
import json
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from gradability_models import BELOW, FUNDUS, GRADABLE, MISLEADING, apply, fit_fundus, fit_gradable, lit, misleading
from gradability_rows import KINDS, of_altered, of_folders, of_parts
from sklearn.metrics import roc_auc_score
from tabulate import tabulate

from fundus_plugins.files import atomic_write
from fundus_plugins.photographs.appearance import DISC_FEATURES, FIELD_FEATURES
from fundus_plugins.prediction import gradability
from fundus_plugins.provenance import command_line, current_commit

DOUBTFUL_BELOW = 0.8


def kept(folder: Path, name: str, rows: Iterable[dict]) -> list[dict]:
    """Rows that were measured before under this name, or these, kept now."""
    path = folder / f"{name}.json"
    if not path.exists():
        found = list(rows)
        with atomic_write(path) as file:
            json.dump(found, file)
    return json.loads(path.read_text(encoding="utf-8"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("--real", "--altered", "--check"):
        parser.add_argument(name, nargs="+", required=True)
    for name in ("--none", "--keep", "--models", "--output"):
        parser.add_argument(name, type=Path, required=True)
    chosen = parser.parse_args()
    folders = dict(x.split("=", 1) for x in chosen.real)
    real = {name: kept(chosen.keep, f"real_{name}", of_folders(path)) for name, path in folders.items()}
    checks = dict(x.split("=", 1) for x in chosen.check)
    check = {name: kept(chosen.keep, f"check_{name}", of_folders(path)) for name, path in checks.items()}
    none = kept(chosen.keep, "none", of_folders(str(chosen.none)))
    parts = kept(chosen.keep, "parts", of_parts(chosen.none))
    altered = {}
    for text in chosen.altered:
        path, _, rest = text.partition("=")
        weights, _, number = rest.rpartition(":")
        name = Path(path).parent.name
        altered[name] = kept(chosen.keep, f"altered_{name}", of_altered(Path(path), weights, int(number)))

    in_field = lit(real)
    usual = [x for rows in in_field.values() for x in rows[:100] if "disc_light" in x]
    outlined = {name: [x for x in rows if "disc_light" in x and "light" in x] for name, rows in altered.items()}
    models = {
        "fundus": fit_fundus(in_field, lit(altered), lit({"": parts})[""]),
        "gradable": fit_gradable(outlined) | {"doubtful_below": DOUBTFUL_BELOW},
        "usual": {
            name: [round(float(f([x[name] for x in usual])), 5) for f in (np.mean, np.std)]
            for name in (*FIELD_FEATURES, *DISC_FEATURES)
        },
    }
    with atomic_write(chosen.models) as file:
        json.dump(models, file, indent=1)
        file.write("\n")
    gradability.FILE = chosen.models
    text = report(in_field, check, none, parts, altered, outlined)
    with atomic_write(chosen.output) as file:
        file.write(text)
    print(text)


def report(real, check, none, parts, altered, outlined) -> str:
    fundus = []
    names = sorted({x["name"] for x in none})
    refused = 0
    for fold in range(10):
        out = set(names[fold::10])
        model = fit_fundus(real, lit(altered), [x for x in lit({"": parts})[""] if x["name"] not in out])
        tested = [x for x in none if x["name"] in out]
        refused += sum("light" not in x or apply(model, [x])[0] < model["below"] for x in tested)
    fundus.append(["pictures of other things, not fitted on (ten folds)", len(none), refused])
    for name, rows in real.items():
        others = [{x: y for x, y in groups.items() if not x.startswith(name)} for groups in (real, lit(altered))]
        model = fit_fundus(*others, lit({"": parts})[""])
        refused = int((apply(model, rows) < model["below"]).sum())
        fundus.append([f"photographs: {name}, fitted on the others", len(rows), refused])
    judged = {name: [gradability.judge_features(x) for x in rows] for name, rows in check.items()}
    for name, found in judged.items():
        fundus.append(
            [f"photographs: {name}, fitted on none", len(found), sum(x.reason == gradability.NO_FUNDUS for x in found)]
        )

    by_source = []
    for name, rows in outlined.items():
        model = fit_gradable({x: y for x, y in outlined.items() if x != name})
        score, bad = apply(model, rows), np.array([misleading(x) for x in rows])
        low = score < model["below"]
        by_source.append(
            [
                name, len(rows), f"{bad.mean():.1%}", f"{roc_auc_score(~bad, score):.3f}", f"{low.mean():.1%}",
                f"{bad[low].mean():.0%}" if low.any() else "-", f"{bad[~low].mean():.1%}",
            ]
        )  # fmt: skip

    rows = [x for some in outlined.values() for x in some]
    score = apply(fit_gradable(outlined), rows)
    bins = []
    for low, high in zip((0, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95), (0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 1.01)):
        some = [x for x, s in zip(rows, score) if low <= s < high]
        errors = [x["error"] for x in some if "error" in x]
        bins.append(
            [
                f"{low} to {min(high, 1)}", len(some), f"{np.mean([x['dice'] for x in some]):.3f}" if some else "-",
                f"{np.mean(errors):.3f} ({len(errors)})" if errors else "-",
                f"{np.mean([not misleading(x) for x in some]):.2f}" if some else "-",
            ]
        )  # fmt: skip

    kinds = []
    for kind in ("unaltered", *KINDS):
        some = [
            gradability.judge_features(x) for y in altered.values() for x in y if x["kind"] == kind and "light" in x
        ]
        reasons = {x.reason for x in some if x.reason}
        told = sorted(((sum(x.reason == r for x in some), r) for r in reasons), reverse=True)
        kinds.append([kind, len(some), sum(n for n, _ in told), ", ".join(f"{r} {n}" for n, r in told)])

    plain = []
    for name, rows in [*real.items(), *check.items()]:
        found = [gradability.judge_features(x) for x in rows]
        reasons = {x.reason for x in found if x.reason}
        told = sorted(((sum(x.reason == r for x in found), r) for r in reasons), reverse=True)
        doubtful = sum(x.doubtful for x in found)
        plain.append([name, len(found), sum(n for n, _ in told), ", ".join(f"{r} {n}" for n, r in told), doubtful])

    def table(rows, heading):
        return tabulate(rows, heading, tablefmt="github", disable_numparse=True)

    return f"""# Can it be graded at all?

`fundus predict` calls a photograph *ungradable*, and gives no ratio, where one of two logistic regressions says so. One
tells photographs of a fundus with a disc from pictures of other things, by {len(FUNDUS)} numbers; the other those
whose outlines mislead (an error of the vCDR above {MISLEADING[0]}, or a disc's Dice below {MISLEADING[1]}) from the
others, by {len(GRADABLE)}. Its value is the gradability; below {DOUBTFUL_BELOW} a photograph is flagged as hard to
grade.

## Is it a photograph of a fundus?

Refused below {BELOW["fundus"]}.

{table(fundus, ["", "number", "refused"])}

## Do its outlines mislead?

True masks, photographs altered in known ways, weights that had not seen them. Each source by a regression on the
others; ungradable below {BELOW["gradable"]}.

{table(by_source, ["source", "pictures", "mislead", "AUC", "ungradable", "of these mislead", "of the others mislead"])}

By gradability (fitted on all of these):

{table(bins, ["gradability", "pictures", "disc, Dice", "vCDR error (pictures)", "right"])}

What is called the reason:

{table(kinds, ["alteration", "pictures", "ungradable", "reasons"])}

## Photographs as they are

With the packaged weights, which learned from most of them; the last ones fitted nothing.

{table(plain, ["source", "photographs", "ungradable", "reasons", "hard to grade"])}

```bash
{command_line()}
```

Commit {current_commit()}.
"""


if __name__ == "__main__":
    main()
