"""Latent diffusion of text: ladder, energies, chains and terms of the
authors' program.

Yu et al. 2022, arXiv:2206.05895, text_generation.py and modules/ldebm.py.
"""

import functools
import types

import numpy as np
import pytest
import tensorflow as tf

from lebm_tf.assembly.code_ladder import divided
from lebm_tf.densities import (
    ConditionalGaussian, LadderPrior, LadderTarget, NoiseLevels)
from lebm_tf.densities.neighbours import neighbours
from lebm_tf.mcmc import Langevin, rng, run_chain
from lebm_tf.mcmc.kernel import value_and_gradient
from lebm_tf.networks import (
    LevelLogits, RecurrentDecoder, RecurrentEncoder, SpectralLayer)
from lebm_tf.networks.time_embedding import sinusoidal_embedding
from lebm_tf.objectives import (
    ClusterCrossEntropy, DiffusedEnergy, HighestNormal, LadderContrast,
    NegativeEntropy, OnRoles, symbol_information)
from lebm_tf.samplers import Draw, Draws, Ladder, LowestNoise
from lebm_tf.samplers.diffused import in_turn
from lebm_tf.token_ids import BEGIN
from tests import oracles
from tests.golden.reference import (
    Reference, assert_close, assert_gradients, assert_read,
    assert_singular_vectors)
from tests.golden.test_svebm_networks import cell_weights

TEXT = Reference("ldebm")
C = TEXT.config
X = tf.constant(TEXT["tokens"][:, 1:], tf.int32)
T, SCALES = C["max_T"], NoiseLevels.published(C["max_T"]).scales
LEVELS = NoiseLevels(SCALES)
LANGEVIN = Langevin(1.0)  # Every call says its step size.


def layers_of(network):
    """Our layers with the authors' names."""
    named = {"ze.0": network.of_z[0], "ze.2": network.of_z[1],
             "te.model.0": network.of_level[0],
             "te.model.2": network.of_level[1],
             "concat_proj.1": network.joined, "out_z.1": network.head}
    named.update({f"ce.{2 * i}": layer
                  for i, layer in enumerate(network.of_context)})
    named.update({f"layers.{i}.1": block
                  for i, block in enumerate(network.blocks)})
    return named


def make_network(**arguments):
    return LevelLogits(C["latent_size"], C["num_cls"], T, C["ebm_hidden"],
                       C["num_blocks"], **arguments)


def heads(prefix):
    """[kernel, bias] of both heads, which say log variances."""
    return [np.concatenate(pair, -1) for pair in zip(*(
        TEXT.weights(prefix, f"q_y_{name}.1")
        for name in ("mean", "logvar")))]


def encoder_weights(prefix):
    return [TEXT[f"{prefix}/embedding.weight"],
            *cell_weights(TEXT, C["rnn_cell"], f"{prefix}/x_encoder.rnn"),
            *cell_weights(TEXT, C["rnn_cell"], f"{prefix}/x_encoder.rnn",
                          "_reverse"), *heads(prefix)]


def decoder_weights(prefix):
    kernel = TEXT[f"{prefix}/dec_init_connector.linear.weight"].T
    return [TEXT[f"{prefix}/dec_embedding.weight"], kernel,
            np.zeros(kernel.shape[1]),  # Theirs has no bias there.
            *cell_weights(TEXT, C["rnn_cell"], f"{prefix}/decoder.rnn")]


@pytest.fixture(scope="module")
def model():
    with oracles.precision("float64"):
        network = make_network()
        for name, layer in layers_of(network).items():
            key = f"weights/ebm.{name}"
            layer.set_weights([TEXT[f"{key}.weight_orig"].T,
                               TEXT[f"{key}.bias"], TEXT[f"{key}.weight_u"]])
        encoder = RecurrentEncoder(
            C["vocab_size"], C["latent_size"], C["embed_size"],
            C["enc_cell_size"], C["rnn_cell"], has_leaky_head=True,
            pad_to=TEXT["tokens"].shape[1], reads_begin=True)
        encoder.set_weights(encoder_weights("weights"))
        assert (TEXT["tokens"][:, 0] == BEGIN).all()
        encoder = ConditionalGaussian(encoder, says_log_variance=True)
        decoder = RecurrentDecoder(
            C["vocab_size"], C["latent_size"], C["embed_size"],
            C["dec_cell_size"], C["rnn_cell"], tied=True)
        decoder.set_weights(decoder_weights("weights"))
        yield types.SimpleNamespace(
            prior=LadderPrior(network, SCALES, C["e_l_step_size"]),
            encoder=encoder, decoder=decoder)


