/** Recording by several processes: process 0 writes, and all of them stop, save and evaluate together. */
import type { Communicator } from "../engine/communicator.ts";
import type { TrainingListener } from "../training/train.ts";
import type { JointStores } from "./jointStores.ts";
import type { SharedStop } from "./processes.ts";
import type { Recorder } from "./recorder.ts";

/** Runs an action of a recorder on every process; process 0, which saves, leads the others. */
type Recorded = <T>(action: () => Promise<T>) => Promise<T>;

/** A recorder whose decisions are those of process 0. The recorder of a single process stays as it is. */
export function joinRecorder(
  communicator: Communicator,
  { lead }: JointStores,
  stop: SharedStop,
  recorder: Recorder,
): Recorder {
  if (communicator.size === 1) return recorder;
  const recorded: Recorded = async (action) => {
    // The recorders of the others write nothing.
    if (communicator.rank > 0) await action();
    return lead(action);
  };
  return {
    ...recorder,
    listener: joinListener(communicator, recorded, stop, recorder.listener),
    save: (position) => recorded(() => recorder.save(position)),
  };
}

function joinListener(
  communicator: Communicator,
  recorded: Recorded,
  stop: SharedStop,
  own: TrainingListener,
): TrainingListener {
  return {
    ...own,
    signal: stop.signal,
    isDue: () => true,
    async betweenIterations(position) {
      communicator.reached(position.iteration);
      const isDue = stop.look(own.isDue());
      if (!isDue && !stop.signal?.aborted) return undefined;
      return recorded(() => own.betweenIterations(position));
    },
    onEvaluationProgress(images) {
      stop.look(false);
      own.onEvaluationProgress(images);
    },
    onEvaluation: (...evaluated) => recorded(() => own.onEvaluation(...evaluated)),
  };
}
