"""The reference pages of docs/reference, made from the code: parsers, YAML of actions and workflows, schemas; and the
tables in the READMEs of Terraform modules.

`python -m tools.reference` writes them; `--check` writes nothing and says which are not what the code says.
"""
