"""Rules for transformers, for estimators made of others, and for those that are not made of trees; see `onnx_rules`.

All of them answer in double precision, with scikit-learn's own order of operations, where skl2onnx 1.20 rounds to
float32, leaves options out or fails. What the reasons say was measured with scikit-learn 1.9.
"""

from __future__ import annotations

from mlops_ci.adapters.onnx_rules import Converts, Refuses, Rule


def _named(*names: str) -> tuple[str, ...]:
    return tuple(f"sklearn.{name}" for name in names)


COMPOSITION: tuple[Rule, ...] = (
    Converts(
        classes=_named("Pipeline"),
        transform="onnx_composition:pipeline",
        predict="onnx_composition:predict_pipeline",
        classify="onnx_composition:classify_pipeline",
        decide="onnx_composition:decide_pipeline",
        because="each step by its own rule, wherever the pipeline is: in a voting, a stacking, a column transformer",
    ),
    Converts(
        classes=_named("ColumnTransformer"),
        transform="onnx_composition:column_transformer",
        because="columns keep their type; skl2onnx puts doubles beside float32 and casts both",
    ),
    Converts(
        classes=_named("FeatureUnion"), transform="onnx_composition:feature_union", because="as ColumnTransformer"
    ),
    Converts(
        classes=_named(
            *("SelectKBest", "SelectPercentile", "SelectFpr", "SelectFdr", "SelectFwe", "GenericUnivariateSelect"),
            *("SelectFromModel", "SequentialFeatureSelector", "RFE", "RFECV", "VarianceThreshold"),
        ),
        transform="onnx_composition:selected",
        because="whatever chose the columns, they are chosen",
    ),
    Converts(
        classes=_named(
            *("GridSearchCV", "RandomizedSearchCV", "HalvingGridSearchCV", "HalvingRandomSearchCV"),
            *("FrozenEstimator", "RANSACRegressor", "SelfTrainingClassifier"),
        ),
        transform="onnx_composition:transform_inner",
        predict="onnx_composition:predict_inner",
        classify="onnx_composition:classify_inner",
        decide="onnx_composition:decide_inner",
        because="the estimator inside answers alone",
    ),
    Converts(
        classes=_named("TransformedTargetRegressor"),
        predict="onnx_composition:transformed_target",
        because="skl2onnx has no converter; the inverse of a NumPy function or of a scaler is one operator",
    ),
    Converts(classes=("skl2onnx.CastTransformer",), transform="onnx_composition:cast", because="as it says"),
    Refuses(
        classes=_named("FixedThresholdClassifier", "TunedThresholdClassifierCV"),
        when=lambda _: True,
        because="its threshold would be lost: a label follows from the probability and 0.5, natively as in the graph",
        instead="the classifier inside it, and a threshold where the probabilities are used",
    ),
)

SCALERS: tuple[Rule, ...] = tuple(
    Converts(classes=_named(name), transform=function, because=because)
    for name, function, because in (
        ("StandardScaler", "onnx_scaling:standard", "in double: a rounded value crosses thresholds of trees behind it"),
        ("RobustScaler", "onnx_scaling:robust", "as StandardScaler"),
        ("MinMaxScaler", "onnx_scaling:min_max", "as StandardScaler; clip keeps NaN"),
        ("MaxAbsScaler", "onnx_scaling:max_abs", "as StandardScaler"),
        ("Normalizer", "onnx_scaling:normalizer", "the runtime's Normalizer is float32"),
        ("PCA", "onnx_scaling:principal_components", "in double, and first the product, then the mean, as natively"),
        ("IncrementalPCA", "onnx_scaling:principal_components", "as PCA"),
        ("TruncatedSVD", "onnx_scaling:truncated", "as PCA"),
        ("LinearDiscriminantAnalysis", "onnx_scaling:discriminant", "as PCA"),
        ("PolynomialFeatures", "onnx_functions:products", "skl2onnx makes the column of ones in float32"),
        ("FunctionTransformer", "onnx_functions:function", "NumPy's simple functions are operators; skl2onnx has none"),
        ("PowerTransformer", "onnx_functions:powers", "skl2onnx loses the digits of log(1 + x) and exp(x) - 1 near 0"),
        ("Binarizer", "onnx_binning:binarizer", "in float32 a value just above the threshold becomes equal to it"),
        ("KBinsDiscretizer", "onnx_binning:bins", "skl2onnx rounds the edges to float32, and has no one-hot"),
        ("QuantileTransformer", "onnx_binning:quantiles", "skl2onnx takes 10 s; it is one search and a line a column"),
        ("SplineTransformer", "onnx_splines:splines", "de Boor's recursion as in SciPy; skl2onnx has none"),
    )
)

