"""What all commands share: flags in, one line and an exit code out.

Exit codes: 0 done, 1 the run failed (values became non-finite, a worker was
lost), 2 the input was wrong or a result could not be written, 130
interrupted.
"""

import errno
import os
import sys
from typing import Callable, Sequence
import warnings

from absl import flags, logging

from lebm_tf.configuration import fields as configuration
from lebm_tf.errors import ClusterError, InputError, NonFiniteError, nearest
from lebm_tf.text_files import read_text

Fields = Callable[[], Sequence[configuration.Field]]
PLUGINS = configuration.Field(
    "plugins", ("plugins",), tuple[str, ...],
    "Modules to import first, as my_package.my_module: they may bring "
    "families, evaluators, data sets and networks of their own.", ())
_NAME_FILES = ("flagfile", "baseline", "backbone")
_HELP = {"help": "h", "helpfull": None, "helpshort": None}
_DISK_ERRORS = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS,
                errno.EACCES, errno.EPERM, errno.ENOENT, errno.ENOTDIR,
                errno.EISDIR, errno.EEXIST, errno.ENAMETOOLONG}


def run(main: Callable[[flags.FlagValues], None], description: str,
        fields: Sequence[configuration.Field] | Fields,
        argv: Sequence[str] | None = None,
        load_plugins: Callable[[Sequence[str]], None] | None = None) -> int:
    """Parses flags, calls `main` with them, and turns errors into one line.

    Args:
        main: Does the work; gets the parsed flags.
        description: What --help says first.
        fields: The flags that the command knows, or what gives them.
        argv: The command line; `sys.argv` if not given.
        load_plugins: Imports the modules of --plugins, which may bring
            further flags; None for a command without.

    Returns:
        The exit code.
    """
    flags.FLAGS.mark_as_parsed()  # Our own flags are; absl's have none.
    logging.use_absl_handler()
    warnings.filterwarnings("ignore", category=UserWarning, module="keras")
    logging.set_verbosity(logging.WARNING)
    try:
        argv = sys.argv if argv is None else argv
        argv = [argv[0], *expand(argv[1:])]
        if load_plugins is not None:
            load_plugins(plugins_of(argv))
        fields = [*(fields() if callable(fields) else fields),
                  *([PLUGINS] if load_plugins else [])]
        values = parse(fields, argv)
        if any(values[name].value for name in _HELP):
            say(description.strip() + "\n\n" + _help(_of_family(
                fields, values)))
            return 0
        main(values)
    except InputError as error:
        return _fail(2, error)
    except (NonFiniteError, ClusterError) as error:
        return _fail(1, error)
    except KeyboardInterrupt:
        return _fail(130, "stopped; train goes on from its newest checkpoint "
                     "when the same command is given again.")
    except OSError as error:
        if error.errno not in _DISK_ERRORS:
            raise
        return _fail(2, f"{error.filename or 'disk'}: {error.strerror}.")
    return 0


def parse(fields: Sequence[configuration.Field], argv: Sequence[str]
          ) -> flags.FlagValues:
    """The flags of a command line, flagfiles read in place.

    Raises:
        InputError: If a flag is unknown or has no value, a flagfile can't be
            read, or something is not a flag.
    """
    values = flags.FlagValues()
    configuration.define(values, fields)
    for name, short in _HELP.items():
        flags.DEFINE_boolean(name, False, "Show this.", short_name=short,
                             flag_values=values)
    try:
        rest = values([argv[0], *succeed(expand(argv[1:]), fields)])[1:]
    except flags.UnrecognizedFlagError as error:
        name = error.flagname
        raise InputError(
            f"unknown flag --{name}"
            f"{nearest(name, values)}.") from None
    except flags.Error as error:
        raise InputError(" ".join(str(error).split())) from None
    if rest:
        raise InputError(f"expected flags only, got {rest[0]!r}.")
    return values


def plugins_of(argv: Sequence[str]) -> list[str]:
    """The modules that --plugins names, in order.

    Args:
        argv: Flags, without flagfiles.
    """
    words, found = list(argv), []
    for i, word in enumerate(words):
        name, equals, value = word.partition("=")
        if name.lstrip("-") == PLUGINS.flag and name.startswith("-"):
            value = value if equals else "".join(words[i + 1:i + 2])
            found += [part.strip() for part in value.split(",")]
    return [name for name in found if name]


