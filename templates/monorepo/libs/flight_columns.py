"""What the models of this repository share: how the columns of a flight become numbers.

`shared` in each mlops.yaml names this folder, so a change here is a change of every model: `mlops-ci plan` finds
them, and each is trained and judged again.
"""

from sklearn.compose import ColumnTransformer, make_column_selector
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

# Chosen by type and not by name, so that each list of features is kept in one place: the model's mlops.yaml.
NUMBERS = make_column_selector(dtype_include="number")
TEXT = make_column_selector(dtype_exclude="number")


def for_trees() -> ColumnTransformer:
    """Trees need no scaling, and have a branch of their own for missing numbers."""
    return ColumnTransformer([("text", one_hot(), TEXT), ("numbers", "passthrough", NUMBERS)])


def for_sums() -> ColumnTransformer:
    """Models that add up weighted columns need all of them there, and of one size."""
    numbers = Pipeline([("fill", SimpleImputer(strategy="median")), ("scale", StandardScaler())])
    return ColumnTransformer([("text", one_hot(), TEXT), ("numbers", numbers, NUMBERS)])


def one_hot() -> OneHotEncoder:
    # A category never seen is all zeros; rare ones share a column. Dense, because boosting takes nothing sparse.
    return OneHotEncoder(handle_unknown="ignore", min_frequency=50, sparse_output=False)
