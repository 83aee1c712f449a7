"""Every wrong input: one clear line, exit code 2, nothing half written."""

import json
import os
import resource
import shutil
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

import lebm_tf
from lebm_tf import evaluate, export, sample, train
from lebm_tf.configuration import command
from lebm_tf.training import callbacks, checkpoint
from tests.commands.conftest import call, fields_of

SMOKE = "--flagfile=configs/smoke/image.cfg"


def test_an_unknown_flag_is_refused_with_the_nearest_names(refused):
    line = refused(train, SMOKE, "--prior_num_stepz=3")
    assert "unknown flag --prior_num_stepz" in line
    assert "prior_num_steps" in line


@pytest.mark.parametrize("flag, needed", [
    ("--latent_dim=four",
     "--latent_dim must be a 64-bit integer, got 'four'"),
    ("--latent_dim=2.5",
     "--latent_dim must be a 64-bit integer, got '2.5'"),
    ("--prior_step_size=big", "--prior_step_size must be a number"),
    ("--generator_channels=8,x",
     "--generator_channels must be a 64-bit integer"),
    ("--latent_dim=0", "--latent_dim must be >= 1, got 0"),
    ("--prior_step_size=-0.1", "--prior_step_size must be > 0, got -0.1"),
    ("--prior_step_size=nan", "--prior_step_size must be > 0, got nan"),
    ("--likelihood_scale=nan", "--likelihood_scale must be > 0, got nan"),
    ("--seed=99999999999999999999", "--seed must be a 64-bit integer"),
    ("--prior_step_size=inf", "--prior_step_size must be finite, got inf"),
    ("--checkpoint_every=3 --log_every=2", "--checkpoint_every must be a mult"),
    ("--prior_start=bank --prior_bank_size=5", "prior_bank_size must be at"),
    ("--prior_bank_size=50",
     "--prior_bank_size must be left out without prior_start=bank, got 50"),
    ("--cluster=slurm", "--cluster must be left out without strategy=multi_"),
    ("--cluster_workers=2", "must be left out without cluster=kubernetes"),
    ("--prior_kernel=mala --prior_noise_scale=0.5",
     "--prior_noise_scale must be 1 for an exact kernel"),
    ("--prior_kernel=mala --prior_num_adaptation_steps=2",
     "--prior_num_adaptation_steps must lie in [0, num_steps)"),
    ("--evaluators=anomaly", "needs an anomaly label"),
    ("--evaluators=frechet --evaluation_frechet_features=inception "
     "--evaluation_frechet_inception_weights=nowhere.h5", "nowhere.h5"),
    ("--train_steps=0", "--train_steps must be >= 1, got 0"),
    ("--prior_kernel=gibbs", "--prior_kernel must be one of langevin"),
    ("--posterior_start=here", "--posterior_start must be one of base"),
    ("--prior_start=encoder", "--prior_start must be base or bank"),
    ("--energy_activation=gelo", "--energy_activation must be one of"),
    ("--energy_optimizer_beta_1=1", "--energy_optimizer_beta_1 must lie in"),
    ("--evaluation_num_draws=0", "--evaluation_num_draws must be >= 1"),
    ("--evaluators=frechett", "--evaluators must be among"),
    ("--family=images", "--family must be one of image, vae"),
    ("--batch_size=100000", "batch_size must be from 1 to"),
    ("--dataset=mnits", "mnist"),
    ("--anomaly_label=12", "12"),
    ("--precision=bfloat16", "--precision must be one of float32, mixed_b"),
    ("--precision=auto --strategy=multi_worker",
     "--precision must be given explicitly with strategy"),
    ("--precision=mixed_float16 --loss_scale=0",
     "--loss_scale must be > 0 with precision mixed_float16"),
    ("--prior_sampler=flow --latent_dim=5 --prior_num_steps=60",
     "latent_dim must be even for a flow of coupling layers, got 5"),
    ("--prior_sampler=flow", "--prior_num_steps must be left out with prior_sa"
     "mpler=flow, which makes no chains, got 2"),
    ("--posterior_sampler=encoder", "--posterior_num_steps must be left out"),
    ("--prior_sampler=gan", "--prior_sampler must be one of chains, flow, hyb"),
    ("--prior_sampler=hybrid --posterior_sampler=diffusion",
     "--prior_sampler must be chains or diffusion with posterior_sampler=diff"),
    ("--prior_sampler=diffusion", "and diffusion with no other, got 'diffusi"),
    ("--prior_sampler=hybrid --prior_start=bank",
     "--prior_start must be left out with prior_sampler=hybrid"),
    ("--flow_updates=2", "--flow_updates must be left out with prior_sampler=c"
     "hains, got 2"),
    ("--diffusion_updates=3",
     "--diffusion_updates must be left out with posterior_sampler=chains"),
    ("--posterior_sampler=diffusion --diffusion_num_steps=0",
     "--diffusion_num_steps must be >= 1, got 0"),
    ("--posterior_sampler=diffusion --diffusion_updates=0",
     "--diffusion_updates must be >= 1, got 0"),
    ("--posterior_sampler=diffusion --diffusion_target_rate=0",
     "--diffusion_target_rate must lie in (0, 1], got 0"),
    ("--posterior_sampler=diffusion --diffusion_target_rate=1.5",
     "--diffusion_target_rate must lie in (0, 1], got 1.5"),
    ("--posterior_sampler=diffusion --diffusion_time_dim=5",
     "time_dim must be even and >= 4, got 5"),
    ("--evaluators=sampler", "evaluator sampler needs a model with prior_"),
    ("--energy_penalty=-1", "--energy_penalty must be >= 0, got -1"),
    ("--generator_optimizer_average_decay=1",
     "--generator_optimizer_average_decay must lie in [0, 1), got 1"),
    ("--energy_optimizer_schedule=sine",
     "--energy_optimizer_schedule must be one of constant, cosine, linear"),
    ("--energy_optimizer_schedule=cosine",
     "--energy_optimizer_schedule_steps must be >= 1 for cosine, got 0"),
    ("--energy_optimizer_warmup_steps=-1",
     "--energy_optimizer_warmup_steps must be >= 0, got -1"),
    ("--energy_optimizer_schedule_factor=2",
     "--energy_optimizer_schedule_factor must lie in [0, 1], got 2"),
    ("--max_rollbacks=-1", "--max_rollbacks must be >= 0, got -1"),
    ("--max_energy=nan", "--max_energy must be >= 0, got nan"),
    ("--max_energy_gap=-1", "--max_energy_gap must be >= 0, got -1"),
    ("--max_displacement=-1", "--max_displacement must be >= 0, got -1"),
    ("--max_gradient_norm=-1", "--max_gradient_norm must be >= 0, got -1"),
    ("--on_divergence=hope", "--on_divergence must be one of rollback, stop"),
    ("--strategy=parallel", "--strategy must be one of none, mirrored, multi"),
    ("--strategy=mirrored --replicas=-1", "--replicas must be >= 0, got -1"),
    ("--replicas=2", "--replicas must be 0 with strategy none, got 2"),
    ("--strategy=mirrored --replicas=2 --batch_size=9",
     "--batch_size must be a multiple of the 2 replicas, got 9"),
    ("--strategy=mirrored --replicas=3", "--replicas must be at most 2"),
    ("--strategy=multi_worker --cluster=mesos", "--cluster must be one of"),
    ("--cluster_timeout=0", "--cluster_timeout must be > 0, got 0"),
    ("--cluster_workers=0", "--cluster_workers must be >= 1, got 0"),
    ("--prior_jit_compile=maybe",
     "--prior_jit_compile must be one of auto, on, off, got 'maybe'"),
    ("--image_size=-8", "--image_size must be >= 0, got -8")])
