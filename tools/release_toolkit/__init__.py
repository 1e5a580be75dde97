"""Releases of the toolkit: an immutable tag `vX.Y.Z` that refers to nothing but itself, and `vX`, which moves to it.

On main, actions, reusable workflows and templates name one another at the moving `vX`, under the name `SOURCE`. The
tagged commit is a child of the released one in which they all name `vX.Y.Z` of the repository that releases. So whoever
pins the tag (or its commit) runs exactly what is in it. The templates pin it too: what a team's workflows run changes
by a pull request then, and never because a tag was moved; who prefers that writes `@vX`. One stays at `@vX`, the
workflow that proposes these pull requests: an old toolkit knows of no newer template.
"""

SOURCE = "mlops-ci/mlops-ci"
"""The toolkit's owner and name, as everything on main has it; a release rewrites it to the repository that releases."""
