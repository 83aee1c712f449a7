"""Lines of text through tensorflow-datasets.

A builder of our own prepares the plain files of a public data set, whose
licence or size keeps them out of tensorflow-datasets, so that pipelines made
for it find them; any other of its sets with texts is read as it is.
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
        name: NAME, of `files`; or of tensorflow-datasets, then perhaps
            :FEATURE, the feature of the text, or several joined by a comma,
            of which each gives a line of its own (snli:premise,hypothesis);
            the only text if not given.
        data_dir: Folder of tensorflow-datasets; "" for its default.
        files: Name -> {split: path} of plain or gzipped text files; empty
            for a set that is not ours.

    Returns:
        Split ("train", "validation", "test", as far as there are any) -> raw
        lines, which may be empty or no UTF-8.

    Raises:
        InputError: If the set is unknown, can't be prepared, or has no such
            text.
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
        raise InputError("data set must be tfds: and a set of tensorflow-"
                         f"datasets or of ours, got {name!r}.") from error
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
        InputError: If they are no texts, or must be named.
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


@functools.cache  # A builder can be registered once only.
def _own_builder():
    """The builder of plain text files, one sequence a line."""
    import tensorflow_datasets as tfds

    class TextLines(tfds.core.GeneratorBasedBuilder):
        """One sequence a line, as in the files."""

        name = "text_lines"
        VERSION = tfds.core.Version("1.0.0")
        BUILDER_CONFIGS = [tfds.core.BuilderConfig(name=public)
                           for public in lines.PUBLIC]

        def __init__(self, paths=None, **kwargs):
            super().__init__(**kwargs)
            self.paths = paths or {}  # Prepared data need none.

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
