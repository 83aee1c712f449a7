"""Names of the kinds of data, for data sets, models and evaluators."""

IMAGE = "image"
SEQUENCE = "sequence"
VECTOR = "vector"
COUNTS = "counts"
TRAJECTORY = "trajectory"
PAIR = "pair"

# Kind -> name of its examples in messages.
KINDS = {IMAGE: "images", SEQUENCE: "sequences of tokens", VECTOR: "vectors",
         COUNTS: "counts of words", TRAJECTORY: "trajectories",
         PAIR: "pairs of domains of images"}
