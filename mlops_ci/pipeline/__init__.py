"""One verb a file: each takes ports and values and returns a result; none prints or exits."""
