"""Tables of the report."""

from collections.abc import Iterable, Sequence
from html import escape


def table(head: Sequence[str], rows: Iterable[Sequence[str]], loud: str = "", markup: bool = False) -> str:
    """An HTML table; with *markup* the last cell of each row is HTML already."""
    lines = ["<tr>" + "".join(f"<th>{escape(name)}</th>" for name in head) + "</tr>"]
    for row in rows:
        last = len(row) - 1
        cells = [cell if markup and place == last else escape(cell) for place, cell in enumerate(row)]
        style = ' class="loud"' if loud and row[0] == loud else ""
        lines.append(f"<tr{style}>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>")
    return f'<div class="scroll"><table>{"".join(lines)}</table></div>'
