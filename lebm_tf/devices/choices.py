"""Names of the ways to spread a run over devices."""

CLUSTERS = ("tf_config", "slurm", "kubernetes")
STRATEGIES = ("none", "mirrored", "multi_worker")
