"""Data that the package carries: JSON Schemas, report templates."""