def test_a_wrong_value_is_named_with_what_was_needed(
        refused, tmp_path, flag, needed):
    path = tmp_path / "run"
    assert needed in refused(train, SMOKE, *flag.split(), f"--workdir={path}")
    assert not path.exists()


def test_a_flag_of_another_family_is_refused(refused):
    line = refused(train, SMOKE, "--kl_weight=2")
    assert ("--kl_weight is a flag of the family vae, sequence, symbol_vector, "
            "trajectory, not of image") in line


def test_what_is_no_flag_is_refused(refused):
    assert "expected flags only, got 'digits'" in refused(
        train, SMOKE, "digits")


def test_a_missing_flagfile_is_refused(refused):
    assert "nowhere.cfg" in refused(train, "--flagfile=nowhere.cfg")


def test_flags_are_read_as_people_write_them(tmp_path):
    """A space in place of =, nested too, a byte-order mark, any line ends."""
    (tmp_path / "inner.cfg").write_bytes(
        "# a comment\r\n--batch_size 7\r\n".encode("utf-8-sig"))
    (tmp_path / "outer.cfg").write_text(
        "--flagfile inner.cfg\n--latent_dim=5\n--workdir=a b=c\n")
    argv = command.expand(["--flagfile", str(tmp_path / "outer.cfg"),
                           "--family", "vae"])
    assert argv == ["--batch_size", "7", "--latent_dim=5", "--workdir=a b=c",
                    "--family", "vae"]
    run, model, _ = train.resolve(command.parse(fields_of(train), [
        "", "--flagfile", str(tmp_path / "outer.cfg"), "--family", "vae"]))
    assert (run.family, run.batch_size, model.latent_dim) == ("vae", 7, 5)


