import assert from "node:assert/strict";
import { test } from "node:test";
import { drawMap } from "./mapChart.ts";

const drawn = {
  layer: "relu7",
  features: 1024,
  method: "tsne",
  perplexity: 30,
  explainedVariance: [0.5, 0.25],
} as const;

/** `each` points of every class around a place of its own on a circle, of which the first is taken for the next class. */
function pointsOf(classNames: readonly string[], each: number) {
  return classNames.flatMap((className, c) =>
    Array.from({ length: each }, (_, i) => ({
      className,
      predicted: (i === 0 ? classNames[(c + 1) % classNames.length] : className) as string,
      x: 10 * Math.cos(c) + i / 10,
      y: 10 * Math.sin(c),
    })),
  );
}

/** Without the texts under the pointer. */
const withoutTitles = (svg: string) => svg.replace(/<title>[^<]*<\/title>/g, "");

const marksOf = (svg: string, name: string) => {
  const group = new RegExp(`class="mark-symbol role-mark ${name}"[^>]*[^/]>[\\s\\S]*?</g>`).exec(svg)?.[0] ?? "";
  return [...group.matchAll(/<path /g)].length;
};

test("every class has its name in the legend and among its points, mistakes are hollow, the title says what it is", async () => {
  const names = ["cat", "dog", "Bohnen & Speck"];
  const whole = await drawMap({ ...drawn, points: pointsOf(names, 5) }, names, "tiny: 15 test images");
  const titles = [...whole.matchAll(/<title>([^<]*)<\/title>/g)].map(([, title]) => title);
  assert.equal(titles.length, 15, "the class of each image is shown under the pointer");
  assert.ok(titles.includes("cat") && titles.some((title) => /^\w+&#xA;predicted /.test(title ?? "")), titles.join());
  const svg = withoutTitles(whole);
  for (const name of ["cat", "dog", "Bohnen &amp; Speck"]) {
    // In the legend, and twice on the map: its white edge and itself.
    assert.equal(svg.split(`>${name}<`).length - 1, 3, name);
  }
  assert.deepEqual([marksOf(svg, "right-points"), marksOf(svg, "wrong-points")], [12, 3]);
  for (const says of [
    "tiny: 15 test images",
    "t-SNE (perplexity 30) of the 1,024 outputs of relu7",
    "accuracy 80.0 %; hollow: another class predicted",
  ]) {
    assert.ok(svg.includes(`>${says}<`), says);
  }
});

test("a class has the same colour on every map of a network", async () => {
  const names = ["cat", "dog", "frog"];
  const colourOf = async (present: readonly string[]) => {
    const svg = await drawMap({ ...drawn, points: pointsOf(present, 5) }, names, "tiny");
    return new Set([...svg.matchAll(/fill="(#[0-9a-f]{6})"/g)].map(([, colour]) => colour));
  };
  const [all, frogs] = [await colourOf(names), await colourOf(["frog"])];
  for (const colour of frogs) assert.ok(all.has(colour));
  assert.ok(!frogs.has("#3f90da"), "the first colour is the cat's");
});

test("classes past twenty are grey together, and names do not cover each other", async () => {
  const names = Array.from({ length: 24 }, (_, c) => `class ${String.fromCharCode(97 + c)}`);
  // The last four have fewer images.
  const points = pointsOf(names, 4).filter(({ className }, i) => i % 4 < 2 || names.indexOf(className) < 20);
  const svg = withoutTitles(await drawMap({ ...drawn, method: "pca", points }, names, "many"));
  assert.equal(svg.split(">other classes<").length - 1, 1);
  assert.ok(svg.includes(">class t<") && !svg.includes(">class u<"));
  assert.ok(svg.includes(">component 2 (25.0 % of the variance)<"));
  assert.equal(new Set([...svg.matchAll(/fill="(#[0-9a-f]{6})"/g)].map(([, colour]) => colour)).size >= 11, true);
  const texts = [
    ...svg.matchAll(
      /<text text-anchor="middle" transform="translate\(([\d.-]+),([\d.-]+)\)"[^>]*fill="#222222">(class .)</g,
    ),
  ];
  assert.equal(texts.length, 20);
  for (const [i, [, x, y]] of texts.entries()) {
    for (const [, otherX, otherY] of texts.slice(i + 1)) {
      assert.ok(Math.abs(Number(x) - Number(otherX)) > 45 || Math.abs(Number(y) - Number(otherY)) > 12);
    }
  }
});

test("images of unknown class have the colour of the predicted one", async () => {
  const points = [0, 1, 2].map((i) => ({ predicted: i === 0 ? "cat" : "dog", x: i, y: 0 }));
  const svg = await drawMap({ ...drawn, points }, ["dog", "cat"], "unknown");
  assert.ok(svg.includes("colour: the predicted class if the true one is unknown"));
  assert.deepEqual([marksOf(svg, "right-points"), marksOf(svg, "wrong-points")], [3, 0]);
  assert.ok(!svg.includes("NaN"));
});
