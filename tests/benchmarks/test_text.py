"""The table of the text benchmark says what was measured, and no more."""

from benchmarks import text
from lebm_tf import train
from lebm_tf.configuration import command
from lebm_tf.evaluation import settings

FULL = {"perplexity/real": 120.0, "perplexity/forward_samples": 111.111,
        "perplexity/reverse_samples": 222.0,
        "perplexity/forward_base_samples": 150.0,
        "perplexity/reverse_base_samples": 300.0,
        "sequences/reconstruction_nll": 90.0, "likelihood/nll": 105.0,
        "likelihood/perplexity": 117.0, "latents/active_units": 32,
        "latents/kl": 16.0, "latents/mutual_information": 7.5,
        "latents/kl_of_all": 8.5, "training/steps": 2000,
        "training/seconds": 600.0}
PTB = {"settings": {"setting": "ptb"}}


def rows(results):
    return {line.split("|")[1].strip(): [
        cell.strip() for cell in line.split("|")[2:-1]]
        for line in text.table(results).splitlines() if line}


def test_cells_stand_where_they_belong_and_stay_empty_until_measured():
    found = rows({**PTB, "runs": {"learned prior": {"1": FULL}, "VAE": {
        "1": {"training/seconds": 60.0, "training/steps": 2000}}}})
    assert found["real test sentences"] == ["120.00", "", "", "", ""]
    assert found["same decoder, p0"] == ["150.00", "300.00", "", "", ""]
    assert found["published: learned prior"] == [
        "107.45", "181.54", "91.35", "", ""]
    # The last table has the same name in its first column.
    assert found["learned prior"] == [
        "32", "16.00", "7.50", "8.50", "2000", "10"]
    assert found["VAE"] == ["", "", "", "", "2000", "1"]
    first = text.table({**PTB, "runs": {"learned prior": {"1": FULL}}})
    assert ("| learned prior | 111.11 | 222.00 | 90.00 | 105.00 | 117.00 |"
            in first)


def test_seeds_are_averaged_and_shown():
    other = {**FULL, "perplexity/reverse_samples": 224.0}
    found = text.table({"settings": {"setting": "ptb_1000"}, "runs": {
        "learned prior": {"1": FULL, "2": other}}})
    assert "223.00 (222.00, 224.00)" in found
    assert "published" not in found


def test_its_flags_are_those_of_the_commands():
    chosen = text.TextBenchmark(perplexity_samples=7)
    values = command.parse(
        settings.fields(), ["", *text.evaluation_flags(chosen)])
    perplexity, = settings.from_flags(values).select(["perplexity"])
    assert perplexity.language_model == chosen.language_model
    assert perplexity.num_samples == 7
    for path in text.SETTINGS.values():
        for name, flags in text.SYSTEMS.items():
            run, model, _ = train.from_flagfile(path, *flags)
            assert (run.data.dataset, model.is_amortized) == ("ptb", True)
            assert model.learned_prior == (name == "learned prior")
