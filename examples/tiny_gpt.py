"""A GPT of 5.7 million parameters that learns Shakespeare, byte by byte.

netwright train examples/tiny_gpt.py --workers 2 --schedule zb-h1
"""

from pathlib import Path

from netwright.graph.zoo import gpt
from netwright.graph.zoo.gpt import GptSizes

# One micro-batch: two sequences of 64 bytes.
network = gpt(
    GptSizes(vocabulary=256, width=240, layers=8, heads=6, tokens=64, batch=2, tied=False)
)
text = (Path(__file__).parent / "shakespeare.txt").read_bytes()
