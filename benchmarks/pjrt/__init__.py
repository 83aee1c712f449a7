"""The training step on accelerators that TensorFlow does not see."""
