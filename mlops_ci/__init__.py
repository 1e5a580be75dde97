"""GitOps CI/CD for machine learning: judge a model in a pull request, release it once, promote the same bytes."""

__version__ = "0.1.0"
