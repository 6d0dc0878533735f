"""The answer to one request."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Recommendations:
    """The answer to one request.

    Args:
      item_ids: best first; fewer than asked for when the last stage passes on fewer.
      scores: one for each item, of the last stage that answered.
      release: version of the models that answered.
      fallback: a later stage did not answer in time; these are the best of the last stage that did.
      request_id: of the request.
    """

    item_ids: list[str]
    scores: list[float]
    release: int
    fallback: bool
    request_id: str
