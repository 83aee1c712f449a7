"""Numbers of the tokens that every vocabulary begins with.

Padding, unknown words, the beginning of a sequence (an input only, never
predicted) and its end (predicted, and counted).
"""

PAD, UNKNOWN, BEGIN, END = range(4)
