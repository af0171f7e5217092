/** Program of `closing.test.ts`: misuses every kind of owner in every way, names each first, and exits 0 if each misuse is a clear error. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import { createThreadedPreparation } from "../src/dataset/prepare/threadedPreparation.ts";
import type { Engine, TrainingProgram } from "../src/engine/engine.ts";
import { loadOneDnn } from "../src/engine/onednn/native/find.ts";
import { loadLibC } from "../src/engine/onednn/native/libc.ts";
import { createOneDnnEngine } from "../src/engine/onednn/onednn.ts";
import { createReferenceEngine } from "../src/engine/reference/reference.ts";
import { createWasmEngine } from "../src/engine/wasm/wasm.ts";
import { ClosedError } from "../src/errors.ts";
import type { Image } from "../src/image/image.ts";
import { openClassifier } from "../src/model/classifier.ts";
import { openLayerOutputs } from "../src/model/layerOutputs.ts";
import { operations } from "../src/network/network.ts";
import { startOf } from "../src/workerModule.ts";
import { tinyNetwork } from "./tinyRuns.ts";

const [engineName, file, work] = isMainThread ? process.argv.slice(2) : (workerData as string[]);
const creators = {
  onednn: () => createOneDnnEngine({ threads: 1 }),
  wasm: () => createWasmEngine({ threads: 2 }),
  reference: createReferenceEngine,
} as const;
const engineKind = engineName as keyof typeof creators;
const createEngine = async (): Promise<Engine> => creators[engineKind]();
const options = { engine: engineKind, threads: 1 } as const;
const request = {
  ops: operations(tinyNetwork),
  inputShape: tinyNetwork.input,
  batchSize: 4,
  precision: "f32",
} as const;
const draws = { seed: 1, first: 0 };
const images = new Float32Array(4 * 28 * 28).fill(0.5);
const targets = new Float32Array(4 * 10).fill(0.1);
const image: Image = { width: 28, height: 28, channels: 1, data: new Uint8Array(28 * 28).fill(9) };
const weights = file as string;

const isClosed = (error: unknown) => error instanceof ClosedError && error.message.includes("used after close()");

/** Every way to use a program, each of which is to throw ClosedError. */
async function refuses(program: TrainingProgram): Promise<void> {
  const [{ value, gradient }] = program.parameters as readonly [(typeof program.parameters)[number]];
  const plain = new Float32Array(value.shape.reduce((a, b) => a * b, 1));
  const uses: readonly (() => unknown)[] = [
    () => program.forward(images, 4, draws),
    () => program.forwardTraining(images, 4, draws),
    () => program.backward(targets),
    () => program.forwardBackward(images, targets, 4, draws),
    () => program.nextInput(),
    () => program.scratch(10),
    () => program.write(value, plain),
    () => program.read(value),
    () => program.newTensor(value),
    () => program.compileUpdate([{ target: value, from: value, operations: [["add", gradient]] }]).run(),
    () => program.sumOfSquares([value]),
    () => program.firstNonFinite("values"),
    () => program.firstNonFinite("gradients"),
  ];
  for (const use of uses) await assert.rejects(async () => use(), isClosed, String(use));
  program.takeProfile();
  program.input.fill(1);
}

/** Several owners of the same kind, so that memory that one gives back is another's next. */
async function again(times: number, work: () => Promise<void>): Promise<void> {
  for (let time = 0; time < times; time++) await work();
}

