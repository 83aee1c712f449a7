"""Tables and documents: from files to data, nothing lost unsaid."""

import gzip
import json

import numpy as np
import pytest

from lebm_tf.datasets import load_dataset
from lebm_tf.datasets.tables.unigrams import words
from lebm_tf.errors import InputError


def write(path, lines):
    path.parent.mkdir(exist_ok=True)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def table(path, rows=40):
    random = np.random.default_rng(0)
    lines = ["a,kind,b,same"]
    lines += [f"{random.normal():.3f},{'xyz'[i % 3]},{i},7"
              for i in range(rows)]
    return write(path, lines)


def test_a_table_is_scaled_by_its_training_rows(tmp_path):
    data = load_dataset(f"csv:{table(tmp_path / 't.csv')}",
                        label_column="kind")
    assert data.x_train.shape == (36, 2) and data.x_test.shape == (4, 2)
    np.testing.assert_allclose(data.x_train.mean(0), 0, atol=1e-6)
    np.testing.assert_allclose(data.x_train.std(0), 1, atol=1e-5)
    assert data.classes == ("x", "y", "z") and data.num_classes == 3
    assert data.counts["constant features"] == 1
    # Row i has label i % 3 and b = i: so labels went with their rows.
    b = np.concatenate([data.x_train, data.x_test])[:, 1]
    order = np.argsort(b)
    np.testing.assert_array_equal(
        np.concatenate([data.y_train, data.y_test])[order],
        np.arange(40) % 3)


def test_rows_with_missing_numbers_are_counted(tmp_path):
    path = write(tmp_path / "t.csv", [
        "a,y", "1,p", "2,q", ",p", "nan,q", "3,", "4,p", "5,q"])
    data = load_dataset(f"csv:{path}")
    assert data.counts["rows"] == 7
    assert data.counts["rows with missing values"] == 3
    assert "rows with missing values 3" in data.describe()


@pytest.mark.parametrize("lines, message", [
    (["a,y", "1,p", "x,q"], "row 3 .*must have numbers"),
    (["a,y", "1,p", "1,2,q"], "row 3 .*must have 2 columns"),
    (["a,y", *(f"{i},{i}" for i in range(200))], "2 to 100 classes, got 200"),
    (["a,y", "1,p", "2,p"], "2 to 100 classes, got 1"),
    (["a,y"], "a header and rows, got 1"),
    (["a,y", ",p"], "without missing"),
    (["a,y", "1,p", "1,q", "1,p"], "one feature must vary"),
    (["y", "p", "q"], "a label column and at least one"),
    (["0.5,1.5,p", "2,3,q", "2,4,p"], "number 0.5; is there no header"),
    (["a;y", *(f"{i};{i}" for i in range(200))],
     "column .the last one. must .*add labels to a table.* frame, agent"),
    (["a,y", "1,p", "2x,q"], "row 3 .*got '2x' in the column 'a'")])
def test_tables_that_are_none_are_refused(tmp_path, lines, message):
    path = write(tmp_path / "t.csv", lines)
    with pytest.raises(InputError, match=message):
        load_dataset(f"csv:{path}")


MARKS = ("", "NA", "?", "nan", "N/A", "NULL", "None", "#N/A", "inf", "-inf")


@pytest.mark.parametrize("row", ["{},q", "3,{}"])
def test_the_usual_marks_of_missing_values_are_counted(tmp_path, row):
    marks = [mark for mark in MARKS if row[0] == "{" or "inf" not in mark]
    path = write(tmp_path / "t.csv", [
        "a,y", "1,p", "2,q", "4,p", "5,q", *map(row.format, marks)])
    data = load_dataset(f"csv:{path}")
    assert data.classes == ("p", "q")
    assert data.counts["rows with missing values"] == len(marks)


@pytest.mark.parametrize("name", ["", "Unnamed: 0"])
def test_a_saved_index_is_no_feature(tmp_path, name):
    path = write(tmp_path / "t.csv", [f"{name},a,b,y", *(
        f"{i},{i % 7},{i % 5},{'pq'[i >= 20]}" for i in range(40))])
    data = load_dataset(f"csv:{path}")
    assert data.shape == (2,) and data.counts["columns without a name"] == 1
    assert "columns without a name 1" in data.describe()


def test_columns_that_programs_number_have_names(tmp_path):
    rows = [f"{i},{i % 5},{i % 2}" for i in range(40)]
    for header in ("0,1,y", "1,2,y", "0,1,2"):
        path = write(tmp_path / "t.csv", [header, *rows])
        assert load_dataset(f"csv:{path}").shape == (2,)


@pytest.mark.parametrize("delimiter", ";\t")
def test_other_delimiters_are_found(tmp_path, delimiter):
    path = write(tmp_path / "t.csv", [delimiter.join(row) for row in (
        "aby", *(f"{i % 7}{i % 5}{i % 2}" for i in range(40)))])
    assert load_dataset(f"csv:{path}").shape == (2,)


@pytest.mark.parametrize("value", ["1e300", "-1e300", "1e20"])
def test_a_value_that_drowns_its_column_is_named(tmp_path, value):
    path = write(tmp_path / "t.csv", ["a,size,y", *(
        f"{i},{value if i == 7 else i % 5},{i % 2}" for i in range(40))])
    with pytest.raises(InputError, match="row 9 .*in the column 'size'"):
        load_dataset(f"csv:{path}")


