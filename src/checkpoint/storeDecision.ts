/** Stores a decision in a weights file; its weights and all other metadata stay as they are. */
import { dirname } from "node:path";
import { pairAlso } from "./checkpoint.ts";
import { writeThrough } from "./durable.ts";
import { type Decision, decodeModel, encodeDecision } from "./metadata.ts";
import { withReader } from "./safetensorsReader.ts";
import { writeSafetensors } from "./safetensorsWriter.ts";

/**
 * Replaces temperature and thresholds in a weights file, atomically; without them, the file has none.
 *
 * If the file belongs to a checkpoint, its optimizer file accepts both contents.
 *
 * Throws CheckpointError if the file is corrupt or not a weights file of this program, or cannot be written; it is then unchanged.
 */
export async function storeDecision(file: string, decision: Decision): Promise<void> {
  // The file is closed before it is replaced, as Windows requires.
  await writeThrough(file, (temporary) =>
    withReader(file, async (reader) => {
      await reader.verify();
      decodeModel(reader);
      const { temperature: _temperature, thresholds: _thresholds, ...others } = reader.header.metadata;
      const checksum = await writeSafetensors(temporary, { ...others, ...encodeDecision(decision) }, reader);
      // A checkpoint stays one, before and after this moment.
      const { checksum: before } = reader.header;
      if (before !== undefined) await pairAlso(dirname(file), before, checksum);
    }),
  );
}
