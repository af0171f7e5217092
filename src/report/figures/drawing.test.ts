import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { describe, it } from "node:test";
import { Resvg } from "@resvg/resvg-js";
import { findNetwork, networks } from "../../network/alexnet.ts";
import { type Network, parseNetwork } from "../../network/network.ts";
import { summarize } from "../../network/summary.ts";
import { themes } from "../theme.ts";
import { drawNetwork, drawNetworkWithin } from "./drawing.ts";
import { stagesOf } from "./drawingStages.ts";

const custom = parseNetwork(
  {
    name: "four towers <&> a name of some length",
    input: [4, 64, 400],
    layers: [
      {
        name: "a-very-long-name-of-a-layer",
        kind: "conv2d",
        outChannels: 64,
        kernelSize: 7,
        stride: 3,
        padding: 3,
        groups: 4,
      },
      { name: "bend", kind: "tanh" },
      { name: "second", kind: "conv2d", outChannels: 128, kernelSize: 3, groups: 2 },
      { name: "deep", kind: "conv2d", outChannels: 128, kernelSize: 3, groups: 128 },
      { name: "mean", kind: "adaptiveAveragePool2d", outputSize: 1 },
      { name: "flat", kind: "flatten" },
      { name: "out", kind: "linear", outFeatures: 10 },
    ],
  },
  "test",
);
const logistic = parseNetwork(
  {
    name: "logistic",
    input: [1, 28, 28],
    layers: [
      { name: "flat", kind: "flatten" },
      { name: "out", kind: "linear", outFeatures: 10 },
    ],
  },
  "test",
);
const drawn: readonly Network[] = [...networks, custom, logistic];

/** Texts with the rectangles that they fill, in the drawing's own units. */
function textsOf(svg: string) {
  const elements = [
    ...svg.matchAll(/<g( text-anchor="middle")?>|<\/g>|(<text x="([\d.]+)" y="([\d.]+)"([^>]*)>([^<]*)<\/text>)/g),
  ];
  let anchor: string | undefined;
  return elements.flatMap(([tag, middle, element, x, y, attributes = "", text = ""]) => {
    if (!element) {
      anchor = tag === "</g>" ? undefined : middle;
      return [];
    }
    const width = widthOf(text, attributes);
    const left = anchor ? Number(x) - width / 2 : Number(x);
    return [{ text, left, right: left + width, top: Number(y) - 10, bottom: Number(y) + 3 }];
  });
}

const widths = new Map<string, number>();

