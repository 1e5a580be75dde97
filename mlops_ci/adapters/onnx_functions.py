"""Rules for functions of single numbers: known NumPy functions, power transforms, products, the normal quantile."""

from __future__ import annotations

from itertools import chain, combinations, combinations_with_replacement
from typing import Any

import numpy as np

from mlops_ci.adapters.onnx_graph import Features, Graph, Unfaithful, numbers

ONE = np.float64(1)


def function(graph: Graph, model: Any, features: Features) -> Features:
    """FunctionTransformer of no function, or of a NumPy function of one number."""
    if model.func is None:
        return features
    width = sum(block.width for block in features)
    made = apply_function(graph, model.func, model.kw_args, graph.matrix(features))
    return (numbers(made, width, rounded=True),)


def apply_function(graph: Graph, func: Any, options: Any, x: str) -> str:
    """A NumPy function applied to a matrix; None leaves it as it is."""
    if func is None:
        return x
    name = getattr(func, "__name__", "")
    known = {
        "log": lambda: graph.add("Log", x),
        "log1p": lambda: log1p(graph, x),
        "log2": lambda: graph.add("Div", graph.add("Log", x), np.log(2.0)),
        "log10": lambda: graph.add("Div", graph.add("Log", x), np.log(10.0)),
        "exp": lambda: graph.add("Exp", x),
        "exp2": lambda: graph.add("Pow", np.float64(2), x),
        "expm1": lambda: expm1(graph, x),
        "sqrt": lambda: graph.add("Sqrt", x),
        "cbrt": lambda: _cube_root(graph, x),
        "square": lambda: graph.add("Mul", x, x),
        "absolute": lambda: graph.add("Abs", x),
        "fabs": lambda: graph.add("Abs", x),
        "negative": lambda: graph.add("Neg", x),
        "positive": lambda: x,
        "reciprocal": lambda: graph.add("Div", ONE, x),
        "sign": lambda: graph.add("Sign", x),
        "floor": lambda: graph.add("Floor", x),
        "ceil": lambda: graph.add("Ceil", x),
        "tanh": lambda: graph.add("Tanh", x),
        "isnan": lambda: graph.cast(graph.add("IsNaN", x), "DOUBLE"),
    }
    if name not in known or getattr(np, name, None) is not func or options:
        module = "numpy" if isinstance(func, np.ufunc) else getattr(func, "__module__", "")
        raise Unfaithful(
            f"FunctionTransformer({module}.{name}) has no converter",
            f"data.prepare, or a NumPy function without options: {', '.join(sorted(known))}",
        )
    return known[name]()


def log1p(graph: Graph, x: str) -> str:
    """log(1 + x), exact for small x too (Kahan: the error of 1 + x is divided out again)."""
    u = graph.add("Add", x, ONE)
    rounded = graph.add("Sub", u, ONE)
    exact = graph.add("Div", graph.add("Mul", graph.add("Log", u), x), rounded)
    small = graph.add("Equal", rounded, np.float64(0))
    large = graph.add("Greater", x, np.float64(1e15))  # 1 + x is x, and infinity has no quotient
    return graph.where(small, x, graph.where(large, graph.add("Log", u), exact))


def expm1(graph: Graph, x: str) -> str:
    """exp(x) - 1, exact for small x too (Kahan)."""
    u = graph.add("Exp", x)
    difference = graph.add("Sub", u, ONE)
    exact = graph.add("Div", graph.add("Mul", difference, x), graph.add("Log", u))
    small = graph.add("Equal", difference, np.float64(0))
    plain = graph.add("Greater", graph.add("Abs", x), ONE)  # nothing cancels, and one rounding is less than three
    return graph.where(small, x, graph.where(plain, difference, exact))


def _cube_root(graph: Graph, x: str) -> str:
    return graph.add("Mul", graph.add("Sign", x), graph.add("Pow", graph.add("Abs", x), np.float64(1 / 3)))


def powers(graph: Graph, model: Any, features: Features) -> Features:
    """PowerTransformer: Yeo-Johnson or Box-Cox with the fitted exponents, then standardised."""
    x = graph.matrix(features)
    width = len(model.lambdas_)
    exponents = np.asarray(model.lambdas_, dtype=np.float64)
    made = []
    for column, exponent in enumerate(exponents):
        one = graph.columns(x, [column])
        if np.isnan(exponent):
            made.append(one)
        elif model.method == "box-cox":
            made.append(_power(graph, graph.add("Log", one), exponent))
        else:
            made.append(_yeo_johnson(graph, one, exponent))
    matrix: Features = (numbers(graph.beside(made), width, of=features, rounded=True),)
    return graph.transform(model._scaler, matrix) if model.standardize else matrix


