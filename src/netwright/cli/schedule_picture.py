"""A schedule in a terminal: a row a worker, a colour a kind of pass, time to the right."""

from __future__ import annotations

from rich.text import Text

from netwright.path.schedules import Scheduled
from netwright.simulate.pipeline import passes_of

# F, B, W, fused; a later chunk of the same worker is darker.
COLOURS = {
    "stage_forward": ("#3b76e0", "#27509b"),
    "stage_input_gradient": ("#2fa37c", "#1f6e54"),
    "stage_weight_gradient": ("#8262d6", "#584295"),
    "stage_backward": ("#e08a2c", "#9b5f1e"),
}
LETTERS = {
    "stage_forward": "F",
    "stage_input_gradient": "B",
    "stage_weight_gradient": "W",
    "stage_backward": "B",
}
MOST_ROWS = 64


def draw(scheduled: Scheduled, columns: int) -> list[Text]:
    """One line a worker, `columns` wide; a pass shows its micro-batch where there is room."""
    played = scheduled.replay
    width = max(columns, 20)
    scale = width / max(played.seconds, 1e-300)
    chunks = played.schedule.num_chunks // max(played.schedule.num_workers, 1)
    lines: list[Text] = []
    for worker, passes in enumerate(passes_of(played)[:MOST_ROWS]):
        line = Text(f"{worker:3} ", style="dim")
        at = 0
        for one in passes:
            first, last = round(one.start_seconds * scale), round(one.end_seconds * scale)
            if last <= first:
                continue
            line.append(" " * (first - at))
            wide = last - first
            number = f"{LETTERS[one.opcode]}{one.microbatch}"
            shown = number if len(number) <= wide else str(one.microbatch)
            cell = shown.center(wide) if len(shown) <= wide else LETTERS[one.opcode] * wide
            later = chunks > 1 and one.chunk >= played.schedule.num_workers
            colour = COLOURS[one.opcode][int(later)]
            line.append(cell[:wide], style=f"white on {colour}")
            at = last
        lines.append(line)
    if played.schedule.num_workers > MOST_ROWS:
        lines.append(Text(f"and {played.schedule.num_workers - MOST_ROWS} more workers"))
    return lines


def key() -> Text:
    """What the colours mean."""
    line = Text()
    for opcode, word in (
        ("stage_forward", "forward"),
        ("stage_input_gradient", "input gradient"),
        ("stage_weight_gradient", "weight gradient"),
        ("stage_backward", "backward, fused"),
    ):
        line.append(f" {LETTERS[opcode]} ", style=f"white on {COLOURS[opcode][0]}")
        line.append(f" {word}   ")
    return line