def expand(argv: Sequence[str], folder: str = "", seen: tuple = ()
           ) -> list[str]:
    """Puts the flags of flagfiles where the flagfile is named.

    A file that a flagfile names, as another flagfile or a baseline, lies
    relative to the one that names it; then a run needs no certain folder.

    Raises:
        InputError: If a flagfile can't be read, or names itself.
    """
    flat, rest = [], list(argv)
    while rest:
        argument = rest.pop(0)
        name, equals, value = argument.partition("=")
        names_file = name[:1] == "-" and name.lstrip("-") in _NAME_FILES
        if names_file and not equals and rest:
            value = rest.pop(0)
        if not names_file or not value:
            flat.append(argument)
            continue
        path = os.path.join(folder, os.path.expanduser(value))
        if name.lstrip("-") != "flagfile":
            flat.append(f"{name}={path}")
            continue
        if os.path.realpath(path) in seen:
            raise InputError(f"the flagfile {path} names itself.")
        flat += expand(_words(path), os.path.dirname(path),
                       (*seen, os.path.realpath(path)))
    return flat


def _words(path) -> list[str]:
    """The flags of a flagfile, one a line; of "--name value" two words."""
    words = []
    for line in read_text(path, f"the flagfile {path}").splitlines():
        line = line.strip()
        if line and line[0] != "#":
            name, *value = line.split(None, 1)
            words += [name, *value] if "=" not in name else [line]
    return words


def succeed(argv: Sequence[str], fields: Sequence[configuration.Field]
            ) -> list[str]:
    """Leaves out what belonged to a family that a later --family replaces.

    A data set's flagfile and `--family=vae` behind it then make the same run
    with another model: flags that both families know are kept, those of the
    first alone are left out, and named. A flag that stands behind --family is
    never left out, so one that the family lacks is still refused.

    Args:
        argv: Flags, without flagfiles.
        fields: All that the command knows.
    """
    owners, kinds = {}, {field.flag: field.type for field in fields}
    for field in fields:
        owners.setdefault(field.flag, set()).add(field.family)
    kept, family, rest = [], None, list(argv)
    while rest:
        words = [rest.pop(0)]
        name, equals, value = words[0].lstrip("-").partition("=")
        if name not in kinds and name.startswith("no"):
            name = name[2:]
        if not equals and rest and kinds.get(name, bool) is not bool:
            words.append(rest.pop(0))
            value = words[1]
        if name == "family":
            lost = [known for known, _ in kept
                    if family in owners.get(known, ())
                    and not owners[known] & {value, ""}]
            if lost:
                say(f"Left out, as the family {value} has no such flag: "
                    f"{', '.join(f'--{known}' for known in lost)}.")
            kept = [entry for entry in kept if entry[0] not in lost]
            family = value
        kept.append((name, words))
    return [word for _, words in kept for word in words]


def say(text: str) -> None:
    """Writes a line for the person who runs the command."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def _fail(code: int, error) -> int:
    sys.stderr.write("error: " + " ".join(str(error).split()) + "\n")
    return code


def _of_family(fields, values):
    """The flags that --family knows, or all without it."""
    family = values["family"].value if "family" in values else None
    if family not in {field.family for field in fields}:
        return fields
    return [field for field in fields if field.family in ("", family)]


def _help(fields) -> str:
    texts = {"flagfile": "File with one flag a line."}
    defaults, ranges = {"flagfile": {}}, {}
    for field in fields:
        texts[field.flag], ranges[field.flag] = field.help, field.range
        value = field.default
        if isinstance(value, tuple):
            value = ",".join(map(str, value))
        shown = defaults.setdefault(field.flag, {})
        if value not in ("", None):
            shown[str(value)] = None
    lines = []
    for flag, text in texts.items():
        about = "; ".join(filter(None, (
            " or ".join(defaults[flag]), ranges.get(flag))))
        lines.append(f"  --{flag}" + (f" ({about})" if about else "")
                     + f"\n      {text}")
    return "\n".join(lines)
