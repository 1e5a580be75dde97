"""What converts without a word and then answers wrongly, or fails later: refused by name, with what to use instead.

Each was measured with skl2onnx 1.20 and scikit-learn 1.9; the parity check finds what is not listed here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

Refusal = tuple[str, Callable[[Any], bool], str, str]
"""Class name, condition on the fitted estimator, why it is refused, what to use instead."""

REFUSALS: tuple[Refusal, ...] = (
    *(
        (
            f"HistGradientBoosting{kind}",
            lambda estimator: getattr(estimator, "is_categorical_", None) is not None,
            "categorical_features are not kept by the converter: nearly every row is answered wrongly",
            "OneHotEncoder or OrdinalEncoder in front, and no categorical_features",
        )
        for kind in ("Classifier", "Regressor")
    ),
    (
        "OneHotEncoder",
        lambda estimator: estimator.handle_unknown in {"infrequent_if_exist", "warn"},
        "handle_unknown='infrequent_if_exist' fails in the graph on the first unknown category",
        "handle_unknown='ignore', with min_frequency if you like",
    ),
    (
        "SimpleImputer",
        lambda estimator: bool(estimator.add_indicator),
        "add_indicator is not converted",
        "columns of indicators that data.prepare makes",
    ),
    (
        "KBinsDiscretizer",
        lambda _: True,
        "its one-hot encoding is not converted, and the edges of its bins are rounded to float32",
        "bins that data.prepare makes, or trees, which make their own",
    ),
    (
        "PolynomialFeatures",
        lambda estimator: bool(estimator.include_bias),
        "its column of ones is not converted in double precision",
        "include_bias=False, since estimators have an intercept of their own",
    ),
    ("SplineTransformer", lambda _: True, "it is not converted", "PolynomialFeatures, or splines in data.prepare"),
    ("KNNImputer", lambda _: True, "the graph fills some values with others", "SimpleImputer"),
    (
        "CalibratedClassifierCV",
        lambda estimator: estimator.method == "isotonic",
        "the graph interpolates isotonic steps differently",
        "method='sigmoid'",
    ),
    (
        "VotingClassifier",
        lambda estimator: estimator.voting != "soft" or bool(estimator.flatten_transform),
        "only probabilities that are averaged and not flattened are converted",
        "VotingClassifier(..., voting='soft', flatten_transform=False)",
    ),
)


def refusal(estimator: Any) -> tuple[str, str] | None:
    """(what cannot be converted and why, what to use instead) for the first part of the estimator that is refused."""
    for part in parts(estimator):
        for name, applies, why, instead in REFUSALS:
            if type(part).__name__ == name and applies(part):
                return f"{name}: {why}", instead
    return None


def parts(estimator: Any) -> Iterator[Any]:
    """The estimator and all the estimators inside it, whatever they are kept in."""
    from sklearn.base import BaseEstimator

    waiting, seen = [estimator], set()
    while waiting:
        item = waiting.pop(0)
        if id(item) in seen or isinstance(item, str | bytes):
            continue
        seen.add(id(item))
        if isinstance(item, BaseEstimator) or hasattr(item, "calibrators"):
            yield item
            waiting += vars(item).values()
        elif isinstance(item, Mapping):
            waiting += item.values()
        elif isinstance(item, list | tuple | set) and len(item) <= 10_000:
            waiting += item
