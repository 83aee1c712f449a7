"""On which devices a run computes: strategies and clusters."""