def constant(key):
    return tf.constant(TEXT[key])


def levels():
    """Of the pairs below the highest, and of the highest."""
    t = tf.constant(TEXT["t"], tf.int32)
    return t, tf.fill(tf.shape(t), T - 1)


def draws_of(encoded, z, negative):
    """What one step draws, by the authors' noise."""
    def drawn(position, **known):
        return Draw(position, types.SimpleNamespace(position=position),
                    **known)
    noised = LowestNoise(LEVELS)
    pairs = [neighbours(LEVELS, z, level, constant(f"noise/{name}_start"),
                        constant(f"noise/{name}_increment"))
             for level, name in zip(levels(), ("pair", "last"))]
    states, above = (in_turn(parts) for parts in zip(*pairs))
    labels = tf.constant(TEXT["pseudo_labels"])
    return Draws({"index": tf.range(len(labels), dtype=tf.int64)}, {
        "positive": drawn(z, encoded=encoded),
        "diffused": Draw(above, types.SimpleNamespace(position=states),
                         condition={"level": in_turn(list(levels()))}),
        "lowest": drawn(noised.noised(z, constant("noise/level_zero"))),
        "negative": drawn(negative)})


def negatives():
    return in_turn([tf.constant(TEXT[f"langevin/{name}/trajectory"][-1])
                    for name in ("t", "last")])


@pytest.fixture(scope="module")
def draws(model):
    mean, log_scale = model.encoder.parameters(X)
    assert_close(mean, TEXT["posterior/mean"])
    assert_close(2 * log_scale, TEXT["posterior/logvar"])
    return draws_of((mean, log_scale), constant("posterior/z"), negatives())


def clusters():
    """Their labels; rows count alike, as their batch is balanced before."""
    labels = tf.constant(TEXT["pseudo_labels"])
    return types.SimpleNamespace(
        of=lambda index: (labels, tf.ones(tf.shape(labels), tf.float64)))


TERMS = {
    "entropy_masked": NegativeEntropy(C["dim_target_kl"]),
    "prior_energy": DiffusedEnergy(LEVELS),
    "prior_normal": HighestNormal(LEVELS),
    "contrastive": LadderContrast(LEVELS),
    "mutual_information": OnRoles(symbol_information,
                                  {"positive": "lowest"}),
    "classification": ClusterCrossEntropy(clusters())}


def test_levels_are_theirs():
    for key, ours in (("sigmas", LEVELS.scales), ("a_s", LEVELS.factors),
                      ("a_s_cum", LEVELS.total_factors),
                      ("sigmas_cum", LEVELS.total_scales),
                      ("a_s_prev", LEVELS.model_factors),
                      ("loss_weight", LEVELS.weights),
                      ("step_size_square", np.square(
                          LEVELS.step_sizes(C["e_l_step_size"])))):
        assert_close(np.array(ours), TEXT[f"schedule/{key}"])
    np.testing.assert_array_equal(LEVELS.tethered,
                                  TEXT["schedule/is_recovery"])


def test_levels_are_told_as_theirs():
    assert_close(sinusoidal_embedding(
        tf.range(T, dtype=tf.float64), C["ebm_hidden"], in_turn=True),
        TEXT["time_embedding/table"])


def test_kernels_are_divided_by_their_norm():
    with oracles.precision("float64"):
        layer = SpectralLayer(*TEXT["spectral/weight"].T.shape)
        layer.set_weights([TEXT["spectral/weight"].T, TEXT["spectral/bias"],
                           TEXT["spectral/u_start"]])
        for call in (1, 2):
            assert_close(layer(constant("spectral/x")),
                         TEXT[f"spectral/output_{call}"])
            (variable, u), = layer.renewals()
            kernel, old = TEXT["spectral/weight"], layer.u.numpy()
            v = kernel.T @ old / np.linalg.norm(kernel.T @ old)
            assert_close(u, TEXT[f"spectral/u_{call}"])
            assert_close(v, TEXT[f"spectral/v_{call}"])
            assert_close(np.asarray(u.numpy() @ kernel @ v),
                         TEXT[f"spectral/sigma_{call}"])
            variable.assign(u)


