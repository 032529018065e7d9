"""Data of the case studies: each module owns a recipe, its checks, its split and its files."""
