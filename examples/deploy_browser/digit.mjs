// From a drawing to what the network reads, the way scikit-learn's digits were made.

// ink: 0 or 1 for each pixel, rows of `columns`. Returns 64 numbers from 0 to 16, or null of no ink.
// The box of the ink, made square and centred, becomes 32x32 pixels; ink is counted in 4x4 blocks.
export function reduced(ink, columns) {
  let top = Infinity, bottom = -1, left = Infinity, right = -1;
  ink.forEach((value, place) => {
    if (!value) return;
    const row = Math.floor(place / columns), column = place % columns;
    top = Math.min(top, row);
    bottom = Math.max(bottom, row);
    left = Math.min(left, column);
    right = Math.max(right, column);
  });
  if (bottom < 0) return null;
  const height = bottom - top + 1, width = right - left + 1, side = Math.max(height, width);
  const above = Math.floor((side - height) / 2), before = Math.floor((side - width) / 2);
  const counts = new Float32Array(64);
  for (let i = 0; i < 32; i++) {
    for (let j = 0; j < 32; j++) {
      const row = Math.floor((2 * i + 1) * side / 64) - above;
      const column = Math.floor((2 * j + 1) * side / 64) - before;
      if (row < 0 || row >= height || column < 0 || column >= width) continue;
      counts[8 * (i >> 2) + (j >> 2)] += ink[(top + row) * columns + left + column] ? 1 : 0;
    }
  }
  return counts;
}

export function softmax(scores) {
  const largest = Math.max(...scores);
  const powers = Array.from(scores, (score) => Math.exp(score - largest));
  const total = powers.reduce((sum, power) => sum + power, 0);
  return powers.map((power) => power / total);
}
