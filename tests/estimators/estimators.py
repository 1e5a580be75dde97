"""The rows of the table: estimators, each with the target it is fitted to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from lightgbm import LGBMClassifier, LGBMRegressor
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import TransformedTargetRegressor
from sklearn.cross_decomposition import PLSRegression
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis, QuadraticDiscriminantAnalysis
from sklearn.ensemble import (
    AdaBoostClassifier,
    AdaBoostRegressor,
    BaggingClassifier,
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
    StackingClassifier,
    StackingRegressor,
    VotingClassifier,
    VotingRegressor,
)
from sklearn.gaussian_process import GaussianProcessClassifier
from sklearn.linear_model import (
    BayesianRidge,
    ElasticNet,
    GammaRegressor,
    HuberRegressor,
    Lasso,
    LinearRegression,
    LogisticRegression,
    PoissonRegressor,
    Ridge,
    SGDClassifier,
    TweedieRegressor,
)
from sklearn.naive_bayes import BernoulliNB, GaussianNB
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, SVR, LinearSVC
from sklearn.tree import DecisionTreeClassifier
from xgboost import XGBClassifier, XGBRegressor

from tests.estimators.data import Target

Make = Callable[[], Any]


def scaled(estimator: Any) -> Any:
    """So that fitting ends whatever comes before."""
    return make_pipeline(StandardScaler(), estimator)


CLASSIFIERS: dict[str, Make] = {
    "LogisticRegression": lambda: scaled(LogisticRegression(max_iter=50)),
    "SGDClassifier(loss='log_loss')": lambda: scaled(SGDClassifier(loss="log_loss", random_state=0)),
    "LinearDiscriminantAnalysis": LinearDiscriminantAnalysis,
    "QuadraticDiscriminantAnalysis": lambda: QuadraticDiscriminantAnalysis(reg_param=0.1),
    "GaussianNB": GaussianNB,
    "BernoulliNB": BernoulliNB,
    "KNeighborsClassifier": lambda: scaled(KNeighborsClassifier(7)),
    "MLPClassifier": lambda: scaled(MLPClassifier((8,), max_iter=20, random_state=0)),
    "SVC(probability=True)": lambda: scaled(SVC(probability=True, random_state=0)),
    "GaussianProcessClassifier": lambda: scaled(GaussianProcessClassifier(optimizer=None)),
    "CalibratedClassifierCV(LinearSVC)": lambda: scaled(CalibratedClassifierCV(LinearSVC(), cv=2)),
    "CalibratedClassifierCV(SVC)": lambda: scaled(CalibratedClassifierCV(SVC(), ensemble=False, cv=2)),
    "CalibratedClassifierCV(RandomForest, isotonic)": lambda: CalibratedClassifierCV(
        RandomForestClassifier(8, max_depth=6, random_state=0), method="isotonic", cv=2
    ),
    "CalibratedClassifierCV(HistGradientBoosting, isotonic)": lambda: CalibratedClassifierCV(
        HistGradientBoostingClassifier(max_iter=8, random_state=0), method="isotonic", cv=2
    ),
    "DecisionTreeClassifier": lambda: DecisionTreeClassifier(random_state=0),
    "RandomForestClassifier": lambda: RandomForestClassifier(15, random_state=0),
    "ExtraTreesClassifier": lambda: ExtraTreesClassifier(15, random_state=0),
    "BaggingClassifier": lambda: BaggingClassifier(n_estimators=5, random_state=0),
    "AdaBoostClassifier": lambda: AdaBoostClassifier(n_estimators=10, random_state=0),
    "GradientBoostingClassifier": lambda: GradientBoostingClassifier(n_estimators=15, random_state=0),
    "HistGradientBoostingClassifier": lambda: HistGradientBoostingClassifier(max_iter=15, random_state=0),
    "LGBMClassifier": lambda: LGBMClassifier(n_estimators=15, verbose=-1, n_jobs=1),
    "XGBClassifier": lambda: XGBClassifier(n_estimators=15, n_jobs=1),
    "VotingClassifier": lambda: VotingClassifier(
        [("bayes", GaussianNB()), ("logistic", scaled(LogisticRegression(max_iter=50)))], voting="soft"
    ),
    "StackingClassifier": lambda: StackingClassifier(
        [("forest", RandomForestClassifier(8, random_state=0)), ("svm", scaled(LinearSVC()))],
        passthrough=True,
        final_estimator=scaled(LogisticRegression()),
        cv=2,
    ),
}
REGRESSORS: dict[str, Make] = {
    "LinearRegression": LinearRegression,
    "Ridge": Ridge,
    "Lasso": lambda: scaled(Lasso()),
    "ElasticNet": lambda: scaled(ElasticNet()),
    "BayesianRidge": BayesianRidge,
    "HuberRegressor": lambda: scaled(HuberRegressor(max_iter=50)),
    "PLSRegression": lambda: PLSRegression(2),
    "SVR": lambda: scaled(SVR()),
    "KNeighborsRegressor": lambda: scaled(KNeighborsRegressor(7)),
    "MLPRegressor": lambda: scaled(MLPRegressor(hidden_layer_sizes=(8,), max_iter=20, random_state=0)),
    "TransformedTargetRegressor(StandardScaler)": lambda: TransformedTargetRegressor(
        Ridge(), transformer=StandardScaler()
    ),
    "RandomForestRegressor": lambda: RandomForestRegressor(15, random_state=0),
    "ExtraTreesRegressor": lambda: ExtraTreesRegressor(15, random_state=0),
    "AdaBoostRegressor": lambda: AdaBoostRegressor(n_estimators=8, random_state=0),
    "GradientBoostingRegressor": lambda: GradientBoostingRegressor(n_estimators=15, random_state=0),
    "HistGradientBoostingRegressor": lambda: HistGradientBoostingRegressor(max_iter=15, random_state=0),
    "LGBMRegressor": lambda: LGBMRegressor(n_estimators=15, verbose=-1, n_jobs=1),
    "XGBRegressor": lambda: XGBRegressor(n_estimators=15, n_jobs=1),
    "VotingRegressor": lambda: VotingRegressor([("a", Ridge()), ("b", RandomForestRegressor(8, random_state=0))]),
    "StackingRegressor": lambda: StackingRegressor([("a", Ridge()), ("b", scaled(SVR()))], cv=2),
}
POSITIVE: dict[str, Make] = {
    "PoissonRegressor": lambda: scaled(PoissonRegressor()),
    "GammaRegressor": lambda: scaled(GammaRegressor()),
    "TweedieRegressor": lambda: scaled(TweedieRegressor(power=1.5)),
    "TransformedTargetRegressor(log1p)": lambda: TransformedTargetRegressor(
        Ridge(), func=np.log1p, inverse_func=np.expm1
    ),
}
ESTIMATORS: dict[str, tuple[Target, Make]] = {
    **{name: ("two classes", make) for name, make in CLASSIFIERS.items()},
    **{name: ("numbers", make) for name, make in REGRESSORS.items()},
    **{name: ("positive numbers", make) for name, make in POSITIVE.items()},
}
