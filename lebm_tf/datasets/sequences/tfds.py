"""Lines of text from tensorflow-datasets.

A builder in this file prepares the public text files, whose license or size
keeps them out of tensorflow-datasets, for pipelines that use it. Other text
sets of tensorflow-datasets are read directly.
"""

import functools
from typing import Callable, Mapping

from lebm_tf.datasets.sequences import lines
from lebm_tf.errors import InputError

_SPLITS = ("train", "validation", "test")


def lines_of(name: str, data_dir: str,
             files: Callable[[str], Mapping[str, str]]
             ) -> dict[str, list[bytes]]:
    """Lines of every split of a set, in order.

    Args:
        name: NAME, a key of `files` or a set of tensorflow-datasets. The latter
            may be followed by :FEATURE, the text feature, or several joined by
            commas, each of which gives separate lines
            (snli:premise,hypothesis); default: the only text feature.
        data_dir: Folder of tensorflow-datasets; "" for its default.
        files: Name -> {split: path} of plain or gzipped text files; empty for
            other sets.

    Returns:
        Split ("train", "validation", "test", if they exist) -> raw lines, which
        may be empty or not UTF-8.

    Raises:
        InputError: If the set is unknown, cannot be prepared, or has no such
            text feature.
    """
    try:
        import tensorflow_datasets as tfds  # Optional, and slow to import.
    except ImportError as error:
        raise InputError(
            f"tfds:{name}: needs tensorflow-datasets (pip install "
            f"tensorflow-datasets), got {error}.") from error
    name, _, features = name.partition(":")
    paths = {} if features else files(name)
    try:
        if paths:
            made = _own_builder()(paths, config=name,
                                  data_dir=data_dir or None)
            made.download_and_prepare()
        else:
            made = tfds.builder(name, data_dir=data_dir or None,
                                try_gcs=False)
            if not made.is_prepared():
                raise InputError(
                    f"tfds:{name}: needs prepared data, got none in "
                    f"{made.data_path}; run once with network: python -c "
                    f"\"import tensorflow_datasets as tfds; "
                    f"tfds.load('{name}')\".")
    except tfds.core.registered.DatasetNotFoundError as error:
        raise InputError("data set must be tfds:NAME with a set of "
                         f"tensorflow-datasets or {', '.join(lines.PUBLIC)}, "
                         f"got {name!r}.") from error
    except OSError as error:
        raise InputError(f"tfds:{name}: needs a folder to prepare it in, got "
                         f"{error}.") from error
    chosen = _text_features(tfds, made, name, features)
    return {split: [example[feature] for example in tfds.as_numpy(
                made.as_dataset(split=split, shuffle_files=False))
                for feature in chosen]
            for split in _SPLITS if split in made.info.splits}


def _text_features(tfds, made, name, features) -> list[str]:
    """The features to read.

    Raises:
        InputError: If they are not texts, or must be given.
    """
    texts = [feature for feature, kind in made.info.features.items()
             if isinstance(kind, tfds.features.Text)]
    chosen = features.split(",") if features else texts
    if not chosen or set(chosen) - set(texts) or (
            not features and len(texts) > 1):
        raise InputError(
            f"tfds:{name} must be followed by :FEATURE among "
            f"{', '.join(texts) or 'none'}, got {features!r}.")
    return chosen


@functools.cache  # A builder can be registered only once.
def _own_builder():
    """The builder of plain text files, one sequence per line."""
    import tensorflow_datasets as tfds

    class TextLines(tfds.core.GeneratorBasedBuilder):
        """One sequence per line, as in the files."""

        name = "text_lines"
        VERSION = tfds.core.Version("1.0.0")
        BUILDER_CONFIGS = [tfds.core.BuilderConfig(name=public)
                           for public in lines.PUBLIC]

        def __init__(self, paths=None, **kwargs):
            super().__init__(**kwargs)
            self.paths = paths or {}  # Not needed for prepared data.

        def _info(self):
            return tfds.core.DatasetInfo(
                builder=self,
                features=tfds.features.FeaturesDict(
                    {"text": tfds.features.Text()}),
                disable_shuffling=True)

        def _split_generators(self, dl_manager):
            return {split: self._generate_examples(path)
                    for split, path in self.paths.items()}

        def _generate_examples(self, path):
            for number, line in enumerate(lines.raw_lines(
                    path, self.builder_config.name)):
                yield number, {"text": line}
    return TextLines