def test_a_later_family_replaces_that_of_a_flagfile_after_a_space(tmp_path):
    values = command.parse(fields_of(train), [
        "", "--flagfile", "configs/quickstart.cfg", "--family=vae"])
    assert train.resolve(values)[0].family == "vae"


def test_a_flagfile_that_names_itself_is_refused(refused, tmp_path):
    (tmp_path / "a.cfg").write_text("--flagfile=link.cfg\n")
    (tmp_path / "link.cfg").symlink_to(tmp_path / "a.cfg")
    (tmp_path / "round.cfg").symlink_to(tmp_path / "round.cfg")
    assert "includes itself" in refused(train, f"--flagfile={tmp_path}/a.cfg")
    assert "round.cfg must be a text file" in refused(
        train, f"--flagfile={tmp_path}/round.cfg")


@pytest.mark.parametrize("flag", ["--help", "-h", "--helpfull"])
def test_help_of_one_family_shows_its_flags_alone(capfd, flag):
    assert call(train, flag, "--family=vae") == 0
    shown = capfd.readouterr().out
    assert "--kl_weight" in shown and "--train_steps" in shown
    assert "--prior_num_steps" not in shown
    assert call(train, flag) == 0
    assert "--prior_num_steps" in capfd.readouterr().out


def test_a_missing_baseline_is_refused_before_training(refused, tmp_path):
    path = tmp_path / "run"
    assert "nowhere.cfg" in refused(
        train, SMOKE, "--baseline=nowhere.cfg", f"--workdir={path}")
    assert not path.exists()


def test_images_the_generator_cannot_make_name_those_it_can(
        refused, tmp_path):
    path = tmp_path / "run"
    line = refused(train, SMOKE, "--image_size=28", f"--workdir={path}")
    assert "makes 8x8 images" in line and "got images of 28x28" in line
    assert "8, 16, 32, 64" in line
    assert not path.exists()


def test_an_npz_with_pickled_objects_is_never_unpickled(refused, tmp_path):
    class Trap:
        def __reduce__(self):
            return (os.mkdir, (str(tmp_path / "sprung"),))
    np.savez(tmp_path / "bad.npz", x_train=np.array([Trap()], object),
             x_test=np.zeros([1, 8, 8], np.uint8))
    line = refused(train, SMOKE, f"--dataset=npz:{tmp_path / 'bad.npz'}",
                   f"--workdir={tmp_path / 'run'}")
    assert "pickle" in line
    assert not (tmp_path / "sprung").exists()


def test_nan_in_the_data_is_refused(refused, tmp_path):
    x = np.zeros([20, 8, 8], np.float32)
    x[3, 1, 2] = np.nan
    np.savez(tmp_path / "nan.npz", x_train=x, x_test=x)
    assert "finite" in refused(
        train, SMOKE, f"--dataset=npz:{tmp_path / 'nan.npz'}",
        f"--workdir={tmp_path / 'run'}")


def test_a_folder_without_pictures_is_refused(refused, tmp_path):
    assert str(tmp_path) in refused(
        train, SMOKE, f"--dataset=folder:{tmp_path}",
        f"--workdir={tmp_path / 'run'}")


@pytest.mark.parametrize("module", [evaluate, sample, export])
def test_a_folder_that_is_no_run_is_refused(refused, module, tmp_path):
    extra = {sample: ["--output=x.png"], export: ["--output=x"]}
    line = refused(module, f"--workdir={tmp_path}", *extra.get(module, []))
    assert "must be the work directory of a run" in line


