"""Text and molecules as people's files hold them."""

import gzip

import pytest

from lebm_tf import text_files
from lebm_tf.datasets import load_dataset
from lebm_tf.datasets.rows import rows_of
from lebm_tf.datasets.sequences.molecules import is_smiles
from lebm_tf.errors import InputError

MOLECULES = ["CCO", "c1ccccc1", "CC(=O)O", "CN", "ClCCBr", "OCC", "NCC",
             "C[C@@H](N)C(=O)O", "[Na+].[Cl-]", "C/C=C/C"] * 2


def smiles(path, lines, **settings):
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return load_dataset(f"smiles:{path}", **settings)


def lines_of(data):
    return sorted(line for _, x, *_ in data.parts()
                  for line in data.vocabulary.texts(x))


@pytest.mark.parametrize("lines", [
    [f"{text} ZINC{i:04d}" for i, text in enumerate(MOLECULES)],
    [f"{text}\tsome name, (2R)" for text in MOLECULES],
    ["smiles", *MOLECULES], ["SMILES name", *(f"{m} a" for m in MOLECULES)],
    ["SMILES,SPLIT", *(f"{text},train" for text in MOLECULES)],
    ["id\tcanonical_smiles", *(f"7\t{text}" for text in MOLECULES)],
    [",smiles,logP", *(f'{i},"{text}\n",5.05'
                       for i, text in enumerate(MOLECULES))]],
    ids=["name", "tab", "header", "both", "moses", "second", "kaggle"])
def test_molecules_are_read_and_nothing_beside_them(tmp_path, lines):
    assert lines_of(smiles(tmp_path / "a", lines)) == sorted(MOLECULES)


def test_a_column_is_taken_by_its_name(tmp_path):
    rows = ["educt,product", *(f"CCC,{text}" for text in MOLECULES)]
    data = smiles(tmp_path / "a.csv", rows, smiles_column="product")
    assert lines_of(data) == sorted(MOLECULES)
    assert data.origin["smiles_column"] == "product"
    with pytest.raises(InputError, match="line 1 must be SMILES, got 'educt'"):
        smiles(tmp_path / "a.csv", rows)
    with pytest.raises(InputError, match="'prod', got educt, product"):
        smiles(tmp_path / "a.csv", rows, smiles_column="prod")
    with pytest.raises(InputError, match="smiles_column must be left out"):
        load_dataset(f"text:{tmp_path / 'a.csv'}", smiles_column="product")


def test_what_is_no_smiles_is_named_with_its_line(tmp_path):
    with pytest.raises(InputError, match="line 4 must be SMILES, got 'ran'"):
        smiles(tmp_path / "a", ["CC", "", "CCO", "ran away"])
    assert not any(map(is_smiles, ("ran", "train", "CC,", "[notAtom", "5x")))


def test_dropping_all_lines_says_that_none_is_a_molecule(tmp_path):
    pytest.importorskip("rdkit")
    with pytest.raises(InputError, match="got 0 of 600 lines that are"):
        smiles(tmp_path / "a", ["hello"] * 600, invalid_smiles="drop")


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_marks_and_line_ends_are_no_words(tmp_path, encoding, end):
    path = tmp_path / "lines.txt"
    path.write_bytes(end.join(["ran away", "he ran", "she ran"] * 5
                              ).encode(encoding))
    data = load_dataset(f"text:{path}")
    assert set(data.vocabulary.tokens[4:]) == {"ran", "away", "he", "she"}


def test_zero_bytes_are_no_text(tmp_path):
    path = tmp_path / "lines.txt"
    path.write_bytes("ran away\n".encode("utf-16-le") * 5)
    with pytest.raises(InputError, match="text in UTF-8, got zero bytes"):
        load_dataset(f"text:{path}")


@pytest.mark.parametrize("word", ["<eos>", "<bos>", "<pad>"])
def test_words_that_name_tokens_are_refused_with_their_line(tmp_path, word):
    path = tmp_path / "lines.txt"
    path.write_text(f"he ran\n\nshe {word} ran\n" * 4)
    with pytest.raises(InputError, match=f"line 3 .*special token '{word}'"):
        load_dataset(f"text:{path}")


def test_unknown_words_of_public_texts_are_unknown(tmp_path):
    path = tmp_path / "lines.txt"
    path.write_text("he <unk>\nshe ran\n" * 8)
    data = load_dataset(f"text:{path}")
    assert data.vocabulary.tokens.count("<unk>") == 1
    assert any("<unk>" in line for line in lines_of(data))


def test_files_that_unpack_to_far_more_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(text_files, "ALWAYS_FINE", 1000)
    path = tmp_path / "bomb.gz"
    path.write_bytes(gzip.compress(b"ab " * 100_000))
    size = path.stat().st_size
    with pytest.raises(InputError, match=f"most {100 * size:,} bytes from its "
                                         f"{size:,}, got {100 * size + 1:,}"):
        load_dataset(f"text:{path}")


def test_a_byte_that_is_no_utf8_is_named_with_its_line(tmp_path):
    path = tmp_path / "table.csv"
    path.write_bytes("a,b\n1,p\n2,qé\n".encode("latin-1"))
    with pytest.raises(InputError, match="in UTF-8, got .* 0xe9 in line 3"):
        load_dataset(f"csv:{path}")


def test_values_without_end_are_refused():
    with pytest.raises(InputError, match="table, got field larger .* line 2"):
        rows_of("a,b\n" + "1" * 200_000 + ",2\n", "t")
