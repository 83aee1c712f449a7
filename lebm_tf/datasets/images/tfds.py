"""Images from tensorflow-datasets, with a quick error when offline."""

import http.client
import threading
import urllib.error
import urllib.parse
import urllib.request

import numpy as np

from lebm_tf.datasets.images.data import ImageData
from lebm_tf.datasets.images.framing import Framing
from lebm_tf.datasets.images.records import load_records
from lebm_tf.errors import InputError

_BATCH = 512


def load_tfds(name: str, data_dir: str, framing: Framing) -> ImageData:
    """Reads the splits `train` and `test` of a tensorflow-datasets set.

    Data prepared as ArrayRecord files are loaded by `load_records`.
    Prepared data are read without network. Otherwise they are prepared from raw
    files, which are searched in <data_dir>/downloads/manual under their plain
    names and in <data_dir>/downloads under those of tensorflow-datasets;
    missing files are downloaded. Hosts are probed first, because
    tensorflow-datasets itself takes minutes to give up on a dead connection.

    Args:
        name: Name of the set, with features `image` and optionally `label`.
        data_dir: Folder of tensorflow-datasets; "" for its default,
            $TFDS_DATA_DIR or ~/tensorflow_datasets.
        framing: Crop and resize, for every image.

    Raises:
        InputError: If the set is not prepared and cannot be.
    """
    try:
        import tensorflow_datasets as tfds  # Optional, and slow to import.
    except ImportError as error:
        raise InputError(
            f"{name}: needs tensorflow-datasets (pip install "
            f"tensorflow-datasets), got {error}.") from error
    builder = tfds.builder(name, data_dir=data_dir or None, try_gcs=False)
    if not builder.data_path.exists():
        _prepare(builder)
    if not builder.is_prepared():
        raise InputError(
            f"{name}: needs prepared data, got {builder.data_path} without "
            "dataset_info.json; delete that folder.")
    if builder.info.file_format == tfds.core.FileFormat.ARRAY_RECORD:
        return load_records(name, str(builder.data_path), framing)
    x_train, y_train = _read_split(builder, "train", framing)
    x_test, y_test = _read_split(builder, "test", framing)
    return ImageData(name, x_train, x_test, y_train, y_test)


def _prepare(builder) -> None:
    """Prepares a set from raw files, downloading the missing ones."""
    import tensorflow_datasets as tfds
    from tensorflow_datasets.core.download import download_manager

    root = builder.data_dir_root
    missing = _missing_files(builder)
    hosts = {urllib.parse.urlsplit(url).netloc: url
             for url in missing.values()}
    dead = [host for host, url in hosts.items() if not _answers(url)]
    if dead:
        raise InputError(
            f"{builder.name}: not prepared in {root}, and "
            f"{', '.join(dead)} does not answer; put {', '.join(missing)} "
            f"into {root / 'downloads' / 'manual'}, or run once with network: "
            'python -c "import tensorflow_datasets as tfds; tfds.load('
            f"'{builder.name}', data_dir='{root}')\".")
    try:
        builder.download_and_prepare()
    except (OSError, tfds.download.DownloadError,
            download_manager.NonMatchingChecksumError) as error:
        reason = " ".join(str(error).split())
        raise InputError(
            f"{builder.name}: cannot be prepared in {root}: {reason}"
        ) from error


def _missing_files(builder) -> dict[str, str]:
    """Raw files that are not on this machine: plain name -> URL."""
    from tensorflow_datasets.core.download import resource

    downloads = builder.data_dir_root / "downloads"
    missing = {}
    for url, info in builder.url_infos.items():
        cached = resource.get_dl_fname(url, info.checksum)
        if not (
                (downloads / "manual" / info.filename).exists()
                or resource.is_locally_cached(downloads / builder.name / cached)
                or resource.is_locally_cached(downloads / cached)):
            missing[info.filename] = url
    return missing


def _answers(url: str, seconds: float = 3.0) -> bool:
    """Whether the host of `url` answers a HEAD request, also through a proxy.

    It runs in a thread, because timeouts do not cover the name look-up.
    """
    answers = []

    def ask():
        request = urllib.request.Request(url, method="HEAD")
        try:
            with urllib.request.urlopen(request, timeout=seconds):
                answers.append(True)
        except urllib.error.HTTPError as error:
            # Some hosts refuse HEAD, so 4xx counts as an answer; on a 5xx the
            # download would retry for minutes.
            answers.append(error.code < 500)
        except (OSError, http.client.HTTPException):
            answers.append(False)

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(2.0 * seconds)
    return answers == [True]


def _read_split(builder, split: str, framing: Framing):
    """Images uint8 [N, h, w, C] and labels, int64 [N] or None."""
    features = ["image"] + ["label"] * ("label" in builder.info.features)
    examples = builder.as_dataset(split=split, shuffle_files=False)
    examples = examples.map(lambda example: {f: example[f] for f in features})
    images, labels = [], []
    for batch in examples.batch(_BATCH).as_numpy_iterator():
        # Resized batch by batch: CelebA at full size takes 21 GB.
        images.append(framing(batch["image"], builder.name))
        labels.append(batch.get("label"))
    return (np.concatenate(images),
            np.concatenate(labels) if "label" in features else None)
