"""The composition root: it alone builds adapters, prints and exits."""
