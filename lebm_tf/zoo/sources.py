"""Sources of published models, and the cache of those from elsewhere."""

import http.client
import os
import re
import shutil
import tempfile
import urllib.error
import urllib.request

from lebm_tf.errors import InputError, nearest
from lebm_tf.zoo import archives

PREFIX = "zoo:"
MODELS = os.path.dirname(__file__)
_TIMEOUT = 60.0  # Seconds without an answer of a server.


def names() -> list[str]:
    """Sorted names of the models of the zoo."""
    return sorted(name for name in os.listdir(MODELS) if os.path.isfile(
        os.path.join(MODELS, name, "config.json")))


def folder(source: str, sha256: str = "") -> str:
    """Returns the folder of a published model.

    An archive is unpacked into a cache, $LEBM_CACHE_DIR or ~/.cache/lebm_tf,
    under its checksum. A cached model is not downloaded again.

    Args:
        source: "zoo:NAME", a folder, an archive (.tar.gz), or the URL of one.
        sha256: Checksum of the archive, 64 hexadecimal digits; needed for a
            URL.

    Raises:
        InputError: If the zoo has no such model, a checksum is missing or
            differs, the server does not answer, or the archive is refused by
            `archives.unpack`.
    """
    if sha256 and not re.fullmatch("[0-9a-fA-F]{64}", sha256):
        raise InputError("sha256 must have 64 hexadecimal digits, got "
                         f"{sha256!r}.")
    sha256 = sha256.lower()
    if re.match("https?://", source):
        if not sha256:
            raise InputError("sha256 must be the checksum of the archive for a "
                             f"URL, got none for {source}.")
        return _cached(sha256) or _downloaded(source, sha256)
    if "://" in source:
        raise InputError("the URL of a model must start with https:// or "
                         f"http://, got {source}.")
    if os.path.isfile(source):
        found = archives.checksum(source)
        _check(source, found, sha256)
        return _cached(found) or _unpacked(source, found)
    if sha256:
        raise InputError("sha256 must be left out without an archive, got "
                         f"{sha256} for {source}.")
    return _of_zoo(source) if source.startswith(PREFIX) else source


def _of_zoo(source):
    name, known = source.removeprefix(PREFIX), names()
    if name not in known:
        raise InputError(f"a model of the zoo must be one of "
                         f"{', '.join(known)}, got {name!r}"
                         f"{nearest(name, known)}.")
    return os.path.join(MODELS, name)


def _cache() -> str:
    return os.path.join(os.environ.get("LEBM_CACHE_DIR") or os.path.join(
        os.path.expanduser("~"), ".cache", "lebm_tf"), "models")


def _cached(sha256):
    path = os.path.join(_cache(), sha256)
    return path if os.path.isdir(path) else ""


def _check(source, found, sha256):
    if sha256 and found != sha256:
        raise InputError(f"{source} must have the SHA-256 checksum {sha256}, "
                         f"got {found}.")


def _downloaded(url, sha256):
    os.makedirs(_cache(), exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=_cache(), prefix=".part-",
                                     suffix=archives.ENDING) as file:
        try:
            with urllib.request.urlopen(url, timeout=_TIMEOUT) as answer:
                archives.copy_bounded(answer, file, url)
        except (urllib.error.URLError, http.client.HTTPException,
                TimeoutError) as error:
            raise InputError(f"{url} must be an archive on a server that "
                             f"answers, got {error}.") from error
        file.flush()
        _check(url, archives.checksum(file.name), sha256)
        return _unpacked(file.name, sha256)


def _unpacked(path, sha256):
    """Unpacks an archive into the cache, as a whole or not at all."""
    os.makedirs(_cache(), exist_ok=True)
    temporary = tempfile.mkdtemp(dir=_cache(), prefix=".part-")
    target = os.path.join(_cache(), sha256)
    try:
        archives.unpack(path, temporary)
        os.rename(temporary, target)
    except OSError:
        if not os.path.isdir(target):  # Else another process was first.
            raise
    finally:
        if os.path.isdir(temporary):
            shutil.rmtree(temporary)
    return target
