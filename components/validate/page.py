"""One self-contained HTML page that says what was checked; the full Data Docs lie in their own folder."""

from html import escape
from typing import Any

STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:64rem;color:#222}"
    "table{border-collapse:collapse;width:100%;margin:1rem 0 2rem}"
    "td,th{border-bottom:1px solid #ddd;padding:.3rem .6rem;text-align:left;vertical-align:top}"
    ".held{color:#176b36}.broken{color:#a11;font-weight:600}"
)


def page(summary: dict[str, Any]) -> str:
    """Render `validation.json`.

    Args:
        summary: {"passed", "error", "tables": {name: {"rows", "passed", "checks": [{...}]}}}.
    """
    verdict = "All tables passed." if summary["passed"] else escape(summary["error"])
    state = "held" if summary["passed"] else "broken"
    sections = "".join(_section(name, table) for name, table in summary["tables"].items())
    return (
        "<!doctype html><html lang='en'><head><meta charset='utf-8'><title>Data checks</title>"
        f"<style>{STYLE}</style></head><body><h1>Data checks</h1>"
        f"<p class='{state}'>{verdict}</p>{sections}</body></html>\n"
    )


def _section(name: str, table: dict[str, Any]) -> str:
    rows = "".join(_row(check) for check in table["checks"])
    head = "<tr><th>column</th><th>expected</th><th>rows that differ</th><th></th></tr>"
    return f"<h2>{escape(name)}: {table['rows']:,} rows</h2><table>{head}{rows}</table>"


def _row(check: dict[str, Any]) -> str:
    state = "held" if check["held"] else "broken"
    cells = (escape(check["column"] or "(table)"), escape(check["expected"]), f"{check['unexpected']:,}")
    return f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}<td class='{state}'>{state}</td></tr>"
