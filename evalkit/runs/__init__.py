"""Run folders: the only writer of results/."""
