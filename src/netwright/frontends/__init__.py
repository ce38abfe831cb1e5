"""The outside world → Graph: GGUF, ONNX, safetensors with config.json."""
