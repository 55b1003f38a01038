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
import random
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.preprocessing import StandardScaler
from tabulate import tabulate

import fundus_plugins
from fundus_plugins.data.annotations import decode_segmentation
from fundus_plugins.data.coco_file import read_coco
from fundus_plugins.experiments.alterations import ALTERATIONS, Pixels
from fundus_plugins.files import atomic_write
from fundus_plugins.measures.morphometry import vertical_cup_to_disc_ratio
from fundus_plugins.measures.overlap import dice
from fundus_plugins.photographs.appearance import DISC_FEATURES, FIELD_FEATURES, describe_disc, describe_field
from fundus_plugins.photographs.field import find_field
from fundus_plugins.photographs.folders import list_folder
from fundus_plugins.photographs.photograph import read_photograph
from fundus_plugins.prediction import gradability
from fundus_plugins.prediction.gradability import SIGNALS
from fundus_plugins.provenance import command_line, current_commit

FUNDUS = (*FIELD_FEATURES, *SIGNALS)
GRADABLE = (*SIGNALS, *DISC_FEATURES, "fine", "middle", "coarse", "fine_middle", "light", "contrast")
STRENGTH = 0.03  # of the regressions, scikit-learn's C
MISLEADING = 0.2, 0.8  # an error of the vCDR above this, or a disc's Dice below
BELOW = {"fundus": 0.5, "gradable": 0.5}
DOUBTFUL_BELOW = 0.8
NONE_PARTS = 6  # of each picture of another thing
MOST = 900  # photographs of a source


def _haze(image, disc, part):
    """Towards a bright mean colour, as behind a cataract."""
    return np.clip(part * image + (1 - part) * (0.6 * image.reshape(-1, 3).mean(axis=0) + 60), 0, 255).astype(np.uint8)


def _few_pixels(image, disc, side):
    height, width = image.shape[:2]
    scale = min(1.0, side / max(height, width))
    small = cv2.resize(
        image, (max(1, round(width * scale)), max(1, round(height * scale))), interpolation=cv2.INTER_AREA
    )
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)


def _noise(image, disc, sigma):
    return np.clip(image + np.random.default_rng(0).normal(0, sigma, image.shape), 0, 255).astype(np.uint8)


def _uneven(image, disc, slope):
    return np.clip(image * np.exp(slope * np.linspace(-1, 1, image.shape[1])[None, :, None]), 0, 255).astype(np.uint8)


_OURS = {x.name: x.pixels for x in ALTERATIONS}
KINDS: dict[str, tuple[Pixels, Sequence[float]]] = {
    "blur": (_OURS["blur"], (0.3, 0.6, 1, 1.5, 2.5, 4)),
    "low light": (_OURS["low light"], (0.35, 0.2, 0.1, 0.05, 0.03)),
    "gamma": (_OURS["gamma"], (0.3, 0.5, 2, 3)),
    "jpeg": (_OURS["jpeg"], (20, 10, 5, 2)),
    "haze": (_haze, (0.6, 0.35, 0.2, 0.1)),
    "few pixels": (_few_pixels, (400, 250, 150, 90)),
    "noise": (_noise, (15, 30, 60)),
    "uneven light": (_uneven, (0.7, 1.5, -0.7, -1.5)),
}


def features(image: np.ndarray, prediction) -> dict:
    """All that the models may read, of one picture and its prediction."""
    row = {name: float(np.nan_to_num(getattr(prediction, name))) for name in SIGNALS}
    field = find_field(image)
    if field is not None:
        row |= zip(FIELD_FEATURES, map(float, describe_field(image, field)))
    if prediction.disc.any():
        row |= zip(DISC_FEATURES, map(float, describe_disc(image, prediction.disc)))
    return row


def of_folders(folders: str, most: int = MOST) -> Iterator[dict]:
    files = [x for folder in folders.split(":") for x in list_folder(Path(folder))]
    random.Random(2).shuffle(files)
    for path, image, found in fundus_plugins.FundusPredictor(threads=1).predict_files(files[:most]):
        if isinstance(found, Exception) or image is None:
            raise found if isinstance(found, Exception) else ValueError(path)
        yield {"name": path.name, **features(image, found)}


