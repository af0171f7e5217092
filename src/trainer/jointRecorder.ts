/** Recording by several processes: process 0 writes, and all of them stop, save and evaluate together. */
import type { Communicator } from "../engine/communicator.ts";
import type { TrainingListener } from "../training/train.ts";
import type { SharedStop } from "./processes.ts";
import type { Recorder } from "./recorder.ts";

/** A recorder whose decisions are those of process 0. The recorder of a single process stays as it is. */
export function joinRecorder(communicator: Communicator, stop: SharedStop, recorder: Recorder): Recorder {
  if (communicator.size === 1) return recorder;
  return { ...recorder, listener: joinListener(communicator, stop, recorder.listener) };
}

function joinListener(communicator: Communicator, stop: SharedStop, own: TrainingListener): TrainingListener {
  return {
    ...own,
    signal: stop.signal,
    isDue: () => true,
    async betweenIterations(position) {
      communicator.reached(position.iteration);
      const isDue = stop.look(own.isDue());
      if (!isDue && !stop.signal?.aborted) return undefined;
      // The others wait here while process 0 saves.
      const [end] = await communicator.agree((await own.betweenIterations(position)) ?? null);
      return end ?? undefined;
    },
    onEvaluationProgress(images) {
      stop.look(false);
      own.onEvaluationProgress(images);
    },
    async onEvaluation(...evaluated) {
      await own.onEvaluation(...evaluated);
      await communicator.agree(null);
    },
  };
}
