"""Kinds of data, as data sets, models and evaluators name them."""

IMAGE = "image"
SEQUENCE = "sequence"
VECTOR = "vector"
COUNTS = "counts"
TRAJECTORY = "trajectory"
PAIR = "pair"

# Kind -> what its examples are called in messages.
KINDS = {IMAGE: "images", SEQUENCE: "sequences of tokens", VECTOR: "vectors",
         COUNTS: "counts of words", TRAJECTORY: "trajectories",
         PAIR: "pairs of domains of images"}