ENCODERS: tuple[Rule, ...] = (
    Converts(
        classes=_named("OneHotEncoder"),
        transform="onnx_encoding:one_hot",
        because="skl2onnx fails on unknown categories under infrequent_if_exist, and casts numbers to int64",
    ),
    Converts(
        classes=_named("OrdinalEncoder"),
        transform="onnx_encoding:ordinal",
        because="skl2onnx casts codes and numeric categories to float32, and leaves encoded_missing_value out",
    ),
    Converts(
        classes=_named("TargetEncoder"),
        transform="onnx_encoding:target",
        because="skl2onnx rounds the means to float32 and has none for several classes",
    ),
    Converts(
        classes=_named("SimpleImputer"),
        transform="onnx_imputing:impute",
        because="the runtime's Imputer is for float32 and int64 alone; skl2onnx has no indicator",
    ),
    Converts(
        classes=_named("MissingIndicator"), transform="onnx_imputing:indicate", because="skl2onnx has no converter"
    ),
    Refuses(
        classes=_named("KNNImputer"),
        when=lambda _: True,
        because="of training rows equally far away, which are common, NumPy's partial sort picks some, a graph others",
        instead="SimpleImputer, or an estimator that takes missing values",
    ),
    Refuses(
        classes=_named("IterativeImputer"),
        when=lambda _: True,
        because="its rounds of regressions are not converted",
        instead="SimpleImputer, or an estimator that takes missing values",
    ),
    Refuses(
        classes=_named("CountVectorizer", "TfidfVectorizer", "HashingVectorizer"),
        when=lambda _: True,
        because="the runtime splits texts by other rules than Python's regular expressions",
        instead="columns of words that data.prepare makes",
    ),
)

LINEAR: tuple[Rule, ...] = (
    Converts(
        classes=_named(
            *("ARDRegression", "BayesianRidge", "ElasticNet", "ElasticNetCV", "HuberRegressor", "Lars", "LarsCV"),
            *("Lasso", "LassoCV", "LassoLars", "LassoLarsCV", "LassoLarsIC", "LinearRegression", "LinearSVR"),
            *("OrthogonalMatchingPursuit", "OrthogonalMatchingPursuitCV", "PassiveAggressiveRegressor"),
            *("QuantileRegressor", "Ridge", "RidgeCV", "SGDRegressor", "TheilSenRegressor"),
        ),
        predict="onnx_linear:predict_linear",
        because="a product and a sum, in double; skl2onnx does not know all of them",
    ),
    Converts(
        classes=_named("PoissonRegressor", "GammaRegressor", "TweedieRegressor"),
        predict="onnx_linear:predict_exponential",
        because="as LinearRegression, and the inverse of the link",
    ),
    Converts(
        classes=_named("PLSRegression"),
        predict="onnx_linear:predict_least_squares_parts",
        because="as LinearRegression, with the mean taken away first as natively",
    ),
    Converts(
        classes=_named("LogisticRegression", "LogisticRegressionCV", "LinearDiscriminantAnalysis"),
        classify="onnx_linear:classify_softmax",
        decide="onnx_linear:decide_linear",
        because="in double; skl2onnx has other probabilities for the two classes of a discriminant analysis",
    ),
    Converts(
        classes=_named("SGDClassifier"),
        classify="onnx_linear:classify_stochastic",
        decide="onnx_linear:decide_linear",
        because="in double",
    ),
    Converts(
        classes=_named(
            "LinearSVC", "RidgeClassifier", "RidgeClassifierCV", "Perceptron", "PassiveAggressiveClassifier"
        ),
        classify="onnx_linear:classify_without_probabilities",
        decide="onnx_linear:decide_linear",
        because="they have no probabilities, but can be calibrated or stacked",
    ),
    Converts(
        classes=_named("QuadraticDiscriminantAnalysis"),
        classify="onnx_linear:classify_quadratic",
        decide="onnx_linear:decide_quadratic",
        because="in double",
    ),
    Converts(
        classes=_named("MLPClassifier", "MLPRegressor"),
        predict="onnx_linear:predict_network",
        classify="onnx_linear:classify_network",
        because="in double",
    ),
)

