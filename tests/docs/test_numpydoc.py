"""Docstrings of public names keep the rules of numpydoc, which makes the reference from them."""

import warnings

import pytest
from public_names import parameters, public_things

LEFT_OUT = {
    "ES01": "a longer text: where the summary says all",
    "EX01": "examples: test_docstrings.py says where they must be",
    "GL01": "the summary on a line of its own",
    "GL02": "closing quotes on a line of their own: texts of estimators are put together",
    "RT02": "results without a name: they have one where it says something",
    "SA01": "See Also: where there is something to see",
    "SA03": "a capital letter in See Also",
    "SS02": "a capital letter in the summary: formulas have none",
}
OF_METHODS = {  # of methods without parameters, one line can say all
    "RT01": "a section Returns",
}


@pytest.mark.parametrize("public", public_things(), ids=lambda public: public.path)
def test_docstrings_keep_the_rules(public):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of Sphinx, which numpydoc imports
        validate = pytest.importorskip("numpydoc.validate", reason="needs numpydoc").validate
    left_out = set(LEFT_OUT)
    if public.is_method and not set(parameters(public.thing)) - {"cls"}:
        left_out |= set(OF_METHODS)
    errors = validate(public.path)["errors"]
    assert [f"{code}: {text}" for code, text in errors if code not in left_out] == []
