"""Export of trained models for serving."""

from lebm_tf.serving.config import ServingConfig
from lebm_tf.serving.portable import export_hlo
from lebm_tf.serving.saved_model import export_model
from lebm_tf.serving.signatures import Servable, Signature

__all__ = ["Servable", "ServingConfig", "Signature", "export_hlo",
           "export_model"]
