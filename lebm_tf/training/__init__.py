"""Training: fitting, checkpoints, work directories and recovery from
divergence."""
