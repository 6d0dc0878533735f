"""The files that a training run reads."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class TrainingFiles:
    """What Transform left of the requests and of the catalogue.

    Args:
      request_transform_dir: output folder of the requests' Transform.
      catalogue_transform_dir: output folder of the catalogue's Transform.
      train_files: gzipped TFRecord files of transformed requests to train on.
      eval_files: the same of the evaluation split.
      catalogue_files: gzipped TFRecord files of the transformed catalogue.
    """

    request_transform_dir: str
    catalogue_transform_dir: str
    train_files: tuple[str, ...]
    eval_files: tuple[str, ...]
    catalogue_files: tuple[str, ...]

    @property
    def by_content(self) -> dict[str, tuple[str, ...]]:
        """The files of examples, by what they hold."""
        return {
            "training requests": self.train_files,
            "evaluation requests": self.eval_files,
            "catalogue": self.catalogue_files,
        }
