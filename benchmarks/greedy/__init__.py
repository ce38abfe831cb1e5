"""Greedy text beside llama.cpp's: where llama.cpp agrees with itself, and where we with it."""
