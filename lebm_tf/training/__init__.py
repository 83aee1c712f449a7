"""How a model is fitted: steps, checkpoints, work directories, healing."""
