"""`mlops.yaml`: parsed with line numbers, validated all at once, completed into frozen dataclasses."""
