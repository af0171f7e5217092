/** Checkpoints of Lightning, timm and torchvision's references: which weights are read, and what is said. */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { importModel } from "../src/exchange/importModel.ts";
import { readPyTorchFile } from "../src/formats/tensorFiles.ts";
import { flatten, linear } from "../src/layers/kinds.ts";
import { readModel } from "../src/model/modelFile.ts";
import type { Network } from "../src/network/network.ts";
import { dict, object, type Python, stateDict, writeCheckpoint } from "./pytorchCheckpoints.ts";

const folder = await mkdtemp(join(tmpdir(), "checkpoints-"));
after(() => rm(folder, { recursive: true, force: true }));

const network: Network = {
  name: "net",
  source: "",
  deviations: [],
  input: [3, 2, 2],
  layers: [flatten("flatten"), linear("fc", { outFeatures: 3 })],
};
const shapes = { "fc.weight": [3, 12], "fc.bias": [3] };
const [RAW, EMA] = [0.25, 0.5];

/** State of an SGD optimizer; `state` has the momentum of each parameter. */
const optimizer = dict({
  state: dict({ 0: dict({ momentum_buffer: { tensor: { shape: [3, 12], value: 9 } } }) }),
  param_groups: [dict({ lr: 0.1, nesterov: false, foreach: null, params: [0, 1] })],
});
const namespace = (entries: Readonly<Record<string, Python>>) => object("argparse.Namespace", { state: dict(entries) });
const score = object("numpy.core.multiarray.scalar", {
  args: [
    object("numpy.dtype", { args: ["f8", false, true], state: [3, "<", null] }),
    object("_codecs.encode", { args: ["x", "latin1"] }),
  ],
});

/** Source: timm, utils/checkpoint_saver.py, `_save`. */
const timm = dict({
  epoch: 3,
  arch: "net",
  state_dict: stateDict(shapes, RAW),
  optimizer,
  version: 2,
  args: namespace({ lr: 0.1, data_dir: object("pathlib.PosixPath", { args: ["/", "data"] }) }),
  amp_scaler: dict({ scale: 65536, _growth_tracker: 0 }),
  state_dict_ema: stateDict(shapes, EMA),
  metric: score,
});
/** Source: torchvision, references/classification/train.py. */
const torchvision = dict({
  model: stateDict(shapes, RAW),
  optimizer,
  lr_scheduler: dict({ last_epoch: 3, milestones: object("collections.Counter", { args: [] }) }),
  epoch: 3,
  args: namespace({ device: object("torch.device", { args: ["cuda"] }) }),
  model_ema: dict({
    n_averaged: { tensor: { shape: [], value: 7 } },
    ...(stateDict(shapes, EMA, "module.") as { readonly dict: Readonly<Record<string, Python>> }).dict,
  }),
  scaler: dict({ scale: 65536 }),
});
/** Source: lightning, trainer/connectors/checkpoint_connector.py, `dump_checkpoint`; callbacks/weight_averaging.py. */
const lightning = (weights: Readonly<Record<string, Python>>) =>
  dict({
    epoch: 3,
    global_step: 100,
    "pytorch-lightning_version": "2.5.0",
    ...weights,
    loops: dict({ fit_loop: dict({ state_dict: dict({}), "epoch_progress.total": dict({ ready: 3 }) }) }),
    callbacks: dict({
      "ModelCheckpoint{'monitor': 'val_loss'}": dict({
        best_model_score: { tensor: { shape: [], value: 1 } },
        dirpath: object("pathlib._local.PosixPath", { args: ["runs"] }),
      }),
    }),
    optimizer_states: [optimizer],
    lr_schedulers: [],
    hparams_name: "kwargs",
    hyper_parameters: object("lightning.fabric.utilities.data.AttributeDict", { items: { lr: 0.1 } }),
  });

async function imported(name: string, root: Python, weights?: "raw" | "ema") {
  const file = join(folder, `${name}.pth`);
  await writeCheckpoint(file, root);
  const run = join(folder, `${name}-${weights ?? "default"}`);
  const { notes } = await importModel(file, run, { network, ...(weights && { weights }) });
  const model = await readModel(run);
  return { value: model.weights.get("fc.bias")?.[0], notes };
}

describe("a checkpoint with the weights of training and their average", () => {
  for (const [name, root, raw, ema] of [
    ["timm", timm, "state_dict", "state_dict_ema"],
    ["torchvision", torchvision, "model", "model_ema"],
  ] as const) {
    it(`is read as --weights says, and names the other: ${name}`, async () => {
      const note = `weights: ${raw}; the file also has their moving average, ${ema}: --weights ema reads them`;
      assert.deepEqual(await imported(name, root), { value: RAW, notes: [note] });
      assert.deepEqual(await imported(name, root, "raw"), { value: RAW, notes: [note] });
      const other = `weights: ${ema}; the file also has the weights of training, ${raw}: --weights raw reads them`;
      assert.deepEqual(await imported(name, root, "ema"), { value: EMA, notes: [other] });
    });
  }

  it("of Lightning's averaging has the average under the usual name", async () => {
    const root = lightning({
      state_dict: stateDict(shapes, EMA, "model."),
      current_model_state: stateDict(shapes, RAW, "model."),
      averaging_state: dict({ n_averaged: { tensor: { shape: [], value: 7 } } }),
    });
    const { value, notes } = await imported("averaging", root);
    assert.equal(value, EMA);
    assert.match(notes.join(), /weights: state_dict; the file also has the weights of training, current_model_state/);
    assert.equal((await imported("averaging", root, "raw")).value, RAW);
    assert.equal((await imported("averaging", root, "ema")).value, EMA);
  });
});

it("a checkpoint of Lightning is read without a note, and refused for --weights ema", async () => {
  const root = lightning({ state_dict: stateDict(shapes, RAW, "model.") });
  assert.deepEqual(await imported("lightning", root), { value: RAW, notes: [] });
  await assert.rejects(
    imported("lightning", root, "ema"),
    /expected averaged weights, such as state_dict_ema or model_ema, got state_dict; remove --weights ema/,
  );
});

it("an averaged model is read without its counter", async () => {
  const root = dict({
    n_averaged: { tensor: { shape: [], value: 7 } },
    ...(stateDict(shapes, EMA, "module.") as { readonly dict: Readonly<Record<string, Python>> }).dict,
  });
  assert.deepEqual(await imported("swa", root), { value: EMA, notes: [] });
  assert.deepEqual(await imported("swa", root, "ema"), { value: EMA, notes: [] });
});

it("the library chooses as the command does", async () => {
  const file = join(folder, "timm.pth");
  await writeCheckpoint(file, timm);
  assert.equal((await readPyTorchFile(file)).get("fc.bias")?.values[0], RAW);
  assert.equal((await readPyTorchFile(file, { weights: "ema" })).get("fc.bias")?.values[0], EMA);
});

it("objects of training programs are skipped, other names are refused, and none is run", async () => {
  const file = join(folder, "refused.pth");
  await writeCheckpoint(
    file,
    dict({ state_dict: stateDict(shapes, RAW), args: object("posix.system", { args: ["touch x"] }) }),
  );
  await assert.rejects(readPyTorchFile(file), /refused "posix\.system" .*none of its code was run/);
});

it("--weights of another format is refused", async () => {
  await assert.rejects(
    importModel(join(folder, "x.onnx"), join(folder, "x"), { weights: "ema" }),
    /--weights: .*x.onnx has one set of weights \(format onnx\); remove the flag/,
  );
});