OTHER_MODELS: tuple[Rule, ...] = (
    Converts(
        classes=_named("GaussianNB"),
        classify="onnx_bayes:gaussian",
        because="in double; the squares of large values cancel in float32",
    ),
    Converts(classes=_named("MultinomialNB"), classify="onnx_bayes:multinomial", because="in double"),
    Converts(classes=_named("ComplementNB"), classify="onnx_bayes:complement", because="in double"),
    Converts(classes=_named("BernoulliNB"), classify="onnx_bayes:bernoulli", because="in double"),
    Converts(classes=_named("CategoricalNB"), classify="onnx_bayes:categorical", because="in double"),
    Converts(
        classes=_named("SVR", "NuSVR"),
        predict="onnx_kernels:predict_support_vectors",
        because="the runtime's SVMRegressor is float32",
    ),
    Converts(
        classes=_named("SVC", "NuSVC"),
        classify="onnx_kernels:classify_support_vectors",
        decide="onnx_kernels:decide_support_vectors",
        because="the runtime's SVMClassifier is float32; to be calibrated or stacked",
    ),
    Converts(
        classes=_named("KernelRidge"),
        predict="onnx_kernels:predict_kernel_ridge",
        because="skl2onnx has no converter",
    ),
    Converts(
        classes=_named("GaussianProcessRegressor"),
        predict="onnx_kernels:predict_gaussian_process",
        because="distances in double, column by column: their products lose all digits of near rows",
    ),
    Refuses(
        classes=_named("GaussianProcessClassifier"),
        when=lambda _: True,
        because="its integral needs the error function, which the runtime has in float32 only",
        instead="CalibratedClassifierCV(SVC()), or GaussianProcessRegressor for numbers",
    ),
    Converts(
        classes=_named("KNeighborsClassifier"),
        classify="onnx_neighbours:classify_neighbours",
        because="distances in double, column by column; refused where a tie may decide",
    ),
    Converts(
        classes=_named("KNeighborsRegressor"),
        predict="onnx_neighbours:predict_neighbours",
        because="as KNeighborsClassifier",
    ),
    Refuses(
        classes=_named("RadiusNeighborsClassifier", "RadiusNeighborsRegressor"),
        when=lambda _: True,
        because="how a row without neighbours is answered is not converted",
        instead="KNeighborsClassifier or KNeighborsRegressor",
    ),
    Refuses(
        classes=_named("LabelPropagation", "LabelSpreading"),
        when=lambda _: True,
        because="they are not converted",
        instead="SelfTrainingClassifier",
    ),
    Converts(
        classes=_named("IsotonicRegression"),
        predict="onnx_binning:isotonic_regression",
        because="skl2onnx has no converter; it is straight lines between its thresholds",
    ),
)

ENSEMBLES: tuple[Rule, ...] = (
    Converts(
        classes=_named("VotingClassifier"),
        classify="onnx_ensembles:vote_classifiers",
        because="skl2onnx refuses it as it is by default, and converts no pipeline in it",
    ),
    Converts(
        classes=_named("VotingRegressor"), predict="onnx_ensembles:vote_regressors", because="as VotingClassifier"
    ),
    Converts(
        classes=_named("StackingClassifier"),
        classify="onnx_ensembles:stack_classifiers",
        decide="onnx_ensembles:decide_stack",
        because="the answers that the final estimator is given are doubles",
    ),
    Converts(
        classes=_named("StackingRegressor"), predict="onnx_ensembles:stack_regressors", because="as StackingClassifier"
    ),
    Converts(
        classes=_named("CalibratedClassifierCV"),
        classify="onnx_ensembles:calibrate",
        because="in float32 0.4 % of the rows fall on another isotonic step",
    ),
    Converts(
        classes=_named("OneVsRestClassifier"), classify="onnx_ensembles:one_against_rest", because="as VotingClassifier"
    ),
    Refuses(
        classes=_named("OneVsOneClassifier", "OutputCodeClassifier"),
        when=lambda _: True,
        because="it gives no probabilities",
        instead="OneVsRestClassifier",
    ),
    Converts(classes=_named("DummyClassifier"), classify="onnx_ensembles:dummy_classifier", because="a constant"),
    Converts(classes=_named("DummyRegressor"), predict="onnx_ensembles:dummy_regressor", because="a constant"),
)

OTHERS: tuple[Rule, ...] = (*COMPOSITION, *SCALERS, *ENCODERS, *LINEAR, *OTHER_MODELS, *ENSEMBLES)
