"""The code on docs/guides/data.md runs as it is written."""

import pytest
from pages import PAGES, running

PAGE = PAGES / "guides" / "data.md"


@pytest.mark.skipif(not PAGE.exists(), reason="the pages are not installed")
def test_the_page_runs(tmp_path, monkeypatch, capsys):
    for package in ("PIL", "pandas", "h5py"):
        pytest.importorskip(package)
    monkeypatch.chdir(tmp_path)
    with running(PAGE) as page:
        assert page.photos.data.shape == (40, 32, 32, 3)
        assert page.clf.score(page.Spectrograms()[:], page.y) == 1
    assert capsys.readouterr().out.startswith("LazyArray(40 x 32 x 32 x 3, uint8) ['day', 'night']")
