"""Recall of the ground truth and how sure it is."""

import numpy as np


def pooled_recall(hits: np.ndarray) -> float:
    """Returns hits over ground truth, summed over all requests.

    Args:
      hits: bool `[G]`, whether each ground-truth item was delivered.
    """
    return float(np.mean(hits)) if len(hits) else 0.0


def mean_recall(hits: np.ndarray, request: np.ndarray) -> float:
    """Returns the mean over requests of the share of their ground truth that was delivered.

    Requests without ground truth are left out.

    Args:
      hits: bool `[G]`, whether each ground-truth item was delivered.
      request: int `[G]`, the request it belongs to, ascending.
    """
    if not len(hits):
        return 0.0
    num_hits, num_items = _per_request(hits, request)
    return float(np.mean(num_hits / num_items))


def recall_interval(hits: np.ndarray, request: np.ndarray, z: float = 1.96) -> tuple[float, float]:
    """Returns a confidence interval of the pooled recall.

    Wilson's score interval for the effective number of ground-truth items: items of one request are not
    independent, so their number is divided by the design effect, the variance of the ratio over requests
    (by linearisation) over that of as many independent items, at least 1.

    Args:
      hits: bool `[G]`, whether each ground-truth item was delivered.
      request: int `[G]`, the request it belongs to, ascending.
      z: standard deviations, 1.96 for 95 %.

    Returns:
      Lower and upper end, (0, 1) without ground truth.
    """
    if not len(hits):
        return 0.0, 1.0
    num_hits, num_items = _per_request(hits, request)
    total, share = len(hits), pooled_recall(hits)
    independent = share * (1 - share) / total
    num_requests = len(num_items)
    if independent == 0:
        size = float(num_requests)
    elif num_requests == 1:
        size = 1.0
    else:
        residuals = num_hits - share * num_items
        clustered = np.sum(residuals**2) / total**2 * num_requests / (num_requests - 1)
        size = total / max(1.0, clustered / independent)
    centre = (share + z**2 / (2 * size)) / (1 + z**2 / size)
    radius = z / (1 + z**2 / size) * np.sqrt(share * (1 - share) / size + z**2 / (4 * size**2))
    return float(max(0.0, centre - radius)), float(min(1.0, centre + radius))


def _per_request(hits: np.ndarray, request: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    starts = np.flatnonzero(np.diff(request, prepend=-1))
    return np.add.reduceat(hits.astype(np.int64), starts), np.diff(starts, append=len(hits))