def of_parts(folder: Path) -> Iterator[dict]:
    """Parts of pictures of other things, some mirrored, in other colours."""
    predictor, draw = fundus_plugins.FundusPredictor(threads=1), random.Random(0)
    for path in list_folder(folder):
        image = read_photograph(path)
        for _ in range(NONE_PARTS):
            height, width = (max(40, int(x * draw.uniform(0.5, 1))) for x in image.shape[:2])
            top, left = (draw.randint(0, max(0, x - y)) for x, y in zip(image.shape, (height, width)))
            part = image[top : top + height, left : left + width][:, :: draw.choice((1, -1))]
            part = np.clip(part * np.array([draw.uniform(0.7, 1.3) for _ in range(3)]), 0, 255).astype(np.uint8)
            yield {"name": path.name, **features(part, predictor(part))}


def of_altered(json_file: Path, weights: str, number: int) -> Iterator[dict]:
    predictor, draw = fundus_plugins.FundusPredictor(weights, threads=1), random.Random(0)
    document = read_coco(json_file)
    names = {x["id"]: x["name"] for x in document["categories"]}
    for entry in document["images"]:
        photograph = read_photograph(json_file.parent / entry["file_name"])
        true = {
            names[x["category_id"]]: decode_segmentation(x["segmentation"], photograph.shape[:2]) > 0
            for x in document["annotations"]
            if x["image_id"] == entry["id"]
        }
        disc, cup = true["optic_disc"], true.get("optic_cup")
        for place in range(number):
            kind = draw.choice(list(KINDS)) if place else "unaltered"
            alter, levels = KINDS.get(kind, (lambda image, disc, level: image, (0,)))
            level = draw.choice(levels)
            image = np.ascontiguousarray(alter(photograph, disc, level))
            found = predictor(image)
            row = {"name": entry["file_name"], "kind": kind, "level": level, "dice": float(dice(found.disc, disc))}
            if cup is not None and found.disc.any():
                row["error"] = float(abs(found.vcdr - vertical_cup_to_disc_ratio(disc, cup)))
            yield row | features(image, found)


def kept(folder: Path, name: str, rows: Iterable[dict]) -> list[dict]:
    """Rows that were measured before under this name, or these, kept now."""
    path = folder / f"{name}.json"
    if not path.exists():
        found = list(rows)
        with atomic_write(path) as file:
            json.dump(found, file)
    return json.loads(path.read_text(encoding="utf-8"))


def lit(groups: dict[str, list]) -> dict[str, list]:
    """Those in which there is a field of view."""
    return {name: [x for x in rows if "light" in x] for name, rows in groups.items()}


def misleading(row: dict) -> bool:
    return row.get("error", 0) > MISLEADING[0] or row["dice"] < MISLEADING[1]


def fit(groups: Sequence[Sequence[dict]], good: Sequence[np.ndarray], names: Sequence[str], below: float) -> dict:
    """A regression of `good` on features; every group counts the same."""
    rows = [row for group in groups for row in group]
    values = np.array([[row[name] for name in names] for row in rows])
    weights = np.concatenate([np.full(len(group), 1000 / len(group)) for group in groups])
    scaler = StandardScaler().fit(values)
    model = LogisticRegression(C=STRENGTH, max_iter=5000)
    model.fit(scaler.transform(values), np.concatenate(good), sample_weight=weights)
    return {
        "features": list(names),
        "mean": scaler.mean_.round(5).tolist(),
        "scale": scaler.scale_.round(5).tolist(),
        "weights": model.coef_[0].round(5).tolist(),
        "bias": round(float(model.intercept_[0]), 5),
        "below": below,
    }


def apply(model: dict, rows: Sequence[dict]) -> np.ndarray:
    values = np.array([[row[name] for name in model["features"]] for row in rows]).reshape(len(rows), -1)
    logits = (values - model["mean"]) / model["scale"] @ model["weights"] + model["bias"]
    return 1 / (1 + np.exp(-logits))


def fit_fundus(real: dict[str, list], altered: dict[str, list], none: list[dict]) -> dict:
    """Photographs, altered ones too, count together as much as pictures of other things."""
    groups = [*real.values(), *altered.values()]
    return fit(
        [*groups, *[none] * len(groups)],
        [*(np.ones(len(x)) for x in groups), *[np.zeros(len(none))] * len(groups)],
        FUNDUS,
        BELOW["fundus"],
    )


def fit_gradable(altered: dict[str, list]) -> dict:
    return fit(
        list(altered.values()),
        [np.array([not misleading(x) for x in rows]) for rows in altered.values()],
        GRADABLE,
        BELOW["gradable"],
    )


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
