/** A served network: its place in the server's queue, its engine process, and its description. */

import { type ClassScore, rankClasses } from "../model/predictRows.ts";
import { type NetworkSummary, summarize } from "../network/summary.ts";
import { thresholdsOf } from "../training/evaluation/multiLabel.ts";
import type { DecodeJob } from "./decodeJob.ts";
import type { DecodePool } from "./decodePool.ts";
import type { EngineHost } from "./engineHost.ts";
import type { Exchange } from "./exchange.ts";
import { formatInfer, type InferAnswer, parseInfer, type TensorFacts } from "./inferRequest.ts";
import type { Metrics } from "./metrics.ts";
import { joined, type Pieces } from "./pieces.ts";
import { unavailable } from "./requestError.ts";

/** A served network. */
export interface ServedModel {
  readonly name: string;
  readonly host: EngineHost;
  readonly facts: TensorFacts;
  readonly classNames: readonly string[];
  readonly summary: NetworkSummary;
  /** Images that are accepted and not answered. */
  readonly queued: number;
  /** Throws RequestError if a request would be refused now. Called before its body is read. */
  requireRoom(): void;
  /** Every class of the image in a body, the most probable first. */
  predict(exchange: Exchange, body: Pieces, contentType: string): Promise<readonly ClassScore[]>;
  /** Answer to a request of the Open Inference Protocol. */
  infer(exchange: Exchange, body: Pieces, jsonBytes: number): Promise<InferAnswer>;
}

/** Parts of a served network. */
export interface ServedParts {
  readonly name: string;
  readonly host: EngineHost;
  readonly facts: TensorFacts;
  /** Index among the models of the pool. */
  readonly index: number;
  readonly pool: DecodePool;
  /** Maximum number of images that are accepted and not answered. */
  readonly queue: number;
  readonly metrics: Metrics;
}

/** JSON of a request up to this length is parsed where it arrives; longer JSON would hold up other requests. */
const SHORT_JSON = 1 << 16;

/** Creates a served network from its parts. */
export function createServedModel({ name, host, facts, index, pool, queue, metrics }: ServedParts): ServedModel {
  const { model, isMultiLabel } = host.facts;
  let queued = 0;

  const requireRoom = (images = 1) => {
    if (!host.isReady) throw unavailable(`${name}: the engine is being started again; repeat the request`);
    if (queued + images <= queue) return;
    throw unavailable(`${name}: the queue is full (${queue} images); repeat the request later`);
  };

  /** Runs work on images that take places in the queue, and further ones by `more`. A client that goes away gives them back at once. */
  const inQueue = async <T>(
    { signal, accepted }: Exchange,
    images: number,
    work: (more: (images: number) => void) => Promise<T>,
  ): Promise<T> => {
    signal.throwIfAborted();
    let taken = 0;
    const more = (added: number) => {
      requireRoom(added);
      taken += added;
      queued += added;
    };
    more(images);
    const leave = () => {
      queued -= taken;
      taken = 0;
    };
    signal.addEventListener("abort", leave, { once: true });
    const began = performance.now();
    try {
      const result = await accepted(() => work(more));
      metrics.observe(name, (performance.now() - began) / 1000, taken);
      return result;
    } finally {
      leave();
    }
  };

  const decode = (exchange: Exchange, job: DecodeJob) => pool.decode(job, exchange.signal);
  return {
    name,
    host,
    facts,
    classNames: model.classNames,
    summary: summarize(model.network, {}),
    get queued() {
      return queued;
    },
    requireRoom,
    predict: (exchange, body, contentType) =>
      inQueue(exchange, 1, async () => {
        const { images } = await decode(exchange, { model: index, body: joined(body), contentType });
        const probabilities = await host.infer(images, exchange.signal);
        return rankClasses(probabilities, model.classNames, { isMultiLabel }, thresholdsOf(model));
      }),
    async infer(exchange, body, jsonBytes) {
      if (jsonBytes > SHORT_JSON) {
        // The number of images is known only when it is parsed.
        return inQueue(exchange, 1, async (more) => {
          const { images, request } = await decode(exchange, { model: index, body: joined(body), jsonBytes });
          more(images.count - 1);
          const probabilities = await host.infer(images, exchange.signal);
          return formatInfer(name, request ?? { isBinary: false }, images.count, probabilities);
        });
      }
      const { images, request } = parseInfer(body, jsonBytes, facts);
      return inQueue(exchange, images.count, async () => {
        const probabilities = await host.infer(images, exchange.signal);
        return formatInfer(name, request, images.count, probabilities);
      });
    },
  };
}