/** Owners of an engine. */
const cases = {
  async engine() {
    await again(3, async () => {
      const [engine, other] = [await createEngine(), await createEngine()];
      const program = await engine.compileTraining(request);
      const compiling = engine.compileTraining(request);
      const kept = await other.compile(request);
      engine.close();
      engine.close();
      await refuses(program);
      await refuses(await compiling);
      program.close();
      await assert.rejects(engine.compile(request), isClosed);
      await assert.rejects(engine.compileTraining(request), isClosed);
      await kept.forward(images, 4, draws);
      other.close();
      await assert.rejects(kept.forward(images, 4, draws), isClosed);
    });
  },
  async program() {
    const engine = await createEngine();
    await again(5, async () => {
      const [program, other] = [await engine.compile(request), await engine.compile(request)];
      const expected = await other.forward(images, 4, draws);
      const inFlight = Array.from({ length: 20 }, () => program.forward(images, 4, draws));
      program.close();
      program.close();
      for (const result of await Promise.all(inFlight)) assert.deepEqual(result, expected);
      await assert.rejects(program.forward(images, 4, draws), isClosed);
      assert.deepEqual(await other.forward(images, 4, draws), expected);
      other.close();
    });
    engine.close();
  },
  async "training program"() {
    const engine = await createEngine();
    await again(5, async () => {
      const program = await engine.compileTraining(request);
      const steps = Array.from({ length: 20 }, () => program.forwardBackward(images, targets, 4, draws));
      const half = program.forwardTraining(images, 4, draws);
      program.close();
      await refuses(program);
      program.close();
      for (const { loss, logits } of await Promise.all(steps)) assert.ok(loss > 0 && logits.every(Number.isFinite));
      assert.ok((await half).every(Number.isFinite));
    });
    engine.close();
  },
  async update() {
    const engine = await createEngine();
    const program = await engine.compileTraining(request);
    const [{ value, gradient }] = program.parameters as readonly [(typeof program.parameters)[number]];
    const update = program.compileUpdate([{ target: value, from: value, operations: [["subtract", gradient]] }]);
    update.run();
    program.close();
    for (let i = 0; i < 5; i++) assert.throws(() => update.run(), isClosed);
    engine.close();
    assert.throws(() => update.run(), isClosed);
  },
  async "tensors of other programs"() {
    const engine = await createEngine();
    const [one, two] = [await engine.compileTraining(request), await engine.compileTraining(request)];
    const value = (program: TrainingProgram) => (program.parameters[0] as (typeof one.parameters)[number]).value;
    const velocity = one.newTensor(value(one));
    await assert.rejects(two.read(value(one)), /another program/);
    one.close();
    await assert.rejects(two.read(velocity), /another program/);
    await assert.rejects(one.read(velocity), isClosed);
    assert.throws(() =>
      two.compileUpdate([{ target: velocity, from: velocity, operations: [["square"]] } as never]).run(),
    );
    await two.read(value(two));
    engine.close();
    await assert.rejects(two.read(value(two)), isClosed);
  },
  async "memory after close"() {
    const engine = await createEngine();
    const kept: Float32Array[] = [];
    await again(20, async () => {
      const program = await engine.compileTraining(request);
      const { logits } = await program.forwardBackward(images, targets, 4, draws);
      kept.push(program.input, logits, await program.forward(images, 4, draws));
      kept.push(await program.forwardTraining(images, 4, draws), await program.nextInput());
      kept.push(program.scratch(10), program.scratch(1e6));
      program.close();
      // Written to and read: what it holds is nobody's, but it is there.
      for (const array of kept) assert.equal(array.fill(3).at(-1), 3);
    });
    kept.length = 0;
    globalThis.gc?.();
    await new Promise((resolve) => setTimeout(resolve, 20));
    engine.close();
    if (engineName === "reference") return;
    const memory = loadLibC().map(2 ** 22);
    const view = memory.view(memory.address, 2 ** 20).fill(1);
    memory.unmap();
    memory.unmap();
    assert.deepEqual(view.slice(0, 3), new Float32Array(3), "pages are given back at once");
  },
  async classifier() {
    await again(3, async () => {
      const [classifier, other] = [await openClassifier(weights, options), await openClassifier(weights, options)];
      const expected = await other.predict(image);
      const calls = Array.from({ length: 100 }, () => classifier.predict(image));
      const closed = [classifier.close(), classifier.close()];
      await assert.rejects(classifier.predict(image), isClosed);
      await assert.rejects(classifier.evaluate(), isClosed);
      for (const answer of await Promise.all(calls)) assert.deepEqual(answer, expected);
      await Promise.all(closed);
      await classifier.close();
      assert.deepEqual(await other.predict(image), expected);
      await other.close();
      await assert.rejects(other.predict(image), isClosed);
    });
  },
  async "layer outputs"() {
    const opened = await openLayerOutputs(weights, () => ["conv1", "fc3"], { ...options, batchSize: 4 });
    const calls = Array.from({ length: 100 }, () => opened.forward(images, 4));
    await Promise.all([opened.close(), opened.close()]);
    for (const outputs of await Promise.all(calls)) assert.equal(outputs.length, 2);
    opened.input.fill(1);
    await assert.rejects(opened.forward(opened.input, 1), isClosed);
  },
  async "threads that close"() {
    const workers = Array.from({ length: 2 }, () => startThread("classifier"));
    const [codes] = await Promise.all([
      Promise.all(workers.map((worker) => once(worker, "exit"))),
      again(3, () => cases.engine()),
    ]);
    assert.deepEqual(codes, [[0], [0]]);
  },
  async "threads that are terminated"() {
    const classifier = await openClassifier(weights, options);
    const expected = await classifier.predict(image);
    for (const delay of [0, 10]) {
      const worker = startThread("endless");
      await once(worker, "message");
      await new Promise((resolve) => setTimeout(resolve, delay));
      await worker.terminate();
      assert.deepEqual(await classifier.predict(image), expected);
    }
    await classifier.close();
  },
};

