"""Shipped .pth weights → ONNX files."""
