"""The layers of an estimator's list as hyper-parameters by name, as in a Pipeline."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from cnnkit.estimators.snapshot import Hyperparameters, all_at_once, of_one_moment
from cnnkit.graph.graph import Sequential
from cnnkit.graph.hyperparameters import parts
from cnnkit.graph.hyperparameters import set_params as set_layer_params
from cnnkit.validate.guesses import ended, for_argument

if TYPE_CHECKING:
    from cnnkit.graph.graph import Graph
    from cnnkit.typing import Layers, Model


class NamedLayers(Hyperparameters):
    """Mixin for estimators with a hyper-parameter `layers` that may be a list."""

    layers: Layers | Graph | Model | None

    @of_one_moment
    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the hyper-parameters; if `deep`, those of a list's layers by name, too.

        Parameters
        ----------
        deep : bool, default=True
            Whether layers and their hyper-parameters are included.

        Returns
        -------
        params : dict of str to object
            Values by name.

        Examples
        --------
        >>> from cnnkit import CNNClassifier, Conv, GlobalAvgPool
        >>> clf = CNNClassifier([("first", Conv(16)), GlobalAvgPool()])
        >>> clf.get_params()["first__filters"]
        16
        >>> clf.set_params(globalavgpool1="passthrough", first__filters=8).layers
        [('first', Conv(filters=8)), ('globalavgpool1', 'passthrough')]
        """
        found = super().get_params(deep=deep)
        if deep and isinstance(self.layers, (list, tuple)):
            own = self._get_param_names()
            for key, value in Sequential(self.layers).get_params().items():
                if key.partition("__")[0] not in own:
                    found[key] = value
        return found

    @all_at_once
    def set_params(self, **params: Any) -> Self:
        """Set hyper-parameters by the names of `get_params`.

        As in a Pipeline, `layers` is set first, then whole layers, then the hyper-parameters of
        layers. The list of layers is replaced by a changed copy: other estimators may have it too.

        Parameters
        ----------
        **params : object
            Values by name; a layer may become ``"passthrough"``.

        Returns
        -------
        self : estimator
            The estimator itself.

        Examples
        --------
        >>> from cnnkit import CNNClassifier, Conv, GlobalAvgPool
        >>> clf = CNNClassifier([Conv(16), Conv(), GlobalAvgPool()])
        >>> clf.set_params(alpha=0.1, conv1__filters=8).layers[0]
        Conv(filters=8)
        """
        layers = params.get("layers", self.layers)
        if not isinstance(layers, (list, tuple)):
            return super().set_params(**params)
        own = self._get_param_names()
        names = [name for name in parts(Sequential(layers)) if name not in own]
        roots = {key: key.partition("__")[0] for key in params}
        unknown = sorted(set(roots.values()) - {*own, *names})
        if unknown:
            raise ValueError(
                ended(
                    f"Invalid parameter {unknown[0]!r} for estimator {self}. "
                    f"Valid parameters are: {[*own, *names]!r}.",
                    for_argument(type(self), unknown[0]),
                )
            )
        inner = {key: params.pop(key) for key, root in roots.items() if root in names}
        if inner:
            params["layers"] = set_layer_params(Sequential(layers), inner).layers
        return super().set_params(**params)
