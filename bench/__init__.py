"""Measurements that a reader can repeat: everything is compared side by side in one run, as ratios."""
