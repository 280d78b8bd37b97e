"""
4. Two ways to end a network
============================

Convolutions turn a picture into maps; the end of a network, its *head*, turns the maps into one
number for each class. The classical head is *fully connected*: all numbers of all maps go to every
unit of a hidden layer. The other has one 1x1 filter for each class, and takes the mean of each map:
*global average pooling* ("Network in network", Lin et al., 2013). This page compares them: weights,
pictures of any size, maps that show where a class is, and accuracy when pictures are few.

It follows page 3, 03_one_by_one. The programs digits_heads.py and generalisation.py of the gallery
measure more.
"""

import matplotlib.pyplot as plt
import numpy as np
from scipy import stats
from scipy.special import softmax
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from cnnkit import (
    CNNClassifier,
    Conv,
    MaxPool,
    Network,
    ReLU,
    Sequential,
    fc_head,
    gap_head,
    models,
    set_num_threads,
)
from cnnkit.display import ClassActivationDisplay
from cnnkit.functional import global_avg_pool2d

# sphinx_gallery_thumbnail_number = 4
digits = load_digits()
X, y = digits.images.astype(np.float32), digits.target

FC, GAP = "fully connected", "1x1 and average"
DROPOUT = "the same with dropout"
COLOURS = {FC: "#d55e00", DROPOUT: "#666666", GAP: "#0072b2"}
MARKERS = {FC: "s", DROPOUT: "^", GAP: "o"}

# %%
# Both heads in numbers
# ---------------------
#
# cnnkit has both heads. The number of classes is filled in when a network is trained.

print(fc_head(64))
print(gap_head())

# %%
# The second one by hand, for maps of 2x2 pixels with two channels, and three classes. First a 1x1
# convolution, which is a product of matrices for every pixel; then the mean over the pixels:

maps = np.array([[[1.0, 0], [2, 1]], [[0, 1], [1, 2]]])  # (H, W, C)
weights = np.array([[1.0, 0, -1], [0, 2, 1]])  # (C, classes)
class_maps = maps @ weights
scores = class_maps.mean(axis=(0, 1))
for k in range(3):
    print(f"class {k}: map {class_maps[..., k].tolist()} mean {scores[k]:g}")
assert np.allclose(scores, global_avg_pool2d(class_maps[None])[0])

# %%
# Sum and mean may change places: first the mean of each map, then a product with the same weights.
# So the head is a small fully connected layer after the mean, as ResNet has it.

print("mean first:", maps.mean(axis=(0, 1)) @ weights)

# %%
# Weights
# -------
#
# Each unit of a fully connected head has a weight for every pixel of every map, so the head grows
# with the picture. Each class of the other head has one for every map. With 64 maps, 10 classes and
# 64 hidden units:

sides = [2, 4, 8, 16, 32, 64]
figure, ax = plt.subplots(figsize=(8, 3.4), layout="constrained")
for name, head in {FC: fc_head(64), GAP: gap_head()}.items():
    network = Sequential([head])
    counts = [network.summary((n, n, 64), n_outputs=10).weights for n in sides]
    style = {"color": COLOURS[name], "marker": MARKERS[name]}
    ax.plot(sides, counts, label=name, **style)
    for n, value in list(zip(sides, counts, strict=True))[::2]:
        ax.text(n, 1.5 * value, f"{value:,}", ha="center")
ax.set(xscale="log", yscale="log", ylim=(2e2, 1e8))
ax.set(xlabel="pixels a side of the 64 maps", ylabel="weights")
ax.set_title("Weights of the heads")
ax.set_xticks(sides, sides)
ax.set_xticks([], minor=True)
ax.legend(frameon=False, loc="upper left")
ax.grid(alpha=0.3)

# %%
# In VGG-16, a network of 2014 with a fully connected head, most of all weights are there:

vgg = models.vgg16(1000).summary((224, 224, 3))
dense = sum(row.weights for row in vgg.rows if row.layer == "Dense")
print(f"{dense:,} of {vgg.weights:,} weights are in its dense layers:")
print(f"{dense / vgg.weights:.0%}")

# %%
# Where is the class? Class activation maps
# -----------------------------------------
#
# Before the mean, the second head has a map for each class. The score is the mean of this map, so
# the map says where the evidence is (Zhou et al., "Learning deep features for discriminative
# localization", 2016). To see it, we train the network that cnnkit chooses for pictures of 8x8,
# with this head.

chosen = models.default(image_shape=(8, 8, 1))
body = chosen.layers[:-3]  # without its own head
X_train, X_test, y_train, y_test = train_test_split(
    X, y, test_size=0.25, random_state=0
)
layers = [*body, ("head", gap_head())]
clf = CNNClassifier(layers, max_iter=15, random_state=0).fit(X_train, y_train)
score = clf.score(X_test, y_test)
print(f"accuracy on {len(X_test)} other digits: {score:.3f}")
print(clf.summary())

# %%
# The mean of the maps, and a softmax (exponentials, divided by their sum), are the probabilities:

