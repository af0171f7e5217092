import assert from "node:assert/strict";
import { test } from "node:test";
import { csvLine, predictionHeadings, predictionRow } from "./csv.ts";

test("fields with commas, quotes and line breaks are quoted, quotes doubled; lines end as RFC 4180 has it", () => {
  const fields = ["plain", "a,b", 'the "best"', "two\nlines", "cr\rhere", "", " spaces ", '"', "größer"];
  const expected = 'plain,"a,b","the ""best""","two\nlines","cr\rhere",, spaces ,"""",größer\r\n';
  assert.equal(csvLine(fields), expected);
});

test("a prediction has a field for each heading; an image without a file has an empty one", () => {
  const prediction = {
    index: 7,
    className: "T-shirt/top",
    predicted: "Dress, long",
    probability: 0.1,
    classProbability: 1e-30,
    loss: 69,
  };
  assert.equal(predictionRow(prediction).length, predictionHeadings.length);
  assert.equal(csvLine(predictionRow(prediction)), '7,,T-shirt/top,"Dress, long",0.1,1e-30\r\n');
  assert.equal(predictionRow({ ...prediction, file: "a/b.png" })[1], "a/b.png");
});
