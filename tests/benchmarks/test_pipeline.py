"""How fast batches come, beside how fast they are used."""

import re

from benchmarks import pipeline
from lebm_tf.configuration import command, fields


def call(capsys, *flags):
    code = command.run(pipeline.main, pipeline.__doc__, fields.fields(
        pipeline.PipelineBenchmark),
        ["", "--flagfile_of_run=configs/smoke/image.cfg", "--num_batches=3",
         "--num_steps=1", *flags])
    return code, capsys.readouterr()


def test_both_rates_are_told(capsys):
    code, said = call(capsys, "--flags_of_run=--batch_size=4")
    assert code == 0
    rates = re.search(r"image.cfg: (\d+) batches a second, ([\d.]+) training "
                      r"steps a second: the pipeline is \d+ times", said.out)
    assert rates and all(float(rate) > 0 for rate in rates.groups())


def test_a_wrong_flag_of_the_run_is_refused(capsys):
    code, said = call(capsys, "--flags_of_run=--length_pool=2")
    assert code == 2
    assert "length_pool must be left out for digits" in said.err
