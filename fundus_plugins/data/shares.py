"""How large a part of the training photographs each data set gives, whatever its size."""

from collections import Counter
from collections.abc import Mapping, Sequence

import torch


def parse_shares(words: Sequence[str], names: Sequence[str]) -> dict[str, float]:
    """Data set -> weight, from `NAME=WEIGHT` words; empty where there are none.

    Raises ValueError for another word, a weight that is not positive, and where the sets are not those of `names`.
    """
    shares = {}
    for word in words:
        name, _, weight = word.rpartition("=")
        try:
            shares[name] = float(weight)
        except ValueError:
            shares[name] = 0.0
        if not 0 < shares[name] < float("inf"):
            raise ValueError(f"DATASETS.SHARES: expected words such as drishti_gs1_train=0.3, found {word!r}")
        if name not in names:
            raise ValueError(f"DATASETS.SHARES: {name} is none of the training sets, {', '.join(names)}")
    if shares and (missing := [name for name in names if name not in shares]):
        raise ValueError(f"DATASETS.SHARES names some of the training sets, and not {', '.join(missing)}")
    return shares


def repeat_factors(sources: Sequence[str], shares: Mapping[str, float]) -> torch.Tensor:
    """How often each photograph is drawn in an epoch, (N,) float32, so that every source has its share.

    Args:
        sources: the data set of each photograph.
        shares: a weight for every source; only their ratios count.

    The mean is 1, so an epoch has as many photographs as before.
    """
    sizes = Counter(sources)
    total = sum(shares[source] for source in sizes)
    factors = {source: shares[source] / total * len(sources) / size for source, size in sizes.items()}
    return torch.tensor([factors[source] for source in sources])


def share_factors(records: Sequence[Mapping], names: Sequence[str], words: Sequence[str]) -> torch.Tensor | None:
    """`repeat_factors` of the training photographs, so that DATASETS.SHARES holds; None where `words` is empty.

    Args:
        records: with `source`, the data set's name, as `disc_cup_dataset` gives them.
        names: of the training sets.
        words: DATASETS.SHARES.
    """
    if not words:
        return None
    return repeat_factors([record["source"] for record in records], parse_shares(words, names))
