"""Tokeniser, stop ids and chat template of a Hugging Face folder."""

from __future__ import annotations

import json
from pathlib import Path

from tokenizers import Tokenizer, decoders, models, pre_tokenizers

from netwright.run.generate.chat import Message
from netwright.run.generate.load import load_chat_template, load_tokeniser


def write_folder(folder: Path) -> Path:
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {letter: i for i, letter in enumerate(letters)}
    tokenizer = Tokenizer(models.BPE(vocabulary, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(["<end>"])
    tokenizer.save(str(folder / "tokenizer.json"))
    template = "{{ bos_token }}{% for m in messages %}{{ m.content }}{{ eos_token }}{% endfor %}"
    config = {"chat_template": template, "bos_token": {"content": "<s>"}, "eos_token": "<end>"}
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    return folder


def test_folder(tmp_path: Path) -> None:
    write_folder(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps({"eos_token_id": 9}))
    assert load_tokeniser(tmp_path).stop_ids == {9}
    (tmp_path / "generation_config.json").write_text(json.dumps({"eos_token_id": [256, 9]}))
    tokeniser = load_tokeniser(tmp_path / "model.safetensors")
    assert tokeniser.stop_ids == {256, 9}
    ids = tokeniser.encode_prompt("é<end>")
    assert ids[-1] == 256
    assert [tokeniser.piece(i) for i in ids] == [b"\xc3", b"\xa9", b""]
    assert 256 not in tokeniser.encode_text("<end>")
    assert tokeniser.decode(ids) == "é"
    template = load_chat_template(tmp_path)
    assert template is not None
    assert template.render([Message("user", "Hi")]) == "<s>Hi<end>"


def test_folder_without_template(tmp_path: Path) -> None:
    assert load_chat_template(tmp_path) is None
    (tmp_path / "tokenizer_config.json").write_text("{}")
    assert load_chat_template(tmp_path) is None