def _yeo_johnson(graph: Graph, x: str, exponent: float) -> str:
    negative = graph.add("Less", x, np.float64(0))
    size = log1p(graph, graph.add("Abs", x))
    upper = _power(graph, size, exponent)
    lower = graph.add("Neg", _power(graph, size, 2 - exponent))
    return graph.where(negative, lower, upper)


def _power(graph: Graph, logarithm: str, exponent: float) -> str:
    """(exp(exponent * logarithm) - 1) / exponent, and its limit where the exponent is 0."""
    if abs(exponent) < np.finfo(np.float64).eps:
        return logarithm
    return graph.add("Div", expm1(graph, graph.add("Mul", logarithm, np.float64(exponent))), np.float64(exponent))


def products(graph: Graph, model: Any, features: Features) -> Features:
    """PolynomialFeatures: products of columns, from the last factor to the first; 1 stands in where there are fewer."""
    x = graph.matrix(features)
    columns = model.n_features_in_
    choose = combinations if model.interaction_only else combinations_with_replacement
    terms = list(chain.from_iterable(choose(range(columns), d) for d in range(1, model._max_degree + 1)))
    terms = [term for term in terms if len(term) >= model._min_degree]
    if model.include_bias:
        terms.insert(0, ())
    ones = graph.add("Expand", ONE, graph.add("Concat", _rows(graph, x), np.array([1]), axis=0))
    wider = graph.beside([x, ones])
    made = ""
    for factor in range(max(len(term) for term in terms) or 1):
        picked = graph.columns(wider, [term[-1 - factor] if factor < len(term) else columns for term in terms])
        made = graph.add("Mul", made, picked) if made else picked
    return (numbers(made, len(terms), of=features),)


def _rows(graph: Graph, x: str) -> str:
    return graph.add("Shape", x, start=0, end=1)


def normal_quantile(graph: Graph, p: str) -> str:
    """The inverse of the normal distribution as Cephes, and so SciPy, has it (ndtri); clipped as in scikit-learn."""
    from scipy import stats

    margin = 1e-7 - np.spacing(1)
    low, high = stats.norm.ppf(margin), stats.norm.ppf(1 - margin)
    upper = graph.add("Greater", p, np.float64(1 - TAIL))
    tail = graph.where(upper, graph.add("Sub", ONE, p), p)  # the quantile of the smaller tail
    in_tail = graph.add("LessOrEqual", tail, np.float64(TAIL))
    centred = graph.add("Sub", p, np.float64(0.5))
    square = graph.add("Mul", centred, centred)
    ratio = graph.add("Div", graph.horner(square, CENTRE[0]), graph.horner(square, CENTRE[1]))
    middle = graph.add("Add", centred, graph.add("Mul", graph.add("Mul", centred, square), ratio))
    middle = graph.add("Mul", middle, ROOT)
    safe = graph.where(graph.add("Greater", tail, np.float64(0)), tail, np.float64(TAIL))
    far = graph.add("Sqrt", graph.add("Mul", np.float64(-2), graph.add("Log", safe)))
    first = graph.add("Sub", far, graph.add("Div", graph.add("Log", far), far))
    z = graph.add("Div", ONE, far)
    ratio = graph.add("Div", graph.horner(z, TAILS[0]), graph.horner(z, TAILS[1]))
    size = graph.add("Sub", first, graph.add("Mul", z, ratio))
    made = graph.where(in_tail, graph.where(upper, size, graph.add("Neg", size)), middle)
    made = graph.where(graph.add("Less", p, np.float64(margin)), low, made)
    return graph.where(graph.add("Greater", p, np.float64(1 - margin)), high, made)


ROOT = np.sqrt(2 * np.pi)
TAIL = 0.13533528323661269189
"""exp(-2): from here on Cephes goes by the logarithm."""
CENTRE = (
    (-59.96335010141079, 98.00107541859997, -56.67628574690703, 13.931260938727968, -1.2391658386738125),
    (
        *(1.0, 1.9544885833814176, 4.676279128988815, 86.36024213908905, -225.46268785411937),
        *(200.26021238006066, -82.03722561683334, 15.90562251262117, -1.1833162112133),
    ),
)
TAILS = (
    (
        *(4.0554489230596245, 31.525109459989388, 57.16281922464213, 44.08050738932008, 14.684956192885803),
        *(2.1866330685079025, -0.1402560791713545, -0.03504246268278482, -0.0008574567851546854),
    ),
    (
        *(1.0, 15.779988325646675, 45.39076351288792, 41.3172038254672, 15.04253856929075),
        *(2.504649462083094, -0.14218292285478779, -0.03808064076915783, -0.0009332594808954574),
    ),
)
"""Numerator and denominator; the tails hold up to a distance of 8, and quantiles are clipped at 5.2."""
