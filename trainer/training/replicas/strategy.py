"""The TensorFlow strategy of a training run."""

import contextlib
import os

import tensorflow as tf

from trainer.config.trainer import TrainerConfig


def open_strategy(config: TrainerConfig) -> tf.distribute.Strategy:
    """Returns the strategy that the configuration names; TensorFlow's default one, which does nothing, for `"none"`.

    A processor has as many logical devices as a process says before it first runs an operation, so call this first.

    Args:
      config: says `distribution` and `num_devices`.

    Raises:
      ValueError: there are not as many devices, the environment variable `TF_CONFIG` does not describe the cluster, or
        TensorFlow has been at work before.
    """
    if config.distribution == "none":
        return tf.distribute.get_strategy()
    if not tf.config.list_physical_devices("GPU"):
        # A replica may get no request of a small batch, of which oneDNN's fused layers end the process.
        tf.config.optimizer.set_experimental_options({"remapping": False})
    if config.distribution == "mirrored":
        return tf.distribute.MirroredStrategy(_devices(config.num_devices))
    if "TF_CONFIG" not in os.environ:
        raise ValueError(
            "`distribution='multi_worker'` needs the environment variable TF_CONFIG, the addresses of all workers and "
            "which of them this process is. Received: none"
        )
    try:
        return tf.distribute.MultiWorkerMirroredStrategy()
    except (RuntimeError, ValueError, KeyError) as error:
        raise ValueError(
            f"`distribution='multi_worker'` needs a TF_CONFIG of this cluster in a process that has not used "
            f"TensorFlow before. Received: {os.environ['TF_CONFIG']}, and TensorFlow says: {error}"
        ) from error


def devices_line(strategy: tf.distribute.Strategy) -> str:
    """Says on what a run trains."""
    gpus = tf.config.list_physical_devices("GPU")
    names = {tf.config.experimental.get_device_details(gpu).get("device_name", "GPU") for gpu in gpus}
    place = f"a GPU ({', '.join(sorted(names))})" if gpus else "the processor: TensorFlow sees no GPU"
    replicas = strategy.num_replicas_in_sync
    return f"trains on {place}" if replicas == 1 else f"trains {replicas} replicas, each on {place}"


def _devices(num_devices: int | None) -> list[str]:
    if gpus := tf.config.list_physical_devices("GPU"):  # asking for logical ones would start TensorFlow
        if num_devices is not None and num_devices > len(gpus):
            raise ValueError(
                f"`num_devices` must be at most the GPUs, {len(gpus)}. Received: num_devices={num_devices}"
            )
        return [f"GPU:{number}" for number in range(num_devices or len(gpus))]
    num_devices = num_devices or 1
    if num_devices > 1:
        processor = tf.config.list_physical_devices("CPU")[0]
        parts = [tf.config.LogicalDeviceConfiguration()] * num_devices
        with contextlib.suppress(RuntimeError):  # TensorFlow has been at work, perhaps with the processor in parts
            tf.config.set_logical_device_configuration(processor, parts)
    names = [device.name for device in tf.config.list_logical_devices("CPU")]
    if len(names) < num_devices:
        raise ValueError(
            f"`num_devices` above 1 without a GPU cuts the processor into parts, in a process that has not used "
            f"TensorFlow before. Received: num_devices={num_devices}"
        )
    return names[:num_devices]
