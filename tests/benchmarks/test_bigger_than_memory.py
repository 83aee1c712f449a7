"""The data, the limit and the table of the benchmark of large data."""

import numpy as np

from benchmarks import bigger_than_memory as benchmark
from lebm_tf.datasets.stored import Stored


def test_both_sources_hold_the_same_images_and_are_read_from_disk(tmp_path):
    names = benchmark.make(str(tmp_path), 30)
    folder, records = (benchmark.load(name) for name in names.values())
    found = []
    for data in (folder, records):
        assert isinstance(data.x_train, Stored) and data.shape == (64, 64, 3)
        found.append({image.tobytes() for x in (data.x_train[:], data.x_test)
                      for image in x})
    assert found[0] == found[1] and len(found[0]) == 30
    scanned = benchmark.scan(names["folder"])
    assert scanned["num_train"] + scanned["num_held_out"] == 30


def test_sizes_of_the_process_are_read():
    before = benchmark.status("VmData")
    held = np.ones(2**23)
    assert benchmark.status("VmData") - before >= 0.9 * held.nbytes
    assert benchmark.status("VmHWM") >= held.nbytes


def test_the_table_states_factors_and_resume():
    row = {"source": "folder", "num_files": 20_000, "seconds_scan": 3.0,
           "seconds_load": 1.0, "peak_mb": 900.0, "start_mb": 600.0}
    large = row | {"read": 6_000.0, "image": 500.0, "vae": 2_000.0,
                   "equal_after_resume": True}
    lines = benchmark.table({"rows": {"a": row, "b": large}}).splitlines()
    assert lines[3] == ("| 20,000 | folder | 3.0 | 1.0 | 600 | 300 | bit-equal "
                        "| 6,000 | 500 | 12.0 | 2,000 | 3.0 |")
    assert len({line.count("|") for line in lines}) == 1
