"""What is rendered here belongs to teams: their tests are run by `tests/template`, not as ours."""

collect_ignore = ["rendered"]