node = "head/conv1x1_1"
evidence = clf.network_.activations(X_test[:5], [node])[node]
print("maps of the classes:", evidence.shape)
by_hand = softmax(evidence.mean(axis=(1, 2)), axis=1)
print("probabilities by hand as predicted:", end=" ")
print(np.allclose(by_hand, clf.predict_proba(X_test[:5]), atol=1e-5))

display = ClassActivationDisplay.from_estimator(clf, X_test[:6], y_test[:6])

# %%
# Purple is evidence for the class, orange against it. What speaks for other classes? The same
# digit, and the maps of four classes:

four = np.repeat(X_test[:1], 4, axis=0)
classes = [y_test[0], 3, 8, 9]
display = ClassActivationDisplay.from_estimator(clf, four, classes=classes)

# %%
# Pictures of any size
# --------------------
#
# Convolutions and means do not care how large a picture is. The trained network runs on a strip of
# three digits that it has never seen together; its maps say which digit is where. No training is
# needed: the new network shares the weights of the old one.

strip = np.zeros((1, 8, 32, 1), np.float32)
for k, digit in enumerate((2, 0, 7)):
    strip[0, :, 12 * k : 12 * k + 8, 0] = X_test[y_test == digit][0]
trained = clf.network_
wide = Network(trained.graph, (8, 32, 1), 10, weights=trained.weights)
evidence = wide.activations(strip, [node])[node][0]
print("the strip", strip.shape[1:], "has class maps of", evidence.shape)

figure, axes = plt.subplots(5, 1, figsize=(7, 6.6), layout="constrained")
axes[0].imshow(strip[0, :, :, 0], cmap="gray")
axes[0].set_title("three digits", fontsize=11)
most = np.abs(evidence).max()
for ax, k in zip(axes[1:], (2, 0, 7, 4), strict=True):
    ax.imshow(evidence[..., k], cmap="PuOr", vmin=-most, vmax=most)
    ax.set_title(f"evidence for class {k}", fontsize=11)
for ax in axes:
    ax.set_xticks([])
    ax.set_yticks([])

# %%
# With the fully connected head it cannot be done, since the number of weights is that of 8x8
# pictures:

fixed = Sequential([*body, ("head", fc_head(64))])
for width in (8, 32):
    cost = fixed.summary((8, width, 1), n_outputs=10)
    print(f"8x{width}: {cost.weights:,} weights")

# %%
# Few pictures: which head overfits?
# ----------------------------------
#
# A network *overfits* when it is right about the pictures that it was trained on, and not about
# others. One hears that fully connected heads overfit more, and need dropout (in training, half of
# the hidden units are set to 0, at random) against it. Let us see.
#
# The experiment: 797 digits are put aside to test. The other 1,000 are cut into sets of 50 (or 200)
# that share no picture, and each head is trained on five of these. The heads are compared *on the
# same set*: only differences count, and the five differences are independent. From their mean and
# spread follows a 95% interval (Student's t): what other sets of the same size would give, on these
# test pictures.

HEADS = {FC: fc_head(64), DROPOUT: fc_head(64, dropout=0.5), GAP: gap_head()}
SIZES = (50, 200)
pool, X_other, y_pool, y_other = train_test_split(
    X, y, train_size=1000, stratify=y, random_state=0
)

set_num_threads(1)  # enough for so few pictures
accuracy = {}  # of training and test, by head and size: an array (5, 2)
for size in SIZES:
    for name, head in HEADS.items():
        found = []
        for k in range(5):
            part = slice(k * size, (k + 1) * size)
            net = CNNClassifier([*body, head], max_iter=20, random_state=k)
            net.fit(pool[part], y_pool[part])
            training = net.score(pool[part], y_pool[part])
            found.append((training, net.score(X_other, y_other)))
        accuracy[name, size] = 100 * np.array(found)
set_num_threads(None)


def interval(values):
    """Return the mean, and the half width of its 95% interval."""
    error = values.std(ddof=1) / np.sqrt(len(values))
    return values.mean(), stats.t.ppf(0.975, len(values) - 1) * error


print(f"{'accuracy in %':24}{'pictures':>9}{'training':>10}{'test':>8}")
for (name, size), found in accuracy.items():
    training, test = found.mean(axis=0)
    print(f"{name:24}{size:>9}{training:>10.1f}{test:>8.1f}")

figure, axes = plt.subplots(1, 2, figsize=(8, 4.2), layout="constrained")
for k, (name, size) in enumerate(accuracy):
    at = SIZES.index(size) + 0.2 * (list(HEADS).index(name) - 1)
    values = accuracy[name, size][:, 1]
    style = {"color": COLOURS[name], "marker": MARKERS[name], "s": 28}
    label = name if k < 3 else None
    axes[0].scatter([at] * 5, values, label=label, **style)