def test_a_rare_indicator_is_a_feature(tmp_path):
    path = write(tmp_path / "t.csv", ["a,rare,y", *(
        f"{i},{int(i == 7)},{i % 2}" for i in range(40))])
    data = load_dataset(f"csv:{path}")
    rare = np.concatenate([data.x_train, data.x_test])[:, 1]
    assert len(rare) == 40 and len(np.unique(rare)) == 2
    assert np.sum(rare == rare.max()) == 1


def test_a_label_column_must_be_there(tmp_path):
    with pytest.raises(InputError, match="one of a, kind, b, same, got 'c'"):
        load_dataset(f"csv:{table(tmp_path / 't.csv')}", label_column="c")
    with pytest.raises(InputError, match="label_column must be left out"):
        load_dataset("digits", label_column="c")


def test_hepmass_is_read_as_published(tmp_path):
    """The test file has a column more than its header says."""
    random = np.random.default_rng(0)
    train, test = (random.normal(size=[n, 3]) for n in (20, 6))

    def lines(rows, more):
        return ["# label,f0,f1,f2", *(
            f"{i % 2:.1f}," + ",".join(map(str, row)) + more
            for i, row in enumerate(rows))]
    write(tmp_path / "hepmass" / "1000_train.csv", lines(train, ""))
    write(tmp_path / "hepmass" / "1000_test.csv", lines(test, ",1000"))
    data = load_dataset("hepmass", data_dir=str(tmp_path))
    np.testing.assert_allclose(
        data.x_test, (test - train.mean(0)) / train.std(0), rtol=1e-5)
    np.testing.assert_array_equal(data.y_test, np.arange(6) % 2)


def test_miniboone_is_read_as_published(tmp_path):
    random = np.random.default_rng(0)
    rows = [" ".join(map(str, row)) for row in random.normal(size=[30, 3])]
    rows[4] = "-999 -999 -999"
    path = write(tmp_path / "miniboone" / "MiniBooNE_PID.txt",
                 [" 12 18", *rows])
    data = load_dataset("miniboone", data_dir=str(tmp_path))
    assert len(data.x_train) + len(data.x_test) == 29
    assert data.y_train.sum() + data.y_test.sum() == 11
    assert data.counts["rows with -999"] == 1
    write(path, [" 12 19", *rows])
    with pytest.raises(InputError, match="12 \\+ 19 rows of numbers, got 30"):
        load_dataset("miniboone", data_dir=str(tmp_path))


def test_protein_is_cut_at_the_deciles_of_training_rows(tmp_path):
    random = np.random.default_rng(0)
    rows = random.normal(size=[200, 3])
    write(tmp_path / "protein" / "CASP.csv", ["RMSD,F1,F2", *(
        ",".join(map(str, row)) for row in rows)])
    data = load_dataset("protein", data_dir=str(tmp_path))
    assert np.bincount(data.y_train).tolist() == [18] * 10
    assert data.shape == (2,) and len(data.x_test) == 20


def test_missing_files_are_named():
    for name, file in (("protein", "CASP.csv"), ("agnews", "agnews_train"),
                       ("hepmass", "1000_train.csv")):
        with pytest.raises(InputError, match=f"{name}/{file}"):
            load_dataset(name, data_dir="nowhere")


def test_words_are_letters_and_no_stop_words():
    assert words("The U.S. economy grew 3.5% in Q3; über-growth, it's said "
                 "x_y abc1 ab") == ["economy", "grew", "über", "growth",
                                    "said"]


def documents(folder, **changes):
    parts = {"train": ["red apple pie tree", "blue sky cloud rain sky",
                       "red red red red", "too short"],
             "dev": ["apple unheard pie"], "test": ["sky"]}
    for part, texts in {**parts, **changes}.items():
        path = folder / "agnews" / f"agnews_{part}.jsonl.gz"
        path.parent.mkdir(exist_ok=True)
        with gzip.open(path, "wt", encoding="utf-8") as file:
            for i, text in enumerate(texts):
                file.write(json.dumps(
                    {"label": i % 4, "title": "never", "text": text}) + "\n")
    return str(folder)


def test_documents_are_counts_of_words_of_the_training_part(tmp_path):
    data = load_dataset("agnews", data_dir=documents(tmp_path))
    assert "unheard" not in data.words and "never" not in data.words
    assert data.words[1] == "red"  # The most frequent.
    assert data.counts["validation/unknown words"] == 1
    assert data.counts["train/fewer than 4 words"] == 1
    assert len(data.x_train) == 3 and len(data.x_test) == 1
    counts = data.to_model(data.x_train).numpy()
    assert counts.shape == (3, len(data.words))
    assert counts[2, 1] == 4 and counts[2].sum() == 4
    np.testing.assert_allclose(
        data.frequencies, counts.sum(0) / counts.sum(), rtol=1e-6)
    assert data.frequencies[0] == 0


def test_the_vocabulary_keeps_the_most_frequent_words(tmp_path):
    data = load_dataset("agnews", data_dir=documents(tmp_path),
                        vocabulary_size=2)
    assert data.words[1:] == ("red", "sky")


def test_documents_that_are_none_are_refused(tmp_path):
    folder = documents(tmp_path, test=["a"] * 5)
    load_dataset("agnews", data_dir=folder)
    path = tmp_path / "agnews" / "agnews_dev.jsonl.gz"
    for line, message in (('{"label": 4, "text": "a"}', "from 0 to 3, got 4"),
                          ('{"label": 1}', "JSON with text and label"),
                          ("[", "JSON with text and label")):
        with gzip.open(path, "wt", encoding="utf-8") as file:
            file.write(line + "\n")
        with pytest.raises(InputError, match=message):
            load_dataset("agnews", data_dir=folder)
