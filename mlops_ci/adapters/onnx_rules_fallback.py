"""Rules for those of scikit-learn's own that skl2onnx converts otherwise than they answer; see `onnx_rules`.

They have no row in the other tables, so that skl2onnx would be asked (`onnx_fallback`). All that it is asked are in
`tests/adapters/test_onnx_fallback.py`.
"""

from __future__ import annotations

from mlops_ci.adapters.onnx_rules import Converts, Refuses, Rule

FALLBACK: tuple[Rule, ...] = (
    Converts(
        classes=("sklearn.KMeans", "sklearn.MiniBatchKMeans", "sklearn.BisectingKMeans"),
        transform="onnx_kernels:distances_to_centres",
        because="skl2onnx takes the root of what rounding makes negative, and has none for BisectingKMeans",
    ),
    Refuses(
        classes=("sklearn.KernelPCA",),
        when=lambda model: model.kernel == "cosine",
        because="in skl2onnx a row of zeros has no cosine, and natively it is 0",
        instead="Normalizer and KernelPCA(kernel='linear')",
    ),
    Refuses(
        classes=("sklearn.TfidfTransformer",),
        when=lambda model: model.norm is not None or model.sublinear_tf,
        because="skl2onnx divides a row of zeros by zero, and takes another logarithm",
        instead="norm=None and sublinear_tf=False, and a Normalizer after it",
    ),
    Refuses(
        classes=("sklearn.KNeighborsTransformer", "sklearn.RadiusNeighborsTransformer"),
        when=lambda _: True,
        because="of training rows equally far away, which are common, some are taken, and a graph takes others",
        instead="KNeighborsClassifier or KNeighborsRegressor, or the distances to the centres of KMeans",
    ),
    Refuses(
        classes=("sklearn.RandomTreesEmbedding",),
        when=lambda _: True,
        because="skl2onnx rounds its thresholds to float32",
        instead="KBinsDiscretizer, or a forest",
    ),
    Refuses(
        classes=("sklearn.FeatureHasher", "sklearn.DictVectorizer"),
        when=lambda _: True,
        because="it takes lists or dictionaries, and a row has columns of numbers and texts",
        instead="OneHotEncoder(handle_unknown='ignore')",
    ),
)
