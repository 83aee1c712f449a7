"""RDKit with a time limit: long strings are parsed in another process."""

import base64
import json
import selectors
import subprocess
import sys
from typing import Any

TIME_LIMIT = 10.0  # Seconds per string.
# Longest string that is parsed in this process. RDKit takes milliseconds for
# strings up to this length, but minutes for 200,000 atoms in a ring or for
# 20,000 fragments, and cannot be interrupted.
LONGEST = 2000
_PROGRAM = """
import base64, json, sys
from rdkit import Chem, rdBase
rdBase.DisableLog("rdApp.*")
print(flush=True)
for line in sys.stdin:
    molecule = Chem.MolFromSmiles(json.loads(line))
    found = b"" if molecule is None else molecule.ToBinary()
    print(base64.b64encode(found).decode(), flush=True)
"""


class BoundedParser:
    """Parses SMILES in a process that is stopped after the time limit.

    Use it as a context manager; the process starts with the first string.

    Args:
        chem: The module `rdkit.Chem`.
        time_limit: Seconds per string.
    """

    def __init__(self, chem: Any, time_limit: float = TIME_LIMIT):
        self.chem, self.time_limit = chem, time_limit
        self.process: Any = None  # A `Popen`, while it runs.

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self._stop()

    def parse(self, text: str) -> Any:
        """Returns the molecule, or None for an invalid string.

        Raises:
            TimeoutError: If it takes longer than the limit.
        """
        if self.process is None:
            self.process = subprocess.Popen(
                [sys.executable, "-c", _PROGRAM], stdin=subprocess.PIPE,
                stdout=subprocess.PIPE)
            self.process.stdout.readline()  # The limit excludes the import.
        self.process.stdin.write(json.dumps(text).encode() + b"\n")
        self.process.stdin.flush()
        with selectors.DefaultSelector() as selector:
            selector.register(self.process.stdout, selectors.EVENT_READ)
            if not selector.select(self.time_limit):
                self._stop()
                raise TimeoutError
        found = base64.b64decode(self.process.stdout.readline())
        if self.process.poll() is not None:  # RDKit crashed.
            self._stop()
        return self.chem.Mol(found) if found else None

    def _stop(self):
        if self.process is not None:
            self.process.kill()
            self.process.communicate()
            self.process = None
