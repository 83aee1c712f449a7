"""Numbers of the tokens that every vocabulary begins with.

Padding, what the vocabulary lacks, the beginning (read, never predicted) and
the end (predicted, and counted) of a sequence.
"""

PAD, UNKNOWN, BEGIN, END = range(4)
