"""Mutated files against every loader: only a NetwrightError may escape.

`python -m tests.fuzz --count 20000 --kinds gguf,onnx,program,machine`
"""
