"""The table of operators: a function for each, that adds the layers it stands for."""

TABLE: dict = {}  # operator -> function of a `Builder` and an `Operator` that gives its outputs


def operator(*kinds):
    """Enter a function in the table for operators by name.

    It is given a `Builder` and an `Operator`, and returns the one output, or a list of them. What
    it cannot express is an `UnsupportedError`. Attributes that it does not look at must not be
    there.
    """

    def enter(function):
        TABLE.update(dict.fromkeys(kinds, function))
        return function

    return enter
