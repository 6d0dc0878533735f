"""The data of a comparison: made once for all methods and seeds."""

import dataclasses

from trainer.data.training_files import TrainingFiles


@dataclasses.dataclass(frozen=True)
class PreparedData:
    """Files and folders that the components left.

    Args:
      training: what a run trains on, and is watched by.
      test_files: transformed requests that judge, of the split `test`, or `eval` where there is none.
      test_request_files: the same, raw.
      raw_catalogue_files: the raw catalogue.
      num_train_requests: requests to train on.
      num_test_requests: requests that judge.
    """

    training: TrainingFiles
    test_files: tuple[str, ...]
    test_request_files: tuple[str, ...]
    raw_catalogue_files: tuple[str, ...]
    num_train_requests: int
    num_test_requests: int
