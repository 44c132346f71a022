"""The ensemble as a graph: members behind services of their own, and a step that fuses what they say."""
