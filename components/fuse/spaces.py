"""What `cuvee tune` may try for the fusion: trees that still answer within a request's time.

Which method serves, and how firmly the linear ones are held back, every run finds by cross-fitting already.
"""

from components.common.space import Choice, Range, Space

KIND = "stacker"  # whose trees are searched
SPACE: Space = {
    f"shapes.{KIND}.rounds": Choice(options=(50, 100, 200)),
    f"shapes.{KIND}.leaves": Choice(options=(4, 8, 16)),
    f"shapes.{KIND}.learning_rate": Range(low=0.01, high=0.2, log=True),
    f"shapes.{KIND}.fewest_rows": Range(low=10, high=400, log=True, whole=True),
    f"shapes.{KIND}.l2": Range(low=0.1, high=100.0, log=True),
}
