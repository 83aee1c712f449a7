"""Export of trained models for serving."""

from lebm_tf.serving.saved_model import export_model
from lebm_tf.serving.signatures import Servable

__all__ = ["Servable", "export_model"]
