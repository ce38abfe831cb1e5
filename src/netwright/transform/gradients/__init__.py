"""Operator × gradient of its result → operators that compute the gradients of its inputs."""
