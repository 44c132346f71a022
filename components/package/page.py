"""What Kubeflow's UI shows of a release."""

from collections import Counter

from components.common.page import page, table
from serving.release import Manifest


def release_page(made: Manifest) -> str:
    """A page of what a release holds, by its largest parts."""
    sizes: Counter[str] = Counter()
    for name, entry in made.files.items():
        sizes["/".join(name.split("/")[:2])] += entry.bytes
    facts = [("members", ", ".join(made.members)), ("items", made.items), ("tasks", ", ".join(made.tasks))]
    facts += [("files", len(made.files)), ("MB", sum(sizes.values()) / 1e6)]
    parts = [(name, size / 1e6) for name, size in sizes.most_common()]
    return page(f"Release {made.release}", table(("what", "is"), facts), table(("part", "MB"), parts))
