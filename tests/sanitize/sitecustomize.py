"""Puts the sanitised package first: an editable install's finder would come before PYTHONPATH."""

import sys

sys.meta_path[:] = [f for f in sys.meta_path if type(f).__name__ != "ScikitBuildRedirectingFinder"]