def test_every_level_has_their_energy(model):
    z = constant("symbol/z_tilde_0")
    for t in range(T):
        level = tf.fill([len(z)], t)
        assert_close(model.prior.logits(z, {"level": level}),
                     TEXT["levels/logits"][t])
        energy, gradient = value_and_gradient(
            lambda u: model.prior.energy(u, condition={"level": level}), z)
        assert_close(-energy, TEXT["levels/neg_energy"][t])
        assert_close(-gradient, TEXT["levels/neg_energy_grad"][t])
    lowest = z / LEVELS.model_factors[1]
    assert_close(model.prior.logits(lowest), TEXT["symbol/logits"])
    assert_close(-model.prior.energy(lowest),
                 TEXT["symbol/neg_energy"][:, 0])


def test_codes_are_noised_as_theirs(model, draws):
    z, noise = constant("posterior/z"), constant("noise/level_zero")
    for t in range(T):
        state, above = neighbours(
            LEVELS, z, tf.fill([len(z)], t), noise, noise)
        factor = LEVELS.model_factors[t + 1]
        assert_close(state / factor, TEXT["diffusion/q_sample"][t])
        assert_close(LEVELS.factors[t] * z + LEVELS.scales[t] * noise,
                     TEXT["diffusion/q_sample_increment"][t])
        assert_close(above - LEVELS.scales[t + 1] * noise,
                     LEVELS.factors[t + 1] * TEXT["diffusion/q_sample"][t])
    above, below = (draws.states["diffused"].start,
                    draws.states["diffused"].position)
    for k, (lower, upper, name) in enumerate((
            ("z_t", "z_t_plus_1", "t"), ("z_T_minus_1", "z_T", "last"))):
        root = np.take(LEVELS.model_factors, levels()[k] + 1)[:, None]
        assert_close(below[k::2] / root, TEXT[f"diffusion/{lower}"])
        assert_close(above[k::2], TEXT[f"langevin/{name}/start"])
        assert_close(TEXT[f"langevin/{name}/trajectory"][-1] / root,
                     TEXT[f"langevin/{name}/end_divided_by_b"])
    assert_close(above[::2], TEXT["diffusion/z_t_plus_1"])
    assert_close(above[1::2], TEXT["diffusion/z_T"])
    assert_close(LEVELS.model_factors[1] * draws.states["lowest"].position,
                 TEXT["symbol/z_tilde_0"])


