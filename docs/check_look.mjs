// Pictures of pages of the built site, wide and narrow, light and dark, and what axe finds in them.
//
//     npm install --no-save playwright-core axe-core
//     node docs/check_look.mjs build/docs/html FOLDER [page.html ...]
//
// Chromium is /usr/bin/chromium, or what the environment variable CHROMIUM names.
import { createRequire } from "node:module";
import { mkdirSync } from "node:fs";
import path from "node:path";

const require = createRequire(path.join(process.cwd(), "x.js"));
const { chromium } = require("playwright-core");
const MAIN = [
  "index.html",
  "guides/index.html",
  "guides/training.html",
  "guides/from_keras.html",
  "generated/course/index.html",
  "generated/course/02_im2col.html",
  "generated/gallery/index.html",
  "generated/gallery/digits_heads.html",
  "reference/layers.html",
  "generated/api/cnnkit.estimators.CNNClassifier.html",
  "design/performance.html",
];
// faults of the theme and of sphinx-gallery: names of the search button, of arrows, of thumbnails
const THEIRS = ["label-content-name-mismatch", "summary-name", "link-name"];
const [site, folder, ...named] = process.argv.slice(2);
mkdirSync(folder, { recursive: true });

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
});
let faults = 0;
for (const colorScheme of ["light", "dark"]) {
  for (const width of [1280, 390]) {
    const viewport = { width, height: 900 };
    const page = await browser.newPage({ viewport, colorScheme });
    for (const name of named.length ? named : MAIN) {
      await page.goto(`file://${path.resolve(site, name)}`);
      const picture = `${name.replaceAll("/", "-")}-${width}-${colorScheme}.png`;
      await page.screenshot({ path: path.join(folder, picture), fullPage: true });
      const wide = await page.evaluate(() => document.documentElement.scrollWidth);
      const found = wide > width ? [`${wide} pixels wide on ${width}`] : [];
      await page.addScriptTag({ path: require.resolve("axe-core/axe.min.js") });
      const { violations } = await page.evaluate(() => axe.run());
      for (const { id, impact, nodes } of violations)
        if ((impact === "serious" || impact === "critical") && !THEIRS.includes(id))
          found.push(`${id} (${nodes.length}): ${nodes[0].html.slice(0, 150)}`);
      for (const fault of found) console.log(`${name}, ${width}, ${colorScheme}: ${fault}`);
      faults += found.length;
    }
    await page.close();
  }
}
await browser.close();
process.exit(faults ? 1 : 0);
