/** Files of every earlier version are used as they were then: same figures, and no key of theirs is gone. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { mkdtemp, realpath, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { type Figures, steps } from "./earlierVersionFigures.ts";
import { differences, restoreVersion } from "./earlierVersionFiles.ts";
import { root } from "./sourceFiles.ts";

const earlierVersions = join(root, "test/earlierVersions");

/** The result's evaluation is that of the best weights, as its documentation says; in 0.1.0 it was the newest one. */
const bestEvaluation = /^printed\.evaluation\./;

/** With averaged weights, the last ones have no figures of the averages. */
const noTestFigures = /(^|\.)last\.safetensors\.metadata\.metrics\.test(Loss|Accuracy): gone$/;

/** One of two expressions. */
const either = (a: RegExp, b: RegExp) => new RegExp(`${a.source}|${b.source}`);

/** Differences that are meant, by the step's name. */
const meant: Readonly<Record<string, RegExp>> = {
  // Accuracy is 1 in every epoch: the best weights of a new run are those with the lowest loss, no longer the first.
  "make folder": /^best\.safetensors\.(norm|sha256): /,
  // The reason of a divergence is worded in another way.
  "make full": either(
    /^log\.jsonl\[\d+\]\.reason: ".* is not finite .*" then, ".* is NaN or infinite .*" now$/,
    noTestFigures,
  ),
  // Before the first evaluation, no accuracy is the best so far, not 0.
  "make sweep": /\.position\.schedule\.bestAccuracy: 0 then, -1 now$/,
  "sweep @/rates.json --run @/sweep": /\.error: ".* is not finite .*" then, ".* is NaN or infinite .*" now$/,
  "train --run @/stopped --resume": bestEvaluation,
  "train --run @/older --resume": bestEvaluation,
  "train --run @/tuned --resume": bestEvaluation,
  "train --run @/full --resume": either(bestEvaluation, noTestFigures),
  "train --run @/folder --resume": bestEvaluation,
};

test("a key that is gone and a figure that has changed are found; a new key, and what depends on the clock, are not", () => {
  const then = { loss: 0.5, seconds: 1, runs: [{ name: "a", sha256: "0" }] };
  const run = { name: "a", sha256: "0" };
  assert.deepEqual(differences(then, { loss: 0.5, seconds: 2, added: 1, runs: [{ ...run, added: 1 }] }, "exact"), []);
  assert.deepEqual(differences(then, { loss: 0.5, runs: [run] }, "exact"), ["seconds: gone"]);
  assert.deepEqual(differences(then, { ...then, seconds: "2" }, "close"), ['seconds: "number" then, "string" now']);
  assert.deepEqual(differences(then, { ...then, runs: [{ sha256: "0" }] }, "close"), ["runs[0].name: gone"]);
  assert.deepEqual(differences(then, { ...then, runs: [] }, "exact"), ["runs: 1 entries then, 0 now"]);
  assert.deepEqual(differences(then, { ...then, loss: 0.50001 }, "exact"), ["loss: 0.5 then, 0.50001 now"]);
  assert.deepEqual(differences(then, { ...then, loss: 0.50001, runs: [{ ...run, sha256: "1" }] }, "close"), []);
  assert.deepEqual(differences(then, { ...then, loss: 0.5001 }, "close"), ["loss: 0.5 then, 0.5001 now"]);
  assert.deepEqual(differences(then, { ...then, runs: [{ ...run, sha256: "1" }] }, "exact").length, 1);
});

for (const version of readdirSync(earlierVersions)) {
  describe(`files of ${version}`, () => {
    const stored = join(earlierVersions, version);
    const figures: Figures = JSON.parse(readFileSync(join(stored, "figures.json"), "utf8"));
    const cacheBefore = process.env["XDG_CACHE_HOME"];
    let folder: string;
    before(async () => {
      folder = await realpath(await mkdtemp(join(tmpdir(), "alexnet-earlier-")));
      process.env["XDG_CACHE_HOME"] = join(folder, "cache");
      await restoreVersion(stored, join(folder, "restored"));
    });
    after(async () => {
      if (cacheBefore === undefined) delete process.env["XDG_CACHE_HOME"];
      else process.env["XDG_CACHE_HOME"] = cacheBefore;
      await rm(folder, { recursive: true });
    });

    test("every figure has a step that measures it", () => {
      const names = new Set(steps.map(({ name }) => name));
      assert.equal(names.size, steps.length, "two steps have the same name");
      assert.deepEqual(
        Object.keys(figures).filter((name) => !names.has(name)),
        [],
        `${stored}/figures.json: measured by no step; bring the steps back, for files of this version are in use`,
      );
    });

    for (const { name, comparison, measure } of steps.filter((step) => Object.hasOwn(figures, step.name))) {
      test(name, async () => {
        const now = await measure(join(folder, "restored"));
        const found = differences(figures[name], JSON.parse(JSON.stringify(now)), comparison);
        assert.deepEqual(
          found.filter((difference) => !meant[name]?.test(difference)),
          [],
        );
      });
    }
  });
}
