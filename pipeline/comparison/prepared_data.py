"""The data of a comparison: made once for all methods and seeds."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class PreparedData:
    """Files and folders that the components left.

    Args:
      request_transform_dir: output of the requests' Transform.
      catalogue_transform_dir: output of the catalogue's Transform.
      train_files: transformed training requests.
      eval_files: transformed requests that watch the training.
      catalogue_files: the transformed catalogue.
      test_files: transformed requests that judge, of the split `test`, or `eval` where there is none.
      test_request_files: the same, raw.
      raw_catalogue_files: the raw catalogue.
      num_train_requests: requests to train on.
      num_test_requests: requests that judge.
    """

    request_transform_dir: str
    catalogue_transform_dir: str
    train_files: tuple[str, ...]
    eval_files: tuple[str, ...]
    catalogue_files: tuple[str, ...]
    test_files: tuple[str, ...]
    test_request_files: tuple[str, ...]
    raw_catalogue_files: tuple[str, ...]
    num_train_requests: int
    num_test_requests: int
