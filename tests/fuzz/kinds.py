"""Every kind of file that comes from outside."""

from __future__ import annotations

from .kind import Kind
from .kind_gguf import GGUF
from .kind_huggingface import CONFIG, SAFETENSORS, TOKENIZER
from .kind_machine import MACHINE
from .kind_onnx import ONNX
from .kind_program import PROGRAM

KINDS: tuple[Kind, ...] = (GGUF, ONNX, SAFETENSORS, CONFIG, TOKENIZER, PROGRAM, MACHINE)