def test_chains_of_training_go_their_way(model, draws):
    start, level = (draws.states["diffused"].start,
                    draws.states["diffused"].condition["level"])
    target = model.prior.at_level(level, start)
    noise = tf.stack([in_turn([tf.constant(steps) for steps in pair])
                      for pair in zip(TEXT["noise/langevin"],
                                      TEXT["noise/langevin_last"])])
    sizes = model.prior.step_sizes(level, start.dtype)
    log_prob, gradient = value_and_gradient(target, start)
    for first, name in enumerate(("t", "last")):
        assert_close(log_prob[first::2],
                     TEXT[f"langevin/{name}/log_density"][0])
        assert_close(gradient[first::2], TEXT[f"langevin/{name}/grad"][0])
    run = tf.function(lambda k: run_chain(
        LANGEVIN, target, start, k, rng.make_seed(0), noise, sizes).position,
        autograph=False)
    for k in (0, 1, len(noise) // 2, len(noise)):
        position = run(tf.constant(k))
        for first, name in enumerate(("t", "last")):
            assert_close(position[first::2],
                         TEXT[f"langevin/{name}/trajectory"][k])


def test_every_term_is_theirs(model, draws):
    values = {name: term(model, draws) for name, term in TERMS.items()}
    for name, value in values.items():
        assert_close(value, TEXT[f"loss/{name}"])
    kl = sum(values[name] for name in (
        "entropy_masked", "prior_energy", "prior_normal"))
    assert_close(kl, TEXT["loss/kl_total"])
    assert_close(-0.5 * (1.0 + TEXT["posterior/logvar"]),
                 TEXT["loss/entropy_per_dim"])
    # Of the pairs below the highest, and of the highest.
    energies = [model.prior.energy(z, condition=draws.condition("diffused"))
                for z in (draws.states["diffused"].position,
                          draws.negative.position)]
    weights = np.take(LEVELS.weights, in_turn(list(levels())))
    for k, name in enumerate(("t", "last")):
        assert_close(np.mean((weights * (energies[0] - energies[1]))[k::2]),
                     TEXT[f"loss/contrastive_{name}"])
    # Their program itself has factors of float32.
    for rough, name in (("cd", "contrastive"), ("cls_loss", "classification"),
                        ("mi", "mutual_information"), ("zkl", "kl_total")):
        np.testing.assert_allclose(
            TEXT[f"unpatched_float32_coefficients/{rough}"],
            TEXT[f"loss/{name}"], atol=1e-7)
    assert_close(
        TEXT["loss/nll"] + C["max_kl_weight"] * (kl + values["contrastive"])
        - C["mutual_weight"] * values["mutual_information"]
        + C["cls_weight"] * values["classification"], TEXT["loss/total"])
    assert (TEXT["loss/entropy_mask"] == 0).any()


def nll(model, z):
    tokens = TEXT["tokens"].astype(np.int32)
    logits = model.decoder.logits(model.decoder(tokens[:, :-1], z))
    return tf.reduce_mean(tf.reduce_sum(
        (tokens[:, 1:] != 0)
        * tf.nn.sparse_softmax_cross_entropy_with_logits(
            tokens[:, 1:], logits), 1))


def test_what_the_encoder_and_the_decoder_say(model):
    tokens, z = TEXT["tokens"].astype(np.int32), constant("posterior/z")
    np.testing.assert_array_equal(TEXT["lengths"], (tokens != 0).sum(1))
    assert_close(tf.nn.log_softmax(model.decoder.logits(
        model.decoder(tokens[:, :-1], z))), TEXT["decoder/log_probs"])
    states, width = model.encoder.network.states(X), C["enc_cell_size"]
    assert_close(tf.concat([states[:, -1, :width], states[:, 0, width:]], 1),
                 TEXT["encoder/last"])


def test_codes_get_the_gradient_of_each_term(model):
    z = constant("posterior/z")
    for name in ("prior_energy", "prior_normal", "mutual_information",
                 "classification", "nll"):
        def value(z):
            if name == "nll":
                return nll(model, z)
            return TERMS[name](model, draws_of((), z, negatives()))
        assert_close(value_and_gradient(value, z)[1], TEXT[f"grad_z/{name}"])
    _, gradient = value_and_gradient(
        lambda z: TERMS["contrastive"](model, draws_of((), z, negatives())),
        z)
    np.testing.assert_array_equal(gradient, 0.0)


def losses(model):
    """What encoder and decoder descend, and what energies do."""
    mean, log_scale = model.encoder.parameters(X)
    z = mean + tf.exp(log_scale) * constant("noise/posterior")
    draws = draws_of((mean, log_scale), z, negatives())
    values = {name: term(model, draws) for name, term in TERMS.items()}
    both = (C["cls_weight"] * values["classification"]
            - C["mutual_weight"] * values["mutual_information"])
    return (nll(model, z) + C["max_kl_weight"] * (
        values["entropy_masked"] + values["prior_energy"]
        + values["prior_normal"]) + both,
            C["max_kl_weight"] * values["contrastive"] + both)


def test_every_weight_has_its_gradient(model):
    """Of encoder and decoder, none through what is frozen; of energies
    through their norms."""
    network = model.prior.logits_network
    with tf.GradientTape(persistent=True) as tape:
        rest, energy = losses(model)
    for layer, wanted in ((model.encoder.network, encoder_weights("grad")),
                          (model.decoder, decoder_weights("grad"))):
        variables = layer.trainable_variables
        gradients = [tf.convert_to_tensor(gradient) for gradient in (
            tape.gradient(rest, [variable.value for variable in variables]))]
        if layer is model.decoder:
            of_bias = [v.path for v in variables].index(
                layer.first_bias.path)
            del gradients[of_bias], wanted[of_bias]
        assert_gradients(gradients, wanted)
    for name, layer in layers_of(network).items():
        key = f"grad/ebm.{name}"
        wanted = [TEXT[f"{key}.weight_orig"].T, TEXT[f"{key}.bias"]]
        assert_gradients(
            tape.gradient(energy, [layer.kernel.value, layer.bias.value]),
            wanted)
        # Through the norm, of that with respect to the divided kernel.
        divided, outer, u, v, original = (TEXT[k] for k in (
            f"weights_effective/ebm.{name}.weight",
            f"grad_effective/ebm.{name}.weight", *(
                f"weights/ebm.{name}.weight_{end}"
                for end in ("u", "v", "orig"))))
        sigma = u @ original @ v
        assert_close(layer.normalized(), divided.T)
        assert_gradients([((outer - np.sum(outer * original) / sigma
                            * np.outer(u, v)) / sigma).T], wanted[:1])
        assert_close(TEXT[f"weights/ebm.{name}.bias"],
                     TEXT[f"weights_effective/ebm.{name}.bias"])
        assert_gradients([TEXT[f"grad_effective/ebm.{name}.bias"]],
                         wanted[1:])


class Noisy(Langevin):
    """Moves by their noise, in order, of all levels."""

    def __init__(self):
        super().__init__(1.0)
        noise = TEXT.arrays["generation/noise_langevin"]
        object.__setattr__(self, "noise", noise.reshape(
            -1, *noise.shape[2:]))
        object.__setattr__(self, "count", tf.Variable(0))

    def step(self, log_prob_fn, state, seed, noise=None, step_size=None):
        k = self.count.assign_add(1) - 1
        return super().step(log_prob_fn, state, seed, tf.constant(
            self.noise)[k], step_size)


def down(model, symbol=None):
    """z of every level, from the highest; and of the lowest by a draw."""
    start = constant("generation/noise_start")
    given = types.SimpleNamespace(start=lambda *_: start,
                                  update=lambda *_: None)
    descend = functools.partial(divided, LEVELS)
    ladders = [Ladder(given, Noisy(), C["e_l_steps"], LEVELS.step_sizes(
        C["e_l_step_size"]), descend) for _ in range(2)]
    target = LadderTarget(lambda level, above: model.prior.at_level(
        tf.fill(tf.shape(above)[:1], level), above, symbol))

    @tf.function(autograph=False)
    def run():
        seed = rng.make_seed(0)
        ends = ladders[0].trace(target, start, seed, lambda state, _: (
            state.position), every=C["e_l_steps"])[1:]
        return ends, ladders[1].draw(
            target, len(start), Draws({}), seed).position
    ends, drawn = run()
    return [descend(tf.constant(T - 1 - k), end)
            for k, end in enumerate(ends)], drawn


def test_samples_come_down_their_ladder(model):
    ends, drawn = down(model)
    assert_close(tf.stack(ends), TEXT["generation/z_levels"])
    assert_close(drawn, TEXT["generation/z"])


def test_a_symbol_steers_the_lowest_level_alone(model):
    ends, drawn = down(
        model, tf.constant(TEXT["generation/symbol"], tf.int32))
    assert_close(tf.stack(ends[:-1]), TEXT["generation/z_levels"][:-1])
    assert_close(ends[-1], TEXT["generation/z_given_symbol"])
    assert_close(drawn, TEXT["generation/z_given_symbol"])


def test_a_context_is_a_third_branch(model):
    context = constant("ctx/context")
    with oracles.precision("float64"):
        network = make_network(context_dim=C["ctx_dim"])
        for name, layer in layers_of(network).items():
            kernel = TEXT[f"ctx/weights_effective/{name}.weight"].T
            u = np.linalg.svd(kernel)[2][0]
            layer.set_weights([kernel, TEXT[
                f"ctx/weights_effective/{name}.bias"], u])
        z, t = constant("symbol/z_tilde_0"), levels()[0]
        logits = network(z, t, context)
        assert_close(logits, TEXT["ctx/logits"])
        assert_close(tf.reduce_logsumexp(logits, -1, keepdims=True),
                     TEXT["ctx/neg_energy"])
        given = LadderPrior(_Given(network, context), SCALES,
                            C["e_l_step_size"])
        assert_close(tf.stack(down(types.SimpleNamespace(prior=given))[0]),
                     TEXT["ctx/generation_z_levels"])


class _Given:
    """Logits with their context."""

    def __init__(self, network, context):
        self.network, self.context = network, context
        self.num_symbols = network.num_symbols

    def __call__(self, z, level):
        return self.network(z, level, self.context)


def test_vectors_of_kernels_are_their_singular_ones():
    assert_singular_vectors(TEXT.arrays)


def test_every_key_is_read(request):
    assert_read(request, "ldebm")