axes[0].set_xticks(range(2), [f"{size} pictures" for size in SIZES])
axes[0].set(title="test accuracy of five sets", ylabel="%", xlim=(-0.5, 1.5))
figure.legend(frameon=False, loc="outside lower center", ncols=3)
pairs = [(a, FC, size) for size in SIZES for a in (DROPOUT, GAP)]
for at, (a, b, size) in enumerate(pairs):
    mean, half = interval(accuracy[a, size][:, 1] - accuracy[b, size][:, 1])
    style = {"color": COLOURS[a], "fmt": MARKERS[a], "capsize": 4}
    axes[1].errorbar(mean, at, xerr=half, **style)
labels = [f"{a},\n{size} pictures" for a, _, size in pairs]
axes[1].set_yticks(range(4), labels, fontsize=9)
axes[1].axvline(0, color="black", linewidth=1)
axes[1].set_xlabel("points more than fully connected")
axes[1].set_title("mean difference, 95% interval")
axes[1].invert_yaxis()
for ax in axes:
    ax.grid(alpha=0.3)

# %%
# Every head is right about all its training pictures, or nearly all: it has learnt them by heart.
# Only the test pictures tell the heads apart.
#
# What may be said? An interval that excludes 0 is evidence for a difference; one that includes 0
# says that these five sets do not tell the heads apart. With four intervals, one may exclude 0 by
# chance.

for a, b, size in pairs:
    mean, half = interval(accuracy[a, size][:, 1] - accuracy[b, size][:, 1])
    verdict = "better" if mean > 0 else "worse"
    if abs(mean) <= half:
        verdict = "not told apart"
    print(f"{size:4} pictures, {a} against {b}:")
    print(f"     {mean:+5.1f} +- {half:4.1f} points, {verdict}")

# %%
# Where the fully connected head is better
# ----------------------------------------
#
# The mean forgets *where* something was. Sometimes that is the question. Below, noisy pictures of
# 20x20 hold one bright spot near the middle, and the class is its quarter: above left, above right,
# below left, below right. All pictures have the same parts, in other places.

rng = np.random.default_rng(0)
rows, columns = rng.choice([6, 7, 8, 10, 11, 12], (2, 700))
spots = rng.normal(0, 0.3, (700, 20, 20))
for k in range(700):
    spots[k, rows[k] : rows[k] + 2, columns[k] : columns[k] + 2] += 2
quarter = 2 * (rows > 9) + (columns > 9)

small = [Conv(16, 3), ReLU(), MaxPool(2), Conv(32, 3), ReLU()]
for name in (FC, GAP):
    net = CNNClassifier([*small, HEADS[name]], max_iter=15, random_state=0)
    net.fit(spots[:400], quarter[:400])
    score = net.score(spots[400:], quarter[400:])
    print(f"{name:20} accuracy {score:.3f} (by chance about 0.25)")

# %%
# Digits are centred in their pictures, so place matters there, too, a little. For photos of things
# that may be anywhere, it is a nuisance, and the mean is what one wants.
#
# Questions
# ---------
#
# 1. What is in map :math:`k` before the pooling, and what is its mean?
# 2. How many weights has each head on 512 maps of 7x7 for 1000 classes, if the fully connected head
#    has two hidden layers of 4096 units?
# 3. Why may the 1x1 convolution and the mean change places? Could a ReLU stand between them?
# 4. Why can a network with the second head be given pictures of another size? Must it be right?
# 5. Head A is better than head B by 0.4 points on one split. What do you ask before you believe it?
# 6. The test pictures are the same for all five sets. What does the interval not tell us?
# 7. How would you make the mean see the place of the spot?
#
# Answers
# -------
#
# 1. At each pixel, how much speaks for class :math:`k` there. The mean is the score of the class.
# 2. computed:

shape = (7, 7, 512)
for head in (fc_head(4096, 4096), gap_head()):
    cost = Sequential([head]).summary(shape, n_outputs=1000)
    print(f"2. {cost.weights:,}")

# %%
# 3. Both are sums with fixed weights, and sums may be taken in any order. A ReLU between them is no
#    sum: the mean of what is positive is not what is positive of the mean.
# 4. No weight belongs to a place. It need not be right: its filters know parts of one scale, and in
#    a large picture the mean is over much that is not the object.
# 5. How many test pictures (0.4 points of 450 are two pictures); how other splits and other random
#    starts come out; and whether the two were trained and tested on the same pictures.
# 6. How the result would change with other test pictures. All five differences share the luck of
#    these 797.
# 7. For example: give the network two more input channels that hold the row and the column of each
#    pixel; or pool over the four quarters instead of the whole; or use the fully connected head.
#    Try the first:

place = np.stack(np.mgrid[:20, :20], axis=-1) / 20
places = np.broadcast_to(place, (700, 20, 20, 2))
with_place = np.concatenate([spots[..., None], places], axis=-1)
net = CNNClassifier([*small, gap_head()], max_iter=15, random_state=0)
net.fit(with_place[:400], quarter[:400])
score = net.score(with_place[400:], quarter[400:])
print(f"7. 1x1 and average, with the place as channels: {score:.3f}")

# %%
# The last page, 05_networks, puts all parts together.
