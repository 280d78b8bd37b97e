"""Drawings of deep networks in columns."""

from itertools import combinations, pairwise

import pytest

from cnnkit import (
    Add,
    Concat,
    Conv,
    GlobalAvgPool,
    Graph,
    Input,
    ReLU,
    Residual,
    Sequential,
    models,
)
from cnnkit.display import plot_graph
from cnnkit.display.boxes import boxes_of
from cnnkit.display.columns import Columns, fitting, lanes
from cnnkit.display.picture import HEIGHT, Picture


def long_chain():
    return Sequential([Conv(4), ReLU()] * 40)


def one_frame():
    """A nested graph, higher than a screen, in another."""
    return Sequential([("all", Sequential([("body", long_chain()), GlobalAvgPool()]))])


def long_skips():
    """Edges past many rows, two of them from one box."""
    x = y = Input()
    kept = []
    for _ in range(15):
        y = ReLU()(Conv(4)(y))
        kept.append(y)
    for k in (12, 7, 2, 2):
        for _ in range(10):
            y = ReLU()(y)
        y = Add()(y, kept[k])
    return Graph.from_outputs(Concat()(y, ReLU()(x)))


NETS = {
    "chain": long_chain,
    "one frame": one_frame,
    "skips": long_skips,
    "residual": lambda: Sequential([Residual([Conv(4), ReLU()] * 4) for _ in range(12)]),
    "resnet18": lambda: models.resnet18(10),
    "googlenet": lambda: models.googlenet(10),
    "mobilenet_v1": lambda: models.mobilenet_v1(10),
}
each_net = pytest.mark.parametrize("net", NETS)


def picture_of(net):
    return Picture(boxes_of(NETS[net](), None, 10), lambda text, size: 0.07 * len(text))


def overlap(a, b):
    return a[0] < b[1] and b[0] < a[1] and a[2] < b[3] and b[2] < a[3]


class TestColumns:
    @each_net
    def test_boxes_and_frames_do_not_touch(self, net):
        picture = picture_of(net)
        columns = fitting(picture, 16, 9.5)
        boxes = {}
        for path in picture.boxes:
            x, top, bottom = columns.at(path)
            half = picture.width[path] / 2
            assert bottom - top == pytest.approx(HEIGHT)
            boxes[path] = x - half, x + half, top, bottom
        for a, b in combinations(boxes.values(), 2):
            assert not overlap(a, b)
        left, right, top, bottom = columns.sides
        for sides in (*boxes.values(), *(frame for _, frame in columns.frames)):
            assert left - 1e-9 <= sides[0] < sides[1] <= right + 1e-9
            assert top <= sides[2] < sides[3] <= bottom + 1e-9
        for path, box in boxes.items():  # a frame holds the boxes of its group alone
            for group, frame in columns.frames:
                if overlap(box, frame):
                    assert path.startswith(f"{group}/")

    @each_net
    def test_boxes_are_in_a_frame_of_their_group(self, net):
        picture = picture_of(net)
        columns = fitting(picture, 16, 9.5)
        for path in picture.boxes:
            x, top, bottom = columns.at(path)
            for group in picture.groups:
                if path.startswith(f"{group}/"):
                    frames = [frame for other, frame in columns.frames if other == group]
                    assert any(f[0] < x < f[1] and f[2] < top < bottom < f[3] for f in frames)

    @each_net
    def test_lines_between_columns_run_beside_boxes(self, net):
        picture = picture_of(net)
        columns = fitting(picture, 16, 9.5)
        boxes = [(*columns.at(path), picture.width[path] / 2) for path in picture.boxes]
        found = 0
        for route in picture.layout.routes:
            for a, b in pairwise(route):
                corners = columns.between(a, b)
                found += bool(corners)
                (x0, _, bottom), (x1, top, _) = columns.at(a), columns.at(b)
                line = [(x0, bottom + 0.01), *corners, (x1, top - 0.01)] if corners else []
                for (ax, ay), (bx, by) in pairwise(line):
                    edge = min(ax, bx), max(ax, bx) + 1e-9, min(ay, by), max(ay, by) + 1e-9
                    for x, top, bottom, half in boxes:
                        assert not overlap(edge, (x - half, x + half, top, bottom))
        assert found

    def test_a_drawing_that_fits_is_one_column(self):
        picture = picture_of("chain")
        assert fitting(picture, 100, 100).sides[3] == pytest.approx(picture.bottoms[-1])
        assert fitting(picture, 0, 0).sides[1] > 0

    @pytest.mark.parametrize("net", ["resnet18", "googlenet", "mobilenet_v1"])
    def test_blocks_stay_whole_and_are_joined_by_one_line(self, net):
        picture = picture_of(net)
        columns = fitting(picture, 16, 9.5)
        assert len(columns.frames) == len(picture.groups)
        steps = [step for route in picture.layout.routes for step in pairwise(route)]
        joined = [(a, columns.between(a, b)) for a, b in steps if columns.between(a, b)]
        for (a, corners), (b, others) in combinations(joined, 2):
            assert a != b or corners[:-1] == others[:-1]

    def test_any_cut_can_be_drawn(self):
        picture = picture_of("skips")
        for start in range(1, len(picture.tops)):
            columns = Columns(picture, (0, start), lanes(picture))
            assert columns.sides[1] > 0
            assert columns.at("input")[0] > 0


class TestSize:
    @pytest.mark.parametrize("name", ["resnet18", "mobilenet_v1", "squeezenet_1_1", "vgg16"])
    def test_a_deep_network_fits_a_screen(self, pyplot, name):
        ax = plot_graph(getattr(models, name)(1000), (224, 224, 3))
        width, height = ax.figure.get_size_inches()
        assert width < 21
        assert height < 12.5

    def test_a_shallow_one_is_one_column(self, pyplot):
        ax = plot_graph(models.lenet5(10), (28, 28, 1))
        width, height = ax.figure.get_size_inches()
        assert width < 3
        assert 6 < height < 10

    def test_columns_follow_the_axes(self, pyplot):
        _, (wide, high) = pyplot.subplots(2, figsize=(10, 10), height_ratios=(1, 5))
        sizes = []
        for ax in (wide, high):
            plot_graph([ReLU()] * 9, ax=ax)
            sizes.append(ax.get_xlim()[1] - ax.get_xlim()[0])
        assert sizes[0] > 2 * sizes[1]

    def test_text_is_in_its_box(self, pyplot):
        ax = plot_graph(models.resnet18(10), (64, 64, 3))
        ax.figure.canvas.draw()
        boxes = [patch.get_window_extent() for patch in ax.patches]
        for text in ax.texts:
            if text.get_text():
                extent = text.get_window_extent()
                assert any(
                    box.x0 <= extent.x0
                    and extent.x1 <= box.x1
                    and box.contains(extent.x0, extent.y0 + 1)
                    for box in boxes
                )