/** Box of a text as resvg sets it with the packaged font. */
function widthOf(text: string, attributes: string): number {
  const key = `${attributes} ${text}`;
  const known = widths.get(key);
  if (known !== undefined) return known;
  const { resolve } = createRequire(import.meta.url);
  const fontFiles = ["DejaVuSans", "DejaVuSans-Bold"].map((name) => resolve(`dejavu-fonts-ttf/ttf/${name}.ttf`));
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="3000" height="99" font-family="DejaVu Sans" font-size="11.5"><text x="9" y="50"${attributes}>${text}</text></svg>`;
  const width = new Resvg(svg, { font: { loadSystemFonts: false, fontFiles } }).getBBox()?.width ?? 0;
  assert.ok(width > 0, `${text}: not set`);
  widths.set(key, width);
  return width;
}

describe("drawNetwork", () => {
  it("says every name, size, kernel, stride and padding of alexnet, and where towers exchange data", () => {
    const labels = textsOf(drawNetwork(findNetwork("alexnet"), "light")).map(({ text }) => text);
    const expected = `
      alexnet: 60,965,224 parameters, 724,406,816 MACs
      image|feature maps of a convolution|feature maps without weights|linear units|receptive field of one output|towers exchange data
      input|3×227×227
      conv1|2 × (48×55×55)|96 of 11×11×3|stride 4|ReLU|LRN
      pool1|2 × (48×27×27)|max of 3×3|stride 2
      conv2|2 × (128×27×27)|256 of 5×5×48|stride 1|padding 2|2 groups|ReLU|LRN
      pool2|2 × (128×13×13)|max of 3×3|stride 2
      conv3|2 × (192×13×13)|384 of 3×3×256|stride 1|padding 1|sees both towers|ReLU
      conv4|2 × (192×13×13)|384 of 3×3×192|stride 1|padding 1|2 groups|ReLU
      conv5|2 × (128×13×13)|256 of 3×3×192|stride 1|padding 1|2 groups|ReLU
      pool5|2 × (128×6×6)|max of 3×3|stride 2
      flatten|9216|flatten|sees both towers
      fc6|4096|4096 of 9216|ReLU|dropout
      fc7|4096|4096 of 4096|ReLU|dropout
      fc8|1000|1000 of 4096`;
    assert.deepEqual(labels, expected.trim().split(/\||\n\s+/));
  });

  for (const network of drawn) {
    it(`of ${network.name}: every layer with products or another shape is there, no text is cut or lies on another`, () => {
      const svg = drawNetwork(network, "light");
      const [, width = 0, height = 0] = /width="(\d+)" height="(\d+)"/.exec(svg)?.map(Number) ?? [];
      const texts = textsOf(svg);
      const stages = stagesOf(network);
      const shown = stages.reduce((sum, { captions }) => sum + 1 + captions.length, 0);
      const changes = summarize(network).layers.filter(
        ({ macs, inputShape, outputShape }) => macs > 0 || String(inputShape) !== String(outputShape),
      );
      assert.deepEqual(
        stages.slice(1).map(({ name }) => name),
        changes.map(({ name }) => name),
      );
      assert.ok(texts.length > shown);
      for (const [i, a] of texts.entries()) {
        assert.ok(a.left >= 2 && a.right <= width - 2 && a.top >= 0 && a.bottom <= height, `${a.text}: outside`);
        for (const b of texts.slice(i + 1)) {
          const apart = a.right + 2 <= b.left || b.right + 2 <= a.left || a.bottom <= b.top || b.bottom <= a.top;
          assert.ok(apart, `"${a.text}" lies on "${b.text}"`);
        }
      }
      for (const [, points = ""] of svg.matchAll(/points="([^"]+)"/g)) {
        for (const point of points.split(" ")) {
          const [x = Number.NaN, y = Number.NaN] = point.split(",").map(Number);
          assert.ok(x >= 0 && x <= width && y >= 60 && y <= height, `${point}: outside`);
        }
      }
    });
  }

  for (const room of [600, 928]) {
    it(`in rows of ${room}: as wide as that at most, every stage in order, each row from the last block of the row before`, () => {
      for (const network of drawn) {
        const svg = drawNetworkWithin(network, "light", room);
        const [, width = 0] = /width="(\d+)"/.exec(svg)?.map(Number) ?? [];
        assert.ok(width <= room, `${network.name}: ${width}`);
        const texts = textsOf(svg);
        for (const { text, left, right } of texts) assert.ok(left >= 2 && right <= width - 2, `${text}: outside`);
        const names = [...svg.matchAll(/text-anchor="middle"><text[^>]*>([^<]*)</g)].map(([, name]) => name);
        const repeated = svg.match(/<g opacity="0.4">/g)?.length ?? 0;
        assert.equal(names.length, stagesOf(network).length + repeated);
        const shown = names.filter((name, i) => name !== names[i - 1]);
        assert.deepEqual(
          shown.map((name) => name?.replace("…", "")),
          stagesOf(network).map(({ name }) => name.slice(0, shown.includes(name) ? undefined : 17)),
        );
      }
      assert.match(drawNetworkWithin(findNetwork("alexnet"), "light", room), /<g opacity="0.4">/);
    });
  }

  it("escapes names, and has another background for each theme", () => {
    assert.match(drawNetwork(custom, "light"), /four towers &lt;&amp;&gt; /);
    const [light, dark] = themes.map((theme) => drawNetwork(custom, theme));
    assert.match(light ?? "", /<rect [^>]*fill="#ffffff"/);
    assert.match(dark ?? "", /<rect [^>]*fill="#15181b"/);
  });
});

describe("towers", () => {
  const towers = (network: Network) =>
    stagesOf(network).map(({ name, towers: count, groups }) => [name, count, groups]);

  it("of alexnet are two up to the last pool; conv3 and the linear layers see both", () => {
    assert.deepEqual(towers(findNetwork("alexnet")).slice(0, 10), [
      ["input", 1, 1],
      ["conv1", 2, 1],
      ["pool1", 2, 2],
      ["conv2", 2, 2],
      ["pool2", 2, 2],
      ["conv3", 2, 1],
      ["conv4", 2, 2],
      ["conv5", 2, 2],
      ["pool5", 2, 2],
      ["flatten", 1, 1],
    ]);
  });

  it("follow the groups of others, and are none where these are many", () => {
    assert.deepEqual(towers(custom).slice(0, 4), [
      ["input", 1, 1],
      ["a-very-long-name-of-a-layer", 4, 4],
      ["second", 2, 2],
      ["deep", 1, 128],
    ]);
    assert.ok(stagesOf(custom)[2]?.captions.includes("sees 2 towers"));
    const grouped = networks.filter(({ layers }) =>
      layers.some((layer) => layer.kind === "conv2d" && layer.groups > 1),
    );
    assert.deepEqual(
      grouped.map(({ name }) => name),
      ["alexnet", "bvlc-alexnet", "caffenet"],
    );
    for (const { name } of networks.filter((network) => !grouped.includes(network))) {
      assert.ok(
        stagesOf(findNetwork(name)).every((stage) => stage.towers === 1),
        name,
      );
    }
  });
});
