/** Program of the helper threads of `helpers.ts`: waits for a batch, prepares its part of it, and repeats. */
import { type MessagePort, parentPort, receiveMessageOnPort, workerData } from "node:worker_threads";
import { createBoard } from "./board.ts";
import type { HelperData, NumberedMemory } from "./helpers.ts";
import { createRowPreparer, prepareFromBoard } from "./rows.ts";

const { options, board: memory, rows, imageSize } = workerData as HelperData;
const board = createBoard(rows, memory);
const prepare = createRowPreparer(options);
const memories = new Map<number, SharedArrayBuffer>();

/** Memories are sent before they are offered. */
function memoryOf(number: number): SharedArrayBuffer {
  for (;;) {
    const known = memories.get(number);
    if (known) return known;
    const { message } = receiveMessageOnPort(parentPort as MessagePort) as { message: NumberedMemory };
    memories.set(message.number, message.memory);
    if (message.forgotten !== undefined) memories.delete(message.forgotten);
  }
}

board.join();
for (let offer = board.waitForOffer(0); ; offer = board.waitForOffer(offer)) {
  prepareFromBoard(board, prepare, imageSize, memoryOf);
}
