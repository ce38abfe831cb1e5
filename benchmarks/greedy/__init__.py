"""Greedy text beside llama.cpp's: which prompts llama.cpp is stable on, and what ours says there."""