/** Owners without an engine. */
const nativeCases = {
  async "native session"() {
    const library = loadOneDnn();
    const [session, other] = [library.session(), library.session()];
    const desc = session.plain([4, 4], "f32");
    const primitive = session.primitive(session.reorder(desc, desc));
    const args = session.args([]);
    session.close();
    session.close();
    const uses: readonly (() => unknown)[] = [
      () => session.plain([1], "f32"),
      () => session.bytes(desc),
      () => session.same(desc, desc),
      () => session.reorder(desc, desc),
      () => session.memory(desc, 0n),
      () => session.execute(primitive, args),
    ];
    for (const use of uses) assert.throws(use, isClosed, String(use));
    library.close();
    library.close();
    assert.throws(() => other.plain([1], "f32"), isClosed);
    other.close();
    assert.throws(() => library.session(), isClosed);
  },
  async preparation() {
    const preprocessing = {
      size: [28, 28],
      channels: 1,
      fit: { kind: "resize" },
      resize: "bilinear",
      mean: [0],
      deviation: [1],
    } as const;
    const preparation = createThreadedPreparation({ preprocessing, threads: 2, patience: 0 });
    const split = { length: 8, label: () => 0, image: () => image };
    const indices = Uint32Array.from({ length: 8 }, (_, i) => i);
    const target = new Float32Array(new SharedArrayBuffer(4 * 8 * 28 * 28));
    const job = { split, indices, uses: indices, count: 8, epoch: undefined, view: { flip: false }, images: target };
    const prepare = () => preparation.prepare(job as never);
    // Long enough for the threads to join.
    for (let i = 0; i < 50; i++) {
      prepare();
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    preparation.close();
    preparation.close();
    assert.throws(prepare, isClosed);
  },
};

/** What threads do. */
const threadWork = {
  classifier: cases.classifier,
  /** Predicts until it is terminated. */
  async endless() {
    const classifier = await openClassifier(weights, options);
    parentPort?.postMessage("started");
    for (;;) await Promise.all(Array.from({ length: 20 }, () => classifier.predict(image)));
  },
};

function startThread(name: keyof typeof threadWork): Worker {
  return new Worker(startOf(new URL("./closingProcess.ts", import.meta.url)), { workerData: [engineName, file, name] });
}

if (isMainThread) {
  const all = { ...cases, ...(engineName === "onednn" ? nativeCases : {}) };
  for (const [name, misuse] of Object.entries(all)) {
    console.log(name);
    await misuse();
  }
} else await threadWork[work as keyof typeof threadWork]();
