"""Names of the ways to spread a run over devices, and what goes together."""

CLUSTERS = ("tf_config", "slurm", "kubernetes")
STRATEGIES = ("none", "mirrored", "multi_worker")


def check(strategy: str, replicas: int, cluster: str, cluster_timeout: float,
          cluster_workers: int) -> None:
    """Raises ValueError unless the fields of `RunConfig` are in range."""
    if strategy not in STRATEGIES:
        raise ValueError(f"strategy must be one of {', '.join(STRATEGIES)}, "
                         f"got {strategy!r}.")
    if replicas < 0:
        raise ValueError(f"replicas must be >= 0, got {replicas}.")
    if replicas > 1 and strategy != "mirrored":
        raise ValueError(f"replicas must be 0 with strategy {strategy}, got "
                         f"{replicas}.")
    if cluster not in CLUSTERS:
        raise ValueError(f"cluster must be one of {', '.join(CLUSTERS)}, got "
                         f"{cluster!r}.")
    if not cluster_timeout > 0:
        raise ValueError(f"cluster_timeout must be > 0, got {cluster_timeout}."
                         )
    if cluster_workers < 1:
        raise ValueError(f"cluster_workers must be >= 1, got {cluster_workers}"
                         ".")