@pytest.mark.parametrize("module", [evaluate, sample, export])
def test_a_run_without_a_checkpoint_is_refused(
        refused, module, workdir, tmp_path):
    shutil.copy(workdir / "config.json", tmp_path)
    extra = {sample: ["--output=x.png"], export: ["--output=x"]}
    line = refused(module, f"--workdir={tmp_path}", *extra.get(module, []))
    assert "no checkpoint" in line


def test_a_damaged_configuration_is_refused(refused, tmp_path):
    (tmp_path / "config.json").write_text("{\"run\": 3")
    assert "is not the configuration of a run" in refused(
        evaluate, f"--workdir={tmp_path}")


def test_damaged_checkpoints_are_refused(refused, workdir, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(workdir, copy)
    for path in (copy / "checkpoints").glob("*.data*"):
        path.write_bytes(path.read_bytes()[:100])
    line = refused(sample, f"--workdir={copy}",
                   f"--output={tmp_path / 'x.png'}")
    assert "cannot read the checkpoint" in line and "ckpt-2 into" in line
    assert not (tmp_path / "x.png").exists()


@pytest.mark.usefixtures("unmeasured")
def test_a_damaged_newest_checkpoint_is_reported_and_the_one_before_used(
        workdir, tmp_path, caplog):
    copy = tmp_path / "copy"
    shutil.copytree(workdir, copy)
    for path in (copy / "checkpoints").glob("ckpt-2.data*"):
        path.write_bytes(path.read_bytes()[:100])
    assert int(lebm_tf.load(str(copy)).step) == 1
    assert call(train, SMOKE, f"--workdir={copy}") == 0
    assert "cannot read the checkpoint" in caplog.text
    assert "restoring the checkpoint of step 1 instead" in caplog.text
    assert int(lebm_tf.load(str(copy)).step) == 2


@pytest.mark.parametrize("name", ["metrics.json", "history.json"])
def test_a_damaged_result_file_is_named(refused, workdir, tmp_path, name):
    copy = tmp_path / "copy"
    shutil.copytree(workdir, copy)
    (copy / name).write_bytes(b"\xff{")
    assert f"{name} is damaged" in refused(
        train, SMOKE, f"--workdir={copy}", "--train_steps=3")


@pytest.mark.usefixtures("unmeasured")
def test_a_vae_has_no_chains_to_measure_or_to_lengthen(refused, tmp_path):
    smoke, path = "--flagfile=configs/smoke/vae.cfg", tmp_path / "run"
    assert "needs a prior with an energy" in refused(
        train, smoke, "--evaluators=chains", f"--workdir={path}")
    assert not path.exists()
    assert call(train, smoke, f"--workdir={path}") == 0
    assert "needs a prior with an energy" in refused(
        sample, f"--workdir={path}", "--num_steps=5",
        f"--output={tmp_path / 'x.png'}")


def test_images_of_unequal_size_are_refused(refused, tmp_path):
    small, large = np.zeros([20, 8, 8], np.uint8), np.zeros([5, 9, 9], np.uint8)
    np.savez(tmp_path / "a.npz", x_train=small, x_test=large)
    assert "one shape" in refused(
        train, SMOKE, f"--dataset=npz:{tmp_path / 'a.npz'}",
        f"--workdir={tmp_path / 'run'}")
    ragged = np.empty(2, object)
    ragged[:] = [small[0], large[0]]
    np.savez(tmp_path / "b.npz", x_train=ragged, x_test=small)
    assert "pickle" in refused(
        train, SMOKE, f"--dataset=npz:{tmp_path / 'b.npz'}",
        f"--workdir={tmp_path / 'run'}")


def test_a_changed_data_set_is_refused(refused, workdir, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(workdir, copy)
    saved = json.loads((copy / "config.json").read_text())
    saved["run"]["data"]["image_size"] = 16
    (copy / "config.json").write_text(json.dumps(saved))
    assert "must match the training data of the run" in refused(
        evaluate, f"--workdir={copy}")


@pytest.mark.usefixtures("unmeasured")
def test_data_of_another_content_under_the_same_name_are_refused(
        refused, tmp_path):
    random, file, path = np.random.default_rng(0), tmp_path / "x.npz", (
        tmp_path / "run")
    x = random.integers(0, 256, [40, 8, 8]).astype(np.uint8)
    run = [SMOKE, f"--dataset=npz:{file}", f"--workdir={path}"]
    np.savez(file, x_train=x, x_test=x[:9])
    assert call(train, *run) == 0
    before = (path / "config.json").read_text()
    np.savez(file, x_train=255 - x, x_test=x[:9])
    for words in ((train, *run, "--train_steps=3"),
                  (evaluate, f"--workdir={path}")):
        assert "but its x_train differ in content." in refused(*words)
    assert (path / "config.json").read_text() == before
    np.savez(file, x_train=x, x_test=x[:9])
    assert call(train, *run, "--train_steps=3") == 0


def test_a_work_directory_of_another_run_names_what_differs(
        refused, workdir):
    before = (workdir / "config.json").read_text()
    line = refused(train, SMOKE, f"--workdir={workdir}", "--latent_dim=5")
    assert "belongs to another run" in line
    assert "latent_dim (4 there, 5 now)" in line
    assert (workdir / "config.json").read_text() == before


@pytest.mark.parametrize("flag, needed", [
    ("--latent_dim=5", "belongs to another configuration; it differs in "
     "latent_dim (5 there, 4 now)"),
    ("--seed=3", "belongs to another configuration; it differs in seed (3 "),
    ("--flagfile=configs/smoke/vae.cfg",
     "must belong to the family image, got vae")])
@pytest.mark.usefixtures("unmeasured")
def test_a_checkpoint_of_another_run_is_refused(
        refused, workdir, tmp_path, flag, needed):
    other, copy = tmp_path / "other", tmp_path / "copy"
    smoke = [flag] if "flagfile" in flag else [SMOKE, flag]
    assert call(train, *smoke, f"--workdir={other}") == 0
    shutil.copytree(workdir, copy)
    shutil.rmtree(copy / "checkpoints")
    shutil.copytree(other / "checkpoints", copy / "checkpoints")
    before = sorted(os.listdir(copy))
    for module, more in ((train, [SMOKE, "--train_steps=3"]),
                         (sample, [f"--output={tmp_path / 'x.png'}"])):
        line = refused(module, f"--workdir={copy}", *more)
        assert "ckpt-2" in line and needed in line
    assert sorted({*before, ".lock"}) == sorted(os.listdir(copy))
    assert not (tmp_path / "x.png").exists()


@pytest.mark.usefixtures("unmeasured")
def test_what_a_newer_version_wrote_is_refused(
        refused, workdir, tmp_path, monkeypatch):
    path = tmp_path / "run"
    monkeypatch.setattr(lebm_tf, "__version__", "99.1.0")
    assert call(train, SMOKE, f"--workdir={path}") == 0
    monkeypatch.undo()
    assert "config.json must come from lebm_tf 0" in refused(
        train, SMOKE, f"--workdir={path}")
    shutil.copy(workdir / "config.json", path)
    line = refused(sample, f"--workdir={path}", "--output=x.png")
    assert "ckpt-2 must come from lebm_tf" in line and "version 99" in line


@pytest.mark.usefixtures("unmeasured")
def test_a_work_directory_without_records_goes_on(workdir, tmp_path):
    """As the first version wrote it."""
    copy = tmp_path / "copy"
    shutil.copytree(workdir, copy)
    shutil.rmtree(copy / "checkpoints")
    saved = json.loads((copy / "config.json").read_text())
    del saved["version"]
    (copy / "config.json").write_text(json.dumps(saved))
    model = lebm_tf.load(str(workdir))
    tf.train.Checkpoint(**checkpoint.items(model)).write(
        str(copy / "checkpoints" / "ckpt-2"))
    assert int(lebm_tf.load(str(copy)).step) == 2
    assert call(train, SMOKE, f"--workdir={copy}", "--train_steps=3") == 0
    assert int(lebm_tf.load(str(copy)).step) == 3


@pytest.mark.usefixtures("unmeasured")
def test_fewer_steps_than_are_done_are_said_to_train_nothing(
        workdir, tmp_path, capfd):
    copy = tmp_path / "copy"
    shutil.copytree(workdir, copy)
    assert call(train, SMOKE, f"--workdir={copy}", "--train_steps=1") == 0
    assert ("has already been trained for 2 steps, more than "
            "--train_steps=1: training is skipped, and the model of step 2 is "
            "evaluated."
            ) in capfd.readouterr().out


def test_a_folder_put_in_the_place_of_the_checkpoints_is_not_written_to(
        workdir, tmp_path):
    model, elsewhere = lebm_tf.load(str(workdir)), tmp_path / "elsewhere"
    elsewhere.mkdir()
    checkpoints = checkpoint.Checkpoints(model, str(tmp_path / "own"))
    checkpoints.save()
    (tmp_path / "own").rename(tmp_path / "moved")
    (tmp_path / "own").symlink_to(elsewhere)
    with pytest.raises(lebm_tf.InputError, match="own must not be replaced"):
        checkpoints.save()
    assert not os.listdir(elsewhere)


@pytest.mark.parametrize("other", ["link", "folder", "nothing"])
def test_a_folder_put_in_the_place_of_a_work_directory_is_not_written_to(
        tmp_path, other, monkeypatch):
    own, elsewhere = tmp_path / "own", tmp_path / "elsewhere"
    elsewhere.mkdir()

    class Replaces(callbacks.InPlace):
        def on_train_batch_end(self, batch, logs=None):
            if batch == 1:
                own.rename(tmp_path / "moved")
                if other == "link":
                    own.symlink_to(elsewhere)
                elif other == "folder":
                    elsewhere.rename(own)
            super().on_train_batch_end(batch, logs)
    monkeypatch.setattr(callbacks, "InPlace", Replaces)
    data = lebm_tf.load_dataset("digits")
    config = lebm_tf.ImageConfig(
        latent_dim=2, generator=lebm_tf.GeneratorConfig(channels=(4,)),
        energy=lebm_tf.EnergyConfig((4,)), prior=lebm_tf.ChainConfig(1),
        posterior=lebm_tf.ChainConfig(1))
    with pytest.raises(lebm_tf.InputError, match="own must not be replaced"):
        lebm_tf.fit(lebm_tf.build("image", config, data, batch_size=20), data,
                    lebm_tf.RunConfig(train_steps=4, checkpoint_every=1,
                                      log_every=1, workdir=str(own)),
                    verbose=False)
    there = elsewhere if other == "link" else own
    assert not there.exists() or not os.listdir(there)
    assert "ckpt-1.index" in os.listdir(tmp_path / "moved" / "checkpoints")


def test_a_state_file_that_names_another_checkpoint_is_not_looked_at(
        workdir, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(workdir, copy)
    (copy / "checkpoints" / "checkpoint").write_text(
        'model_checkpoint_path: "/etc/passwd"\n')
    assert int(lebm_tf.load(str(copy)).step) == 2


@pytest.mark.usefixtures("unmeasured")
def test_two_runs_cannot_write_to_one_work_directory(
        refused, workdir, tmp_path):
    """The other is a process; a lock that it left when it died holds none."""
    copy = tmp_path / "copy"
    shutil.copytree(workdir, copy)
    script = ("import fcntl, sys; file = open(sys.argv[1], 'a+'); "
              "fcntl.flock(file, fcntl.LOCK_EX); print('held', flush=True); "
              "sys.stdin.read()")
    other = subprocess.Popen(
        [sys.executable, "-c", script, str(copy / ".lock")],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert other.stdout.readline() == "held\n"
        before = (copy / "config.json").read_text()
        assert "used by one run at a time" in refused(
            train, SMOKE, f"--workdir={copy}", "--train_steps=3")
        assert (copy / "config.json").read_text() == before
    finally:
        other.kill()
        other.wait()
    assert call(train, SMOKE, f"--workdir={copy}", "--train_steps=3") == 0


def test_a_folder_with_other_things_is_refused(refused, tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    assert "must be new, empty or the work directory" in refused(
        train, SMOKE, f"--workdir={tmp_path}")
    assert os.listdir(tmp_path) == ["thesis.txt"]


def test_a_work_directory_that_cannot_be_made_is_refused(refused, tmp_path):
    (tmp_path / "file").write_text("")
    assert "Not a directory" in refused(
        train, SMOKE, f"--workdir={tmp_path / 'file' / 'run'}")


def test_a_read_only_work_directory_is_refused(refused, tmp_path):
    if os.geteuid() == 0:
        # Root may write everywhere but into the kernel's own tree.
        path = "/proc/sys/lebm_tf"
    else:
        tmp_path.chmod(0o500)
        path = tmp_path / "run"
    line = refused(train, SMOKE, f"--workdir={path}")
    assert str(path).rsplit("/", 1)[0] in line


@pytest.mark.parametrize("number", ["0", "-3"])
def test_a_number_of_samples_below_one_is_refused(
        refused, workdir, tmp_path, number):
    line = refused(sample, f"--workdir={workdir}", f"--num_samples={number}",
                   f"--output={tmp_path / 'x.png'}")
    assert f"--num_samples must be >= 1, got {number}" in line


def test_an_unknown_ending_is_refused(refused, workdir, tmp_path):
    line = refused(sample, f"--workdir={workdir}",
                   f"--output={tmp_path / 'x.jpeg'}")
    assert "must end with .png or .npz" in line
    assert not list(tmp_path.iterdir())


def test_an_output_that_cannot_be_written_is_refused(
        refused, workdir, tmp_path):
    (tmp_path / "file").write_text("")
    assert "Not a directory" in refused(
        sample, f"--workdir={workdir}",
        f"--output={tmp_path / 'file' / 'x.png'}")


@pytest.mark.slow
def test_a_full_disk_leaves_no_half_written_checkpoint(workdir, tmp_path):
    """A limit on the size of files stands for the disk: writes fail alike."""
    copy = tmp_path / "copy"
    shutil.copytree(workdir, copy)
    before = sorted(path.name for path in (copy / "checkpoints").iterdir())

    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
    result = subprocess.run(
        [sys.executable, "-m", "lebm_tf.train", SMOKE, f"--workdir={copy}",
         "--train_steps=4"], preexec_fn=limit, capture_output=True, text=True,
        env={key: value for key, value in os.environ.items()
             if key != "TF_CPP_MIN_LOG_LEVEL"})
    assert result.returncode == 2, result.stderr
    assert len(result.stderr.strip().splitlines()) == 1, result.stderr
    json.loads((copy / "config.json").read_text())
    after = sorted(path.name for path in (copy / "checkpoints").iterdir())
    assert set(before) <= set(after)
    picture = tmp_path / "after.npz"
    subprocess.run(
        [sys.executable, "-m", "lebm_tf.sample", f"--workdir={copy}",
         f"--output={picture}"], check=True, capture_output=True)
    assert np.load(picture)["x"].shape == (64, 8, 8, 1)


@pytest.mark.parametrize("flag, message", [
    ("--format=onnx", "--format must be one of saved_model, hlo"),
    ("--max_batch=0", "--max_batch must be >= 1, got 0"),
    ("--row_blocks=16,-1", "--row_blocks must all be >= 1, got 16, -1"),
    ("--temperature=nan", "--temperature must be > 0, got nan"),
    ("--exposed=seed", "--exposed must be among num_steps, temperature"),
    ("--num_points=many", "--num_points must be a 64-bit integer")])
def test_exports_that_make_no_sense_are_refused(
        refused, workdir, tmp_path, flag, message):
    assert message in refused(export, f"--workdir={workdir}", flag,
                              f"--output={tmp_path / 'models'}")
    assert not (tmp_path / "models").exists()


@pytest.mark.parametrize("flags, message", [
    ("--family=image --dataset=csv:{tmp}/table.csv",
     "the family image needs images, got vectors; vectors are accepted by "),
    ("--family=vae --dataset=text:{tmp}/lines.txt",
     "the family vae needs images, got sequences of tokens; "),
    ("--family=trajectory --dataset=digits",
     "the family trajectory needs trajectories, got images; "),
    ("--dataset=text:{tmp}/lines.txt",
     "--family must be given for sequences of tokens: "),
    ("--dataset=smiles:{tmp}/lines.txt",
     "--family must be given for sequences of tokens: ")])
def test_a_family_of_another_kind_of_data_names_those_that_fit(
        refused, tmp_path, flags, message):
    (tmp_path / "table.csv").write_text("a,b\n1,p\n2,q\n")
    (tmp_path / "lines.txt").write_text("C\n" * 20)
    line = refused(train, *flags.format(tmp=tmp_path).split(),
                   f"--workdir={tmp_path / 'run'}")
    assert message in line
    assert not (tmp_path / "run").exists()


def test_the_family_follows_from_the_data_where_one_alone_fits(tmp_path):
    (tmp_path / "paths.csv").write_text("frame,agent,x,y\n1,1,1,1\n")
    (tmp_path / "run.cfg").write_text(
        f"--dataset=csv:{tmp_path}/paths.csv\n--trajectories_unit=m\n")
    (tmp_path / "digits.cfg").write_text("--batch_size=5\n")
    assert train.from_flagfile(str(tmp_path / "run.cfg"))[0].family == (
        "trajectory")
    assert train.from_flagfile(str(tmp_path / "digits.cfg"))[0].family == (
        "image")
