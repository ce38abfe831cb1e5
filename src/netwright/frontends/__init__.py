"""The outside world → Graph: GGUF, ONNX, safetensors with config.json."""

from netwright.frontends.load import load as load
