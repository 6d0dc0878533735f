"""What users did with what they were given."""

import math
from collections.abc import Collection, Sequence
from pathlib import Path

from sources.adapter import Count
from sources.reading import DataError
from sources.request_log.files import read_json_lines

Feedback = dict[str, dict[str, float]]
"""The best label of each item, by request id and item id."""


def read_feedback(files: Sequence[Path], request_ids: Collection[str]) -> Feedback:
    """Reads the feedback on some requests.

    Args:
      files: JSON lines of `{"request_id": "...", "item_id": "...", "label": 1.0}`.
      request_ids: whose feedback is wanted.

    Raises:
      DataError: a file cannot be read, or a line lacks something.
    """
    feedback: Feedback = {}
    for path in files:
        for origin, line in read_json_lines(path):
            request_id, item_id = (_text(line, name, origin) for name in ("request_id", "item_id"))
            label = line.get("label")
            if isinstance(label, bool) or not isinstance(label, int | float) or not math.isfinite(label) or label < 0:
                raise DataError(f"{origin}: `label` must be a number, at least 0. Received: {label!r}")
            if request_id in request_ids:
                of_request = feedback.setdefault(request_id, {})
                of_request[item_id] = max(float(label), of_request.get(item_id, 0.0))
    return feedback


def join_feedback(
    item_ids: Sequence[str],
    stages: Sequence[int],
    ranks: Sequence[int],
    num_stages: int,
    labels: dict[str, float],
    group_size: int,
    count: Count,
) -> dict[str, list]:
    """Returns the candidates of a request with what became of them, the deepest stage first.

    Args:
      item_ids: logged candidates.
      stages: of each, `num_stages` if it was delivered.
      ranks: of each in its stage, 1 = best.
      num_stages: of the cascade.
      labels: feedback by item id.
      group_size: candidates kept of each stage, the best.
      count: receives what was left out.
    """
    delivered = {item_id for item_id, stage in zip(item_ids, stages, strict=True) if stage == num_stages}
    strange = sum(item_id not in delivered for item_id in labels)
    if strange:
        count("feedback_on_item_not_delivered", strange)
    groups: dict[int, list[tuple[float, int, str]]] = {}
    for item_id, stage, rank in zip(item_ids, stages, ranks, strict=True):
        label = labels.get(item_id, 0.0) if stage == num_stages else 0.0
        groups.setdefault(num_stages + 1 if label else stage, []).append((-label, rank, item_id))
    if num_stages + 1 not in groups:
        count("request_without_ground_truth", 1)
    candidates = []
    for stage in sorted(groups, reverse=True):
        group = sorted(groups[stage])
        if len(group) > group_size:
            count("candidates_beyond_group_size", len(group) - group_size)
        for place, (negative, rank, item_id) in enumerate(group[:group_size], start=1):
            wanted = stage > num_stages
            candidates.append((item_id, stage, place if wanted else rank, num_stages - negative if wanted else stage))
    columns = list(zip(*candidates, strict=True))
    return {
        "candidate_item_id": list(columns[0]),
        "candidate_stage": list(columns[1]),
        "candidate_rank": list(columns[2]),
        "candidate_label": [float(label) for label in columns[3]],
    }


def _text(line: dict, name: str, origin: str) -> str:
    value = line.get(name)
    if not isinstance(value, str) or not value:
        raise DataError(f"{origin}: `{name}` must be a string. Received: {value!r}")
    return value
