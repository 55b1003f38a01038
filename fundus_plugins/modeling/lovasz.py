"""The Lovász extension of the Jaccard loss (Berman et al. 2018), for the classes of overlapping masks."""

import torch


def lovasz_per_class(logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Lovász-Softmax of every mask on its own (equations 8 and 9): a convex surrogate of 1 - IoU, in float32.

    The probabilities are independent sigmoids in place of a softmax, for the cup lies in the disc: the error of a pixel
    is `1 - p` within the true mask and `p` outside, as in the paper.

    Args:
        logits: (N, K, H, W), any float type.
        target: (N, K, H, W), 0 or 1.

    Returns:
        (N, K) float32, 0 to 1.
    """
    target = target.float().flatten(2)
    errors, order = (target - logits.float().sigmoid().flatten(2)).abs().sort(dim=2, descending=True)
    return (errors * jaccard_gradient(target.gather(2, order))).sum(2)


def jaccard_gradient(target: torch.Tensor) -> torch.Tensor:
    """How much the Jaccard loss grows when the pixels, one after the other, turn wrong (algorithm 1).

    Args:
        target: (..., P) float32, 0 or 1, in the order of falling errors.

    Returns:
        (..., P) float32; each row sums to 1.
    """
    total = target.sum(-1, keepdim=True)
    intersection = total - target.cumsum(-1)
    union = total + (1 - target).cumsum(-1)
    jaccard = 1 - intersection / union  # the first pixel makes the union 1 at least
    return torch.diff(jaccard, dim=-1, prepend=torch.zeros_like(total))
