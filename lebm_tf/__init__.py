"""Latent-space energy-based models on TensorFlow::

    import lebm_tf

    data = lebm_tf.load_dataset("digits")
    model = lebm_tf.build("image", lebm_tf.ImageConfig(latent_dim=16), data)
    lebm_tf.fit(model, data, lebm_tf.RunConfig(train_steps=1_000))
    samples = model.sample(64, seed=7)  # Samples(x, z, energy)

Names are imported on first use, so `import lebm_tf` does not load TensorFlow,
and commands can set its log level before.
"""

import importlib

from lebm_tf import processor

processor.prefer_onednn()  # TensorFlow reads the setting only when it loads.

_WHERE = {
    "BaseConfig": "lebm_tf.families", "ChainConfig": "lebm_tf.families",
    "Context": "lebm_tf.evaluation",
    "CycleTranslationConfig": "lebm_tf.families.cycle_translation",
    "DataConfig": "lebm_tf.configuration.data",
    "DataSpec": "lebm_tf.families",
    "DevicesConfig": "lebm_tf.configuration.run",
    "DivergenceConfig": "lebm_tf.configuration.run",
    "DivergenceTriangleConfig": "lebm_tf.families.divergence_triangle",
    "EncoderConfig": "lebm_tf.families",
    "EnergyConfig": "lebm_tf.families",
    "EnergyModel": "lebm_tf.models",
    "EvaluationConfig": "lebm_tf.evaluation",
    "FAMILIES": "lebm_tf.families",
    "FlowConfig": "lebm_tf.families.flow",
    "FlowPriorConfig": "lebm_tf.families.flow_prior",
    "GeneratorConfig": "lebm_tf.families",
    "ImageConfig": "lebm_tf.families.image",
    "ImageData": "lebm_tf.datasets",
    "InputError": "lebm_tf.errors",
    "LatentDiffusionConfig": "lebm_tf.families.latent_diffusion",
    "LadderConfig": "lebm_tf.assembly.layered",
    "LadderVAEConfig": "lebm_tf.families.ladder_vae",
    "LayersConfig": "lebm_tf.assembly.layered",
    "M1M2Config": "lebm_tf.families.m1_m2",
    "MultilayerConfig": "lebm_tf.families.multilayer",
    "NeuralTransportConfig": "lebm_tf.families.neural_transport",
    "MultilayerTwoStageConfig": "lebm_tf.families.multilayer_two_stage",
    "NonFiniteError": "lebm_tf.errors",
    "OptimizerConfig": "lebm_tf.models",
    "PairData": "lebm_tf.datasets",
    "PairOptions": "lebm_tf.configuration.data",
    "RAEConfig": "lebm_tf.families.rae",
    "RecoveryLikelihoodConfig": "lebm_tf.families.recovery_likelihood",
    "RunConfig": "lebm_tf.configuration.run",
    "SequenceConfig": "lebm_tf.families.sequence",
    "SymbolVectorConfig": "lebm_tf.families.symbol_vector",
    "SRIConfig": "lebm_tf.families.sri",
    "TrajectoryConfig": "lebm_tf.families.trajectory",
    "TrajectoryOptions": "lebm_tf.configuration.data",
    "TwoStageVAEConfig": "lebm_tf.families.two_stage_vae",
    "VAEConfig": "lebm_tf.families.vae",
    "ValidationConfig": "lebm_tf.configuration.run",
    "build": "lebm_tf.families",
    "export_model": "lebm_tf.serving",
    "fit": "lebm_tf.training.fitting",
    "from_flagfile": "lebm_tf.train",
    "load": "lebm_tf.training.loading",
    "load_dataset": "lebm_tf.datasets",
    "validation_split": "lebm_tf.datasets",
}

__all__ = sorted(_WHERE)
__version__ = "0.1.0"


def __getattr__(name: str):
    if name not in _WHERE:
        raise AttributeError(f"lebm_tf has no {name!r}; it has "
                             f"{', '.join(__all__)}.")
    return getattr(importlib.import_module(_WHERE[name]), name)


def __dir__():
    return __all__
